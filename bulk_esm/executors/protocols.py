"""Whoever does the work of a fleet, as the driver sees it: in this process, in others, or on other machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bulk_esm.engine.budget import Budget
from bulk_esm.executors.tasks import Assignment, Event, ShardEnd, ShardStatus
from bulk_esm.model.stopping import Stop


class TaskSource(Protocol):
    """Where an executor takes its work from, and brings what comes of it.

    All of it is called, or awaited, in the driver's event loop.
    """

    def next(self) -> Assignment | None:
        """Hand out the next assignment; None if there is none now. It may be asked again after a loss."""

    def on_event(self, event: Event) -> None:
        """Take note of what happens in a shard while it is worked in."""

    def on_end(self, end: ShardEnd) -> None:
        """Take note of a shard's end; all its events were heard before."""

    async def before_update(self, shard: str, results: int, uuids: Sequence[str]) -> None:
        """Make sure that an update can be recorded; called before each by whoever works in this process.

        Args:
            shard: the shard's name.
            results: how many results may have to be written.
            uuids: the mapping, and some that follow it.

        Raises:
            RunFolderError: nothing may be sent, as it could not be recorded.
        """

    def may_send(self, shard: str) -> bool:
        """Tell whether an update may be sent at this moment; called just before each is, where `before_update` is.

        Args:
            shard: the shard's name.
        """

    def on_lost(self, shard: str, why: str) -> None:
        """Take note that a worker was lost before the shard ended: `next` may hand it out again.

        Args:
            shard: the shard's name.
            why: what became of the worker.
        """


class Executor(Protocol):
    """Carries assignments out, many at once."""

    @property
    def tells_before_updates(self) -> bool:
        """Whether it tells its source before each update."""

    async def do(self, source: TaskSource) -> None:
        """Work until the source has nothing more and all that was handed out has ended or is lost.

        Args:
            source: where the assignments come from.
        """

    def begin(self, budget: Budget) -> None:
        """Begin a run: a stop or a hold of the one before is over, and failures count in this budget.

        Whoever works in this process heeds it before each update; others get shares of it.

        Args:
            budget: the fleet's.
        """

    def status(self, shard: str) -> ShardStatus | None:
        """How the carrying out in a shard stands at this moment; None where only its events tell.

        Args:
            shard: the shard's name.
        """

    def stop(self, stop: Stop, *, hurry: bool = False) -> None:
        """Send nothing more, wherever anything is being carried out; what was accepted is still waited for.

        Args:
            stop: why.
            hurry: whether to look at once at all that was accepted.
        """

    def stop_shard(self, shard: str, stop: Stop) -> None:
        """Send nothing more in one shard, as long as this run lasts; what was accepted there is still waited for.

        Args:
            shard: the shard's name.
            stop: why.
        """

    def hold(self, *, is_held: bool) -> None:
        """Send nothing for now, or go on, wherever anything is being carried out; what was accepted is waited for.

        Args:
            is_held: whether to send nothing.
        """
