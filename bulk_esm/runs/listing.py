"""Reads the selected mappings of all shards."""

from __future__ import annotations

import msgspec

from bulk_esm.executors.tasks import ListMappings, ShardEnd
from bulk_esm.model.mapping import EventSourceMapping
from bulk_esm.model.selection import Selection
from bulk_esm.model.shard import Problem, Shard
from bulk_esm.model.unmatched import in_all
from bulk_esm.runs.each_shard import Told, in_each_shard, nobody
from bulk_esm.runs.fleet import Fleet


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """What was read.

    Attributes:
        mappings: the selected mappings, shard by shard; none where somebody was told of each shard's.
        unknown: UUIDs that were asked for and that no shard has; empty while a shard could not be read.
        unmatched: flags and values of the selection that match no mapping in any shard; likewise.
        seen: how many mappings were looked through.
        problems: why some shards could not be read, by name.
    """

    mappings: tuple[EventSourceMapping, ...]
    unknown: tuple[str, ...] = ()
    unmatched: tuple[tuple[str, str], ...] = ()
    seen: int = 0
    problems: dict[str, Problem] = {}


async def list_mappings(fleet: Fleet, selection: Selection, *, told: Told = nobody) -> Inventory:
    """Read the selected mappings; an empty selection reads all of them.

    Args:
        fleet: the shards.
        selection: which mappings.
        told: called with what each shard has, as it is read.

    Raises:
        BulkEsmError: what kept the only shard from being read.
    """
    mappings: list[EventSourceMapping] = []
    unknown: list[set[str]] = []
    unmatched: list[tuple[tuple[str, str], ...]] = []
    seen = 0

    def take(shard: Shard, end: ShardEnd) -> None:
        nonlocal seen
        seen += end.seen
        if end.problem is None:
            unknown.append(set(end.unknown))
            unmatched.append(end.unmatched or ())
        if told is nobody:
            mappings.extend(EventSourceMapping(dict(one)) for one in end.mappings)
        told(shard, end)

    problems = await in_each_shard(fleet, lambda _: ListMappings(selection), take)
    nowhere = sorted(set.intersection(*unknown)) if unknown and not problems else []
    return Inventory(
        mappings=tuple(mappings),
        unknown=tuple(nowhere),
        unmatched=() if problems else in_all(unmatched),
        seen=seen,
        problems=problems,
    )
