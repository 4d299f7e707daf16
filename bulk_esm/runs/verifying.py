"""Tells whether mappings still have what a run set."""

from __future__ import annotations

import msgspec

from bulk_esm.executors.tasks import FindDrift, ShardEnd
from bulk_esm.model.drift import Drift
from bulk_esm.model.shard import Problem, Shard
from bulk_esm.runs.each_shard import Told, in_each_shard, nobody
from bulk_esm.runs.fleet import Fleet
from bulk_esm.store.run_files import RunFiles


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """Whether mappings still have what a run set.

    Attributes:
        drifts: one for each that does not, or of which that cannot be told.
        problems: why some shards could not be looked at, by name.
        requests: what it took.
    """

    drifts: tuple[Drift, ...]
    problems: dict[str, Problem] = {}
    requests: int = 0


async def verify_run(fleet: Fleet, files: RunFiles, *, told: Told = nobody) -> Verification:
    """Tell which mappings no longer have what a run set; changes nothing.

    Args:
        fleet: the run's shards.
        files: the run's.
        told: called as each shard ends.
    """
    drifts: list[Drift] = []
    requests = 0

    def task_of(shard: Shard) -> FindDrift:
        found = files.shard(shard)
        return FindDrift(items=found.plan().items, results=tuple(found.results()))

    def take(shard: Shard, end: ShardEnd) -> None:
        nonlocal requests
        requests += end.requests.get("list", 0) + end.requests.get("get", 0)
        drifts.extend(end.drifts)
        told(shard, end)

    problems = await in_each_shard(fleet, task_of, take)
    return Verification(drifts=tuple(drifts), problems=problems, requests=requests)
