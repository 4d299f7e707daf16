"""Which mappings runs paused, and which are still paused: read from the files of runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from bulk_esm.errors import RunFolderError, UsageError
from bulk_esm.model.result import Result
from bulk_esm.model.resuming import paused_by, still_paused
from bulk_esm.model.shard import Shard
from bulk_esm.store.run_files import RunFiles

Place = tuple[str | None, str]


class PausedShards(msgspec.Struct, frozen=True, kw_only=True):
    """What some runs paused.

    Attributes:
        runs: the runs.
        shards: the shards in which they paused something, in their order.
        by_place: the UUIDs, by account and Region.
        has_shards: whether fleet flags named them.
    """

    runs: tuple[RunFiles, ...]
    shards: tuple[Shard, ...]
    by_place: dict[Place, frozenset[str]]
    has_shards: bool

    @property
    def uuids(self) -> frozenset[str]:
        """All of them."""
        return frozenset().union(*self.by_place.values())


def paused_by_runs(runs: Sequence[RunFiles]) -> PausedShards:
    """Tell what some runs paused.

    Args:
        runs: the runs.

    Raises:
        UsageError: one of them paused nothing and was no pause; or they were in places of different kinds.
        RunFolderError: a file cannot be read.
    """
    if len({run.has_shards for run in runs}) > 1:
        raise UsageError("--run: one of these is a run over a fleet, and another is not; resume one after another")
    shards: dict[Place, Shard] = {}
    paused: dict[Place, frozenset[str]] = {}
    for run in runs:
        found = [(shard, _paused(run, shard)) for shard in run.planned()]
        if run.record().command != "pause" and not any(uuids for _, uuids in found):
            raise UsageError(f"{run.path.name} did not pause anything; `bulk-esm runs` shows which run did")
        for shard, uuids in found:
            if uuids or not run.has_shards:
                place = _place(shard)
                shards[place] = shard
                paused[place] = paused.get(place, frozenset()) | uuids
    if not runs[0].has_shards and len(shards) > 1:
        raise UsageError("these runs are of several accounts or Regions; resume one after another")
    return PausedShards(runs=tuple(runs), shards=tuple(shards.values()), by_place=paused, has_shards=runs[0].has_shards)


def runs_still_pausing(runs: Iterable[RunFiles], resumed: PausedShards) -> list[str]:
    """Tell which runs paused mappings in some shards that neither a later run nor another one resumes.

    A run that cannot be read is left out: what it did is told where it is asked for.

    Args:
        runs: all runs, the oldest first.
        resumed: what is about to be resumed, and in which shards.

    Returns:
        The names of the runs.
    """
    found: dict[str, None] = {}
    here = [one for run in runs for one in _read(run, resumed)]
    for place, uuids in resumed.by_place.items():
        of_place = [(name, paused, results) for there, name, paused, results in here if there == place]
        left = still_paused(of_place)
        found |= dict.fromkeys(name for name, *_ in of_place if left.get(name, frozenset()) - uuids)
    return list(found)


def _read(run: RunFiles, resumed: PausedShards) -> list[tuple[Place, str, frozenset[str], list[Result]]]:
    """What a run paused and its results, in the shards that matter; nothing where it cannot be read."""
    try:
        shards = [shard for shard in run.planned() if _place(shard) in resumed.by_place]
        return [
            (_place(shard), run.path.name, _paused(run, shard), list(run.shard(shard).results())) for shard in shards
        ]
    except RunFolderError:
        return []


def _paused(run: RunFiles, shard: Shard) -> frozenset[str]:
    files = run.shard(shard)
    return paused_by(files.plan().items, files.results(), files.begun())


def _place(shard: Shard) -> Place:
    return shard.account_id, shard.region
