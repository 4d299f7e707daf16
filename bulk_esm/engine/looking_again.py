"""Looks at what an interrupted run has left: what was applied before the end came is not sent again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from bulk_esm.aws.session import Connection
from bulk_esm.clock import Clock, iso
from bulk_esm.engine.endings import Ending, Seen, changed, denied, found_done, gone, since_planned, still_on_its_way
from bulk_esm.engine.present import read_present
from bulk_esm.errors import DeniedError
from bulk_esm.model.doubts import NO_DOUBTS, Doubts
from bulk_esm.model.mapping import EventSourceMapping, State
from bulk_esm.model.plan import PlanItem, PlanMatch, match_plan
from bulk_esm.model.result import Outcome


async def look_again(
    connection: Connection,
    updates: Sequence[PlanItem],
    *,
    sent: frozenset[str],
    doubts: Doubts = NO_DOUBTS,
    timeout_s: float,
    clock: Clock | None = None,
    waiting: Callable[[int], None] = lambda _: None,
) -> dict[str, Ending]:
    """Tell how those items end to which nothing more need be sent, or may be.

    Args:
        connection: the account and Region.
        updates: what is left to update.
        sent: to which of them the run may have sent something: each is read by Get.
        doubts: about which others List is not believed, as other runs changed them of late.
        timeout_s: how long to wait for mappings in transition, in seconds: the update that they are on their way by may
            be this run's.
        clock: the time.
        waiting: called with the number of mappings in transition, before they are waited for.

    Returns:
        By UUID: `updated` where the mapping has all that was asked, `conflict` where someone changed it or it is gone,
        `timed_out` where it is on its way even now, or only Get would tell and may not. The others are as they were
        planned.
    """
    items = {item.uuid: item for item in updates}
    now = await read_present(
        connection,
        items,
        doubts=doubts | Doubts(by_get=sent),
        needs_get=lambda seen: seen.has_hidden_filters and "FilterCriteria" in items[seen.uuid].request,
        timeout_s=timeout_s,
        clock=clock,
        waiting=waiting,
    )
    looked_at = iso((clock or Clock()).now())
    found = {uuid: _ending(items[uuid], seen, perhaps_sent=uuid in sent) for uuid, seen in now.items()}
    return {uuid: _with_what_was_seen(ending, now[uuid], looked_at) for uuid, ending in found.items() if ending}


def _with_what_was_seen(
    ending: Ending, mapping: EventSourceMapping | DeniedError | None, looked_at: str | None
) -> Ending:
    if isinstance(mapping, DeniedError):
        return ending
    settled_at = looked_at if ending.outcome is Outcome.UPDATED else None
    return msgspec.structs.replace(ending, seen=Seen(state=mapping.state if mapping else None, settled_at=settled_at))


def _ending(item: PlanItem, seen: EventSourceMapping | DeniedError | None, *, perhaps_sent: bool) -> Ending | None:
    if isinstance(seen, DeniedError):
        return denied(seen, item, perhaps_applied=True)
    if seen is None:
        return gone()
    match match_plan(item, seen):
        case PlanMatch.DONE:
            # What was never sent has been done by someone else: a rollback must not undo theirs.
            return found_done() if perhaps_sent else Ending(Outcome.UNCHANGED)
        case PlanMatch.CHANGED if seen.at_rest:
            return changed(since_planned(item, seen))
        case _ if not seen.at_rest and seen.state != State.DELETING:
            return still_on_its_way(seen.state)
        case _:
            return None  # as it was planned
