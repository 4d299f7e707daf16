"""From a selection and a change to a plan: reads what is there, and decides about each mapping."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final

import msgspec

from bulk_esm.aws.control_plane import ControlPlane
from bulk_esm.aws.session import Connection
from bulk_esm.clock import Clock
from bulk_esm.engine.endings import Ending, changed, gone, gone_item, since_planned, unread_item
from bulk_esm.engine.inventory import Reading, get_if_there
from bulk_esm.engine.present import read_present
from bulk_esm.engine.resting import all_at_rest
from bulk_esm.errors import DeniedError
from bulk_esm.model.change import Change
from bulk_esm.model.doubts import NO_DOUBTS, Doubts
from bulk_esm.model.mapping import EventSourceMapping, State
from bulk_esm.model.plan import (
    Action,
    Plan,
    PlanItem,
    PlanMatch,
    changed_members,
    match_plan,
    plan_item,
    renewed,
    unknown_item,
)
from bulk_esm.model.selection import Selection

# With these it matters whether there are filters: a tumbling window excludes them (F§0.2).
_FILTER_PARAMETERS: Final = frozenset({"FilterCriteria", "KMSKeyArn", "TumblingWindowInSeconds"})
_NOTHING_OWN: Final[Mapping[str, Mapping[str, Any]]] = {}


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
        mapping, denied = await _whole(connection.control_plane, mapping, wanted, reading.denied.get(mapping.uuid))
        item = plan_item(wanted, mapping, allow_irreversible=allow_irreversible)
        items[mapping.uuid] = unread_item(item, denied) if denied else item

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
    for mapping in reading.unread:
        await decide(mapping)
    items.update((uuid, unknown_item(uuid)) for uuid in reading.unknown)
    return Plan(tuple(items.values()))


async def _whole(
    control_plane: ControlPlane, mapping: EventSourceMapping, wanted: Change, denied: DeniedError | None
) -> tuple[EventSourceMapping, DeniedError | None]:
    """A mapping with its encrypted filters, if the change touches them; or why only Get would tell, and may not."""
    if denied or not (mapping.at_rest and mapping.has_hidden_filters and wanted.touches(_FILTER_PARAMETERS)):
        return mapping, denied
    try:
        return await get_if_there(control_plane, mapping.uuid) or mapping, None
    except DeniedError as error:
        return mapping, error


def gone_since(plan: Plan, earlier: Sequence[PlanItem]) -> tuple[Plan, dict[str, Ending]]:
    """Take mappings that do not exist, and that an earlier run knew, for deleted since.

    Args:
        plan: the plan.
        earlier: what that run planned for them.

    Returns:
        The plan, and a `conflict` by UUID for each of them.
    """
    were = {item.uuid: item for item in earlier}
    known = {item.uuid: gone() for item in plan.items if item.is_unknown and item.uuid in were}
    items = (gone_item(were[item.uuid]) if item.uuid in known else item for item in plan.items)
    return Plan(tuple(items)), known


async def renew_plan(
    connection: Connection,
    saved: Plan,
    *,
    doubts: Doubts = NO_DOUBTS,
    only_its_parameters: bool = False,
    own: Mapping[str, Mapping[str, Any]] = _NOTHING_OWN,
    timeout_s: float = 0.0,
    clock: Clock | None = None,
    waiting: Callable[[int], None] = lambda _: None,
) -> tuple[Plan, dict[str, Ending]]:
    """Look at what a plan made earlier finds today.

    Args:
        connection: the account and Region.
        saved: the plan as it was saved.
        doubts: about which mappings List is not believed.
        only_its_parameters: whether only changes to what the plan sets count as someone's; others stay theirs, and are
            what a rollback then leaves.
        own: what runs of ours set since, by UUID and parameter: that is nobody else's change.
        timeout_s: how long to wait for mappings in transition then, in seconds.
        clock: the time.
        waiting: called with the number of mappings in transition, before they are waited for.

    Returns:
        The plan to carry out, in which what is already as asked is `unchanged`; and, by UUID, a `conflict` for each
        mapping that someone changed since or deleted, as to send to it would be a silent overwrite.
    """
    updates = {item.uuid: item for item in saved.updates}
    known: dict[str, Ending] = {}
    now = await read_present(
        connection,
        updates,
        doubts=doubts,
        timeout_s=timeout_s if only_its_parameters else 0.0,
        clock=clock,
        waiting=waiting,
    )

    def today(item: PlanItem) -> PlanItem:
        mapping = now[item.uuid]
        if isinstance(mapping, DeniedError):
            return unread_item(item, mapping)
        if mapping is None:
            known[item.uuid] = gone()
            return item
        ours = own.get(item.uuid, {})
        match match_plan(item, mapping, only_its_parameters=only_its_parameters, own=ours):
            case PlanMatch.CHANGED:
                known[item.uuid] = changed(since_planned(item, mapping, own=ours))
                return item
            case PlanMatch.DONE:
                return msgspec.structs.replace(item, action=Action.UNCHANGED, request={}, diff=())
            case PlanMatch.AS_PLANNED:
                return renewed(item, mapping) if changed_members(item.before, mapping) else item

    return Plan(tuple(today(item) if item.uuid in updates else item for item in saved.items)), known
