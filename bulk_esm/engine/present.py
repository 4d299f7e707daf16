"""What some mappings, known by UUID, are now: for whoever compares that with an earlier run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import aclosing

from bulk_esm.aws.session import Connection
from bulk_esm.clock import Clock
from bulk_esm.engine.inventory import Reading, get_all, get_doubtful
from bulk_esm.engine.resting import all_at_rest
from bulk_esm.errors import DeniedError
from bulk_esm.model.doubts import NO_DOUBTS, Doubts
from bulk_esm.model.mapping import EventSourceMapping, State
from bulk_esm.model.selection import Selection


async def read_present(
    connection: Connection,
    uuids: Iterable[str],
    *,
    doubts: Doubts = NO_DOUBTS,
    needs_get: Callable[[EventSourceMapping], bool] = lambda _: False,
    timeout_s: float = 0.0,
    clock: Clock | None = None,
    waiting: Callable[[int], None] = lambda _: None,
) -> dict[str, EventSourceMapping | DeniedError | None]:
    """Read some mappings, for as few requests as their number allows.

    Args:
        connection: the account and Region.
        uuids: which.
        doubts: about which List is not believed.
        needs_get: whether what List shows of a mapping is not enough.
        timeout_s: how long to wait for those in transition, in seconds; 0 takes them as they are.
        clock: the time.
        waiting: called with the number of mappings in transition, before they are waited for.

    Returns:
        Each by UUID; None for one that does not exist, and the refusal for one of which only Get would tell, and may
        not.

    Raises:
        RefusedError: List is not believed about some of them, and Get is not permitted at all.
    """
    now: dict[str, EventSourceMapping | None] = dict.fromkeys(uuids)
    if not now:
        return {}
    control_plane = connection.control_plane
    denied: dict[str, DeniedError] = {}
    doubtful = sorted(doubts.by_get & now.keys())
    now |= await get_doubtful(control_plane, doubtful, denied, others=now.keys() - doubts.by_get)
    listed = frozenset(uuid for uuid in now if uuid not in doubts.by_get)
    hidden: list[str] = []
    if listed:
        reading = Reading(connection, Selection(uuids=listed), doubts=doubts)
        async with aclosing(reading.pages()) as pages:
            async for page in pages:
                now |= {mapping.uuid: mapping for mapping in page}
                hidden += [mapping.uuid for mapping in page if needs_get(mapping)]
        denied |= reading.denied
    now |= await get_all(control_plane, hidden, denied)
    restless = [seen for seen in now.values() if seen and not seen.at_rest and seen.state != State.DELETING]
    if restless and timeout_s:
        waiting(len(restless))
        now |= await all_at_rest(control_plane, restless, timeout_s=timeout_s, clock=clock or Clock())
    return {**now, **denied}
