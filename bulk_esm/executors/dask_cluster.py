"""Workers as tasks of a running Dask cluster, one for each of its worker processes.

Messages travel through queues that the scheduler keeps: one for all that the workers report, and one for the orders to
each. A put is answered, in order, and what was taken is kept nowhere, unlike Dask's events, of which a scheduler keeps
the last 1,000 of each topic for good. The driver pings every worker, so that none goes on for a driver that died.

https://distributed.dask.org/en/stable/api.html#distributed.Queue
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, Final
from uuid import uuid4

import anyio
import anyio.abc
from distributed import Client, Queue

from bulk_esm._version import __version__
from bulk_esm.engine.task_groups import task_group
from bulk_esm.errors import BulkEsmError, UsageError
from bulk_esm.executors.dask_worker import MOST_REPORTS, version, work
from bulk_esm.executors.dispatcher import Dispatcher
from bulk_esm.executors.messages import Here, Ping, read_report, write
from bulk_esm.executors.worker import Worker
from bulk_esm.logs import get_logger, through_ours

log: Final = get_logger("dask")

_ANSWERS_WITHIN_S: Final = 8.0
_LOOK_EVERY_S: Final = 1.0
_PINGS: Final = 4  # within the time after which a worker takes the driver for gone
_NO_WORKER_FOR_S: Final = 60.0  # a nanny has started another by then
_BEGINNING_S: Final = 2.0
_LEAVING_S: Final = 10.0


def warning_of(scheduler: str) -> str | None:
    """What the user should know of an address, or None."""
    if scheduler.startswith("tls://"):
        return None
    return (
        f"{scheduler} is not encrypted: plans and results can be read, and tasks be sent, by whoever reaches it; "
        "use a scheduler with TLS (tls://HOST:PORT)"
    )


@asynccontextmanager
async def open_cluster(
    scheduler: str, *, patience_s: float, open_worker: Callable[[], Worker]
) -> AsyncIterator[Cluster]:
    """Connect to a running cluster.

    Args:
        scheduler: its scheduler's address, such as `tls://HOST:PORT`.
        patience_s: after how many seconds without a word a worker takes the driver for gone.
        open_worker: makes what does the work; travels as its name.

    Raises:
        UsageError: no scheduler answers, it has no workers, or they have another bulk_esm.
    """
    if not scheduler:  # for which Dask would start a cluster of its own
        raise UsageError("--executor dask needs --scheduler: the address of a running one, such as tls://HOST:PORT")
    through_ours()  # distributed, and tornado, bring handlers of their own
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what matters of it is said here, in our words
    client = Client(scheduler, timeout=_ANSWERS_WITHIN_S, asynchronous=True, set_as_default=False, name="bulk-esm")
    try:
        try:
            await client
            places = len(await _workers(client))
            versions = await client.run(version, on_error="return")
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            raise UsageError(
                f"no Dask scheduler answers at {scheduler} ({error}); start one with `dask scheduler`"
            ) from error
        if not places:
            raise UsageError(f"the scheduler at {scheduler} has no workers; start some with `dask worker {scheduler}`")
        _require_same(versions)
        yield Cluster(
            client, scheduler, places, partial(work, open_worker=open_worker, patience_s=patience_s), patience_s
        )
    finally:
        with anyio.move_on_after(_LEAVING_S, shield=True), suppress(OSError):
            await client.close()


def _require_same(versions: dict[str, object]) -> None:
    for worker, found in versions.items():
        if found != __version__:
            has = f"cannot load bulk_esm ({found})" if isinstance(found, Exception) else f"has bulk_esm {found}"
            raise UsageError(f"the Dask worker {worker} {has}, and this is {__version__}: install the same on all")


async def _workers(client: Client) -> set[str]:
    return set(await client.nthreads())


def _forget(queue: Queue, *, workers: int) -> None:
    """Have the scheduler drop a queue: it counts who opened it, and awaiting one as the driver does opens it twice.

    Those workers are counted as well, as they may be dead; what does not exist any more may be closed once more.
    """
    for _ in range(2 + workers):
        queue.close()


class _QueueChannel:
    """The way to one worker."""

    def __init__(self, here: Here, task: Any) -> None:
        self.here = here
        self.task = task
        self.is_open = True
        self._send, self._waiting = anyio.create_memory_object_stream[bytes](float("inf"))

    def post(self, message: bytes) -> None:
        if self.is_open:
            self._send.send_nowait(message)

    def close(self) -> None:
        self.is_open = False
        self._send.close()

    async def carry(self, client: Client) -> None:
        """Bring the worker what is posted."""
        queue = await Queue(self.here.worker_id, client)
        try:
            with self._waiting:
                async for message in self._waiting:
                    await queue.put(message)
        finally:
            _forget(queue, workers=1)


class Cluster:
    """The workers of a Dask cluster; those that come later work too.

    Attributes:
        places: how many there were at first.
    """

    def __init__(
        self, client: Client, scheduler: str, places: int, work: Callable[[str, str], None], patience_s: float
    ) -> None:
        """Take over a connected client; see `open_cluster`."""
        self.places = places
        self._client = client
        self._scheduler = scheduler
        self._work = work
        self._patience_s = patience_s

    async def run_workers(self, dispatcher: Dispatcher) -> None:
        """Have a task on as many workers as there is work for; see `WorkerPool`.

        Raises:
            BulkEsmError: there is no worker any more, or no scheduler.
        """
        run_workers = _DaskWorkers(self._client, dispatcher, self._work, self._patience_s)
        try:
            async with task_group() as tasks:
                tasks.start_soon(run_workers.keep, tasks)
                await dispatcher.finished.wait()
                await run_workers.left.wait()
                tasks.cancel_scope.cancel()
        except OSError as error:  # as distributed's own errors of communication are
            log.debug("scheduler_gone", error=str(error))
            raise BulkEsmError(f"the Dask scheduler at {self._scheduler} no longer answers") from error


class _DaskWorkers:
    """Who works in one dispatcher, by the worker's address: each has one task, that no other worker may take over."""

    def __init__(
        self, client: Client, dispatcher: Dispatcher, work: Callable[[str, str], None], patience_s: float
    ) -> None:
        self.left = anyio.Event()
        self._client = client
        self._dispatcher = dispatcher
        self._work = work
        self._patience_s = patience_s
        self._came = 0
        self._reports = f"bulk-esm-{uuid4().hex}"
        self._tasks: dict[str, Any] = {}
        self._channels: dict[str, _QueueChannel] = {}

    async def keep(self, tasks: anyio.abc.TaskGroup) -> None:
        """Have workers, until all is done and they have left."""
        reports = await Queue(self._reports, self._client, maxsize=MOST_REPORTS)
        try:
            tasks.start_soon(self._listen, reports, tasks)
            tasks.start_soon(self._ping)
            seen_at = anyio.current_time()
            while not self._dispatcher.finished.is_set():
                present = await _workers(self._client)
                if present:
                    seen_at = anyio.current_time()
                elif anyio.current_time() - seen_at > _NO_WORKER_FOR_S:
                    raise BulkEsmError("the Dask cluster has no workers any more")
                self._look(present)
                with anyio.move_on_after(_LOOK_EVERY_S):
                    await self._dispatcher.finished.wait()
            await self._see_off()
            self.left.set()
        finally:
            with anyio.move_on_after(_LEAVING_S, shield=True), suppress(OSError):
                await self._client.cancel(list(self._tasks.values()), force=True)
            for channel in self._channels.values():
                channel.close()
            _forget(reports, workers=self._came)

    def _look(self, present: set[str]) -> None:
        """Give up who is no longer there, and employ others as long as they are wanted."""
        for worker, task in list(self._tasks.items()):
            if worker not in present:
                self._give_up(worker, "its Dask worker is gone")
            elif task.status != "pending":
                self._give_up(worker, f"its task on Dask ended: {task.status}")
        for worker in sorted(present - self._tasks.keys()):
            if len(self._tasks) >= self._dispatcher.wanted:
                break
            self._tasks[worker] = self._client.submit(
                self._work,
                self._reports,
                worker,
                workers=[worker],
                allow_other_workers=False,
                pure=False,
                retries=0,
            )

    async def _see_off(self) -> None:
        """Wait until all tasks have ended, so that their threads are free; a moment only for those that never began."""
        for wait_s, began in ((_BEGINNING_S, False), (_LEAVING_S, True)):
            with anyio.move_on_after(wait_s):
                while self._has_pending(began=began):  # noqa: ASYNC110 - Dask tells of a change in a thread of its own
                    await anyio.sleep(0.02)

    def _has_pending(self, *, began: bool) -> bool:
        at_work = {channel.here.place for channel in self._channels.values()}
        return any(task.status == "pending" and (worker in at_work) is began for worker, task in self._tasks.items())

    def _give_up(self, worker: str, why: str) -> None:
        self._tasks.pop(worker)  # a future that nobody holds is released
        for worker_id, channel in list(self._channels.items()):
            if channel.here.place == worker:
                channel.close()
                del self._channels[worker_id]
                self._dispatcher.gone(worker_id, why)

    async def _listen(self, reports: Queue, tasks: anyio.abc.TaskGroup) -> None:
        while True:
            with suppress(TimeoutError):
                first = await reports.get(timeout=self._patience_s)
                for worker_id, message in (first, *await reports.get(batch=True)):
                    self._received(worker_id, message, tasks)

    def _received(self, worker_id: str, message: bytes, tasks: anyio.abc.TaskGroup) -> None:
        here = read_report(message)
        if not isinstance(here, Here):
            self._dispatcher.received(worker_id, message)
            return
        self._came += 1
        task = self._tasks.get(here.place)
        if task is None:
            return  # it was given up meanwhile; without an answer it ends
        for other, channel in list(self._channels.items()):
            if channel.here.place == here.place:  # Dask gave the task of a worker to a new one of the same address
                channel.close()
                del self._channels[other]
                self._dispatcher.gone(other, "its Dask worker started anew")
        channel = self._channels[worker_id] = _QueueChannel(here, task)
        tasks.start_soon(channel.carry, self._client)
        self._dispatcher.came(here, channel)

    async def _ping(self) -> None:
        while True:
            await anyio.sleep(self._patience_s / _PINGS)
            for channel in self._channels.values():
                channel.post(write(Ping()))
