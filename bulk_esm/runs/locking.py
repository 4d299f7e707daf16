"""The locks of the accounts and Regions in which runs are at work: each run holds them, whoever started it.

On one machine the kernel keeps them. Where runs are kept in a bucket they are kept there as well, for all machines.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import msgspec

from bulk_esm.clock import Clock, iso
from bulk_esm.model.shard import Shard
from bulk_esm.store.lock import Holder, RunLock
from bulk_esm.store.s3.lease import Lease
from bulk_esm.store.s3.lease_rules import LockHolder
from bulk_esm.store.s3.locks import S3Locks, holder_here

_Place = tuple[str | None, str]


class HeldLock(Protocol):
    """A lock, or several."""

    def tell(self, run: str) -> None:
        """Say which run it is, by its folder."""

    def release(self) -> None:
        """Let it go."""


class HeldLocks(msgspec.Struct, frozen=True):
    """Under which locks a run works.

    Attributes:
        own: those that it lets go at its end.
        leases: those in a bucket, by shard: its own, and what is held around it.
    """

    own: tuple[HeldLock, ...] = ()
    leases: Mapping[str, Lease] = {}


class _Leases:
    """Locks in a bucket that were taken together."""

    def __init__(self, locks: S3Locks, leases: Sequence[Lease]) -> None:
        self._locks = locks
        self._leases = leases

    def tell(self, run: str) -> None:
        for lease in self._leases:
            lease.tell(Path(run).name)

    def release(self) -> None:
        self._locks.release(self._leases)


class Locks:
    """What a program's runs lock.

    Attributes:
        wanted: whether they lock anything.
    """

    def __init__(
        self, *, endpoint_url: str | None, clock: Clock, shared: S3Locks | None = None, wanted: bool = True
    ) -> None:
        """Begin with none held.

        Args:
            endpoint_url: where requests go; None for AWS.
            clock: the time.
            shared: those of the bucket in which runs are kept; None where they are in a folder.
            wanted: whether runs are to lock anything.
        """
        self.wanted = wanted
        self._endpoint_url = endpoint_url
        self._clock = clock
        self._shared = shared
        self._around: dict[_Place, Sequence[HeldLock]] = {}
        self._leases: dict[str, Lease] = {}

    def take(self, shards: Iterable[Shard], *, command: str, runs_dirs: Iterable[Path]) -> HeldLocks:
        """Take those of some shards, but for what is held around this; none where that is not wanted.

        Args:
            shards: the shards, with their accounts as far as these are known.
            command: what for.
            runs_dirs: where the runs are kept that are made or taken up.

        Raises:
            RefusedError: another run holds one.
            RunFolderError: no lock can be kept there.
            BulkEsmError: those in a bucket cannot be read or written.
        """
        if not self.wanted:
            return HeldLocks()
        left = [shard for shard in shards if _place(shard) not in self._around]
        own: list[HeldLock] = [*self._take_here(left, command, runs_dirs)]
        leases: dict[str, Lease] = {}
        try:
            if self._shared is not None and (known := _known(left)):
                taken = self._shared.take(known, holder=self._holder(command))
                own.append(_Leases(self._shared, taken))
                leases = _by_shard(known, taken)
        except BaseException:
            release(own)
            raise
        return HeldLocks(tuple(own), {**self._leases, **leases})

    def _take_here(self, shards: Iterable[Shard], command: str, runs_dirs: Iterable[Path]) -> list[RunLock]:
        folders, locks = list(runs_dirs), list[RunLock]()
        holder = Holder(pid=os.getpid(), command=command, started_at=iso(self._clock.now()) or "")
        try:
            for place in map(_place, shards):
                locks.append(RunLock.take(*place, endpoint_url=self._endpoint_url, holder=holder, runs_dirs=folders))
        except BaseException:
            release(locks)
            raise
        return locks

    @asynccontextmanager
    async def around(
        self,
        shards: Iterable[Shard],
        *,
        command: str,
        runs_dirs: Iterable[Path],
        told: Callable[[str], None] = lambda _: None,
    ) -> AsyncIterator[None]:
        """Hold them around the planning and the carrying out of runs, which then take none of their own; see `take`.

        A lock in a bucket whose holder may be gone is watched until its lease is over.

        Args:
            shards: see `take`.
            command: see `take`.
            runs_dirs: see `take`.
            told: hears what is waited for, in another thread.
        """
        if not self.wanted:
            yield
            return
        found = list(shards)
        around, leases = self._around, self._leases
        left = [shard for shard in found if _place(shard) not in around]
        locks: list[HeldLock] = [*self._take_here(left, command, runs_dirs)]
        try:
            if self._shared is not None and (known := _known(left)):
                taken = await self._shared.acquire(known, holder=self._holder(command), wait=True, told=told)
                locks.append(_Leases(self._shared, taken))
                self._leases = {**leases, **_by_shard(known, taken)}
            self._around = {**{_place(shard): locks for shard in left}, **around}
            yield
        finally:
            self._around, self._leases = around, leases
            release(locks)

    def tell(self, locks: HeldLocks, run: Path) -> None:
        """Say in locks, and in those that are held around, which run it is."""
        around = {id(lock): lock for held in self._around.values() for lock in held}
        for lock in (*locks.own, *around.values()):
            lock.tell(str(run.absolute()))

    def earlier_runs(self, shard: Shard) -> tuple[str, ...]:
        """The ids of the last runs that worked in a shard, as its lock in the bucket says; none if it is not held."""
        lease = self._leases.get(shard.name)
        return () if lease is None else lease.runs

    def _holder(self, command: str) -> LockHolder:
        return holder_here(command=command, started_at=iso(self._clock.now()) or "")


def _known(shards: Iterable[Shard]) -> list[Shard]:
    """Those whose accounts are known: where nothing tells an account, there is no mapping either."""
    return [shard for shard in shards if shard.account_id is not None]


def _by_shard(shards: Iterable[Shard], leases: Iterable[Lease]) -> dict[str, Lease]:
    return dict(zip(sorted({shard.name for shard in shards}), leases, strict=True))


def _place(shard: Shard) -> _Place:
    return shard.account_id, shard.region


def release(locks: Iterable[HeldLock]) -> None:
    """Let locks go, the first one last, as it has made the folders."""
    for lock in reversed(list(locks)):
        lock.release()
