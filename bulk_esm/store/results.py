"""`results.jsonl`: appended as each mapping ends, and held against the run's record and plan when it is read."""

from __future__ import annotations

import io
import os
import resource
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from bulk_esm.errors import RecordingError, RunFolderError
from bulk_esm.model.records import RunRecord
from bulk_esm.model.result import Result
from bulk_esm.store.jsonl import cut_torn_end, read_lines, refuse_damaged, writing

_A_LONG_LINE: Final = 2_000  # bytes; a result has about 800
_FOR_THE_RECORD: Final = 64_000  # bytes, for run.json and the log's last words
_WHAT_NOW: Final = "make room, and then finish the run with `bulk-esm continue`"


class _Named(msgspec.Struct, frozen=True):
    """A result of which only the mapping and the run matter."""

    uuid: str
    run_id: str


def refuse_strange(path: Path, record: RunRecord, planned: Callable[[], AbstractSet[str]]) -> None:
    """Refuse results that are not the run's: those that it had at its end, or the first of one without an end.

    Args:
        path: the file; it need not be there.
        record: the run, or that of the shard.
        planned: tells the mappings of the plan.

    Raises:
        RunFolderError: they are not.
    """
    if record.results is not None:
        refuse_damaged(path, record.results)
        return
    seen = set[str]()
    for line in read_lines(path, _Named, torn_end_is_cut=True) if path.exists() else ():
        what = None
        if line.run_id != record.run_id:
            what = f"it has a result of {line.run_id}"
        elif line.uuid not in planned():
            what = f"it has a result of {line.uuid}, which the plan does not have"
        elif line.uuid in seen:
            what = f"it has two results of {line.uuid}"
        if what is not None:
            raise RunFolderError(f"{path} is damaged: {what}; --salvage takes the first of each of this run")
        seen.add(line.uuid)


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
            RecordingError: there is no room for them, or the file is gone.
        """
        if os.fstat(self._file.fileno()).st_nlink == 0:
            raise RecordingError(f"{self._path} was removed, so nothing more was sent")
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
