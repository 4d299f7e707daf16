"""The executor in other processes, or on other machines: shards go to whoever has room, results come as they happen."""

from __future__ import annotations

import math
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, Protocol

import anyio

from bulk_esm.engine.budget import Budget
from bulk_esm.engine.task_groups import task_group
from bulk_esm.errors import UsageError
from bulk_esm.executors.dispatcher import SHARED_EVERY_S, Dispatcher
from bulk_esm.executors.processes import open_processes
from bulk_esm.executors.protocols import TaskSource
from bulk_esm.executors.tasks import ShardStatus
from bulk_esm.executors.worker import Worker
from bulk_esm.model.stopping import Stop

SHARDS_PER_WORKER: Final = 40
"""How many shards one worker has in hand by default: a shard at its quota uses a few per cent of a core."""

_AWAITED_S: Final = 3.0  # a process starts in one second; a busy Dask worker may not do so for hours


class WorkerPool(Protocol):
    """Where workers can be.

    Attributes:
        places: how many there can be at once.
    """

    places: int

    async def run_workers(self, dispatcher: Dispatcher) -> None:
        """Have as many workers as there is work for, in place of those that are lost too, until all is done.

        Args:
            dispatcher: told who comes, what they report and who is gone.

        Raises:
            BulkEsmError: no worker can be had any more.
        """


class RemoteExecutor:
    """Has the work done elsewhere.

    Attributes:
        warning: what the user should know of how the work travels; None if there is nothing.
    """

    tells_before_updates = False

    def __init__(self, workplace: WorkerPool, *, at_once: int | None = None, warning: str | None = None) -> None:
        """Begin with nothing to do.

        Args:
            workplace: where the workers are.
            at_once: how many shards are worked in at once, by all workers together.
            warning: see `warning`.

        Raises:
            UsageError: `at_once` is not above 0.
        """
        if at_once is not None and at_once < 1:
            raise UsageError(f"at least 1 shard is worked in at once, not {at_once}; see --shards-at-once")
        self.warning = warning
        self._workplace = workplace
        self._at_once = at_once
        self._budget: Budget | None = None
        self._is_held = False
        self._dispatchers: set[Dispatcher] = set()

    async def do(self, source: TaskSource) -> None:
        """Work until the source has nothing more and all that was handed out has ended or is lost.

        Args:
            source: where the assignments come from.

        Raises:
            BulkEsmError: no worker can be had any more.
        """
        places = self._workplace.places
        at_once = self._at_once or places * SHARDS_PER_WORKER
        places = min(places, at_once)
        dispatcher = Dispatcher(source, places=places, room=math.ceil(at_once / places), budget=self._budget)
        if dispatcher.finished.is_set():
            return
        dispatcher.hold(is_held=self._is_held)
        self._dispatchers.add(dispatcher)
        try:
            async with task_group() as tasks:
                tasks.start_soon(_share_budget, dispatcher)
                tasks.start_soon(_start_without_the_late, dispatcher)
                await self._workplace.run_workers(dispatcher)
                tasks.cancel_scope.cancel()
        finally:
            self._dispatchers.discard(dispatcher)

    def begin(self, budget: Budget) -> None:
        """Count failures in a budget, as results arrive, and grant it to the workers in shares; see `Executor`.

        Args:
            budget: the fleet's.
        """
        self._budget = budget
        self._is_held = False

    def status(self, shard: str) -> ShardStatus | None:  # noqa: ARG002 - an Executor's
        """Only events tell; see `Executor`."""
        return None

    def stop(self, stop: Stop, *, hurry: bool = False) -> None:
        """Send nothing more, wherever anything is being carried out; what was accepted is still waited for.

        Args:
            stop: why.
            hurry: whether to look at once at all that was accepted.
        """
        for dispatcher in self._dispatchers:
            dispatcher.stop(stop, hurry=hurry)

    def stop_shard(self, shard: str, stop: Stop) -> None:
        """Send nothing more in one shard, whoever works in it; what was accepted there is still waited for.

        Args:
            shard: the shard's name.
            stop: why.
        """
        for dispatcher in self._dispatchers:
            dispatcher.stop_shard(shard, stop)

    def hold(self, *, is_held: bool) -> None:
        """Send nothing for now, or go on, wherever anything is being carried out; see `Executor`.

        Args:
            is_held: whether to send nothing.
        """
        self._is_held = is_held
        for dispatcher in self._dispatchers:
            dispatcher.hold(is_held=is_held)


def _cores() -> int:
    """How many this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


async def _share_budget(dispatcher: Dispatcher) -> None:
    while True:
        await anyio.sleep(SHARED_EVERY_S)
        dispatcher.take_turns()


async def _start_without_the_late(dispatcher: Dispatcher) -> None:
    await anyio.sleep(_AWAITED_S)
    dispatcher.await_no_more()


@asynccontextmanager
async def open_process_executor(
    *, workers: int | None = None, at_once: int | None = None, open_worker: Callable[[], Worker] = Worker
) -> AsyncIterator[RemoteExecutor]:
    """Have an executor of processes of this machine. They start when there is work, and end with the context.

    Args:
        workers: how many processes; by default one for each core that this process may use.
        at_once: how many shards are worked in at once, by all of them together; by default 40 each.
        open_worker: makes what does the work; travels as its name.

    Raises:
        UsageError: a number is not above 0.
    """
    if workers is not None and workers < 1:
        raise UsageError(f"at least 1 process does the work, not {workers}")
    async with open_processes(workers or _cores(), open_worker=open_worker) as processes:
        yield RemoteExecutor(processes, at_once=at_once)


@asynccontextmanager
async def open_dask_executor(
    scheduler: str, *, at_once: int | None = None, patience_s: float = 20.0, open_worker: Callable[[], Worker] = Worker
) -> AsyncIterator[RemoteExecutor]:
    """Have an executor of the workers of a running Dask cluster, one task on each.

    Args:
        scheduler: its scheduler's address, such as `tls://HOST:PORT`; certificates are Dask's configuration.
        at_once: how many shards are worked in at once, by all of them together; by default 40 each.
        patience_s: after how many seconds without a word a worker takes the driver for gone, and stops.
        open_worker: makes what does the work; travels as its name.

    Raises:
        UsageError: Dask is not installed, no scheduler answers, it has no workers, or they have another bulk_esm.
    """
    try:
        from bulk_esm.executors.dask_cluster import open_cluster, warning_of  # noqa: PLC0415 - an optional dependency
    except ImportError as error:
        raise UsageError(f'--executor dask needs Dask ({error}): pip install "bulk-esm[dask]"') from error
    async with open_cluster(scheduler, patience_s=patience_s, open_worker=open_worker) as cluster:
        yield RemoteExecutor(cluster, at_once=at_once, warning=warning_of(scheduler))
