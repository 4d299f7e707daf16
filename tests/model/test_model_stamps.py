"""What LastModified proves, with clocks that straddle minutes."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bulk_esm.model.stamps import Age, age_of, is_newer

MINUTE = 1_790_000_040.0  # a whole one
MOMENTS_MS = st.integers(0, 240_000)  # four minutes, to the millisecond
CUTS_S = st.sampled_from([None, 1, 60])


def stamp(moment_ms: int, cut_s: int | None) -> float:
    """What a service shows that cuts its stamps to so many seconds."""
    at = MINUTE + moment_ms / 1000
    return at if cut_s is None else math.floor(at / cut_s) * cut_s


@given(moments=st.tuples(MOMENTS_MS, MOMENTS_MS, MOMENTS_MS), cut_s=CUTS_S)
def test_it_never_takes_an_old_picture_for_a_new_one_nor_a_new_one_for_an_old(
    moments: tuple[int, int, int], cut_s: int | None
) -> None:
    """The 202 is whole, and what is read is cut (F§0.2); the planned picture and an older one come before it."""
    older, planned, accepted = sorted(moments)
    shown = {moment: stamp(moment, cut_s) for moment in (older, planned, accepted)}
    ages = {
        moment: age_of(shown[moment], planned=shown[planned], accepted=stamp(accepted, None))
        for moment in (older, planned, accepted)
    }
    assert ages[accepted] is not Age.OLD
    if planned < accepted:
        assert ages[older] is not Age.NEW
        assert ages[planned] is not Age.NEW


@given(moments=st.tuples(MOMENTS_MS, MOMENTS_MS), cut_s=CUTS_S)
def test_a_stamp_of_another_span_always_tells(moments: tuple[int, int], cut_s: int | None) -> None:
    planned, accepted = sorted(moments)
    assume(accepted // 60_000 != planned // 60_000)  # any stamp may stand on a whole minute by chance
    before, after = stamp(planned, cut_s), stamp(accepted, cut_s)
    assert age_of(after, planned=before, accepted=stamp(accepted, None)) is Age.NEW
    assert age_of(before, planned=before, accepted=stamp(accepted, None)) is Age.OLD


@pytest.mark.parametrize(
    ("seen", "planned", "accepted", "age"),
    [
        # dynamodb_source: an update at 13:50:41.355, of which Get shows 13:50:00 (F§0.2)
        (MINUTE, MINUTE - 6000.0, MINUTE + 41.355, Age.NEW),
        (MINUTE - 6000.0, MINUTE - 6000.0, MINUTE + 41.355, Age.OLD),
        # planned, and updated, within one minute
        (MINUTE, MINUTE, MINUTE + 41.355, Age.UNKNOWN),
        # sqs_mapping_controls: milliseconds everywhere
        (MINUTE + 41.355, MINUTE + 41.354, MINUTE + 41.355, Age.NEW),
        (MINUTE + 41.354, MINUTE + 41.354, MINUTE + 41.355, Age.OLD),
        # cut to the second
        (MINUTE + 41.0, MINUTE + 40.0, MINUTE + 41.355, Age.NEW),
        (MINUTE + 41.0, MINUTE + 41.0, MINUTE + 41.355, Age.UNKNOWN),
        # no stamp at all
        (0.0, MINUTE, MINUTE + 41.355, Age.OLD),
        (0.0, 0.0, 0.0, Age.UNKNOWN),
    ],
)
def test_the_ages_that_were_captured(seen: float, planned: float, accepted: float, age: Age) -> None:
    assert age_of(seen, planned=planned, accepted=accepted) is age


def test_newer_is_newer_at_every_moment_that_either_may_stand_for() -> None:
    assert is_newer(MINUTE + 60.0, than=MINUTE)
    assert not is_newer(MINUTE + 59.999, than=MINUTE)
    assert not is_newer(MINUTE, than=MINUTE)
    assert is_newer(MINUTE + 1.002, than=MINUTE + 1.001)
