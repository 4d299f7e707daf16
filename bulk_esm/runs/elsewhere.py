"""Brings a run to where it outlives this machine, before anything is sent and at its end, and is in nobody's way."""

from __future__ import annotations

import asyncio
from typing import Final

import anyio

from bulk_esm.errors import InterruptedRunError, RunFolderError
from bulk_esm.store.replica import Replica

# ECS and Kubernetes kill 30 s after they asked, and the default grace takes 25 of them.
_LEAVING_S: Final = 2.0


class Elsewhere:
    """A run's files elsewhere, as far as there are any.

    Attributes:
        has_begun: whether the run is there as it must be before anything is sent.
        failure: why it is not there as it was at its end, but on this disk; None if it is.
    """

    def __init__(self, replica: Replica | None) -> None:
        """Begin."""
        self.has_begun = False
        self.failure: RunFolderError | None = None
        self._replica = replica
        self._opening = anyio.CancelScope()

    async def open(self) -> None:
        """Bring all files there.

        Raises:
            InterruptedRunError: it was stopped before they were.
            RunFolderError: they cannot be written.
            AccessError: they may not be written.
        """
        if self._replica is not None:
            with self._opening:
                await self._replica.open()
            if self._opening.cancelled_caught:
                where = self._replica.shown
                raise InterruptedRunError(f"interrupted before the plan was in {where}, so nothing was sent")
        self.has_begun = True

    def stop(self) -> None:
        """Give up opening it: nothing was sent yet."""
        self._opening.cancel()

    async def close(self) -> None:
        """Bring all files there as they are at the end; whoever cancels that is heard after seconds. See `failure`."""
        if self._replica is None:
            return
        closing = asyncio.create_task(self._replica.close())
        try:
            await asyncio.shield(closing)
        except RunFolderError as error:
            self.failure = error
        except asyncio.CancelledError:
            with anyio.CancelScope(shield=True):
                await asyncio.wait([closing], timeout=_LEAVING_S)
                closing.cancel()
                await asyncio.wait([closing])
            left = None if closing.cancelled() else closing.exception()
            self.failure = left if isinstance(left, RunFolderError) else None
            raise
