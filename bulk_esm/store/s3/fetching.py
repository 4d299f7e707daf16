"""Brings a run from S3 to disk, as it would be there."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import anyio
import msgspec

from bulk_esm.aws.bucket import Bucket, Entry, Found
from bulk_esm.errors import RunFolderError, UnwritableError
from bulk_esm.store.begun import BegunTally
from bulk_esm.store.s3.names import (
    FIRST_GENERATION,
    GENERATION,
    WITH_HEAD,
    file_of,
    is_appended,
    is_file,
    is_segment,
    segments_of,
)
from bulk_esm.store.shard_files import RECORD

_TRIES = 3


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """Part of a file.

    Attributes:
        name: its own.
        body: its content.
        size: how much of the file it is, in bytes.
        has_head: whether it begins with what the file's first line is with it.
    """

    name: str
    body: bytes
    size: int
    has_head: bool = False


class Kept(msgspec.Struct, kw_only=True):
    """What is in S3 of a file.

    Attributes:
        etag: of the whole file; `""` where only segments are.
        stamp: what the file on disk was when it was written, or read; see `replica`.
        size: how much of an appended file is there, in bytes.
        generation: that of the whole file.
        segments: the names of those that follow it.
        tally: of `begun.jsonl`, so far.
        pending: a segment of which it is not known whether it is there.
    """

    etag: str
    stamp: tuple[int, int, int] | None = None
    size: int = 0
    generation: str = FIRST_GENERATION
    segments: list[str] = msgspec.field(default_factory=list)
    tally: BegunTally | None = None
    pending: Segment | None = None


async def fetch_record(bucket: Bucket, *, run_id: str, folder: Path) -> Kept | None:
    """Bring a run's record to disk.

    Args:
        bucket: where it is.
        run_id: the run.
        folder: the run's on disk; made if there is a record.

    Returns:
        What is there; None if there is no record.

    Raises:
        RunFolderError: there is no room for it on this disk.
        BulkEsmError: S3 did not answer, or does not permit it.
    """
    found = await bucket.get(f"{run_id}/{RECORD}")
    if found is None:
        return None
    with _on_this_disk(folder):
        return Kept(etag=found.etag, stamp=_write_record(folder, found))


def _write_record(folder: Path, found: Found) -> tuple[int, int, int]:
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / RECORD
    path.write_bytes(found.body)
    _date(path, found.age_s)
    _date(folder, found.age_s)
    return stamp_of(path)


async def fetch_run(bucket: Bucket, *, run_id: str, folder: Path) -> dict[str, Kept]:
    """Bring all files of a run to disk.

    Args:
        bucket: where they are.
        run_id: the run.
        folder: the run's on disk.

    Returns:
        What is there, by the names of the files.

    Raises:
        RunFolderError: a segment is missing, or there is no room on this disk.
        BulkEsmError: S3 did not answer, or does not permit it.
    """
    for last in (False, False, True):
        entries = {entry.key.removeprefix(f"{run_id}/"): entry async for entry in bucket.list(f"{run_id}/")}
        fetch = _Fetch(bucket, run_id, folder, entries)
        try:
            return await fetch.run()
        except _ChangedError as error:
            if last:
                raise RunFolderError(f"{bucket.name(run_id)} changes while it is read: {error}; try again") from error
    raise AssertionError("the last try returns or raises")


class _ChangedError(Exception):
    """What was listed is not there any more: whoever works at the run has written it whole meanwhile."""


class _Fetch:
    def __init__(self, bucket: Bucket, run_id: str, folder: Path, entries: dict[str, Entry]) -> None:
        self._bucket = bucket
        self._run_id = run_id
        self._folder = folder
        self._entries = entries
        self._kept: dict[str, Kept] = {}

    async def run(self) -> dict[str, Kept]:
        names = {name for name in self._entries if is_file(name)}
        names |= {file_of(name) for name in self._entries if is_segment(name)}
        failures: list[_ChangedError] = []
        async with anyio.create_task_group() as tasks:
            for name in names:
                tasks.start_soon(partial(self._one, name, failures))
        if failures:
            raise failures[0]
        if (record := self._entries.get(RECORD)) is not None:
            _date(self._folder, record.age_s)
        return self._kept

    async def _one(self, name: str, failures: list[_ChangedError]) -> None:
        try:
            with _on_this_disk(self._folder):
                await self._file(name)
        except _ChangedError as error:
            failures.append(error)

    async def _file(self, name: str) -> None:
        path = self._folder / name
        for folder in (self._folder, path.parent.parent, path.parent):
            folder.mkdir(mode=0o700, exist_ok=True)
        unfinished = path.with_name(f"{path.name}.tmp")
        unfinished.unlink(missing_ok=True)
        kept = Kept(etag="")
        if name in self._entries:
            found = await self._bucket.download(f"{self._run_id}/{name}", unfinished)
            if found is None:
                raise _ChangedError(name)
            kept = Kept(etag=found.etag, generation=found.metadata.get(GENERATION, FIRST_GENERATION))
        segments = segments_of(name, kept.generation, self._entries) if is_appended(name) else []
        await self._add(unfinished, segments)
        unfinished.replace(path)
        ages = [self._entries[each].age_s for each in (name, *segments) if each in self._entries]
        _date(path, min(ages))
        kept.segments, kept.stamp = segments, stamp_of(path)
        kept.size = path.stat().st_size if is_appended(name) else 0
        self._kept[name] = kept

    async def _add(self, path: Path, segments: Iterable[str]) -> None:
        for segment in segments:
            found = await self._bucket.get(f"{self._run_id}/{segment}")
            if found is None:
                raise _ChangedError(segment)
            _add_segment(path, found.body, has_head=WITH_HEAD in found.metadata)


def _add_segment(path: Path, body: bytes, *, has_head: bool) -> None:
    """Append a segment; what it has of the file's first line is written over that, which has the same length."""
    head, _, lines = body.partition(b"\n") if has_head and path.exists() else (b"", b"", body)
    with path.open("r+b" if head else "ab") as file:
        if head:
            file.write(head + b"\n")
            file.seek(0, os.SEEK_END)
        file.write(lines)


@contextmanager
def _on_this_disk(folder: Path) -> Iterator[None]:
    """Say what is wrong with this disk, and not with S3."""
    try:
        yield
    except OSError as error:
        raise UnwritableError(
            f"{folder} cannot be written ({error.strerror}), and runs in S3 are brought there first: set TMPDIR to a "
            "folder with room"
        ) from error


def stamp_of(path: Path) -> tuple[int, int, int]:
    """What tells one content of a file from another: whole files are replaced, never written in place."""
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _date(path: Path, age_s: float) -> None:
    """Date a file by our clock, as S3's may be another."""
    at = time.time() - age_s
    os.utime(path, (at, at))
