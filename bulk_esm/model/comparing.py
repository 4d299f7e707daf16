"""Whether what was changed does worse than before, and than what was not changed yet. Pure.

**The test.** For each minute there is one number of all that was changed, and one of all that was not yet: the control.
Their gap after the change is held against their gap before the run by the test of Mann and Whitney (`rank_test`),
towards harm alone. That is one test of both comparisons, a difference of differences: what differs between the groups
at all times is in both gaps, and what comes over both at once, such as the time of day, is in neither. That may add as
much to both, or multiply both alike: so the gap is looked at in either way, as a difference from the control and from
the control times what they differed by before the run, and both must tell of harm. Where no control is left, as in the
last wave, the changed are held against themselves before, and a rise must be larger to count.

**Its limits.** It takes minutes for independent of each other: an incident of ten minutes in the changed functions
alone looks like harm that the change did. What comes over both groups must come by about as much. And where there is no
control, nothing tells the change from the time of day but the size of the rise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import fmean, median
from typing import Final

import msgspec

from bulk_esm.model.rank_test import p_above

LEAST_POINTS: Final = 10  # of one minute each, on either side

# Guess: a tenth more, or a half more without control, is the least that anybody would halt for; no incident was
# measured, and reports of needless halts would tell. Of many functions the test alone would find a thousandth.
_LEAST_RISE: Final = 0.1
_LEAST_RISE_ALONE: Final = 0.5

Points = Mapping[int, float]
"""Values by minute, counted from the epoch."""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What a comparison found.

    Attributes:
        p: how likely so much of a rise is by chance alone.
        is_large: whether the rise is large enough to matter.
        after: the changed, after the change: the median.
        before: the same before the run.
        control_after: those not changed yet, in the same minutes; None without control.
        control_before: the same before the run; likewise.
        points_after: how many minutes there are after the change.
        points_before: how many before the run.
    """

    p: float
    is_large: bool
    after: float
    before: float
    control_after: float | None
    control_before: float | None
    points_after: int
    points_before: int


def share_of(above: Iterable[Points], below: Iterable[Points], minutes: Iterable[int]) -> Points:
    """A share in each minute, of sums over many; a minute in which there was nothing to have a share of has none.

    Args:
        above: what is counted.
        below: what of.
        minutes: which.
    """
    wanted = frozenset(minutes)
    counted, of = _summed(above, wanted), _summed(below, wanted)
    return {minute: counted.get(minute, 0.0) / total for minute, total in of.items() if total > 0}


def level_of(series: Iterable[Points], minutes: Iterable[int]) -> Points:
    """The median of many in each minute, of those that have a value then."""
    wanted = frozenset(minutes)
    values: dict[int, list[float]] = {}
    for one in series:
        for minute, value in one.items():
            if minute in wanted:
                values.setdefault(minute, []).append(value)
    return {minute: median(found) for minute, found in values.items()}


def compare(
    after: Points, before: Points, control_after: Points | None = None, control_before: Points | None = None
) -> Comparison | None:
    """Compare what was changed with itself before, and with what was not changed yet.

    Args:
        after: of the changed, after the change.
        before: of the same, before the run.
        control_after: of those not changed yet, in the same minutes; None if there are none.
        control_before: of the same, before the run.

    Returns:
        What was found; None if there are fewer than 10 points on a side.
    """
    ratios = (1.0,) if control_before is None else _ratios(before, control_before)
    gaps = [(list(_gaps(after, control_after, ratio)), list(_gaps(before, control_before, ratio))) for ratio in ratios]
    gap_after, gap_before = gaps[0]
    if min(len(gap_after), len(gap_before)) < LEAST_POINTS:
        return None
    rise = min(fmean(now) - fmean(once) for now, once in gaps)
    least = _LEAST_RISE_ALONE if control_after is None else _LEAST_RISE
    return Comparison(
        p=max(p_above(now, once) for now, once in gaps),
        is_large=rise > 0 and rise >= least * fmean(before.values()),
        after=median(after.values()),
        before=median(before.values()),
        control_after=None if control_after is None else median(control_after.values()),
        control_before=None if control_before is None else median(control_before.values()),
        points_after=len(gap_after),
        points_before=len(gap_before),
    )


def _ratios(before: Points, control: Points) -> tuple[float, ...]:
    """What the control is multiplied by: nothing, and what the groups differed by before."""
    if not before or not any(control.values()):
        return (1.0,)
    return 1.0, fmean(before.values()) / fmean(control.values())


def _gaps(points: Points, control: Points | None, ratio: float) -> Iterable[float]:
    if control is None:
        return points.values()
    return (value - ratio * control[minute] for minute, value in points.items() if minute in control)


def _summed(series: Iterable[Points], wanted: frozenset[int]) -> dict[int, float]:
    sums: dict[int, float] = {}
    for one in series:
        for minute, value in one.items():
            if minute in wanted:
                sums[minute] = sums.get(minute, 0.0) + value
    return sums
