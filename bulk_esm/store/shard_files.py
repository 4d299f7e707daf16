"""Plan, results and record of one shard of a run. Nothing else reads or writes them.

`plan.jsonl` is the write-ahead log: on disk before the first update. Updates are idempotent, so after a crash plan and
results say what is left to look at; nothing else is needed.
"""

from __future__ import annotations

import io
import os
import resource
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from bulk_esm.errors import RecordingError, RunFolderError
from bulk_esm.model.plan import Plan, PlanItem
from bulk_esm.model.records import FileDigest, RunRecord
from bulk_esm.model.result import Result
from bulk_esm.store.begun import BEGUN, BegunWriter, read_begun
from bulk_esm.store.jsonl import (
    cut_torn_end,
    digest_of,
    read_lines,
    read_salvaged,
    read_whole,
    refuse_damaged,
    refuse_lost,
    write_durably,
    writing,
)

RECORD: Final = "run.json"
PLAN: Final = "plan.jsonl"
RESULTS: Final = "results.jsonl"
OLD_RESULTS: Final = "results.old.jsonl"
LOG: Final = "log.jsonl"


_A_LONG_LINE: Final = 2_000  # bytes; a result has about 800
_FOR_THE_RECORD: Final = 64_000  # bytes, for run.json and the log's last words
_WHAT_NOW: Final = "make room, and then finish the run with `bulk-esm continue`"


class ShardFiles:
    """A folder that holds what is known of one shard of a run.

    Attributes:
        path: the folder.
        damages: what was found damaged, and passed over with `--salvage`.
    """

    def __init__(self, path: Path, *, plan: FileDigest | None = None, salvage: bool = False) -> None:
        """Look at a folder; nothing is read yet.

        Args:
            path: the folder.
            plan: what the plan held when it was written; None if nobody knows.
            salvage: whether to work with what is whole of damaged files.
        """
        self.path = path
        self.damages: list[str] = []
        self._plan = plan
        self._salvage = salvage

    def write_plan(self, plan: Plan) -> FileDigest:
        """Bring the plan to disk, and that nothing has begun."""
        with writing(self.path / PLAN):
            write_durably(self.path / BEGUN, ())
            return write_durably(self.path / PLAN, plan.items)

    def write_record(self, record: RunRecord) -> None:
        """Replace `run.json`."""
        with writing(self.path / RECORD):
            write_durably(self.path / RECORD, [record])

    def record(self) -> RunRecord:
        """Read `run.json`.

        Raises:
            RunFolderError: it is missing or is no such record.
        """
        found = next(iter(read_lines(self.path / RECORD, RunRecord)), None)
        if found is None:
            raise RunFolderError(f"{self.path / RECORD} is empty")
        return found

    @property
    def salvages(self) -> bool:
        """Whether what is whole of damaged files is worked with."""
        return self._salvage

    def check_plan(self) -> None:
        """Refuse a damaged plan, unless what is whole of it is to be salvaged.

        Raises:
            RunFolderError: it is missing or damaged.
        """
        if not self._salvage:
            refuse_damaged(self.path / PLAN, self._plan)

    def plan(self) -> Plan:
        """Read the plan.

        Raises:
            RunFolderError: it is missing or damaged, or names a mapping twice.
        """
        path = self.path / PLAN
        if not self._salvage:
            items = read_whole(path, PlanItem, self._plan)
            if len({item.uuid for item in items}) != len(items):
                raise RunFolderError(f"{path} is damaged: it names a mapping twice; --salvage takes the first of each")
            return Plan(tuple(items))
        items, bad = read_salvaged(path, PlanItem)
        plan = Plan.of_each_once(items)
        if missing := max(0, self._plan.lines - len(plan.items)) if self._plan else bad:
            self._note(f"{path}: of {missing:,} lines nothing is known, and they are left out")
        elif len(plan.items) != len(items):
            self._note(f"{path}: it names mappings twice, and the first line of each is taken")
        elif self._plan and path.exists() and digest_of(path) != self._plan:
            self._note(f"{path}: a line is not what was written, and which one cannot be told")
        return plan

    def _note(self, damage: str) -> None:
        if damage not in self.damages:
            self.damages.append(damage)

    def results(self) -> Iterator[Result]:
        """Read the results so far; a torn last line is left out. A run that was killed at its start has none.

        Raises:
            RunFolderError: a line is no result.
        """
        path = self.path / RESULTS
        if not path.exists():
            return iter(())
        if not self._salvage:
            return read_lines(path, Result, torn_end_is_cut=True)
        found, bad = read_salvaged(path, Result)
        if bad:
            self._note(f"{path}: {bad:,} lines are none; those mappings are looked at again")
        return iter(found)

    def keep_results(self, kept: Sequence[Result]) -> None:
        """Replace the results by those that stay, before a run is continued: each mapping has one line at any time.

        What goes is kept in `results.old.jsonl`, and durable there before it goes.
        """
        with writing(self.path / RESULTS):
            stays = {result.uuid: result for result in kept}
            old = [result for result in self.results() if stays.get(result.uuid) != result]
            if old:
                before = read_salvaged(self.path / OLD_RESULTS, Result)[0]
                write_durably(self.path / OLD_RESULTS, [*before, *old])
            write_durably(self.path / RESULTS, kept)

    def open_begun(self) -> BegunWriter:
        """Open `begun.jsonl` for appending."""
        return BegunWriter(self.path / BEGUN)

    def begun(self) -> frozenset[str] | None:
        """To which mappings something may have been sent; None where an older version kept no such file."""
        try:
            return read_begun(self.path / BEGUN)
        except RunFolderError as error:
            if not self._salvage:
                raise
            self._note(f"{error}; so each mapping of it is looked at")
            return None

    def last_sent_at(self) -> float:
        """When an update was last about to be sent, at the latest, in seconds since the epoch; 0 if none was."""
        return max(
            (path.stat().st_mtime for name in (BEGUN, RESULTS) if (path := self.path / name).exists()), default=0.0
        )

    def open_results(self) -> ResultWriter:
        """Open `results.jsonl` for appending; a torn last line is cut off."""
        return ResultWriter(self.path / RESULTS)


class ResultWriter:
    """Appends results, each in one write of one whole line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._encoder = msgspec.json.Encoder()
        self._longest = _A_LONG_LINE
        with writing(path):
            cut_torn_end(path)
            self._file: io.RawIOBase = path.open("ab", buffering=0)

    def append(self, result: Result) -> None:
        """Write one result.

        Raises:
            RecordingError: it cannot be written; nothing more should be sent.
        """
        line = self._encoder.encode(result) + b"\n"
        self._longest = max(self._longest, len(line))
        try:
            written = self._file.write(line)
        except OSError as error:
            raise RecordingError(f"{self._path} cannot be written: {error.strerror}; {_WHAT_NOW}") from error
        if written != len(line):
            raise RecordingError(f"{self._path} cannot be written: the disk is full; {_WHAT_NOW}")
        refuse_lost(self._path, self._file.fileno())  # after it, so that what was there until then counts

    def require_room(self, results: int) -> None:
        """Make sure that so many more results can be written, so that no update is sent that could not be recorded.

        Raises:
            RecordingError: there is no room for them, or the file is gone.
        """
        refuse_lost(self._path, self._file.fileno())
        needed = results * self._longest + _FOR_THE_RECORD
        disk = os.fstatvfs(self._file.fileno())
        limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
        if disk.f_bavail * disk.f_frsize < needed:
            raise RecordingError(f"{self._path}: the disk is full, so nothing more was sent; {_WHAT_NOW}")
        if limit != resource.RLIM_INFINITY and self._file.seek(0, os.SEEK_END) + needed > limit:
            raise RecordingError(f"{self._path}: the limit of a file's size is reached (ulimit -f); {_WHAT_NOW}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with writing(self._path), self._file:
            os.fsync(self._file.fileno())
