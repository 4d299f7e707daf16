"""Workers as processes of this machine, each in an executor of its own and on a socket to this process."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import socket
import struct
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import Final
from uuid import uuid4

import anyio
import anyio.abc

from bulk_esm.engine.task_groups import task_group
from bulk_esm.errors import BulkEsmError
from bulk_esm.executors.dispatcher import Dispatcher
from bulk_esm.executors.messages import Here, read_report
from bulk_esm.executors.remote_worker import DriverGoneError, serve
from bulk_esm.executors.worker import Worker
from bulk_esm.logs import StderrLog, get_logger, log_to_stderr, shown_on_stderr
from bulk_esm.store.temporary import temporary_folder

log: Final = get_logger("processes")

_CREDENTIALS: Final = struct.Struct("3i")  # pid, uid, gid
_LENGTH_BYTES: Final = 8  # before each message
_MOST_FALSE_STARTS: Final = 3  # what ends three processes before they have said a word ends a fourth
_LEAVING_S: Final = 10.0


class _SocketChannel:
    """A socket, with each message's length before it. Both ends use it, the driver's without waiting."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def post(self, message: bytes) -> None:
        if not self._writer.is_closing():
            self._writer.write(len(message).to_bytes(_LENGTH_BYTES) + message)

    async def send(self, message: bytes) -> None:
        self.post(message)
        try:
            await self._writer.drain()
        except OSError as error:
            raise DriverGoneError from error

    async def receive(self) -> bytes:
        try:
            length = int.from_bytes(await self._reader.readexactly(_LENGTH_BYTES))
            return await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, OSError) as error:
            raise DriverGoneError from error

    async def close(self) -> None:
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()


class Processes:
    """A fixed number of processes, and new ones in place of those that die.

    Each has an executor of its own, as the death of one process ends all of its executor's.

    Attributes:
        places: how many.
    """

    def __init__(self, places: int, address: str, open_worker: Callable[[], Worker]) -> None:
        """Start none yet; see `open_processes`."""
        self.places = places
        self._socket = address
        self._open_worker = open_worker
        self._executors: dict[str, ProcessPoolExecutor] = {}
        self._false_starts = 0

    async def run_workers(self, dispatcher: Dispatcher) -> None:
        """Have as many processes at work as there is work for; see `WorkerPool`.

        Raises:
            BulkEsmError: one after another ends before it says a word.
        """
        async with task_group() as listening:
            # A coroutine, which asyncio gives a task: where trio is installed too, anyio starts nothing outside of one.
            async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                if not _is_of_this_user(writer):
                    writer.close()
                    return
                listening.start_soon(self._listen, dispatcher, _SocketChannel(reader, writer))

            server = await asyncio.start_unix_server(connected, self._socket)
            try:
                async with task_group() as run_workers:
                    for place in range(dispatcher.wanted):
                        run_workers.start_soon(self._keep, str(place), dispatcher)
                    await dispatcher.finished.wait()
                    run_workers.cancel_scope.deadline = anyio.current_time() + _LEAVING_S
            finally:
                server.close()
                listening.cancel_scope.cancel()

    def close(self) -> None:
        """Let all processes end: without a driver on the other end of its channel none goes on."""
        for executor in self._executors.values():
            executor.shutdown(wait=False, cancel_futures=True)

    async def _keep(self, place: str, dispatcher: Dispatcher) -> None:
        """Have a process in a place until all is done."""
        while not dispatcher.finished.is_set():
            try:
                await asyncio.wrap_future(self._submit(place))
            except BrokenExecutor:
                log.warning("process_died", place=place)
                self._executors.pop(place).shutdown(wait=False)
                self._false_starts += 1
                if self._false_starts >= _MOST_FALSE_STARTS:
                    raise BulkEsmError(
                        f"{self._false_starts} processes in a row died as they started; "
                        "is memory short? go on with fewer, or with --executor local"
                    ) from None

    def _submit(self, place: str) -> Future[None]:
        executor = self._executors.get(place)
        if executor is None:
            executor = self._executors[place] = ProcessPoolExecutor(
                1,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_begin_process,
                initargs=(shown_on_stderr(),),
            )
        # A Ctrl-C reaches the whole process group, and what it stops is for the driver to say. A process inherits
        # what is blocked, so that it never hears of it, however early.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return executor.submit(_work, self._socket, place, self._open_worker)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    async def _listen(self, dispatcher: Dispatcher, channel: _SocketChannel) -> None:
        worker_id = None
        try:
            while True:
                message = await channel.receive()
                if worker_id is not None:
                    dispatcher.received(worker_id, message)
                elif isinstance(here := read_report(message), Here):
                    worker_id = here.worker_id
                    self._false_starts = 0
                    dispatcher.came(here, channel)
        except DriverGoneError:  # the worker, seen from here
            if worker_id is not None:
                dispatcher.gone(worker_id, "its process died")
        finally:
            with anyio.CancelScope(shield=True):
                await channel.close()


@asynccontextmanager
async def open_processes(places: int, *, open_worker: Callable[[], Worker]) -> AsyncIterator[Processes]:
    """Have processes to work in, which end with the context.

    Args:
        places: how many at the most.
        open_worker: makes what does the work; travels as its name.
    """
    with _address() as address:
        processes = Processes(places, address, open_worker)
        try:
            yield processes
        finally:
            processes.close()


@contextmanager
def _address() -> Iterator[str]:
    """Where workers find the driver. On Linux a name outside of all folders: a kill leaves none behind."""
    if sys.platform == "linux":
        yield f"\0bulk-esm-{uuid4().hex}"
    else:
        with temporary_folder("executor") as folder:  # which nobody else may enter
            yield f"{folder}/channel"


def _is_of_this_user(writer: asyncio.StreamWriter) -> bool:
    """Whether the other end is a process of this user: a name outside of all folders is open to all."""
    if sys.platform != "linux":
        return True
    found = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return bool(_CREDENTIALS.unpack(found)[1] == os.geteuid())


def _work(address: str, place: str, open_worker: Callable[[], Worker]) -> None:
    """Work for the driver, in a process of the executor."""
    anyio.run(_serve, address, place, open_worker)


async def _serve(address: str, place: str, open_worker: Callable[[], Worker]) -> None:
    try:
        reader, writer = await asyncio.open_unix_connection(address)
    except OSError:
        return  # the driver gave up meanwhile
    channel = _SocketChannel(reader, writer)
    if not _is_of_this_user(writer):
        await channel.close()
        return
    try:
        await serve(channel, Here(place=place, worker_id=uuid4().hex), open_worker)
    finally:
        await channel.close()


def _begin_process(shown: StderrLog | None) -> None:
    """Log as the driver does, to the same terminal, and end with it."""
    if shown is not None:
        log_to_stderr(shown.level, as_json=shown.as_json, in_color=shown.in_color)
    _end_with_parent()


def _end_with_parent() -> None:
    """End as soon as the driver does, even killed: an executor's process that is idle would wait for ever.

    Nothing is left to be tidied up here, and every moment could be an update that nobody records.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=partial(_outlive, parent), daemon=True).start()


def _outlive(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)
