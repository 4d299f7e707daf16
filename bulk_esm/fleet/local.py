"""The crew in this process: shards as tasks of one event loop."""

from __future__ import annotations

import anyio

from bulk_esm.engine.budget import Budget
from bulk_esm.engine.stopping import Stop
from bulk_esm.engine.tasks import task_group
from bulk_esm.fleet.crew import Desk
from bulk_esm.fleet.tasks import Assignment
from bulk_esm.fleet.worker import Worker


class LocalCrew:
    """Does all the work here, so many shards at once."""

    def __init__(self, worker: Worker, *, at_once: int) -> None:
        """Begin with nothing to do.

        Args:
            worker: does the work.
            at_once: how many shards are worked in at once.
        """
        self._worker = worker
        self._places = anyio.Semaphore(at_once)

    async def do(self, desk: Desk) -> None:
        """Work until the desk has nothing more and all that was handed out has ended.

        Args:
            desk: where the assignments come from.
        """
        async with task_group() as tasks:
            while True:
                await self._places.acquire()
                assignment = desk.next()
                if assignment is None:
                    self._places.release()
                    return
                tasks.start_soon(self._one, desk, assignment)

    def begin(self, budget: Budget) -> None:
        """Have all engines here share a budget; see `Crew`."""
        self._worker.begin(budget)

    def stop(self, stop: Stop, *, hurry: bool = False) -> None:
        """Send nothing more; see `Crew`."""
        self._worker.stop(stop, hurry=hurry)

    async def _one(self, desk: Desk, assignment: Assignment) -> None:
        try:
            desk.ended(await self._worker.do(assignment, desk.heard))
        finally:
            self._places.release()
