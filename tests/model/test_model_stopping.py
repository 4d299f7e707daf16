"""How a run stands some of whose shards were halted alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_esm.model.records import RunStatus
from bulk_esm.model.stopping import in_shards, with_halted_shards

ENDS = [RunStatus.FINISHED, RunStatus.HALTED, RunStatus.DEADLINE, RunStatus.INTERRUPTED]
halted = st.dictionaries(st.text(min_size=1), st.text(), max_size=9)


@given(st.sampled_from(ENDS), st.none() | st.text(), halted, st.integers(0, 99))
def test_it_is_halted_unless_the_user_interrupted_it(
    status: RunStatus, reason: str | None, found: dict[str, str], others: int
) -> None:
    now, why = with_halted_shards(status, reason, found, shards=len(found) + others)
    if not found or status in {RunStatus.HALTED, RunStatus.INTERRUPTED}:
        assert (now, why) == (status, reason)
    else:
        assert now is RunStatus.HALTED
        assert str(why).startswith("halted")


@given(st.dictionaries(st.integers(0, 999).map("shard-{}".format), st.just("it rings"), min_size=2), st.integers(1, 9))
def test_reasons_are_bounded_and_all_are_counted(reasons: dict[str, str], most: int) -> None:
    text = in_shards(reasons, shards=1_000, most=most)
    assert text.startswith(f"in {len(reasons)} of 1,000 shards: ")
    assert text.count("it rings") == min(most, len(reasons))
    assert ("more" in text) == (len(reasons) > most)


@pytest.mark.parametrize(("shards", "text"), [(1, "it rings"), (2, "in 1 of 2 shards: a: it rings")])
def test_of_one_shard_there_is_nothing_to_count(shards: int, text: str) -> None:
    assert in_shards({"a": "it rings"}, shards=shards) == text
