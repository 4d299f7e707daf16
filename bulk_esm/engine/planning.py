"""From a selection and a change to a plan: reads what is there, and decides about each mapping."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import Final

import msgspec

from bulk_esm.aws.session import Connection
from bulk_esm.clock import Clock
from bulk_esm.engine.endings import Ending, changed, gone
from bulk_esm.engine.inventory import Reading, get_if_there
from bulk_esm.engine.present import read_present
from bulk_esm.engine.resting import all_at_rest
from bulk_esm.model.change import Change
from bulk_esm.model.doubts import NO_DOUBTS, Doubts
from bulk_esm.model.mapping import EventSourceMapping, State
from bulk_esm.model.plan import Action, Plan, PlanItem, PlanMatch, match_plan, plan_item, unknown_item
from bulk_esm.model.selection import Selection

# With these it matters whether there are filters: a tumbling window excludes them (F§0.2).
_FILTER_PARAMETERS: Final = frozenset({"FilterCriteria", "KMSKeyArn", "TumblingWindowInSeconds"})


async def make_plan(  # noqa: PLR0913 - most have defaults
    connection: Connection,
    selection: Selection,
    change: Change | Mapping[str, Change],
    *,
    allow_irreversible: bool = False,
    doubts: Doubts = NO_DOUBTS,
    timeout_s: float = 900.0,
    clock: Clock | None = None,
    waiting: Callable[[int], None] = lambda _: None,
    unmatched: Callable[[tuple[tuple[str, str], ...]], None] = lambda _: None,
) -> Plan:
    """Decide what will be sent to each selected mapping; changes nothing.

    A mapping in transition is waited for, as only at rest does it tell what it has. Encrypted filters, which List does
    not show, are read with Get where the change touches them.

    Args:
        connection: the account and Region.
        selection: which mappings.
        change: what is asked of all of them, or of each by UUID.
        allow_irreversible: whether what can never be taken back may be changed.
        doubts: about which mappings List is not believed.
        timeout_s: how long to wait for mappings in transition, in seconds.
        clock: the time.
        waiting: called with the number of mappings in transition, before they are waited for.
        unmatched: called with the flags and values of the selection that match no mapping.
    """
    clock = clock or Clock()
    reading = Reading(connection, selection, doubts=doubts)
    items: dict[str, PlanItem] = {}
    restless: list[EventSourceMapping] = []

    def change_of(uuid: str) -> Change:
        return change if isinstance(change, Change) else change[uuid]

    async def decide(mapping: EventSourceMapping) -> None:
        wanted = change_of(mapping.uuid)
        if mapping.at_rest and mapping.has_hidden_filters and wanted.touches(_FILTER_PARAMETERS):
            mapping = await get_if_there(connection.control_plane, mapping.uuid) or mapping
        items[mapping.uuid] = plan_item(wanted, mapping, allow_irreversible=allow_irreversible)

    async with aclosing(reading.pages()) as pages:
        async for page in pages:
            for mapping in page:
                await decide(mapping)  # if it is in transition, only to keep its place
                if not mapping.at_rest and mapping.state != State.DELETING:
                    restless.append(mapping)
    unmatched(reading.unmatched.values)
    if restless:
        waiting(len(restless))
        found = await all_at_rest(connection.control_plane, restless, timeout_s=timeout_s, clock=clock)
        for mapping in restless:
            await decide(found[mapping.uuid] or mapping)
    items.update((uuid, unknown_item(uuid)) for uuid in reading.unknown)
    return Plan(tuple(items.values()))


async def renew_plan(
    connection: Connection, saved: Plan, *, doubts: Doubts = NO_DOUBTS
) -> tuple[Plan, dict[str, Ending]]:
    """Look at what a plan made earlier finds today.

    Args:
        connection: the account and Region.
        saved: the plan as it was saved.
        doubts: about which mappings List is not believed.

    Returns:
        The plan to carry out, in which what is already as asked is `unchanged`; and, by UUID, a `conflict` for each
        mapping that someone changed since or deleted, as to send to it would be a silent overwrite.
    """
    updates = {item.uuid: item for item in saved.updates}
    known: dict[str, Ending] = {}
    done: set[str] = set()
    for uuid, mapping in (await read_present(connection, updates, doubts=doubts)).items():
        found = PlanMatch.CHANGED if mapping is None else match_plan(updates[uuid], mapping)
        if found is PlanMatch.DONE:
            done.add(uuid)
        elif found is PlanMatch.CHANGED:
            known[uuid] = changed() if mapping else gone()
    items = (
        msgspec.structs.replace(item, action=Action.UNCHANGED, request={}, diff=()) if item.uuid in done else item
        for item in saved.items
    )
    return Plan(tuple(items)), known
