"""From a selection and a change to a plan: reads what is there, and decides about each mapping."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from bulk_esm.aws.control_plane import ControlPlane
from bulk_esm.aws.session import Connection
from bulk_esm.aws.tags import RESOURCE_TYPES
from bulk_esm.clock import Clock
from bulk_esm.engine.resting import until_at_rest
from bulk_esm.engine.tasks import task_group
from bulk_esm.errors import ServiceError
from bulk_esm.logs import get_logger
from bulk_esm.model.census import PAGE_SIZE
from bulk_esm.model.change import Change
from bulk_esm.model.mapping import EventSourceMapping, State
from bulk_esm.model.plan import Action, Plan, PlanItem, Standing, plan_item, standing, unknown_item
from bulk_esm.model.selection import Selection, TagsByArn

log: Final = get_logger("planning")

_FILTER_PARAMETERS: Final = frozenset({"FilterCriteria", "KMSKeyArn"})


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """What was read.

    Attributes:
        mappings: the selected mappings.
        unknown: UUIDs that were asked for and that no mapping has.
        seen: how many mappings were looked through.
    """

    mappings: tuple[EventSourceMapping, ...]
    unknown: tuple[str, ...] = ()
    seen: int = 0


async def read_inventory(connection: Connection, selection: Selection) -> Inventory:
    """Read the selected mappings, in the cheapest way that the selection allows.

    Exact sources are List's own filter. UUIDs are read with Get, each for one request, as soon as looking through pages
    has cost a tenth of that; else one sweep over everything.

    Args:
        connection: the account and Region.
        selection: which mappings.

    Raises:
        AccessError: the credentials are refused.
        ServiceError: an answer that retrying did not mend.
    """
    control_plane = connection.control_plane
    found: dict[str, EventSourceMapping] = {}
    tags = await _tags(connection, selection)
    for filters in _list_filters(selection):
        pages = 0
        async for page in control_plane.list(**filters):
            found.update((mapping.uuid, mapping) for mapping in page)
            pages += 1
            missing = selection.uuids - found.keys()
            if selection.uuids and (not missing or len(missing) <= pages * PAGE_SIZE / 10):
                if not filters:
                    # Taken to be spread evenly: as many as a sweep would look through to see them all again.
                    hits = max(1, len(selection.uuids) - len(missing))
                    control_plane.census.expect(round(len(found) * len(selection.uuids) / hits))
                break
    seen = len(found)
    unknown = []
    for uuid in sorted(selection.uuids - found.keys()):
        mapping = await _get(control_plane, uuid)
        if mapping is None:
            unknown.append(uuid)
        else:
            found[uuid] = mapping
    selected = tuple(mapping for mapping in found.values() if selection.matches(mapping, tags))
    log.info("inventory", seen=seen, selected=len(selected), unknown=len(unknown))
    return Inventory(mappings=selected, unknown=tuple(unknown), seen=seen)


async def make_plan(
    connection: Connection,
    selection: Selection,
    change: Change | Mapping[str, Change],
    *,
    allow_irreversible: bool = False,
    timeout_s: float = 900.0,
    clock: Clock | None = None,
    waiting: Callable[[int], None] = lambda _: None,
) -> Plan:
    """Decide what will be sent to each selected mapping; changes nothing.

    A mapping in transition is waited for, as only at rest does it tell what it has. Encrypted filters, which List does
    not show, are read with Get where the change touches them.

    Args:
        connection: the account and Region.
        selection: which mappings.
        change: what is asked of all of them, or of each by UUID.
        allow_irreversible: whether what can never be taken back may be changed.
        timeout_s: how long to wait for mappings in transition, in seconds.
        clock: the time.
        waiting: called with the number of mappings in transition, before they are waited for.

    Raises:
        AccessError: the credentials are refused.
        ServiceError: an answer that retrying did not mend.
    """
    clock = clock or Clock()
    inventory = await read_inventory(connection, selection)
    mappings = {mapping.uuid: mapping for mapping in inventory.mappings}

    def change_of(uuid: str) -> Change:
        return change if isinstance(change, Change) else change[uuid]

    restless = [m for m in mappings.values() if not m.at_rest and m.state != State.DELETING]
    if restless:
        waiting(len(restless))
        deadline = clock.monotonic() + timeout_s

        async def wait_for(mapping: EventSourceMapping) -> None:
            found = await until_at_rest(
                connection.control_plane, mapping.uuid, mapping.source_type, deadline=deadline, clock=clock
            )
            mappings[mapping.uuid] = found or mapping

        async with task_group() as tasks:
            for mapping in restless:
                tasks.start_soon(wait_for, mapping)
    for mapping in list(mappings.values()):
        if mapping.has_hidden_filters and change_of(mapping.uuid).touches(_FILTER_PARAMETERS):
            mappings[mapping.uuid] = await _get(connection.control_plane, mapping.uuid) or mapping
    items = [
        plan_item(change_of(mapping.uuid), mapping, allow_irreversible=allow_irreversible)
        for mapping in mappings.values()
    ]
    return Plan((*items, *map(unknown_item, inventory.unknown)))


async def renew_plan(connection: Connection, saved: Plan) -> tuple[Plan, frozenset[str]]:
    """Look at what a plan made earlier finds today.

    Args:
        connection: the account and Region.
        saved: the plan as it was saved.

    Returns:
        The plan to carry out, in which what is already as asked is `unchanged`; and the UUIDs of the mappings that
        someone changed since, for each of which it would be a silent overwrite.

    Raises:
        AccessError: the credentials are refused.
        ServiceError: an answer that retrying did not mend.
    """
    uuids = frozenset(item.uuid for item in saved.items if item.action is Action.UPDATE)
    inventory = await read_inventory(connection, Selection(uuids=uuids)) if uuids else Inventory(mappings=())
    now = {mapping.uuid: mapping for mapping in inventory.mappings}
    items: list[PlanItem] = []
    changed: set[str] = set()
    for item in saved.items:
        mapping = now.get(item.uuid)
        if item.action is not Action.UPDATE:
            items.append(item)
            continue
        found = Standing.CHANGED if mapping is None else standing(item, mapping)
        if found is Standing.DONE:
            items.append(msgspec.structs.replace(item, action=Action.UNCHANGED, request={}, diff=()))
            continue
        items.append(item)
        if found is Standing.CHANGED:
            changed.add(item.uuid)
    return Plan(tuple(items)), frozenset(changed)


async def _tags(connection: Connection, selection: Selection) -> TagsByArn:
    tags: dict[str, dict[str, str]] = {}
    for kind, wanted in (("mapping", selection.tags), ("function", selection.function_tags)):
        if wanted:
            tags |= await connection.tags([RESOURCE_TYPES[kind]], wanted)
    return tags


def _list_filters(selection: Selection) -> list[dict[str, str]]:
    """List's own filters for a selection, or one unfiltered sweep.

    Only sources: what List's function filter makes of qualified mappings is not documented (F§2).
    """
    if selection.sources and not any(set(glob) & set("*?[") for glob in selection.sources):
        return [{"event_source_arn": arn} for arn in selection.sources]
    return [{}]


async def _get(control_plane: ControlPlane, uuid: str) -> EventSourceMapping | None:
    try:
        return await control_plane.get(uuid)
    except ServiceError as error:
        if error.code == "ResourceNotFoundException":
            return None
        raise
