"""Heeds what others ask of a run while it is at work, and tells them how it stands."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import anyio
import msgspec

from bulk_esm.engine.task_groups import task_group
from bulk_esm.errors import BulkEsmError
from bulk_esm.logs import get_logger
from bulk_esm.model.control import NOTHING_ASKED, Control, ControlStatus, control_of, counting
from bulk_esm.model.events import ControlHeard
from bulk_esm.observers.observer import Observer
from bulk_esm.store.asked import AskedPlace

log: Final = get_logger("run")

_LAST_WORD_S: Final = 5.0


class RemoteControl:
    """One invocation's ear for what is asked of it.

    Attributes:
        control: what all of it comes to.
    """

    def __init__(self, place: AskedPlace, *, invocation: int) -> None:
        """Begin; nothing was read yet.

        Args:
            place: where it is asked.
            invocation: the number of the command that carries the run out, from 1.
        """
        self.control: Control = NOTHING_ASKED
        self._place = place
        self._invocation = invocation
        self._heard: frozenset[str] = frozenset()
        self._earlier: frozenset[str] | None = None  # what the commands before have heeded; not known before a look
        self._told = ControlStatus(invocation=invocation)  # of which nothing need be written
        self._is_deaf = self._is_mute = False

    @asynccontextmanager
    async def heeded(
        self, heed: Callable[[], None], standing: Callable[[ControlStatus], ControlStatus], tell: Observer
    ) -> AsyncIterator[None]:
        """Look at once, and every few seconds as long as the context lasts.

        Args:
            heed: called after each look.
            standing: adds to a status what only the run knows.
            tell: told what is heard.
        """

        async def look() -> None:
            await self._look(tell)
            heed()
            await self._tell(standing)

        async def follow() -> None:
            while True:
                # By the machine's own time: it is for other processes, whatever clock this run goes by.
                await anyio.sleep(self._place.every_s)
                await look()

        await look()
        try:
            async with task_group() as tasks:
                tasks.start_soon(follow)
                yield
                tasks.cancel_scope.cancel()
        finally:
            with anyio.move_on_after(_LAST_WORD_S):  # to whoever asked for what has ended it
                await self._tell(standing)

    async def _look(self, tell: Observer) -> None:
        try:
            if self._earlier is None:
                status = await self._place.status()
                self._earlier = frozenset() if status is None else status.heard
            found = await self._place.read()
        except BulkEsmError as error:
            if not self._is_deaf:  # told once, and not at each look
                log.warning("requests_not_read", error=str(error))
            self._is_deaf = True
            return
        self._is_deaf = False
        requests = counting(found, heard=self._earlier, invocation=self._invocation)
        new = sorted(requests.keys() - self._heard)
        self._heard = frozenset(requests)
        self.control = control_of(requests, invocation=self._invocation)
        for request in (requests[name] for name in new):
            if request.invocation == self._invocation or request is self.control.held:
                tell(ControlHeard(request))

    async def _tell(self, standing: Callable[[ControlStatus], ControlStatus]) -> None:
        """Write down how the run stands, where that is news."""
        held, stopped = self.control.held, self.control.stopped
        status = ControlStatus(invocation=self._invocation, heard=self._heard, held=held, stopped=stopped)
        status = standing(status)
        if _news(status) == _news(self._told):
            return
        try:
            await self._place.tell(status)
        except BulkEsmError as error:
            if not self._is_mute:
                log.warning("status_not_written", error=str(error))
            self._is_mute = True
            return
        self._told, self._is_mute = status, False


def _news(status: ControlStatus) -> ControlStatus:
    """What of a status is worth a write: counts alone are not."""
    return msgspec.structs.replace(status, done=0, under_way=0, total=0)
