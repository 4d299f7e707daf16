"""The failure budget, and how many places keep a run within it."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulk_esm.model.amounts import Amount
from bulk_esm.model.budget import budget_line, is_exceeded, most_failures, places_left

amounts = st.integers(0, 10**6).map(str) | st.integers(0, 100).map("{}%".format)


@pytest.mark.parametrize(
    ("asked", "updates", "in_waves", "expected"),
    [
        (None, 1, False, None),
        (None, 19, False, None),
        (None, 20, False, 5),
        (None, 1, True, 5),
        (None, 500, False, 5),
        (None, 501, False, 6),
        (None, 10_000, True, 100),
        ("0", 10_000, False, 0),
        ("0%", 10_000, True, 0),
        ("3", 10, False, 3),
        ("2%", 10, False, 1),
        ("2%", 1_000, True, 20),
        ("100%", 7, False, 7),
    ],
)
def test_most_failures(asked: str | None, updates: int, in_waves: bool, expected: int | None) -> None:  # noqa: FBT001
    amount = None if asked is None else Amount(asked)
    assert most_failures(amount, updates=updates, in_waves=in_waves) == expected


@given(amounts, st.integers(0, 10**6), st.booleans())
def test_what_was_asked_holds_with_and_without_waves(text: str, updates: int, in_waves: bool) -> None:  # noqa: FBT001
    assert most_failures(Amount(text), updates=updates, in_waves=in_waves) == Amount(text).of(updates)


@pytest.mark.parametrize(
    ("most", "failures", "exceeded"), [(None, 10**6, False), (0, 0, False), (0, 1, True), (5, 5, False), (5, 6, True)]
)
def test_is_exceeded(most: int | None, failures: int, exceeded: bool) -> None:  # noqa: FBT001 - an expected value
    assert is_exceeded(most, failures) is exceeded


@pytest.mark.parametrize(
    ("most", "failures", "expected"),
    [(None, 99, math.inf), (100, 0, 101), (5, 0, 6), (5, 3, 3), (5, 5, 1), (5, 9, 1), (0, 0, 1)],
)
def test_places_left(most: int | None, failures: int, expected: float) -> None:
    assert places_left(most, failures) == expected


@settings(deadline=None)
@given(
    most=st.none() | st.integers(0, 12),
    happenings=st.lists(st.sampled_from(["send", "accept", "refuse"]), max_size=80),
)
def test_refusals_exceed_the_budget_by_one_at_the_most(most: int | None, happenings: list[str]) -> None:
    """Whatever answers when: a place is taken when an update goes out, and free again when its answer comes."""
    waiting = failures = 0
    for happening in happenings:
        places = places_left(most, failures)
        assert places >= 1
        if happening == "send":
            waiting += waiting < places and not is_exceeded(most, failures)
        elif waiting:
            waiting -= 1
            failures += happening == "refuse"
        assert most is None or failures + waiting <= most + 1


@given(most=st.integers(0, 12))
def test_a_run_within_its_budget_goes_on_and_is_halted_by_one_more(most: int) -> None:
    for failures in range(most + 1):
        assert not is_exceeded(most, failures)
        assert places_left(most, failures) == most + 1 - failures
    assert is_exceeded(most, most + 1)


def test_budget_line() -> None:
    assert budget_line(None) == "no failure budget: it goes on whatever fails"
    assert budget_line(1_000).startswith("halts when more than 1,000 fail: Lambda can refuse 1,001 at the most")
