"""The yardsticks, as pure functions of what the simulator reports. Virtual seconds, unless a name says otherwise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from bulk_esm.simulator import AcceptedUpdate, Report


class Quota(NamedTuple):
    """The simulator's bucket, and what another caller takes of its refill."""

    per_second: float = 15.0
    burst: float = 15.0
    other_share: float = 0.0
    other_on_s: float = 1.0
    other_off_s: float = 0.0  # 0: the other caller is steady


def first_accepted(report: Report) -> list[AcceptedUpdate]:
    """The first accepted update of each mapping, in the order of acceptance."""
    return sorted(
        (mapping.accepted[0] for mapping in report.mappings if mapping.accepted), key=lambda up: up.accepted_at
    )


def floor_s(updates: int, quota: Quota) -> float:
    """How long the quota takes to let so many updates through, with no look at all: updates / quota."""
    return updates / quota.per_second


def oracle_s(accepted: Sequence[AcceptedUpdate], quota: Quota) -> float:
    """The best end time for an order of updates, counted from the first request.

    Had every token of the quota gone to an update, and had every settle been seen at once, the i-th update (from 1)
    would have been accepted at slot(i) = max(0, (i - burst) / quota), as the bucket starts full, and the run would
    have ended at

        max over i of  slot(i) + draw(i)

    where draw(i) is how long that very update took to settle (the simulator draws it from seed, mapping and number of
    the update, so it does not depend on when it was sent). Inventory and looks cost nothing here: nobody can be faster.

    Args:
        accepted: the updates in the order of acceptance.
        quota: of the simulator.
    """
    return max(
        (
            max(0.0, (number - quota.burst) / quota.per_second) + update.settles_at - update.accepted_at
            for number, update in enumerate(accepted, start=1)
            if update.settles_at is not None
        ),
        default=0.0,
    )


def tokens_left(start: float, end: float, quota: Quota) -> float:
    """The tokens that the other caller leaves from `start` to `end`: one burst, and the integral of the refill.

    The bucket is full when we start. The other caller takes `other_share` of the refill while he is busy: always, or
    for `other_on_s` from virtual second 0 and then again after each `other_off_s`.
    """
    return quota.burst + quota.per_second * ((end - start) - quota.other_share * busy_s(start, end, quota))


def busy_s(start: float, end: float, quota: Quota) -> float:
    """For how many of these seconds the other caller is busy."""
    if quota.other_off_s <= 0:
        return end - start

    def busy_until(moment: float) -> float:
        periods, rest = divmod(moment, quota.other_on_s + quota.other_off_s)
        return periods * quota.other_on_s + min(rest, quota.other_on_s)

    return busy_until(end) - busy_until(start)


def cumulative(times: Sequence[float], points: int = 240) -> list[tuple[float, int]]:
    """How many had happened by when: at most so many points of the curve, the first and the last among them."""
    ordered = sorted(times)
    if not ordered:
        return []
    step = max(1, math.ceil(len(ordered) / points))
    picked = sorted({*range(0, len(ordered), step), len(ordered) - 1})
    return [(round(ordered[index], 3), index + 1) for index in picked]
