"""A file of lines that grows while a run goes. A write that fails is its last: what follows a torn line is lost too."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path

from bulk_esm.errors import RecordingError
from bulk_esm.store import disk
from bulk_esm.store.jsonl import cut_torn_end, writing


class LineFile:
    """Open for appending; a torn last line, as a crash may have left it, was cut off."""

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            RunFolderError: it cannot be written.
        """
        self._path = path
        self._failure: RecordingError | None = None
        with writing(path):
            cut_torn_end(path)
            self._file: io.FileIO = path.open("ab", buffering=0)
            self._opened = os.fstat(self.descriptor)  # which file this is, as long as it is open
        self._where = os.fspath(path)  # asked for with each line, and a text is looked up sooner than a Path

    @property
    def descriptor(self) -> int:
        """Of the file."""
        return self._file.fileno()

    def append(self, line: bytes, *, durably: bool = False) -> None:
        """Write a whole line.

        Args:
            line: the line, without its break.
            durably: whether it is on disk when this returns.

        Raises:
            RecordingError: it cannot be written, or an earlier one could not.
        """
        if self._failure is not None:
            raise self._failure
        try:
            disk.write(self._file, line + b"\n")
            if durably:
                disk.sync(self.descriptor)
        except OSError as error:
            self._failure = _not_recorded(self._path, error)
            raise self._failure from error
        self.refuse_lost()  # after it, so that what was there until then counts

    def refuse_lost(self) -> None:
        """Refuse to go on with a file that nobody would find again.

        Raises:
            RecordingError: it was removed, moved or replaced meanwhile.
        """
        try:
            is_there = os.path.samestat(self._opened, os.stat(self._where))  # noqa: PTH116 - see `_where`
        except OSError:
            is_there = False
        if not is_there:
            raise RecordingError(
                f"{self._path} was removed, moved or replaced, so nothing more is sent; what was written since is not "
                "kept there"
            )

    def overwrite(self, start: bytes) -> None:
        """Write over the first bytes, which another file system may lose; what stood there before is as good.

        Args:
            start: as many bytes as were there.

        Raises:
            RecordingError: that failed.
        """
        try:
            # Not through the file that appends: what is opened so is written at its end whatever the place.
            descriptor = os.open(self._path, os.O_WRONLY)
            try:
                os.pwrite(descriptor, start, 0)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise _not_recorded(self._path, error) from error

    def touch(self) -> None:
        """Set its date to now.

        Raises:
            RecordingError: that failed.
        """
        self.refuse_lost()
        try:
            os.utime(self.descriptor)
        except OSError as error:
            raise _not_recorded(self._path, error) from error

    def close(self, *, durably: bool = False) -> None:
        """Close it, whatever happens.

        Args:
            durably: whether all of it is on disk when this returns.

        Raises:
            RunFolderError: it is not.
        """
        with writing(self._path), self._file:
            if durably:
                disk.sync(self.descriptor)


def _not_recorded(path: Path, error: OSError) -> RecordingError:
    first = "make room" if error.errno in {errno.ENOSPC, errno.EDQUOT} else "look after the disk"
    what = f"{first}, and then finish the run with `bulk-esm continue`"
    return RecordingError(f"{path} cannot be written: {error.strerror}; {what}")
