"""What is spent over a run is never more than was said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_esm.model.spending import RUN_ALPHA, allowed, part_of

COUNTS = st.integers(1, 12)


@given(COUNTS, COUNTS, st.lists(st.integers(1, 400), min_size=1, max_size=6))
def test_no_run_spends_more_than_it_may(watches: int, waves: int, looks_of_attempts: list[int]) -> None:
    """Whatever the commands that carry it out: each looks as often as it does in every wave."""
    spent = sum(
        watches * waves * allowed(watches=watches, waves=waves, look=look, sees_all=sees_all, attempt=attempt)
        for sees_all in (False, True)
        for attempt, looks in enumerate(looks_of_attempts, start=1)
        for look in range(1, looks + 1)
    )
    assert 0 < spent <= RUN_ALPHA


def test_all_parts_are_one_together() -> None:
    assert sum(map(part_of, range(1, 100_000))) == pytest.approx(1, abs=1e-4)


@given(COUNTS, COUNTS, st.integers(1, 1000))
def test_each_look_has_less_than_the_one_before(watches: int, waves: int, look: int) -> None:
    this, following = (allowed(watches=watches, waves=waves, look=one) for one in (look, look + 1))
    assert 0 < following < this < RUN_ALPHA
