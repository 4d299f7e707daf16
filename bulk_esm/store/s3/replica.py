"""A run's files in S3: whole at its start and its end, and what is appended meanwhile in segments.

All of the work is done in the bucket's thread; what is awaited from elsewhere is that it is done. Each object is
written on the condition that it is still the one that was written or read last: a machine that lost its lease without
knowing cannot write over what another one has written since.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Final

import anyio
import msgspec

from bulk_esm.aws.bucket import Bucket
from bulk_esm.errors import AccessError, BulkEsmError, NotAsExpectedError, RecordingError, RunFolderError
from bulk_esm.logs import get_logger
from bulk_esm.model.records import RunStatus
from bulk_esm.store.begun import BEGUN
from bulk_esm.store.run_files import FLEET, SHARDS
from bulk_esm.store.s3.asked import AskedInS3
from bulk_esm.store.s3.fetching import Kept, Segment, fetch_record, fetch_run, stamp_of
from bulk_esm.store.s3.names import FIRST_GENERATION, GENERATION, WITH_HEAD, is_appended, is_file, rank, segment_name
from bulk_esm.store.s3.parts import lines_after, tally_of, whole_size, with_head
from bulk_esm.store.s3.thread import BucketThread
from bulk_esm.store.sealed import sealed_without_plan
from bulk_esm.store.shard_files import RECORD

log: Final = get_logger("store")

SEGMENT_EVERY_S: Final = 5.0


class S3Replica:
    """One run's files in S3.

    Attributes:
        shown: the run there, as a user names it.
    """

    def __init__(
        self,
        thread: BucketThread,
        folder: Path,
        *,
        is_new: bool = False,
        every_s: float = SEGMENT_EVERY_S,
        keep: Callable[[], None] = lambda: None,
        working: Callable[[], AbstractSet[str] | None] = lambda: None,
        ours: set[str] | None = None,
    ) -> None:
        """Begin with nothing written or read.

        Args:
            thread: the bucket's.
            folder: the run's on disk, which has its id for a name.
            is_new: whether the run is planned here, and so not there.
            every_s: how often what was appended is written, in seconds.
            keep: has the folder stay on this machine, when what it holds could not be written.
            working: tells at which runs somebody works; None where that cannot be told.
            ours: at which runs this process works; shared by all that know this folder, lest one of them fetch over it.
        """
        self.shown = f"{thread.settings.url}{folder.name}"
        self._thread = thread
        self._folder = folder
        self._run_id = folder.name
        self._every_s = every_s
        self._keep = keep
        self._working = working
        self._kept: dict[str, Kept] = {}  # what is there, by the file's name
        self._locks: dict[str, anyio.Lock] = {}
        self._ours = set() if ours is None else ours
        self._is_fetched = False
        if is_new:
            self._ours.add(self._run_id)
        self._following: Future[None] | None = None

    @property
    def is_ours(self) -> bool:
        """Whether this process works at it, so that what is on this disk counts, and not what is there."""
        return self._run_id in self._ours

    async def fetch_record(self, bucket: Bucket) -> bool:
        """Bring the run's record to disk; called in the bucket's thread.

        Returns:
            Whether there is one; what has none was never published.
        """
        kept = await fetch_record(bucket, run_id=self._run_id, folder=self._folder)
        if kept is not None:
            self._kept[RECORD] = kept
        return kept is not None

    def at_work(self) -> bool | None:
        """Whether some machine carries the run out at this moment, as its lock tells; see `Replica`."""
        return None if (working := self._working()) is None else self._run_id in working

    def asked(self) -> AskedInS3:
        """Where others ask things of the run; see `Replica`."""
        return AskedInS3(self._thread, self._run_id)

    def fetch(self) -> None:
        """Bring all files to disk that are not there yet; see `Replica`."""
        if self._is_fetched or self.is_ours:
            return
        with _as_ours("read", self.shown, error=RunFolderError):
            self._kept = self._thread.call(partial(fetch_run, run_id=self._run_id, folder=self._folder))
        self._is_fetched = True

    async def try_to_fetch(self, bucket: Bucket) -> None:
        """Bring all files to disk, if they can be read: else that is told where they are. In the bucket's thread."""
        if not self._is_fetched and not self.is_ours:
            with suppress(BulkEsmError):
                self._kept = await fetch_run(bucket, run_id=self._run_id, folder=self._folder)
                self._is_fetched = True

    def take_up(self) -> None:
        """From now on what is on this disk counts; see `Replica`."""
        self.fetch()
        self._ours.add(self._run_id)

    async def open(self) -> None:
        """Bring all files there, before anything is sent; see `Replica`."""
        with _as_ours("written", self.shown, error=RunFolderError):
            await self._thread.ask(partial(self._write_all, anew=True))
        self._following = self._thread.start(self._follow)

    async def until_written(self, path: Path, size: int) -> None:
        """Wait until so much of an appended file is there; see `Replica`."""
        name = self._name(path)
        if (kept := self._kept.get(name)) is not None and kept.size >= size:
            return
        with _as_ours("written", self.shown, error=RecordingError):
            # What is written must be known to be: who stops waiting does not stop that.
            await asyncio.shield(self._thread.ask(partial(self._append, name=name)))

    def write_soon(self, path: Path) -> None:
        """Begin to bring there what was appended to a file; see `Replica`."""
        self._thread.start(partial(self._try_to_append, name=self._name(path)))

    async def flush(self) -> None:
        """Bring there what was appended, as well as may be; see `Replica`."""
        await asyncio.shield(self._thread.ask(self._append_all))

    async def close(self) -> None:
        """Bring all files there as they are at the end; see `Replica`."""
        if self._following is not None:
            self._following.cancel()
            self._following = None
        try:
            with _as_ours("written", self.shown, error=RecordingError):
                await self._thread.ask(self._write_all)
        except (RecordingError, asyncio.CancelledError) as error:
            self._keep()
            why = str(error) or f"{self.shown} was not written to the end"
            raise RecordingError(f"{why}; what it lacks is kept in {self._folder}") from error

    # What follows is done in the bucket's thread.

    async def _write_all(self, bucket: Bucket, *, anew: bool = False) -> None:
        """Write all files whole that are not there as they are; the record last, so that it tells of nothing missing.

        Args:
            bucket: where they go.
            anew: whether to begin a new generation of each file that is appended to.
        """
        await self._thread.refuse_unfit(bucket)
        if RECORD in self._kept and not self._tells_of_results(RECORD):
            # A run that is taken up again: no record may tell of what is replaced, should this be cut short.
            if self._is_other(FLEET):
                await self._write_record_without_plan(bucket)
            records = (name for name in self._names() if name.endswith(RECORD))
            await self._write(bucket, [name for name in records if not self._tells_of_results(name)])
        old = [name for kept in self._kept.values() for name in kept.segments]
        for _, names in groupby(sorted(self._names(), key=rank), rank):
            await self._write(bucket, names, anew=anew)
        with suppress(BulkEsmError):  # nobody reads them any more; some stores, and some roles, do not let it
            await bucket.delete([f"{self._run_id}/{name}" for name in old])

    def _tells_of_results(self, name: str) -> bool:
        """Whether a record tells of results that must be there before it is: of a run, whether it has ended."""
        record: dict[str, object] = msgspec.json.decode((self._folder / name).read_bytes())
        return record.get("results") is not None or (name == RECORD and record.get("status") != RunStatus.RUNNING)

    async def _write(self, bucket: Bucket, names: Iterable[str], *, anew: bool = False) -> None:
        async with anyio.create_task_group() as tasks:
            for name in names:
                tasks.start_soon(partial(self._write_whole, bucket, name, anew=anew and is_appended(name)))

    async def _write_whole(self, bucket: Bucket, name: str, *, anew: bool) -> None:
        async with self._lock(name):
            kept, path = self._kept.get(name), self._folder / name
            stamp, size = stamp_of(path), whole_size(path) if is_appended(name) else None
            is_there = kept is not None and kept.stamp == stamp and not kept.segments and size in (None, kept.size)
            if is_there and not anew:
                return
            generation = secrets.token_hex(4)
            etag = await bucket.upload(
                f"{self._run_id}/{name}",
                path,
                size=size,
                expected=kept.etag if kept is not None else "",
                metadata={GENERATION: generation} if size is not None else None,
            )
            self._kept[name] = Kept(etag=etag, stamp=stamp, size=size or 0, generation=generation)
            if name.rpartition("/")[2] == BEGUN:
                self._kept[name].tally = tally_of(path, size or 0)

    async def _write_record_without_plan(self, bucket: Bucket) -> None:
        """A record with the digest of another list of shards would be taken for a damaged one."""
        key, kept = f"{self._run_id}/{RECORD}", self._kept[RECORD]
        etag = await bucket.put(key, sealed_without_plan(self._folder / RECORD), expected=kept.etag)
        self._kept[RECORD] = Kept(etag=etag)

    async def _follow(self, bucket: Bucket) -> None:
        """Write what is appended, every few seconds."""
        while True:
            await anyio.sleep(self._every_s)
            await self._append_all(bucket)

    async def _append_all(self, bucket: Bucket) -> None:
        async with anyio.create_task_group() as tasks:
            for name in filter(is_appended, self._names()):
                tasks.start_soon(partial(self._try_to_append, bucket, name=name))

    async def _try_to_append(self, bucket: Bucket, *, name: str) -> None:
        try:
            await self._append(bucket, name=name)
        except (BulkEsmError, OSError) as error:  # the next attempt begins where this one did
            log.warning("not_in_s3_yet", file=f"{self.shown}/{name}", error=str(error))

    async def _append(self, bucket: Bucket, *, name: str) -> None:
        """Write what was appended to a file since, in whole lines."""
        async with self._lock(name):
            path = self._folder / name
            while True:
                kept = self._kept.setdefault(name, Kept(etag="", generation=FIRST_GENERATION))
                lines = lines_after(path, kept.size)
                if not lines:
                    return
                if kept.pending is None:
                    kept.pending = self._next_segment(name, kept, lines)
                await self._put_segment(bucket, kept.pending)
                kept.segments.append(kept.pending.name)
                kept.size += kept.pending.size
                kept.pending = None

    def _next_segment(self, name: str, kept: Kept, lines: bytes) -> Segment:
        segment = segment_name(name, kept.generation, len(kept.segments) + 1)
        if name.rpartition("/")[2] != BEGUN:
            return Segment(name=segment, body=lines, size=len(lines))
        kept.tally = kept.tally or tally_of(self._folder / name, kept.size)
        body, has_head = with_head(kept.tally, lines, is_first=kept.size == 0)
        return Segment(name=segment, body=body, size=len(lines), has_head=has_head)

    async def _put_segment(self, bucket: Bucket, segment: Segment) -> None:
        """Write one; if an earlier attempt did so although its answer was lost, it is there as it is."""
        key = f"{self._run_id}/{segment.name}"
        try:
            metadata = {WITH_HEAD: "yes"} if segment.has_head else None
            await bucket.put(key, segment.body, expected="", metadata=metadata)
        except NotAsExpectedError:
            found = await bucket.get(key)
            if found is None or found.body != segment.body:
                raise

    def _lock(self, name: str) -> anyio.Lock:
        return self._locks.setdefault(name, anyio.Lock())

    def _is_other(self, name: str) -> bool:
        kept = self._kept.get(name)
        return kept is not None and kept.stamp != stamp_of(self._folder / name)

    def _name(self, path: Path) -> str:
        return path.relative_to(self._folder).as_posix()

    def _names(self) -> list[str]:
        paths = [*self._folder.iterdir(), *self._folder.glob(f"{SHARDS}/*/*")]
        return [name for path in paths if is_file(name := self._name(path))]


class _as_ours:  # noqa: N801 - a context manager
    """Turn what S3 answers into what is said of a run's files; what is not permitted stays that."""

    def __init__(self, done: str, shown: str, *, error: type[RunFolderError]) -> None:
        self._done = done
        self._shown = shown
        self._error = error

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if isinstance(error, asyncio.CancelledError) or error is None:
            return
        if isinstance(error, NotAsExpectedError):
            raise RecordingError(f"{error}: another machine works at this run, so nothing more is sent here") from error
        if isinstance(error, RunFolderError):
            raise error
        if isinstance(error, AccessError) and self._error is not RecordingError:
            raise error
        if isinstance(error, (BulkEsmError, OSError)):
            raise self._error(f"{self._shown} cannot be {self._done}: {error}") from error
