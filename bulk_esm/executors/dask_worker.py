"""A worker as a task on a Dask worker: its end of the queues to the driver; see `dask_cluster`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final
from uuid import uuid4

import anyio
import anyio.to_thread
from distributed import Queue, get_client

from bulk_esm._version import __version__
from bulk_esm.executors.messages import Here
from bulk_esm.executors.remote_worker import DriverGoneError, serve
from bulk_esm.executors.worker import Worker

MOST_REPORTS: Final = 1000
"""How many reports wait at the scheduler for the driver; then the workers wait."""


def version() -> str:
    """Which bulk_esm a worker has; carried out there."""
    return __version__


class _SocketChannel:
    """A worker's way to the driver. Dask's client has a loop of its own, hence the threads."""

    def __init__(self, reports: str, worker_id: str, patience_s: float) -> None:
        client = get_client()
        self._patience_s = patience_s
        self._worker_id = worker_id
        self._reports = Queue(reports, client, maxsize=MOST_REPORTS)
        self._orders = Queue(worker_id, client)

    async def send(self, message: bytes) -> None:
        put = partial(self._reports.put, (self._worker_id, message), timeout=self._patience_s)
        await self._in_thread(put)

    async def receive(self) -> bytes:
        message: bytes = await self._in_thread(partial(self._orders.get, timeout=self._patience_s))
        return message

    def close(self) -> None:
        self._reports.close()
        self._orders.close()

    @staticmethod
    async def _in_thread(call: Callable[[], Any]) -> Any:
        try:
            return await anyio.to_thread.run_sync(call, abandon_on_cancel=True)
        except Exception as error:  # no answer in time, no scheduler, or a worker that is being closed: all the same
            raise DriverGoneError from error


def work(reports: str, place: str, *, open_worker: Callable[[], Worker], patience_s: float) -> None:
    """Work for the driver, as a task on a Dask worker."""
    worker_id = f"bulk-esm-{uuid4().hex}"
    channel = _SocketChannel(reports, worker_id, patience_s)
    try:
        anyio.run(serve, channel, Here(place=place, worker_id=worker_id), open_worker)
    finally:
        channel.close()
