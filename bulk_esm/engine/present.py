"""What some mappings, known by UUID, are now: for whoever compares that with an earlier run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import aclosing

from bulk_esm.aws.session import Connection
from bulk_esm.clock import Clock
from bulk_esm.engine.inventory import Reading, get_if_there
from bulk_esm.engine.resting import all_at_rest
from bulk_esm.model.mapping import EventSourceMapping, State
from bulk_esm.model.plan import PlanItem
from bulk_esm.model.result import Result
from bulk_esm.model.selection import Selection
from bulk_esm.model.stamps import is_newer


def may_be_from_before(seen: EventSourceMapping, item: PlanItem, result: Result | None) -> bool:
    """Whether what List shows may be from before an update of an earlier run: it lags behind (F§0.2).

    Args:
        seen: the mapping as List shows it.
        item: the item of that run's plan.
        result: its result; without an accepted update there is nothing to be before of.
    """
    is_accepted = result is not None and result.accepted_at is not None
    return is_accepted and not is_newer(seen.last_modified, than=item.before.last_modified)


async def read_present(
    connection: Connection,
    uuids: Iterable[str],
    *,
    needs_get: Callable[[EventSourceMapping], bool] = lambda _: False,
    timeout_s: float = 0.0,
    clock: Clock | None = None,
    waiting: Callable[[int], None] = lambda _: None,
) -> dict[str, EventSourceMapping | None]:
    """Read some mappings, for as few requests as their number allows.

    Args:
        connection: the account and Region.
        uuids: which.
        needs_get: whether what List shows of a mapping is not enough.
        timeout_s: how long to wait for those in transition, in seconds; 0 takes them as they are.
        clock: the time.
        waiting: called with the number of mappings in transition, before they are waited for.

    Returns:
        Each by UUID, None for one that does not exist.
    """
    now: dict[str, EventSourceMapping | None] = dict.fromkeys(uuids)
    if not now:
        return now
    control_plane = connection.control_plane
    async with aclosing(Reading(connection, Selection(uuids=frozenset(now))).pages()) as pages:
        async for page in pages:
            for mapping in page:
                hides = needs_get(mapping)
                now[mapping.uuid] = await get_if_there(control_plane, mapping.uuid) if hides else mapping
    restless = [seen for seen in now.values() if seen and not seen.at_rest and seen.state != State.DELETING]
    if restless and timeout_s:
        waiting(len(restless))
        now |= await all_at_rest(control_plane, restless, timeout_s=timeout_s, clock=clock or Clock())
    return now
