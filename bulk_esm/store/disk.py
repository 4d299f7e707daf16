"""The calls by which a run comes to disk, in one place. Each raises OSError, and may have done a part by then."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path


def write(file: io.RawIOBase, data: bytes) -> None:
    """Write all of some bytes.

    Args:
        file: an unbuffered one.
        data: what to write.
    """
    left = memoryview(data)
    while left:
        if not (written := file.write(left)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left = left[written:]


def sync(descriptor: int) -> None:
    """Bring a file's content, or a folder's entries, to disk."""
    os.fsync(descriptor)


def rename(path: Path, name: Path) -> None:
    """Give a file or a folder another name; a file that has it is replaced."""
    path.replace(name)
