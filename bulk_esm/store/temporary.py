"""Temporary folders, where there is a place for them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bulk_esm.errors import RunFolderError


@contextmanager
def temporary_folder(what: str) -> Iterator[Path]:
    """A folder that is gone afterwards, and that only this user may enter.

    Args:
        what: it is for, for its name.

    Raises:
        RunFolderError: there is no place for one, as where all disks are read-only.
    """
    try:
        folder = tempfile.TemporaryDirectory(prefix=f"bulk-esm-{what}-")
    except OSError as error:
        raise RunFolderError(
            f"no temporary folder can be made ({error.strerror}): set TMPDIR to a folder that can be written"
        ) from error
    with folder as path:
        yield Path(path)
