"""A worker's end of the channel to its driver: does what it is told, and tells what happens as it happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

import anyio
import msgspec

from bulk_esm.engine.budget import BudgetShare
from bulk_esm.engine.task_groups import task_group
from bulk_esm.executors.messages import Do, Ended, Halt, Held, Here, Hold, Leave, Share, Told, read_order, write
from bulk_esm.executors.tasks import Assignment, Event
from bulk_esm.executors.worker import Worker

_TELL_AFTER_S: Final = 0.1  # so long events wait for company: a message for each would cost more than its content


class DriverGoneError(Exception):
    """The driver is no longer there, so that nobody would record what is done here."""


class DriverChannel(Protocol):
    """A worker's way to its driver. Messages arrive whole, once and in order."""

    async def send(self, message: bytes) -> None:
        """Send a message.

        Raises:
            DriverGoneError: nobody takes it.
        """

    async def receive(self) -> bytes:
        """Wait for a message.

        Raises:
            DriverGoneError: none will come.
        """


async def serve(channel: DriverChannel, here: Here, open_worker: Callable[[], Worker]) -> None:
    """Work for a driver until it says to leave, or is gone: then everything here ends at once, where it stands."""
    try:
        async with open_worker() as worker:
            await _RemoteWorker(channel, worker).work(here)
    except DriverGoneError:
        return


class _RemoteWorker:
    def __init__(self, channel: DriverChannel, worker: Worker) -> None:
        self._channel = channel
        self._worker = worker
        self._events: list[Event] = []
        self._has_news = anyio.Event()
        self._telling = anyio.Lock()  # what a shard told leaves before its end does
        self._share: BudgetShare | None = None
        self._told_held: Held | None = None
        self._place = ""

    async def work(self, here: Here) -> None:
        self._place = here.place
        async with task_group() as tasks:
            await self._channel.send(write(here))
            tasks.start_soon(self._tell_on)
            while True:
                match read_order(await self._channel.receive()):
                    case Do(assignment):
                        tasks.start_soon(self._do, assignment)
                    case Halt(stop, hurry, None):
                        self._worker.stop(stop, hurry=hurry)
                    case Halt(stop, _, str(shard)):
                        self._worker.stop_shard(shard, stop)
                    case Hold(is_held):
                        self._worker.hold(is_held=is_held)
                    case Share() as share:
                        self._take(share)
                    case Leave():
                        break
            tasks.cancel_scope.cancel()

    async def _do(self, assignment: Assignment) -> None:
        end = await self._worker.do(assignment, self._heard)
        if end.problem is not None and end.problem.is_access and "://" in self._place:
            # Each machine has credentials of its own: say where to look for the fault.
            reason = f"{end.problem.reason} (on the worker {self._place})"
            end = msgspec.structs.replace(end, problem=msgspec.structs.replace(end.problem, reason=reason))
        await self._tell()
        await self._channel.send(write(Ended(end)))

    def _heard(self, event: Event) -> None:
        self._events.append(event)
        self._has_news.set()

    def _share_changed(self) -> None:
        if self._held() != self._told_held:
            self._has_news.set()

    def _held(self) -> Held | None:
        share = self._share
        if share is None:
            return None
        return Held(share.number, share.granted, share.failures, share.is_wanted)

    async def _tell_on(self) -> None:
        while True:
            await self._has_news.wait()
            await anyio.sleep(_TELL_AFTER_S)
            await self._tell()

    async def _tell(self) -> None:
        async with self._telling:
            held = self._held()
            if self._events or held != self._told_held:
                events, self._events, self._told_held = tuple(self._events), [], held
                self._has_news = anyio.Event()
                await self._channel.send(write(Told(events, held)))

    def _take(self, share: Share) -> None:
        if self._share is None:
            self._share = self._worker.budget = BudgetShare(self._share_changed)
        self._share.grant(share.granted, number=share.number)
