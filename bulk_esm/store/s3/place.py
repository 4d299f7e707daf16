"""Runs that are kept in S3. They are worked with in a folder of this process, which is gone afterwards."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Final

import anyio
import msgspec

from bulk_esm.aws.bucket import Bucket
from bulk_esm.aws.bucket_settings import BucketSettings
from bulk_esm.errors import BulkEsmError, RunFolderError, ServiceError
from bulk_esm.store.place import began_since, first_name_of
from bulk_esm.store.run_files import A_NAME, RunFiles
from bulk_esm.store.s3.at_work import runs_at_work
from bulk_esm.store.s3.locks import S3Locks
from bulk_esm.store.s3.replica import SEGMENT_EVERY_S, S3Replica
from bulk_esm.store.s3.thread import BucketThread

# Memory that looks like a disk: for containers that may write nowhere else.
_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it

# What another machine writes may be seen so much later; where it works in the same shard, its lock keeps us out.
_FRESH_S: Final = 5.0


class S3Place:
    """A bucket and prefix below which runs are kept; see `RunsPlace`.

    Attributes:
        shown: the place, as a user names it.
        thread: the way to the bucket.
    """

    most_for_a_note: int | None = 200  # each takes about six requests to S3

    def __init__(
        self, settings: BucketSettings, *, patience_s: float = 60.0, segment_every_s: float = SEGMENT_EVERY_S
    ) -> None:
        """Begin; nothing is sent yet.

        Args:
            settings: where it is.
            patience_s: how long one call to S3 may take with all its attempts, in seconds.
            segment_every_s: how often what was appended is written, in seconds.
        """
        self.shown = settings.url.rstrip("/")
        self.thread = BucketThread(settings, patience_s=patience_s)
        self._segment_every_s = segment_every_s
        self._runs: dict[str, _ReadRun] = {}
        self._at_work: tuple[float, frozenset[str] | None] = (-math.inf, None)
        self._listed: dict[str, tuple[float, list[str]]] = {}
        self._ours: set[str] = set()
        self._kept = False

    @cached_property
    def folder(self) -> Path:
        """Where runs are worked with on this machine.

        Raises:
            RunFolderError: there is no place for it.
        """
        try:
            return Path(tempfile.mkdtemp(prefix="bulk-esm-runs-"))
        except OSError as error:
            if os.access(_SHARED_MEMORY, os.W_OK):
                return Path(tempfile.mkdtemp(prefix="bulk-esm-runs-", dir=_SHARED_MEMORY))
            raise RunFolderError(
                f"no temporary folder can be made ({error.strerror}), and runs in S3 are written there first: set "
                "TMPDIR to a folder that can be written"
            ) from error

    def all(
        self, *, salvage: bool = False, since: datetime | None = None, newest: int | None = None, named: str = ""
    ) -> list[RunFiles]:
        """All runs there, with their records read; see `RunsPlace`."""
        with self._reading():
            ids = [each for each in self._ids(since) if began_since(each, since) and each.startswith(named)]
            if newest is not None:
                ids = ids[-newest:] if newest else []
            self._read_records(ids)
        found = [self._runs[run_id].files for run_id in ids if run_id in self._runs]
        return [RunFiles(run.path, salvage=True, replica=run.replica) for run in found] if salvage else found

    def fetch(self, runs: Sequence[RunFiles]) -> None:
        """Bring all files of some runs to this disk; see `RunsPlace`."""
        replicas = [run.replica for run in runs if isinstance(run.replica, S3Replica)]
        with self._reading():
            self.thread.call(partial(_fetch_all, replicas=replicas))

    def begin(self, run_id: str) -> RunFiles:
        """Make the files of a run that is being planned; see `RunsPlace`."""
        replica = self._replica(run_id, is_new=True)
        files = RunFiles.begin(self.folder, run_id, replica=replica)
        published = RunFiles(self.folder / run_id, replica=replica)
        self._runs[run_id] = _ReadRun(files=published, replica=replica, read_at=math.inf)
        return files

    def by_id(self, run_ids: Iterable[str]) -> list[RunFiles]:
        """Those of some runs that are there; see `RunsPlace`."""
        ids = [run_id for run_id in run_ids if A_NAME.fullmatch(run_id)]
        with self._reading():
            self._read_records(ids)
        return [self._runs[run_id].files for run_id in ids if run_id in self._runs]

    def locks_for(self, endpoint_url: str | None) -> S3Locks:
        """The locks that all machines share; see `RunsPlace`."""
        return S3Locks(self.thread, endpoint_url=endpoint_url)

    def as_shown(self, text: str) -> str:
        """A text that names files on this disk, with the names of what they were brought from."""
        return text.replace(f"{self.folder}/", f"{self.shown}/") if "folder" in self.__dict__ else text

    def keep(self) -> None:
        """Leave the folder on this machine, as it holds what could not be written to S3."""
        self._kept = True

    def close(self) -> None:
        """End the thread, and remove the folder."""
        self.thread.close()
        if "folder" in self.__dict__ and not self._kept:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _replica(self, run_id: str, *, is_new: bool = False) -> S3Replica:
        folder, every_s = self.folder / run_id, self._segment_every_s
        return S3Replica(
            self.thread,
            folder,
            is_new=is_new,
            every_s=every_s,
            keep=self.keep,
            working=self._runs_at_work,
            ours=self._ours,
        )

    def _runs_at_work(self) -> frozenset[str] | None:
        """At which runs somebody works; asked for once in a few seconds."""
        asked_at, found = self._at_work
        if time.monotonic() - asked_at > _FRESH_S:
            try:
                found = self.thread.call(runs_at_work)
            except BulkEsmError:
                found = None
            self._at_work = (time.monotonic(), found)
        return found

    def _ids(self, since: datetime | None) -> list[str]:
        """The runs that began in the hour of a moment or later; asked for once in a few seconds, as by many shards."""
        after = "" if since is None else first_name_of(since.replace(minute=0, second=0))
        asked_at, ids = self._listed.get(after, (-math.inf, []))
        if time.monotonic() - asked_at > _FRESH_S:
            ids = self.thread.call(partial(_list_ids, after=after))
            self._listed = {after: (time.monotonic(), ids)}
        return ids

    def _read_records(self, ids: Sequence[str]) -> None:
        """Read the records of runs at which this process does not work; those without one are left out."""
        now = time.monotonic()
        old = [run_id for run_id in ids if (run := self._runs.get(run_id)) is None or run.is_old(now)]
        replicas = {run_id: self._replica(run_id) for run_id in old}
        there = self.thread.call(partial(_fetch_records, replicas=replicas))
        for run_id in old:
            self._runs.pop(run_id, None)
        for run_id in there:
            files = RunFiles(self.folder / run_id, replica=replicas[run_id])
            self._runs[run_id] = _ReadRun(files=files, replica=replicas[run_id], read_at=now)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except ServiceError as error:
            raise RunFolderError(f"{self.shown} cannot be read: {error}; see --runs-dir") from error


class _ReadRun(msgspec.Struct, frozen=True):
    """A run whose record was read."""

    files: RunFiles
    replica: S3Replica
    read_at: float

    def is_old(self, now: float) -> bool:
        """Whether to read it again, as another machine may work at it."""
        return not self.replica.is_ours and now - self.read_at > _FRESH_S


async def _fetch_all(bucket: Bucket, *, replicas: Sequence[S3Replica]) -> None:
    async with anyio.create_task_group() as tasks:
        for replica in replicas:
            tasks.start_soon(replica.try_to_fetch, bucket)


async def _list_ids(bucket: Bucket, *, after: str) -> list[str]:
    keys = [entry.key async for entry in bucket.list(after=after, folders=True)]
    return [run_id for key in keys if key.endswith("/") and A_NAME.fullmatch(run_id := key.removesuffix("/"))]


async def _fetch_records(bucket: Bucket, *, replicas: dict[str, S3Replica]) -> set[str]:
    there: set[str] = set()

    async def fetch(run_id: str, replica: S3Replica) -> None:
        if await replica.fetch_record(bucket):
            there.add(run_id)

    async with anyio.create_task_group() as tasks:
        for run_id, replica in replicas.items():
            tasks.start_soon(fetch, run_id, replica)
    return there
