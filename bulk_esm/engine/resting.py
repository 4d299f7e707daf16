"""Waits until a mapping is at rest, whatever it has: before it is planned, or when it is in use."""

from __future__ import annotations

from typing import Final

from bulk_esm.aws.control_plane import ControlPlane
from bulk_esm.clock import Clock
from bulk_esm.engine.estimates import SettleTimes
from bulk_esm.engine.inventory import get_if_there
from bulk_esm.model.mapping import EventSourceMapping, SourceType

_FIRST_PAUSE_SHARE: Final = 0.5  # of the likely settle time: when the transition began is not known
_PAUSE_GROWTH: Final = 1.5


async def until_at_rest(
    control_plane: ControlPlane, uuid: str, source_type: SourceType, *, deadline: float, clock: Clock
) -> EventSourceMapping | None:
    """Look with Get, after growing pauses, until a mapping is at rest.

    Args:
        control_plane: where to look.
        uuid: the mapping.
        source_type: its source type, which says how long it may take.
        deadline: when to stop waiting, on the clock.
        clock: the time.

    Returns:
        The mapping at rest, or as last seen at the deadline; None if it does not exist.

    Raises:
        AccessError: the credentials are refused.
        ServiceError: a look failed for good.
    """
    times = SettleTimes(max_per_second=control_plane.pacer.max_per_second)
    pause_s = times.median_s(source_type) * _FIRST_PAUSE_SHARE
    while True:
        await clock.sleep(max(0.0, min(pause_s, deadline - clock.monotonic())))
        seen = await get_if_there(control_plane, uuid, deadline=deadline)
        # The deadline counts after a look only, as only a look can tell that it is gone.
        if seen is None or seen.at_rest or clock.monotonic() >= deadline:
            return seen
        pause_s *= _PAUSE_GROWTH
