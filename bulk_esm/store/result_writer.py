"""`results.jsonl` while a run goes: what ends is appended, if there is room for it before anything is sent."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from bulk_esm.errors import RecordingError
from bulk_esm.model.result import Result
from bulk_esm.store.line_file import LineFile

_A_LONG_LINE: Final = 2_000  # bytes; a result has about 800
_FOR_THE_RECORD: Final = 64_000  # bytes, for run.json and the log's last words
_WHAT_NOW: Final = "make room, and then finish the run with `bulk-esm continue`"


class ResultWriter:
    """Appends results, each in one write of one whole line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._encoder = msgspec.json.Encoder()
        self._longest = _A_LONG_LINE
        self._file = LineFile(path)

    def append(self, result: Result) -> None:
        """Write one result.

        Raises:
            RecordingError: it cannot be written; nothing more should be sent.
        """
        line = self._encoder.encode(result)
        self._longest = max(self._longest, len(line))
        self._file.append(line)

    def require_room(self, results: int) -> None:
        """Make sure that so many more results can be written, so that no update is sent that could not be recorded.

        Raises:
            RecordingError: there is no room for them, or the file is gone.
        """
        self._file.refuse_lost()
        needed = results * self._longest + _FOR_THE_RECORD
        disk = os.fstatvfs(self._file.descriptor)
        limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
        if disk.f_bavail * disk.f_frsize < needed:
            raise RecordingError(f"{self._path}: the disk is full, so nothing more was sent; {_WHAT_NOW}")
        if limit != resource.RLIM_INFINITY and os.fstat(self._file.descriptor).st_size + needed > limit:
            raise RecordingError(f"{self._path}: the limit of a file's size is reached (ulimit -f); {_WHAT_NOW}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close(durably=True)
