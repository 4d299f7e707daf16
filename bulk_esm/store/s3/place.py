"""Runs that are kept in S3. They are worked with in a folder of this process, which is gone afterwards."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Final

import anyio

from bulk_esm.aws.bucket import Bucket, BucketSettings
from bulk_esm.errors import RunFolderError
from bulk_esm.store.place import began_since, first_name_of
from bulk_esm.store.run_files import A_NAME, RunFiles
from bulk_esm.store.s3.replica import SEGMENT_EVERY_S, S3Replica
from bulk_esm.store.s3.thread import BucketThread

# Memory that looks like a disk: for containers that may write nowhere else.
_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it


class S3Place:
    """A bucket and prefix below which runs are kept; see `RunsPlace`.

    Attributes:
        shown: the place, as a user names it.
        thread: the way to the bucket.
    """

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
        self._opened: dict[str, RunFiles] = {}
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

    def all(self, *, salvage: bool = False, since: datetime | None = None, newest: int | None = None) -> list[RunFiles]:
        """All runs there, with their records read; see `RunsPlace`."""
        ids = self.thread.call(partial(_ids, since=since))
        if newest is not None:
            ids = ids[-newest:] if newest else []
        return self._with_records(ids, salvage=salvage)

    def begin(self, run_id: str) -> RunFiles:
        """Make the files of a run that is being planned; see `RunsPlace`.

        Raises:
            UsageError: the store takes writes whatever their condition says.
        """
        replica = self._replica(run_id, is_new=True)
        return RunFiles.begin(self.folder, run_id, replica=replica)

    def refuse_unfit(self) -> None:
        """Refuse a store that cannot be written, or that takes writes whatever their condition says.

        Raises:
            UsageError: it does the latter.
            AccessError: it may not be written.
            ServiceError: S3 did not answer.
        """
        self.thread.call(Bucket.refuse_unconditional)

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
        return S3Replica(self.thread, folder, is_new=is_new, every_s=every_s, keep=self.keep)

    def _with_records(self, ids: Sequence[str], *, salvage: bool) -> list[RunFiles]:
        """The runs, and of those that are not on this disk yet their records; those without one are left out."""
        new = {run_id: self._replica(run_id) for run_id in ids}
        for run_id in new.keys() & self._opened.keys():
            del new[run_id]
        there = self.thread.call(partial(_fetch_records, replicas=new))
        for run_id in there:
            self._opened[run_id] = RunFiles(self.folder / run_id, replica=new[run_id])
        found = [self._opened[run_id] for run_id in ids if run_id in self._opened]
        if salvage:
            return [RunFiles(run.path, salvage=True, replica=run.replica) for run in found]
        return found


async def _ids(bucket: Bucket, *, since: datetime | None) -> list[str]:
    after = "" if since is None else first_name_of(since)
    keys = [entry.key async for entry in bucket.list(after=after, folders=True)]
    ids = (key.removesuffix("/") for key in keys if key.endswith("/"))
    return [run_id for run_id in ids if A_NAME.fullmatch(run_id) and began_since(run_id, since)]


async def _fetch_records(bucket: Bucket, *, replicas: dict[str, S3Replica]) -> set[str]:
    there: set[str] = set()

    async def fetch(run_id: str, replica: S3Replica) -> None:
        if await replica.fetch_record(bucket):
            there.add(run_id)

    async with anyio.create_task_group() as tasks:
        for run_id, replica in replicas.items():
            tasks.start_soon(fetch, run_id, replica)
    return there
