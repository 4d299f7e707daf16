"""The locks of the accounts and Regions in which runs are at work: each run holds them, whoever started it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bulk_esm.clock import Clock, iso
from bulk_esm.model.shard import Shard
from bulk_esm.store.lock import Holder, RunLock

_Place = tuple[str | None, str]


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
        self._around: dict[_Place, Sequence[RunLock]] = {}

    def take(self, shards: Iterable[Shard], *, command: str, runs_dirs: Iterable[Path]) -> list[RunLock]:
        """Take those of some shards, but for what is held around this; none where that is not wanted.

        Args:
            shards: the shards, with their accounts as far as these are known.
            command: what for.
            runs_dirs: where the runs are kept that are made or taken up.

        Raises:
            RefusedError: another run holds one.
            RunFolderError: no lock can be kept there.
        """
        if not self.wanted:
            return []
        folders, locks = list(runs_dirs), list[RunLock]()
        holder = Holder(pid=os.getpid(), command=command, started_at=iso(self._clock.now()) or "")
        try:
            for place in [_place(shard) for shard in shards if _place(shard) not in self._around]:
                locks.append(RunLock.take(*place, endpoint_url=self._endpoint_url, holder=holder, runs_dirs=folders))
        except BaseException:
            release(locks)
            raise
        return locks

    @contextmanager
    def around(self, shards: Iterable[Shard], *, command: str, runs_dirs: Iterable[Path]) -> Iterator[None]:
        """Hold them around the planning and the carrying out of runs, which then take none of their own; see `take`."""
        found = list(shards)
        before = self._around
        locks = self.take(found, command=command, runs_dirs=runs_dirs)
        self._around = {**{_place(shard): locks for shard in found}, **before} if self.wanted else before
        try:
            yield
        finally:
            release(locks)
            self._around = before

    def tell(self, locks: Iterable[RunLock], run: Path) -> None:
        """Say in locks, and in those that are held around, which run it is."""
        around = {id(lock): lock for held in self._around.values() for lock in held}
        for lock in (*locks, *around.values()):
            lock.tell(str(run.absolute()))


def _place(shard: Shard) -> _Place:
    return shard.account_id, shard.region


def release(locks: Iterable[RunLock]) -> None:
    """Let locks go, the first one last, as it has made the folders."""
    for lock in reversed(list(locks)):
        lock.release()
