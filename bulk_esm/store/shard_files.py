"""Plan, results and record of one shard of a run. Nothing else reads or writes them.

`plan.jsonl` is the write-ahead log: on disk before the first update. Updates are idempotent, so after a crash plan and
results say what is left to look at; nothing else is needed.
"""

from __future__ import annotations

import io
import os
import resource
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from bulk_esm.errors import RecordingError, RunFolderError
from bulk_esm.model.plan import Plan, PlanItem
from bulk_esm.model.records import RunRecord
from bulk_esm.model.result import Result
from bulk_esm.store.begun import BEGUN, BegunWriter, read_begun
from bulk_esm.store.jsonl import cut_torn_end, read_lines, write_durably, writing

RECORD: Final = "run.json"
PLAN: Final = "plan.jsonl"
RESULTS: Final = "results.jsonl"
LOG: Final = "log.jsonl"


_A_LONG_LINE: Final = 2_000  # bytes; a result has about 800
_FOR_THE_RECORD: Final = 64_000  # bytes, for run.json and the log's last words
_WHAT_NOW: Final = "make room, and then finish the run with `bulk-esm continue`"


class ShardFiles:
    """A folder that holds what is known of one shard of a run.

    Attributes:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        """Look at a folder; nothing is read yet."""
        self.path = path

    def write_plan(self, plan: Plan) -> None:
        """Bring the plan to disk, and that nothing has begun."""
        with writing(self.path / PLAN):
            write_durably(self.path / BEGUN, ())
            write_durably(self.path / PLAN, plan.items)

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

    def plan(self) -> Plan:
        """Read the plan.

        Raises:
            RunFolderError: it is missing, or a line is no plan item.
        """
        return Plan(tuple(read_lines(self.path / PLAN, PlanItem)))

    def results(self) -> Iterator[Result]:
        """Read the results so far; a torn last line is left out. A run that was killed at its start has none.

        Raises:
            RunFolderError: a line is no result.
        """
        if not (self.path / RESULTS).exists():
            return iter(())
        return read_lines(self.path / RESULTS, Result, torn_end_is_cut=True)

    def keep_results(self, kept: Iterable[Result]) -> None:
        """Replace the results by those that stay, before a run is continued: each mapping has one line at any time."""
        with writing(self.path / RESULTS):
            write_durably(self.path / RESULTS, kept)

    def open_begun(self) -> BegunWriter:
        """Open `begun.jsonl` for appending."""
        return BegunWriter(self.path / BEGUN)

    def begun(self) -> frozenset[str] | None:
        """To which mappings something may have been sent; None where an older version kept no such file."""
        return read_begun(self.path / BEGUN)

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

    def require_room(self, results: int) -> None:
        """Make sure that so many more results can be written, so that no update is sent that could not be recorded.

        Raises:
            RecordingError: there is no room for them.
        """
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
