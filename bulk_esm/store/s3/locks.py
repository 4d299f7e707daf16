"""The locks of accounts and Regions in the bucket in which runs are kept: each excludes the runs of other machines."""

from __future__ import annotations

import asyncio
import getpass
import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Final

import anyio
import msgspec

from bulk_esm.aws.bucket import Bucket
from bulk_esm.clock import Clock, time_with_sleep
from bulk_esm.errors import RefusedError
from bulk_esm.model.shard import Shard
from bulk_esm.store.lock import lock_name, place_of
from bulk_esm.store.s3.lease import Lease
from bulk_esm.store.s3.lease_rules import LeaseSettings, LockHolder
from bulk_esm.store.s3.taking import Taker
from bulk_esm.store.s3.thread import BucketThread

_FOLDER: Final = ".locks/"


def lock_key(account_id: str | None, region: str, endpoint_url: str | None) -> str:
    """Where the lock of an account and Region is kept.

    Args:
        account_id: the account; None if it is not known.
        region: the Region.
        endpoint_url: where requests go; None for AWS.
    """
    return f"{_FOLDER}{lock_name(account_id, region, endpoint_url)}.json"


def holder_here(*, command: str, started_at: str) -> LockHolder:
    """This process, as the holder of locks.

    Args:
        command: what for.
        started_at: ISO 8601 in UTC.
    """
    return LockHolder(
        id=secrets.token_hex(8),
        user=user_here(),
        host=socket.gethostname(),
        pid=os.getpid(),
        command=command,
        started_at=started_at,
    )


def user_here() -> str:
    """Who this process works for, by name or, as in containers, by number."""
    with suppress(KeyError, OSError, ImportError):
        return getpass.getuser()
    return f"uid {os.getuid()}"


class S3Locks:
    """Locks in a bucket."""

    def __init__(
        self,
        thread: BucketThread,
        *,
        endpoint_url: str | None = None,
        settings: LeaseSettings | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Begin with none held.

        Args:
            thread: the bucket's.
            endpoint_url: where requests to Lambda go; None for AWS.
            settings: how long a lock is held without a renewal, and how often it is renewed.
            clock: this machine's, which goes on while it sleeps.
        """
        self._thread = thread
        self._endpoint_url = endpoint_url
        self._settings = settings or LeaseSettings()
        self._clock = clock or Clock(monotonic=time_with_sleep)
        self._is_checked = False

    def take(
        self,
        shards: Iterable[Shard],
        *,
        holder: LockHolder,
        wait: bool = False,
        told: Callable[[str], None] = lambda _: None,
    ) -> list[Lease]:
        """Take the locks of some shards, or none.

        Args:
            shards: the shards, with their accounts.
            holder: who takes them.
            wait: whether to watch, for a lease, a lock whose holder may be gone.
            told: hears what is waited for; called in the bucket's thread.

        Raises:
            RefusedError: another run holds one, or the account of one is not known.
            UsageError: the store takes writes whatever their condition.
            AccessError: locks may not be read or written.
            ServiceError: S3 did not answer.
        """
        taking = _Taking(partial(self._take_all, shards=list(shards), holder=holder, wait=wait, told=told))
        future = self._thread.start(taking.run)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            taking.ended.result()
            self.release(taking.taken)
            raise

    async def acquire(
        self,
        shards: Iterable[Shard],
        *,
        holder: LockHolder,
        wait: bool = False,
        told: Callable[[str], None] = lambda _: None,
    ) -> list[Lease]:
        """Take the locks of some shards while this event loop goes on; see `take`. To cancel it gives back all."""
        taking = _Taking(partial(self._take_all, shards=list(shards), holder=holder, wait=wait, told=told))
        future = self._thread.start(taking.run)
        try:
            return await asyncio.wrap_future(future)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await asyncio.wrap_future(taking.ended)
                await self._thread.ask(partial(_let_go, taking.taken))
            raise

    def release(self, leases: Sequence[Lease]) -> None:
        """Let locks go, all at once; see `Lease.release`.

        Args:
            leases: the locks.
        """
        if leases:
            self._thread.call(partial(_let_go, leases))

    def _start(self, work: Callable[[Bucket], Awaitable[None]]) -> Future[None]:
        return self._thread.start(lambda bucket: work(bucket.apart()))

    async def _take_all(
        self,
        bucket: Bucket,
        taken: list[Lease],
        *,
        shards: Iterable[Shard],
        holder: LockHolder,
        wait: bool,
        told: Callable[[str], None],
    ) -> None:
        """Take them one after the other, in the same order everywhere, so that of two fleets one gets through."""
        if not self._is_checked:
            await bucket.refuse_unconditional()
            self._is_checked = True
        named = {shard.name: shard for shard in shards}
        for _, shard in sorted(named.items()):
            taken.append(await self._take_one(bucket, shard, holder, wait=wait, told=told))

    async def _take_one(
        self, bucket: Bucket, shard: Shard, holder: LockHolder, *, wait: bool, told: Callable[[str], None]
    ) -> Lease:
        what = place_of(shard.account_id, shard.region)
        if shard.account_id is None:
            raise RefusedError(f"the account is not known, so {what} cannot be locked in {bucket.name(_FOLDER)}")
        key = lock_key(shard.account_id, shard.region, self._endpoint_url)
        own = msgspec.structs.replace(holder, id=secrets.token_hex(8))
        taker = Taker(bucket, key, what, holder=own, settings=self._settings, clock=self._clock)
        held = await taker.take(wait=wait, told=told)
        lease = Lease(
            held,
            key,
            what=what,
            where=bucket.name(key),
            settings=self._settings,
            clock=self._clock,
            start=self._start,
        )
        lease.begin(bucket.apart())
        return lease


class _Taking:
    """A taking of locks in the bucket's thread.

    Attributes:
        taken: those that are held; none once it has failed or was cancelled there.
        ended: done when it has ended in whatever way: only then nothing more is taken.
    """

    def __init__(self, take_all: Callable[[Bucket, list[Lease]], Awaitable[None]]) -> None:
        self.taken: list[Lease] = []
        self.ended: Future[None] = Future()
        self._take_all = take_all

    async def run(self, bucket: Bucket) -> list[Lease]:
        """Take all, or none."""
        try:
            await self._take_all(bucket, self.taken)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await _let_go(self.taken, bucket)
            self.taken.clear()
            raise
        finally:
            self.ended.set_result(None)
        return self.taken


async def _let_go(leases: Iterable[Lease], bucket: Bucket) -> None:
    async with anyio.create_task_group() as group:
        for lease in leases:
            group.start_soon(lease.let_go, bucket.apart())
