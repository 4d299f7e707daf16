"""The folder of a run over many shards: a record and a summary across them, and a run folder for each shard.

    RUN_ID/run.json         the run, with its counts over all shards
    RUN_ID/fleet.json       the shards, how each is reached, and in which order they go
    RUN_ID/log.jsonl
    RUN_ID/shards/ACCOUNT-REGION/{run.json,plan.jsonl,results.jsonl}

While it is planned it is hidden, so that no command takes it for a run; it gets its name when all plans are on disk.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from bulk_esm.errors import RunFolderError
from bulk_esm.model.plan import Plan, PlanItem
from bulk_esm.model.records import RunRecord
from bulk_esm.model.result import Result
from bulk_esm.model.shard import Problem, Shard
from bulk_esm.store.folder import RECORD, RunFolder
from bulk_esm.store.jsonl import read_lines, sync_folder, write_durably, writing

FLEET: Final = "fleet.json"
SHARDS: Final = "shards"


class ShardEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A shard in `fleet.json`.

    Attributes:
        shard: the shard, and how it is reached.
        items: how many mappings its plan has.
        updates: to how many of them something is sent.
        seen: how many mappings were looked through.
        problem: why it has no plan, or None.
    """

    shard: Shard
    items: int = 0
    updates: int = 0
    seen: int = 0
    problem: Problem | None = None


class FleetRecord(msgspec.Struct, frozen=True, kw_only=True):
    """`fleet.json`: written once, before anything is sent.

    Attributes:
        shards: all of them.
        groups: their names, in the groups that go one after another.
        most_failed_shards: how many shards may fail before the run halts; None for any number.
    """

    shards: tuple[ShardEntry, ...]
    groups: tuple[tuple[str, ...], ...]
    most_failed_shards: int | None = None


class FleetFolder:
    """A folder that holds one run over many shards.

    Attributes:
        path: the folder.
    """

    def __init__(self, path: Path, *, only: str | None = None) -> None:
        """Look at a folder; see `begin` for a new one.

        Args:
            path: the folder.
            only: the one shard that is meant; all if left out.
        """
        self.path = path
        self._only = only

    @classmethod
    def of(cls, path: Path) -> FleetFolder | None:
        """The fleet's folder, if a run's folder is one or that of a shard of one, which is then the only one meant.

        Args:
            path: the run's folder.
        """
        if cls.is_one(path):
            return cls(path)
        path = path.absolute()
        is_shard = path.parent.name == SHARDS and cls.is_one(path.parent.parent)
        return cls(path.parent.parent, only=path.name) if is_shard else None

    @classmethod
    def is_one(cls, path: Path) -> bool:
        """Whether a run's folder is that of a fleet."""
        return (path / FLEET).is_file()

    @classmethod
    def begin(cls, runs_dir: Path, run_id: str) -> FleetFolder:
        """Make the folder of a fleet that is being planned; hidden until it is published.

        Args:
            runs_dir: where runs are kept; made if it is not there.
            run_id: the run.

        Raises:
            RunFolderError: it cannot be made.
        """
        folder = cls(runs_dir / f".{run_id}.planning")
        with writing(folder.path):
            runs_dir.mkdir(parents=True, exist_ok=True)
            folder.path.mkdir(mode=0o700)  # configurations name queues, functions and secrets
            (folder.path / SHARDS).mkdir()
        return folder

    def add(self, name: str, record: RunRecord, plan: Plan) -> None:
        """Bring a shard's plan to disk.

        Args:
            name: the shard's.
            record: the shard's.
            plan: the shard's.

        Raises:
            RunFolderError: it cannot be written.
        """
        RunFolder.create(self.path / SHARDS, record, plan, name=name)

    def publish(self, record: RunRecord, fleet: FleetRecord) -> None:
        """Give it its name: all plans are on disk, and something may be sent.

        Raises:
            RunFolderError: it cannot be written.
        """
        self.write_record(record)
        path = self.path.with_name(record.run_id)
        with writing(path):
            write_durably(self.path / FLEET, [fleet])
            self.path.rename(path)
            sync_folder(path.parent)
        self.path = path

    def discard(self) -> None:
        """Remove a folder that is not to be published after all."""
        shutil.rmtree(self.path, ignore_errors=True)

    def write_record(self, record: RunRecord) -> None:
        """Replace `run.json`.

        Raises:
            RunFolderError: it cannot be written.
        """
        RunFolder(self.path).write_record(record)

    def record(self) -> RunRecord:
        """Read `run.json`.

        Raises:
            RunFolderError: it is missing or is no such record.
        """
        return RunFolder(self.path).record()

    def fleet(self) -> FleetRecord:
        """Read `fleet.json`.

        Raises:
            RunFolderError: it is missing or is no such record.
        """
        found = next(iter(read_lines(self.path / FLEET, FleetRecord)), None)
        if found is None:
            raise RunFolderError(f"{self.path / FLEET} is empty")
        if self._only is not None:
            meant = tuple(entry for entry in found.shards if entry.shard.name == self._only)
            found = msgspec.structs.replace(found, shards=meant, groups=((self._only,),))
        return found

    def shard(self, name: str) -> RunFolder:
        """A shard's own folder: a run folder like that of a single account and Region.

        Args:
            name: the shard's.
        """
        return RunFolder(self.path / SHARDS / name)

    def names(self) -> list[str]:
        """The names of the shards that have a plan."""
        there = sorted(path.name for path in (self.path / SHARDS).iterdir() if (path / RECORD).is_file())
        return there if self._only is None else [self._only]

    def items(self) -> Iterator[PlanItem]:
        """The plans of all shards, one shard's in memory at a time.

        Raises:
            RunFolderError: one cannot be read.
        """
        for name in self.names():
            yield from self.shard(name).plan().items

    def results(self) -> Iterator[Result]:
        """The results of all shards.

        Raises:
            RunFolderError: one cannot be read.
        """
        for name in self.names():
            yield from self.shard(name).results()
