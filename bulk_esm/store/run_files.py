"""The files of a run: its record, and of each shard the plan and the results.

    RUN_ID/run.json         the run, with its counts over all shards
    RUN_ID/log.jsonl
    RUN_ID/{plan.jsonl,results.jsonl}                                 of the home shard alone; or, with fleet flags:
    RUN_ID/fleet.json       the shards, how each is reached, and in which order they go
    RUN_ID/shards/ACCOUNT-REGION/{run.json,plan.jsonl,results.jsonl}

While it is planned it is hidden, so that no command takes it for a run; it gets its name when all plans are on disk.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

import msgspec

from bulk_esm.errors import RunFolderError
from bulk_esm.model.plan import Action, Plan, PlanItem
from bulk_esm.model.records import FleetRecord, RunRecord, RunStatus, ShardEntry
from bulk_esm.model.result import Result
from bulk_esm.model.shard import Shard
from bulk_esm.store.jsonl import read_lines, sync_folder, write_durably, writing
from bulk_esm.store.shard_files import RECORD, ShardFiles

FLEET: Final = "fleet.json"
SHARDS: Final = "shards"


class RunFiles:
    """The folder of one run.

    Attributes:
        path: the folder.
        only: the one shard of several that is meant; None if all are.
    """

    def __init__(self, path: Path, *, only: str | None = None) -> None:
        """Look at a folder; see `begin` for a new one.

        Args:
            path: the folder.
            only: the one shard of several that is meant; all if left out.
        """
        self.path = path
        self.only = only

    @classmethod
    def of(cls, path: Path) -> RunFiles:
        """The run of a folder that is a run's, or that of a shard of one, which is then the only one meant.

        Args:
            path: the folder.
        """
        whole = path.absolute().parent.parent
        is_shard = path.absolute().parent.name == SHARDS and (whole / FLEET).is_file()
        return cls(whole, only=path.name) if is_shard else cls(path)

    @classmethod
    def begin(cls, runs_dir: Path, run_id: str) -> Self:
        """Make the folder of a run that is being planned; hidden until it is published.

        Args:
            runs_dir: where runs are kept; made if it is not there.
            run_id: the run.
        """
        files = cls(runs_dir / f".{run_id}.planning")
        try:
            runs_dir.mkdir(parents=True, exist_ok=True)
            files.path.mkdir(mode=0o700)  # configurations name queues, functions and secrets
        except OSError as error:
            raise RunFolderError(
                f"the run folder {files.path} cannot be written: {error.strerror}; "
                "choose another place with --runs-dir or BULK_ESM_RUNS_DIR"
            ) from error
        return files

    @property
    def has_shards(self) -> bool:
        """Whether fleet flags were given, so that each shard has a folder of its own."""
        return (self.path / FLEET).is_file() or (self.path / SHARDS).is_dir()

    def add(self, name: str, record: RunRecord, plan: Plan) -> None:
        """Bring to disk the plan of one of several shards.

        Args:
            name: the shard's.
            record: the shard's.
            plan: the shard's.
        """
        shard = ShardFiles(self.path / SHARDS / name)
        with writing(shard.path):
            shard.path.parent.mkdir(mode=0o700, exist_ok=True)
            shard.path.mkdir(mode=0o700)
            shard.write_plan(plan)
            shard.write_record(record)
            sync_folder(shard.path.parent)

    def add_home(self, plan: Plan) -> None:
        """Bring to disk the plan of the home shard alone."""
        ShardFiles(self.path).write_plan(plan)

    def publish(self, record: RunRecord, fleet: FleetRecord | None) -> None:
        """Give it its name: all plans are on disk, and something may be sent.

        Args:
            record: the run.
            fleet: its shards; None for the home shard alone.
        """
        self.write_record(record)
        path = self.path.with_name(record.run_id)
        with writing(path):
            if fleet is not None:
                (self.path / SHARDS).mkdir(mode=0o700, exist_ok=True)
                write_durably(self.path / FLEET, [fleet])
            self.path.rename(path)
            sync_folder(path.parent)
        self.path = path

    def discard(self) -> None:
        """Remove a folder that is not to be published after all."""
        shutil.rmtree(self.path, ignore_errors=True)

    def write_record(self, record: RunRecord) -> None:
        """Replace `run.json`."""
        ShardFiles(self.path).write_record(record)

    def record(self) -> RunRecord:
        """Read `run.json`.

        Raises:
            RunFolderError: it is missing or is no such record.
        """
        return ShardFiles(self.path).record()

    def fleet(self) -> FleetRecord:
        """The shards, from `fleet.json`; or the home shard, from its plan.

        Raises:
            RunFolderError: a file is missing or is no such record.
        """
        if not self.has_shards:
            return FleetRecord(shards=(entry := self._home_entry(),), groups=((entry.shard.name,),))
        found = next(iter(read_lines(self.path / FLEET, FleetRecord)), None)
        if found is None:
            raise RunFolderError(f"{self.path / FLEET} is empty")
        if self.only is not None:
            meant = tuple(entry for entry in found.shards if entry.shard.name == self.only)
            found = msgspec.structs.replace(found, shards=meant, groups=((self.only,),))
        return found

    def shard(self, shard: Shard) -> ShardFiles:
        """The plan and the results of one shard.

        Args:
            shard: the shard.
        """
        return ShardFiles(self.path / SHARDS / shard.name) if self.has_shards else ShardFiles(self.path)

    def planned(self) -> list[Shard]:
        """The shards that have a plan.

        Raises:
            RunFolderError: a file is missing or is no such record.
        """
        return [entry.shard for entry in self.fleet().shards if (self.shard(entry.shard).path / RECORD).is_file()]

    def items(self) -> Iterator[PlanItem]:
        """The plans of all shards, one shard's in memory at a time."""
        for shard in self.planned():
            yield from self.shard(shard).plan().items

    def results(self) -> Iterator[Result]:
        """The results of all shards."""
        for shard in self.planned():
            yield from self.shard(shard).results()

    def unfinished(self) -> bool:
        """Whether it did not end: it was killed, or is still running."""
        return self.record().status is RunStatus.RUNNING

    def _home_entry(self) -> ShardEntry:
        record = self.record()
        plan = ShardFiles(self.path).plan()
        shard = Shard(account_id=record.account_id, region=record.region)
        return ShardEntry(shard=shard, items=len(plan.items), updates=plan.count(Action.UPDATE))
