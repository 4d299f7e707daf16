"""The locks of the accounts and Regions in which runs are at work: each run holds them, whoever started it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bulk_esm.clock import Clock, iso
from bulk_esm.model.shard import Shard
from bulk_esm.store.lock import Holder, RunLock


class Locks:
    """What a program's runs lock on this machine.

    Attributes:
        wanted: whether they lock anything.
    """

    def __init__(self, *, endpoint_url: str | None, clock: Clock, wanted: bool = True) -> None:
        """Begin with none held.

        Args:
            endpoint_url: where requests go; None for AWS.
            clock: the time.
            wanted: whether runs are to lock anything.
        """
        self.wanted = wanted
        self._endpoint_url = endpoint_url
        self._clock = clock
        self._around: list[RunLock] = []

    def take(self, shards: Iterable[Shard], *, command: str, runs_dirs: Iterable[Path]) -> list[RunLock]:
        """Take those of some shards; none where that is not wanted, or where they are held around this.

        Args:
            shards: the shards, with their accounts as far as these are known.
            command: what for.
            runs_dirs: where the runs are kept that are made or taken up.

        Raises:
            RefusedError: another run holds one.
            RunFolderError: no lock can be kept there.
        """
        if not self.wanted or self._around:
            return []
        folders, locks = list(runs_dirs), list[RunLock]()
        holder = Holder(pid=os.getpid(), command=command, started_at=iso(self._clock.now()) or "")
        try:
            for shard in shards:
                place = (shard.account_id, shard.region)
                locks.append(RunLock.take(*place, endpoint_url=self._endpoint_url, holder=holder, runs_dirs=folders))
        except BaseException:
            release(locks)
            raise
        return locks

    @contextmanager
    def around(self, shards: Iterable[Shard], *, command: str, runs_dirs: Iterable[Path]) -> Iterator[None]:
        """Hold them around the planning and the carrying out of runs, which then take none of their own; see `take`."""
        self._around = self.take(shards, command=command, runs_dirs=runs_dirs)
        try:
            yield
        finally:
            release(self._around)
            self._around = []

    def tell(self, locks: Iterable[RunLock], run: Path) -> None:
        """Say in locks, and in those that are held around, which run it is."""
        for lock in (*locks, *self._around):
            lock.tell(str(run.absolute()))


def release(locks: Iterable[RunLock]) -> None:
    """Let locks go, the first one last, as it has made the folders."""
    for lock in reversed(list(locks)):
        lock.release()
