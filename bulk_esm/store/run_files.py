"""The files of a run: its record, and of each shard the plan and the results.

    RUN_ID/run.json         the run, with its counts over all shards
    RUN_ID/log.jsonl
    RUN_ID/asked/           what others ask of it while it is at work; see `asked`
    RUN_ID/{plan.jsonl,results.jsonl}                                 of the home shard alone; or, with fleet flags:
    RUN_ID/fleet.json       the shards, how each is reached, and in which order they go
    RUN_ID/shards/ACCOUNT-REGION/{run.json,plan.jsonl,results.jsonl}

While it is planned it is hidden, so that no command takes it for a run; it gets its name when all plans are on disk.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

import msgspec

from bulk_esm.errors import RunFolderError, UnwritableError
from bulk_esm.model.plan import Action, Plan, PlanItem
from bulk_esm.model.records import FileDigest, FleetRecord, RunRecord, RunStatus, ShardEntry
from bulk_esm.model.result import Result
from bulk_esm.model.shard import Shard
from bulk_esm.store import disk
from bulk_esm.store.asked import AskedFolder, AskedPlace
from bulk_esm.store.at_work import is_at_work
from bulk_esm.store.jsonl import digest_of, read_whole, sync_folder, write_durably, writing
from bulk_esm.store.replica import Replica
from bulk_esm.store.shard_files import LOG, RECORD, ShardFiles

A_NAME: Final = re.compile(r"\d{8}T\d{6}Z-[a-z]+-[0-9a-f]{6}")
FLEET: Final = "fleet.json"
SHARDS: Final = "shards"
TASK: Final = "task.json"


class RunFiles:
    """The folder of one run.

    Attributes:
        path: the folder.
        only: the one shard of several that is meant; None if all are.
        salvages: whether what is whole of damaged files is worked with.
        replica: what is kept of it elsewhere; None if this folder is all there is.
    """

    def __init__(
        self, path: Path, *, only: str | None = None, salvage: bool = False, replica: Replica | None = None
    ) -> None:
        """Look at a folder; see `begin` for a new one.

        Args:
            path: the folder.
            only: the one shard of several that is meant; all if left out.
            salvage: whether to work with what is whole of damaged files.
            replica: what is kept of it elsewhere; of all but its record it is read there first.
        """
        self.path = path
        self.replica = replica
        self.only = only
        self.salvages = salvage
        self._damages: list[str] = []
        self._fleet: FleetRecord | None = None
        self._shards: dict[str, ShardFiles] = {}
        self._own = ShardFiles(path, salvage=salvage)
        self._run_id = ""  # of one that is being planned

    @classmethod
    def of(cls, path: Path, *, salvage: bool = False) -> RunFiles:
        """The run of a folder that is a run's, or that of a shard of one, which is then the only one meant.

        Args:
            path: the folder.
            salvage: whether to work with what is whole of damaged files.
        """
        whole = path.absolute().parent.parent
        is_shard = path.absolute().parent.name == SHARDS and (whole / FLEET).is_file()
        return cls(whole, only=path.name, salvage=salvage) if is_shard else cls(path, salvage=salvage)

    @property
    def shown(self) -> str:
        """The run as a user names it: what a command to paste has."""
        return str(self.path) if self.replica is None else self.replica.shown

    @property
    def named(self) -> str:
        """What names it to a command that looks for it in its place: its path; of one that is kept elsewhere its id."""
        return str(self.path) if self.replica is None else self.path.name

    def at_work(self) -> bool | None:
        """Whether somebody carries it out at this moment; None where nobody can tell."""
        here = is_at_work(self.path)
        return here if self.replica is None or here else self.replica.at_work()

    def asked(self) -> AskedPlace:
        """Where others ask things of it while it is at work."""
        return AskedFolder(self.path) if self.replica is None else self.replica.asked()

    def fetched(self) -> Self:
        """The same, with all its files on this disk.

        Raises:
            RunFolderError: they cannot be read.
        """
        if self.replica is not None:
            self.replica.fetch()
        return self

    @property
    def damages(self) -> list[str]:
        """What was found damaged so far, and passed over."""
        found = [*self._own.damages, *self._damages]
        found += [damage for shard in self._shards.values() for damage in shard.damages]
        return list(dict.fromkeys(found))

    @classmethod
    def begin(cls, runs_dir: Path, run_id: str, *, replica: Replica | None = None) -> Self:
        """Make the folder of a run that is being planned; hidden until it is published.

        Args:
            runs_dir: where runs are kept; made if it is not there.
            run_id: the run.
            replica: what is to be kept of it elsewhere.
        """
        files = cls(runs_dir / f".{run_id}.planning", replica=replica)
        files._run_id = run_id
        try:
            runs_dir.mkdir(parents=True, exist_ok=True)
            files.path.mkdir(mode=0o700)  # configurations name queues, functions and secrets
        except OSError as error:
            raise UnwritableError(
                f"the run folder {files.path} cannot be written: {error.strerror}; "
                "choose another place with --runs-dir or BULK_ESM_RUNS_DIR"
            ) from error
        return files

    @property
    def has_shards(self) -> bool:
        """Whether fleet flags were given, so that each shard has a folder of its own."""
        self.fetched()
        return (self.path / FLEET).is_file() or (self.path / SHARDS).is_dir()

    def add(self, name: str, record: RunRecord, plan: Plan) -> FileDigest:
        """Bring to disk the plan of one of several shards.

        Args:
            name: the shard's.
            record: the shard's.
            plan: the shard's.

        Raises:
            RunFolderError: it cannot be written.
        """
        shard = ShardFiles(self.path / SHARDS / name)
        with writing(shard.path):
            shard.path.parent.mkdir(mode=0o700, exist_ok=True)
            shard.path.mkdir(mode=0o700)
            digest = shard.write_plan(plan, run_id=record.run_id)
            shard.write_record(record)
            sync_folder(shard.path.parent)
        return digest

    def add_home(self, plan: Plan) -> FileDigest:
        """Bring to disk the plan of the home shard alone."""
        return ShardFiles(self.path).write_plan(plan, run_id=self._run_id)

    def publish(self, record: RunRecord, fleet: FleetRecord | None) -> None:
        """Give it its name: all plans are on disk, and something may be sent.

        Args:
            record: the run.
            fleet: its shards; None for the home shard alone.

        Raises:
            RunFolderError: it cannot be written.
        """
        path = self.path.with_name(record.run_id)
        with writing(path):
            if fleet is not None:
                (self.path / SHARDS).mkdir(mode=0o700, exist_ok=True)
                record = msgspec.structs.replace(record, plan=write_durably(self.path / FLEET, [fleet]))
            self.write_record(record)
            disk.rename(self.path, path)
            self.path, self._shards = path, {}  # what was looked at before was at another path
            sync_folder(path.parent)
        self._own = ShardFiles(path, salvage=self.salvages)

    def discard(self) -> None:
        """Remove a folder that is not to be published after all."""
        shutil.rmtree(self.path, ignore_errors=True)

    def write_record(self, record: RunRecord) -> None:
        """Replace `run.json`."""
        self._own.write_record(record)

    def record(self) -> RunRecord:
        """Read `run.json`.

        Raises:
            RunFolderError: it is missing, damaged, or that of another run.
        """
        record = self._own.record()
        # A copy is given another name, and is taken.
        if record.run_id != self.path.name and A_NAME.fullmatch(self.path.name):
            raise RunFolderError(f"{self.path / RECORD} is damaged: it is that of {record.run_id}")
        return record

    def fleet(self) -> FleetRecord:
        """The shards, from `fleet.json`; or the home shard, from its plan.

        Raises:
            RunFolderError: a file is missing, damaged, or no such record.
        """
        found = self._all()
        if self.only is None or not self.has_shards:
            return found
        meant = tuple(entry for entry in found.shards if entry.shard.name == self.only)
        return msgspec.structs.replace(found, shards=meant, groups=((self.only,),))

    def _all(self) -> FleetRecord:
        if self._fleet is None:
            self._fleet = self._read_fleet() if self.has_shards else self._home()
        return self._fleet

    def shard(self, shard: Shard) -> ShardFiles:
        """The plan and the results of one shard.

        Args:
            shard: the shard.
        """
        if not self.has_shards:
            return self._shard(self.path, self.record().plan if (self.path / RECORD).exists() else None)
        entries = self._all().shards if (self.path / FLEET).is_file() else ()  # there is none before it is published
        plan = next((entry.plan for entry in entries if entry.shard.name == shard.name), None)
        return self._shard(self.path / SHARDS / shard.name, plan)

    def planned(self) -> list[Shard]:
        """The shards that have a plan.

        Raises:
            RunFolderError: a file is missing, damaged, or no such record.
        """
        return [entry.shard for entry in self.fleet().shards if entry.problem is None]

    def unplanned(self) -> list[Shard]:
        """The shards that have no plan, and of which it is known what was to be planned there.

        Raises:
            RunFolderError: a file is missing, damaged, or no such record.
        """
        if not self.has_shards:
            return []
        return [entry.shard for entry in self.fleet().shards if entry.problem is not None and self.task(entry.shard)]

    def task(self, shard: Shard) -> bytes | None:
        """What was to be planned in a shard that could not be reached; None where nobody knows.

        Raises:
            RunFolderError: it cannot be read.
        """
        path = self.path / SHARDS / shard.name / TASK
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise RunFolderError(f"{path} cannot be read: {error.strerror}") from error

    def write_task(self, shard: Shard, task: bytes) -> None:
        """Bring to disk what was to be planned in a shard that could not be reached.

        Raises:
            RunFolderError: it cannot be written.
        """
        path = self.path / SHARDS / shard.name / TASK
        with writing(path):
            path.write_bytes(task)

    def write_fleet(self, fleet: FleetRecord) -> FileDigest:
        """Replace the list of shards.

        Returns:
            Its digest, for the caller to put in `run.json`.

        Raises:
            RunFolderError: it cannot be written.
        """
        with writing(self.path / FLEET):
            digest = write_durably(self.path / FLEET, [fleet])
        self._fleet, self._shards = fleet, {}
        return digest

    def items(self) -> Iterator[PlanItem]:
        """The plans of all shards, one shard's in memory at a time."""
        for shard in self.planned():
            yield from self.shard(shard).plan().items

    def results(self) -> Iterator[Result]:
        """The results of all shards."""
        for shard in self.planned():
            yield from self.shard(shard).results()

    def log_lines(self) -> Iterator[bytes]:
        """The lines of its log, and of those that its shards have; none of a run without one.

        Raises:
            RunFolderError: one cannot be read.
        """
        self.fetched()
        for path in (self.path / LOG, *sorted(self.path.glob(f"{SHARDS}/*/{LOG}"))):
            try:
                with path.open("rb") as file:
                    yield from file
            except FileNotFoundError:
                continue
            except OSError as error:
                raise RunFolderError(f"{path} cannot be read: {error.strerror}") from error

    def touched_at(self) -> float:
        """When its record was last written, or something in its folder came or went, in seconds since the epoch.

        Raises:
            RunFolderError: it is gone, or cannot be looked at.
        """
        try:
            return max((self.path / name).stat().st_mtime for name in (RECORD, "."))
        except OSError as error:
            raise RunFolderError(f"{self.path} cannot be read: {error.strerror}") from error

    def unfinished(self) -> bool:
        """Whether it did not end: it was killed, or is still running."""
        return self.record().status is RunStatus.RUNNING

    def _shard(self, path: Path, plan: FileDigest | None) -> ShardFiles:
        if path.name not in self._shards:
            self._shards[path.name] = ShardFiles(path, plan=plan, salvage=self.salvages)
        return self._shards[path.name]

    def _home(self) -> FleetRecord:
        record = self.record()
        shard = Shard(account_id=record.account_id, region=record.region)
        plan = self.shard(shard).plan()
        entry = ShardEntry(shard=shard, items=len(plan.items), updates=plan.count(Action.UPDATE), plan=record.plan)
        return FleetRecord(shards=(entry,), groups=((shard.name,),))

    def _read_fleet(self) -> FleetRecord:
        path = self.path / FLEET
        digest = self.record().plan
        found = read_whole(path, FleetRecord, None if self.salvages else digest)
        if digest is not None and self.salvages and digest_of(path) != digest:
            self._damages.append(f"{path}: it is not what was written, and shards may be missing")
        if len(found) != 1:
            raise RunFolderError(f"{path} is damaged: it has {len(found)} records, and 1 was written")
        names = [entry.shard.name for entry in found[0].shards]
        grouped = [name for group in found[0].groups for name in group]
        if sorted(grouped) != sorted(names) or len(set(names)) != len(names):
            if not self.salvages:
                what = f"{path} is damaged: its groups do not have each of its {len(names):,} shards once"
                raise RunFolderError(f"{what}; --salvage takes all shards in one group")
            once = {entry.shard.name: entry for entry in reversed(found[0].shards)}
            return msgspec.structs.replace(found[0], shards=tuple(once.values()), groups=(tuple(once),))
        return found[0]
