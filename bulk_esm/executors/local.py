"""The executor in this process: shards as tasks of one event loop."""

from __future__ import annotations

from functools import partial

import anyio

from bulk_esm.engine.budget import Budget
from bulk_esm.engine.task_groups import task_group
from bulk_esm.executors.protocols import TaskSource
from bulk_esm.executors.tasks import Assignment, ShardStatus
from bulk_esm.executors.worker import Worker
from bulk_esm.model.stopping import Stop


class LocalExecutor:
    """Does all the work here, so many shards at once."""

    tells_before_updates = True

    def __init__(self, worker: Worker, *, at_once: int) -> None:
        """Begin with nothing to do.

        Args:
            worker: does the work.
            at_once: how many shards are worked in at once.
        """
        self._worker = worker
        self._places = anyio.Semaphore(at_once)

    async def do(self, source: TaskSource) -> None:
        """Work until the source has nothing more and all that was handed out has ended.

        Args:
            source: where the assignments come from.
        """
        async with task_group() as tasks:
            while True:
                await self._places.acquire()
                assignment = source.next()
                if assignment is None:
                    self._places.release()
                    return
                tasks.start_soon(self._one, source, assignment)

    def begin(self, budget: Budget) -> None:
        """Have all engines here share a budget; see `Executor`."""
        self._worker.begin(budget)

    def status(self, shard: str) -> ShardStatus | None:
        """How the carrying out in a shard stands at this moment; see `Executor`."""
        return self._worker.status(shard)

    def stop(self, stop: Stop, *, hurry: bool = False) -> None:
        """Send nothing more; see `Executor`."""
        self._worker.stop(stop, hurry=hurry)

    def stop_shard(self, shard: str, stop: Stop) -> None:
        """Send nothing more in one shard; see `Executor`."""
        self._worker.stop_shard(shard, stop)

    def hold(self, *, is_held: bool) -> None:
        """Send nothing for now, or go on; see `Executor`."""
        self._worker.hold(is_held=is_held)

    async def _one(self, source: TaskSource, assignment: Assignment) -> None:
        try:
            name = assignment.shard.name
            end = await self._worker.do(
                assignment,
                source.on_event,
                before_update=partial(source.before_update, name),
                may_send=partial(source.may_send, name),
            )
            source.on_end(end)
        finally:
            self._places.release()
