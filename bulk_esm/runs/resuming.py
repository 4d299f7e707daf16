"""Which mappings runs paused, and which are still paused: read from the files of runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from bulk_esm.errors import RunFolderError, UsageError
from bulk_esm.model.plan import PlanItem
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
        has_shards: whether it takes a run over shards to resume them: one of the runs was over a fleet, or they were
            in several accounts or Regions.
    """

    runs: tuple[RunFiles, ...]
    shards: tuple[Shard, ...]
    by_place: dict[Place, frozenset[str]]
    has_shards: bool

    @property
    def uuids(self) -> frozenset[str]:
        """All of them."""
        return frozenset().union(*self.by_place.values())

    def within(self, shards: Iterable[Shard]) -> PausedShards:
        """What of it is in these shards, by their ways in.

        Args:
            shards: the shards of a fleet.

        Raises:
            UsageError: nothing is.
        """
        meant = tuple(shard for shard in shards if place_of(shard) in self.by_place)
        if not meant:
            raise UsageError("no run here still holds a paused mapping in these accounts and Regions")
        by_place = {place_of(shard): self.by_place[place_of(shard)] for shard in meant}
        runs = tuple(run for run in self.runs if any(place_of(shard) in by_place for shard in run.planned()))
        return PausedShards(runs=runs, shards=meant, by_place=by_place, has_shards=True)

    def items_of(self, place: Place) -> tuple[PlanItem, ...]:
        """What the runs planned for those of a place: what they were called, should they be gone."""
        found: dict[str, PlanItem] = {}
        for run in self.runs:
            for shard in run.planned():
                if place_of(shard) == place:
                    found |= {item.uuid: item for item in run.shard(shard).plan().items}
        return tuple(found[uuid] for uuid in sorted(self.by_place[place]) if uuid in found)


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """A run that still holds mappings paused.

    Attributes:
        run: the run.
        by_place: their UUIDs, by account and Region.
    """

    run: RunFiles
    by_place: dict[Place, frozenset[str]]

    @property
    def count(self) -> int:
        """How many they are."""
        return sum(map(len, self.by_place.values()))


def paused_by_runs(runs: Sequence[RunFiles]) -> PausedShards:
    """Tell what some runs paused.

    Args:
        runs: the runs.

    Raises:
        UsageError: one of them paused nothing.
        RunFolderError: a file cannot be read.
    """
    for run in runs:
        if not paused_anything(run):
            raise UsageError(f"{run.path.name} did not pause anything; `bulk-esm runs` shows which run did")
    found = {run: {place_of(shard): _paused(run, shard) for shard in run.planned()} for run in runs}
    return _together([Holding(run=run, by_place=by_place) for run, by_place in found.items()])


def paused_anything(run: RunFiles) -> bool:
    """Whether a run paused any mapping.

    Args:
        run: the run.

    Raises:
        RunFolderError: a file cannot be read.
    """
    return any(_paused(run, shard) for shard in run.planned())


def all_paused(runs: Iterable[RunFiles]) -> PausedShards:
    """Tell what any runs still hold paused.

    Args:
        runs: all runs, the oldest first.

    Raises:
        UsageError: nothing is.
    """
    holding = runs_still_pausing(runs)
    if not holding:
        raise UsageError("no run here still holds a paused mapping; `bulk-esm runs` shows what they were")
    return _together(holding)


def _together(holding: Sequence[Holding]) -> PausedShards:
    shards: dict[Place, Shard] = {}
    paused: dict[Place, frozenset[str]] = {}
    # Of a place that a fleet's run was in as well, that one knows the way in: it may be by a role.
    for one in sorted(holding, key=lambda one: one.run.has_shards):
        for shard in one.run.planned():
            place = place_of(shard)
            if uuids := one.by_place.get(place, frozenset()):
                shards[place] = shard
                paused[place] = paused.get(place, frozenset()) | uuids
    runs = tuple(one.run for one in holding)
    has_shards = len(shards) > 1 or any(run.has_shards for run in runs)
    return PausedShards(runs=runs, shards=tuple(shards.values()), by_place=paused, has_shards=has_shards)


def runs_still_pausing(runs: Iterable[RunFiles], resumed: PausedShards | None = None) -> list[Holding]:
    """Tell which runs paused mappings that neither a later run nor another one resumes.

    A run that cannot be read is left out: what it did is told where it is asked for.

    Args:
        runs: all runs, the oldest first.
        resumed: what is about to be resumed.
    """
    by_place: dict[Place, list[tuple[str, frozenset[str], list[Result]]]] = {}
    by_name: dict[str, RunFiles] = {}
    for run in runs:
        by_name[run.path.name] = run
        for place, paused, results in _read(run):
            by_place.setdefault(place, []).append((run.path.name, paused, results))
    held: dict[str, dict[Place, frozenset[str]]] = {}
    for place, of_place in by_place.items():
        now = resumed.by_place.get(place, frozenset()) if resumed else frozenset()
        for name, uuids in still_paused(of_place).items():
            if left := uuids - now:
                held.setdefault(name, {})[place] = left
    return [Holding(run=run, by_place=held[name]) for name, run in by_name.items() if name in held]


def _read(run: RunFiles) -> list[tuple[Place, frozenset[str], list[Result]]]:
    """What a run paused in each place, and its results; nothing where it cannot be read."""
    try:
        return [(place_of(shard), _paused(run, shard), list(run.shard(shard).results())) for shard in run.planned()]
    except RunFolderError:
        return []


def _paused(run: RunFiles, shard: Shard) -> frozenset[str]:
    files = run.shard(shard)
    return paused_by(files.plan().items, files.results(), files.begun())


def place_of(shard: Shard) -> Place:
    """The account and Region of a shard."""
    return shard.account_id, shard.region
