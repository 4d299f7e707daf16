"""JSON-lines on disk: written so that a crash leaves whole lines, read so that a torn last one is cut off."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Final, Generic, TypeVar

import msgspec

from bulk_esm.errors import RunFolderError, UnwritableError, UsageError
from bulk_esm.model.api_types import check_mapping, check_request
from bulk_esm.model.plan import PlanItem
from bulk_esm.model.records import FileDigest, RunRecord
from bulk_esm.store import disk

T = TypeVar("T")

_AT_ONCE: Final = 100_000  # bytes


class LineError(ValueError):
    """A line is no such record."""


class LineReader(Generic[T]):
    """Reads a line as a record: of the right types at every depth, or not at all."""

    def __init__(self, record_type: type[T], *, is_deep: bool = True) -> None:
        """Begin.

        Args:
            record_type: what a line is.
            is_deep: whether what the service's model says of a mapping and a request is looked at, too.
        """
        self._decoder = msgspec.json.Decoder(record_type)
        self._is_deep = is_deep

    def read(self, line: bytes) -> T:
        """Read a line.

        Raises:
            LineError: it is no such record.
        """
        try:
            record = self._decoder.decode(line)
            if not self._is_deep:
                return record
            if isinstance(record, PlanItem):
                _check_item(record)
            elif isinstance(record, RunRecord):
                _check_times(record)
        except (ValueError, RecursionError, UsageError) as error:  # settings that make no sense are refused where made
            raise LineError(str(error)) from error
        return record


def _check_item(item: PlanItem) -> None:
    check_mapping(msgspec.json.decode(item.before_json))
    check_request(item.request)


def _check_times(record: RunRecord) -> None:
    """Those of a run that ended, as it is told how long it took."""
    for at in (record.started_at, record.ended_at, record.continued_at) if record.ended_at else ():
        if at is not None and datetime.fromisoformat(at).tzinfo is None:
            raise ValueError(f"{at} has no time zone")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what goes wrong while a file is written into our error."""
    try:
        yield
    except OSError as error:
        raise UnwritableError(f"{path} cannot be written: {error.strerror}") from error


def cut_torn_end(path: Path) -> None:
    """Cut off a last line without its line break, as a crash may have left it: what follows would be lost with it."""
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)


def write_durably(path: Path, records: Iterable[object], *, closing: bool = False) -> FileDigest:
    """Write a whole file, one record a line; it is on disk, name and all, when this returns.

    Args:
        path: the file; it is replaced.
        records: what to write.
        closing: whether a last line tells the count and digest of those before it.
    """
    encoder = msgspec.json.Encoder()
    digest, lines, pending = hashlib.sha256(), 0, bytearray()
    unfinished = path.with_name(f"{path.name}.tmp")
    try:
        with unfinished.open("wb", buffering=0) as file:
            for record in records:
                line = encoder.encode(record) + b"\n"
                digest.update(line)
                lines += 1
                pending += line
                if len(pending) >= _AT_ONCE:
                    disk.write(file, bytes(pending))
                    pending.clear()
            found = FileDigest(lines=lines, sha256=digest.hexdigest())
            if closing:
                pending += encoder.encode(found) + b"\n"
            disk.write(file, bytes(pending))
            disk.sync(file.fileno())
        disk.rename(unfinished, path)
    except OSError:
        with suppress(OSError):
            unfinished.unlink()
        raise
    sync_folder(path.parent)
    return found


def sync_folder(folder: Path) -> None:
    """Bring a folder's entries to disk: a file is safe only when its name is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        disk.sync(descriptor)
    finally:
        os.close(descriptor)


def read_lines(path: Path, record_type: type[T], *, torn_end_is_cut: bool = False) -> Iterator[T]:
    """Read a file of records.

    Args:
        path: the file.
        record_type: what a line is.
        torn_end_is_cut: whether a last line without its line break is left out, as a crash may have left it.

    Yields:
        The records, in order; empty lines are passed over.

    Raises:
        RunFolderError: the file is missing, or a line is not such a record (named by its number).
    """
    reader = LineReader(record_type)
    for number, line in _lines(path):
        if not line.strip() or (torn_end_is_cut and not line.endswith(b"\n")):
            continue
        try:
            yield reader.read(line)
        except LineError as error:
            raise RunFolderError(f"{path}, line {number}: {error}") from error


def read_whole(path: Path, record_type: type[T], digest: FileDigest | None) -> list[T]:
    """Read a file that was written once, and refuse one that is not as it was written.

    Args:
        path: the file.
        record_type: what a line is.
        digest: what it held; None if nobody knows.

    Raises:
        RunFolderError: it is missing or damaged.
    """
    refuse_damaged(path, digest)
    return list(read_lines(path, record_type))


def refuse_damaged(path: Path, digest: FileDigest | None) -> None:
    """Refuse a file that is not as it was written.

    Args:
        path: the file.
        digest: what it held; None if nobody knows.

    Raises:
        RunFolderError: it is missing or damaged.
    """
    found = digest_of(path)
    if digest is not None and found != digest:
        cut = f"it has {found.lines:,} lines, and {digest.lines:,} were written"
        what = cut if found.lines != digest.lines else "a line is not what was written"
        raise RunFolderError(f"{path} is damaged: {what}; --salvage works with the lines that are whole")


def read_salvaged(path: Path, record_type: type[T]) -> tuple[list[T], int]:
    """Read the lines of a damaged file that are whole.

    Args:
        path: the file; it need not be there.
        record_type: what a line is.

    Returns:
        The records, and how many lines are none.
    """
    reader = LineReader(record_type)
    records, bad = [], 0
    for _, line in _lines(path) if path.exists() else ():
        try:
            records.append(reader.read(line))
        except LineError:
            bad += 1
    return records, bad


def raw_lines(path: Path) -> list[msgspec.Raw]:
    """The lines of a file, whatever they are; without a torn last one. None where there is no file."""
    found = _lines(path) if path.exists() else ()
    return [msgspec.Raw(line[:-1]) for _, line in found if line.strip() and line.endswith(b"\n")]


def digest_of(path: Path) -> FileDigest:
    """What a file holds.

    Raises:
        RunFolderError: it cannot be read.
    """
    digest, lines = hashlib.sha256(), 0
    for number, line in _lines(path):
        digest.update(line)
        lines = number
    return FileDigest(lines=lines, sha256=digest.hexdigest())


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with path.open("rb") as file:
            yield from enumerate(file, start=1)
    except OSError as error:
        raise RunFolderError(f"{path} cannot be read: {error.strerror}") from error
