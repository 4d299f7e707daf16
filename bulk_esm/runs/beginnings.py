"""Finds the mappings that a selection names by the beginnings of their UUIDs, before anything is planned."""

from __future__ import annotations

import msgspec

from bulk_esm.executors.tasks import ShardEnd
from bulk_esm.model.selection import Selection
from bulk_esm.model.shard import Shard
from bulk_esm.model.uuids import is_beginning, the_only_one
from bulk_esm.runs.fleet import Fleet
from bulk_esm.runs.listing import list_mappings

_FLAG = "--uuid"


async def with_whole_uuids(fleet: Fleet, selection: Selection) -> Selection:
    """The same selection, in which each UUID is whole: one that is takes no request, beginnings take a List of all.

    Args:
        fleet: the shards, in none of which another mapping may begin so.
        selection: which mappings.

    Raises:
        UsageError: no mapping begins so, or several do.
        BulkEsmError: what kept the only shard from being read.
    """
    beginnings = {uuid for uuid in selection.uuids if is_beginning(uuid)}
    if not beginnings:
        return selection
    found: set[str] = set()

    def told(_: Shard, end: ShardEnd) -> None:
        found.update(str(mapping["UUID"]) for mapping in end.mappings)

    # They have nothing but hexadecimal digits and hyphens, so they need no escaping.
    wanted = Selection(where=tuple(f"starts_with(UUID, '{beginning}')" for beginning in sorted(beginnings)))
    await list_mappings(fleet, wanted, told=told)
    whole = {the_only_one(beginning, found, _FLAG) for beginning in sorted(beginnings)}
    return msgspec.structs.replace(selection, uuids=frozenset((selection.uuids - beginnings) | whole))
