"""Waits until a mapping is at rest, whatever it has: before it is planned, or when it is in use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from bulk_esm.aws.control_plane import ControlPlane
from bulk_esm.clock import Clock
from bulk_esm.engine.estimates import SettleTimes
from bulk_esm.engine.inventory import get_if_there, listed
from bulk_esm.engine.task_groups import task_group
from bulk_esm.errors import DeniedError, ServiceError
from bulk_esm.model.mapping import EventSourceMapping
from bulk_esm.model.transitions import Transition, transition_under_way

_FIRST_PAUSE_SHARE: Final = 0.5  # of the likely settle time: when the transition began is not known
_PAUSE_GROWTH: Final = 1.5


async def until_at_rest(
    control_plane: ControlPlane,
    uuid: str,
    transition: Transition,
    *,
    deadline: float,
    clock: Clock,
    event_source_arn: str | None = None,
) -> EventSourceMapping | None:
    """Look with Get, after growing pauses, until a mapping is at rest; with List where Get is not permitted.

    Args:
        control_plane: where to look.
        uuid: the mapping.
        transition: what it goes through, which says how long it may take.
        deadline: when to stop waiting, on the clock.
        clock: the time.
        event_source_arn: its source, if it has one, to which a List is narrowed.

    Returns:
        The mapping at rest, or as last seen at the deadline; None if it does not exist.
    """
    times = SettleTimes(max_per_second=control_plane.pacer.max_per_second)
    pause_s = times.median_s(transition) * _FIRST_PAUSE_SHARE
    seen: EventSourceMapping | None = None
    while True:
        await clock.sleep(max(0.0, min(pause_s, deadline - clock.monotonic())))
        try:
            seen = await _seen(control_plane, uuid, event_source_arn, deadline=deadline)
        except ServiceError:
            # At the deadline nothing is retried: what was seen before then stands, and the others are not lost for it.
            if seen is None or clock.monotonic() < deadline:
                raise
            return seen
        # The deadline counts after a look only, as only a look can tell that it is gone.
        if seen is None or seen.at_rest or clock.monotonic() >= deadline:
            return seen
        pause_s *= _PAUSE_GROWTH


async def _seen(
    control_plane: ControlPlane, uuid: str, event_source_arn: str | None, *, deadline: float
) -> EventSourceMapping | None:
    try:
        return await get_if_there(control_plane, uuid, deadline=deadline)
    except DeniedError:
        narrowed = {"event_source_arn": event_source_arn} if event_source_arn else {}
        return next(iter(await listed(control_plane, {uuid}, **narrowed)), None)


async def all_at_rest(
    control_plane: ControlPlane, mappings: Iterable[EventSourceMapping], *, timeout_s: float, clock: Clock
) -> dict[str, EventSourceMapping | None]:
    """Wait until all of some mappings are at rest. Get tells, as List may lag behind.

    Args:
        control_plane: where to look.
        mappings: as they were seen on their way.
        timeout_s: how long to wait, in seconds.
        clock: the time.

    Returns:
        Each by UUID, as `until_at_rest` has it.
    """
    deadline = clock.monotonic() + timeout_s
    found: dict[str, EventSourceMapping | None] = {}

    async def wait_for(mapping: EventSourceMapping) -> None:
        found[mapping.uuid] = await until_at_rest(
            control_plane,
            mapping.uuid,
            transition_under_way(mapping),
            deadline=deadline,
            clock=clock,
            event_source_arn=mapping.event_source_arn,
        )

    async with task_group() as tasks:
        for mapping in mappings:
            tasks.start_soon(wait_for, mapping)
    return found
