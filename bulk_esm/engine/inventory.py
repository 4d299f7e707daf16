"""Reads the mappings that a selection wants, page by page, in the cheapest way that it allows."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Iterable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import aclosing, suppress
from typing import Final

import anyio
import msgspec

from bulk_esm.aws.control_plane import ControlPlane
from bulk_esm.aws.session import Connection
from bulk_esm.aws.tags import RESOURCE_TYPES
from bulk_esm.engine.task_groups import task_group
from bulk_esm.errors import DeniedError, RefusedError, ServiceError
from bulk_esm.logs import get_logger
from bulk_esm.model.census import PAGE_SIZE
from bulk_esm.model.doubts import NO_DOUBTS, Doubts
from bulk_esm.model.mapping import EventSourceMapping
from bulk_esm.model.plan import PlanItem
from bulk_esm.model.selection import Selection, TagsByArn
from bulk_esm.model.unmatched import Unmatched

log: Final = get_logger("inventory")

_GETS_AT_ONCE: Final = 20
_GETS_FOR_A_PAGE: Final = PAGE_SIZE / 10  # so many missing UUIDs are worth looking through one page more


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """What was read.

    Attributes:
        mappings: the selected mappings.
        unknown: UUIDs that were asked for and that no mapping has.
        unmatched: flags and values of the selection that match no mapping.
        seen: how many mappings were looked through.
    """

    mappings: tuple[EventSourceMapping, ...]
    unknown: tuple[str, ...] = ()
    unmatched: tuple[tuple[str, str], ...] = ()
    seen: int = 0


class Reading:
    """One reading of the selected mappings.

    Exact sources are List's own filter. UUIDs are looked for in pages as long as a page finds more of them than a Get
    would, and then read with Get. All else takes one sweep over everything.

    Attributes:
        seen: how many mappings were looked through so far.
        unknown: UUIDs that were asked for and that no mapping has; complete at the end.
        unread: mappings of which only Get tells what they are, and that these credentials may not read, as List shows
            them.
        denied: why, by UUID.
        unmatched: values of the selection that match none of the mappings; likewise.
    """

    def __init__(self, connection: Connection, selection: Selection, *, doubts: Doubts = NO_DOUBTS) -> None:
        """Prepare; nothing is sent yet.

        Args:
            connection: the account and Region.
            selection: which mappings.
            doubts: about which of them List is not believed.
        """
        self._doubts = doubts
        # What may have changed since does not keep a mapping from being asked about.
        self._loosely = msgspec.structs.replace(selection, states=(), where=())
        self.seen = 0
        self.unknown: list[str] = []
        self.unread: list[EventSourceMapping] = []
        self.denied: dict[str, DeniedError] = {}
        self.unmatched = Unmatched(selection)
        self._connection = connection
        self._selection = selection

    async def pages(self) -> AsyncGenerator[list[EventSourceMapping], None]:
        """Read.

        Yields:
            The selected mappings of a page, each mapping once in all. What is not selected is not kept.
        """
        selection = self._selection
        control_plane = self._connection.control_plane
        tags = await self._tags()
        found: set[str] = set()

        async def selected(page: list[EventSourceMapping]) -> list[EventSourceMapping]:
            new = [mapping for mapping in page if mapping.uuid not in found]  # pages are no snapshot (F§2)
            found.update(mapping.uuid for mapping in new)
            self.seen = len(found)
            doubtful = [m.uuid for m in new if self._doubts.about(m) and self._loosely.matches(m, tags)]
            denied: dict[str, DeniedError] = {}
            told = await get_doubtful(control_plane, doubtful, denied, others=(mapping.uuid for mapping in new))
            fresh = [told.get(mapping.uuid, mapping) for mapping in new if mapping.uuid not in denied]
            for mapping in new:
                if mapping.uuid in denied:
                    self._leave_unread(mapping, denied[mapping.uuid])
            there = [mapping for mapping in fresh if mapping is not None]
            self.unmatched.heed((*there, *(mapping for mapping in new if mapping.uuid in denied)), tags)
            return [mapping for mapping in there if selection.matches(mapping, tags)]

        for filters in _list_filters(selection):
            pages = 0
            async with aclosing(control_plane.list(**filters)) as listing:
                async for page in listing:
                    missing_before = len(selection.uuids - found)
                    yield await selected(page)
                    pages += 1
                    missing = len(selection.uuids - found)
                    pays = missing_before - missing > 1 or missing > pages * _GETS_FOR_A_PAGE
                    if selection.uuids and (not missing or not pays):
                        if not filters:
                            # Taken to be spread evenly: as many as a sweep would look through to see them all again.
                            hits = max(1, len(selection.uuids) - missing)
                            control_plane.census.expect(round(len(found) * len(selection.uuids) / hits))
                        break
        denied: dict[str, DeniedError] = {}
        told = await get_all(control_plane, sorted(selection.uuids - found), denied)
        for mapping in await listed(control_plane, denied.keys()) if denied else ():  # List alone must tell
            if self._doubts.about(mapping):
                self._leave_unread(mapping, denied[mapping.uuid])
                del told[mapping.uuid]
            else:
                told[mapping.uuid] = mapping
        self.unknown.extend(uuid for uuid, mapping in told.items() if mapping is None)
        self._doubts = NO_DOUBTS  # Get has told
        yield await selected([mapping for mapping in told.values() if mapping is not None])
        log.info("inventory", seen=self.seen, unknown=len(self.unknown))

    def _leave_unread(self, mapping: EventSourceMapping, error: DeniedError) -> None:
        self.unread.append(mapping)
        self.denied[mapping.uuid] = error

    async def _tags(self) -> TagsByArn:
        tags: dict[str, dict[str, str]] = {}
        wants = (("mapping", self._selection.tags), ("function", self._selection.function_tags))
        for kind, wanted in wants:
            if wanted:
                tags |= await self._connection.tags([RESOURCE_TYPES[kind]], wanted)
        return tags


async def read_inventory(connection: Connection, selection: Selection) -> Inventory:
    """Read all selected mappings at once; see `Reading`.

    Args:
        connection: the account and Region.
        selection: which mappings.
    """
    reading = Reading(connection, selection)
    mappings = [mapping async for page in reading.pages() for mapping in page]
    return Inventory(
        mappings=tuple(mappings),
        unknown=tuple(reading.unknown),
        unmatched=reading.unmatched.values,
        seen=reading.seen,
    )


async def may_get(control_plane: ControlPlane, items: Iterable[PlanItem]) -> bool:
    """Whether the mappings of a plan can be looked at with Get, for one request at most.

    A run can do with List alone, and whoever starts it should know.

    Args:
        control_plane: where to look.
        items: what would be sent to.
    """
    permission = control_plane.get_permission
    item = next(iter(items), None)
    if item is not None and not permission.granted and permission.denied is None:
        with suppress(ServiceError):
            await get_all(control_plane, [item.uuid], {})
    return permission.denied is None


async def get_all(
    control_plane: ControlPlane, uuids: Sequence[str], denied: dict[str, DeniedError]
) -> dict[str, EventSourceMapping | None]:
    """Read some mappings with Get, side by side at the pace of the control plane; None for those that do not exist.

    Args:
        control_plane: where to look.
        uuids: which.
        denied: takes those that these credentials may not read, which may be some or all; they are None too.
    """
    found: dict[str, EventSourceMapping | None] = dict.fromkeys(uuids)
    limiter = anyio.CapacityLimiter(_GETS_AT_ONCE)

    async def get(uuid: str) -> None:
        async with limiter:
            try:
                found[uuid] = await get_if_there(control_plane, uuid)
            except DeniedError as error:
                denied[uuid] = error

    async with task_group() as tasks:
        for uuid in uuids:
            tasks.start_soon(get, uuid)
    return found


async def listed(control_plane: ControlPlane, uuids: AbstractSet[str], **filters: str) -> list[EventSourceMapping]:
    """Read some mappings with List alone, as far as it shows them; no more pages than that takes.

    Args:
        control_plane: where to look.
        uuids: which.
        filters: List's own; see `ControlPlane.list`.
    """
    found: dict[str, EventSourceMapping] = {}
    async with aclosing(control_plane.list(**filters)) as listing:
        async for page in listing:
            found |= {mapping.uuid: mapping for mapping in page if mapping.uuid in uuids}
            if len(found) == len(uuids):
                break
    return list(found.values())


async def get_doubtful(
    control_plane: ControlPlane,
    uuids: Sequence[str],
    denied: dict[str, DeniedError],
    *,
    others: Iterable[str] = (),
) -> dict[str, EventSourceMapping | None]:
    """Read with Get what List is not believed about.

    Args:
        control_plane: where to look.
        uuids: which.
        denied: takes those that these credentials may not read while they may read others; they are None too.
        others: mappings by which to tell whether they may read any.

    Raises:
        RefusedError: Get is not permitted at all, so that nobody can tell what they are.
    """
    refused: dict[str, DeniedError] = {}
    found = await get_all(control_plane, uuids, refused)
    permission = control_plane.get_permission
    if refused and not permission.granted:
        await get_all(control_plane, sorted(set(others) - refused.keys())[:1], {})
    if refused and permission.denied is not None:
        raise RefusedError(
            f"a run has changed {len(uuids):,} of the mappings of late, or may have, and List lags: what they are only "
            f"Get tells, and these credentials lack {permission.denied.action}; permit it and try again. Nothing was "
            "sent"
        ) from permission.denied
    denied |= refused
    return found


async def get_if_there(
    control_plane: ControlPlane, uuid: str, *, deadline: float = math.inf
) -> EventSourceMapping | None:
    """Read one mapping, or None if it does not exist.

    Args:
        control_plane: where to look.
        uuid: the mapping.
        deadline: when to give up repeating, on the clock.
    """
    try:
        return await control_plane.get(uuid, deadline=deadline)
    except ServiceError as error:
        if error.code == "ResourceNotFoundException":
            return None
        raise


def _list_filters(selection: Selection) -> list[dict[str, str]]:
    """List's own filters for a selection, or one unfiltered sweep.

    Only sources: what List's function filter makes of qualified mappings is not documented (F§2).
    """
    if selection.sources and not any(set(glob) & set("*?[") for glob in selection.sources):
        return [{"event_source_arn": arn} for arn in selection.sources]
    return [{}]
