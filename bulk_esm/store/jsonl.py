"""JSON-lines on disk: written so that a crash leaves whole lines, read so that a torn last one is cut off."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from bulk_esm.errors import RunFolderError

T = TypeVar("T")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what goes wrong while a file is written into our error."""
    try:
        yield
    except OSError as error:
        raise RunFolderError(f"{path} cannot be written: {error.strerror}") from error


def cut_torn_end(path: Path) -> None:
    """Cut off a last line without its line break, as a crash may have left it: what follows would be lost with it."""
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)


def write_durably(path: Path, records: Iterable[object]) -> None:
    """Write a whole file, one record a line; it is on disk, name and all, when this returns."""
    encoder = msgspec.json.Encoder()
    unfinished = path.with_name(f"{path.name}.tmp")
    with unfinished.open("wb") as file:
        for record in records:
            file.write(encoder.encode(record) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Bring a folder's entries to disk: a file is safe only when its name is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_lines(path: Path, record_type: type[T], *, torn_end_is_cut: bool = False) -> Iterator[T]:
    """Read a file of records.

    Yields:
        The records, in order; empty lines are passed over.

    Raises:
        RunFolderError: the file is missing, or a line is not such a record (named by its number).
    """
    decoder = msgspec.json.Decoder(record_type)
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.strip() or (torn_end_is_cut and not line.endswith(b"\n")):
                    continue
                try:
                    yield decoder.decode(line)
                except msgspec.MsgspecError as error:
                    raise RunFolderError(f"{path}, line {number}: {error}") from error
    except OSError as error:
        raise RunFolderError(f"{path} cannot be read: {error.strerror}") from error
