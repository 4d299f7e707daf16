"""What is kept of a run beyond the disk of the machine that works at it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from bulk_esm.store.asked import AskedPlace


class Replica(Protocol):
    """A run's files in a place that outlives this machine. On disk they are written first, and read.

    Attributes:
        shown: the run there, as a user names it.
    """

    shown: str

    def at_work(self) -> bool | None:
        """Whether some machine carries the run out at this moment; None where nobody can tell."""
        ...

    def asked(self) -> AskedPlace:
        """Where others ask things of the run."""
        ...

    def fetch(self) -> None:
        """Bring all files to disk that are not there yet.

        Raises:
            RunFolderError: they cannot be read, or are damaged.
            AccessError: they may not be read.
        """
        ...

    def take_up(self) -> None:
        """Begin to change the files on disk: from now on they count, and not what is there.

        Raises:
            RunFolderError: they cannot be read.
        """
        ...

    async def open(self) -> None:
        """Bring all files there, before anything is sent; from now on what is appended follows every few seconds.

        Raises:
            RunFolderError: they cannot be written, or somebody else has written them meanwhile.
            AccessError: they may not be written.
        """
        ...

    async def until_written(self, path: Path, size: int) -> None:
        """Wait until so much of an appended file is there.

        Args:
            path: the file on disk.
            size: in bytes.

        Raises:
            RecordingError: it cannot be written, so what it tells of must not be sent.
        """
        ...

    def write_soon(self, path: Path) -> None:
        """Begin to bring there what was appended to a file; whether it succeeds is told by `until_written`."""
        ...

    async def flush(self) -> None:
        """Bring there what was appended, as well as may be."""
        ...

    async def close(self) -> None:
        """Bring all files there as they are at the end, the record last.

        Raises:
            RecordingError: they are not there, as they cannot be, or as this was cancelled.
        """
        ...
