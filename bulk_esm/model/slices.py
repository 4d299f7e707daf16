"""Waves of a fleet: which part of which shard's updates comes when. Pure, from the number of updates in each shard."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence

import msgspec

from bulk_esm.model.amounts import Amount


class Slice(msgspec.Struct, frozen=True):
    """A shard's part of a wave: a slice of its updates, in the order in which they go.

    Attributes:
        shard: the shard's name.
        begin: the first, from 0.
        end: after the last.
    """

    shard: str
    begin: int
    end: int

    def __len__(self) -> int:
        return self.end - self.begin


def slices_of(
    groups: Sequence[Sequence[str]], updates: Mapping[str, int], sizes: Sequence[Amount]
) -> list[tuple[Slice, ...]]:
    """Split a fleet's updates into waves.

    Args:
        groups: names of shards; a group begins when the one before has ended, and has waves of its own.
        updates: how many updates each shard has.
        sizes: cumulative, of a group's updates; none for one wave of all. A count above the total is all of it.

    Returns:
        The waves, each with at least one update, and each update in exactly one.
    """
    return [step for group in groups for step in _of_group(group, updates, sizes or (Amount("100%"),))]


def _of_group(group: Sequence[str], updates: Mapping[str, int], sizes: Sequence[Amount]) -> list[tuple[Slice, ...]]:
    total = sum(updates[name] for name in group)
    ends = sorted({min(total, size.of(total)) for size in sizes} - {0})
    begun = dict.fromkeys(group, 0)
    steps: list[tuple[Slice, ...]] = []
    for taken in _apportioned(group, updates, ends):
        step = tuple(Slice(name, begun[name], taken[name]) for name in group if taken[name] > begun[name])
        steps.append(step)
        begun = taken
    return steps


def _apportioned(group: Sequence[str], updates: Mapping[str, int], ends: Sequence[int]) -> list[dict[str, int]]:
    """How many updates of each shard are among the first so many of all.

    Each shard's updates are spread evenly over a line from 0 to 1, the i-th (from 0) of n at (i + 1/2) / n, and are
    taken as they come: Webster's way to apportion seats. However many are taken, each shard gives in proportion.
    """
    line = [(0.5 / updates[name], place, name) for place, name in enumerate(group) if updates[name]]
    heapq.heapify(line)
    taken = dict.fromkeys(group, 0)
    found: list[dict[str, int]] = []
    total = sum(updates[name] for name in group)
    for end in ends:
        if end == total:
            taken = {name: updates[name] for name in group}
        for _ in range(end - sum(taken.values())):
            _, place, name = line[0]
            taken[name] += 1
            if taken[name] < updates[name]:
                heapq.heapreplace(line, ((taken[name] + 0.5) / updates[name], place, name))
            else:
                heapq.heappop(line)
        found.append(dict(taken))
    return found
