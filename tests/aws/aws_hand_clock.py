"""Clocks that tests tick by hand."""

import asyncio
import heapq
from collections.abc import Callable
from datetime import UTC, datetime

import anyio
import anyio.lowlevel

from bulk_esm.clock import Clock


class HandClock:
    """Time stands still until a test ticks it; what sleeps wakes at its hour, one sleeper at a time."""

    def __init__(self) -> None:
        self.time = 0.0
        self._sleepers: list[tuple[float, int, anyio.Event]] = []
        self._slept = 0

    @property
    def clock(self) -> Clock:
        return Clock(monotonic=lambda: self.time, now=lambda: datetime(2026, 1, 1, tzinfo=UTC), sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self._slept += 1
        woken = anyio.Event()
        heapq.heappush(self._sleepers, (self.time + seconds, self._slept, woken))
        await woken.wait()

    async def tick(self, seconds: float, *, at_waking: Callable[[], None] = lambda: None) -> None:
        """Let time pass, and everything happen that happens meanwhile.

        Args:
            at_waking: what happens after a sleeper was woken and before he is up.
        """
        until = self.time + seconds
        await all_blocked()
        while self._sleepers and self._sleepers[0][0] <= until:
            self.time, _, woken = heapq.heappop(self._sleepers)
            woken.set()
            at_waking()
            await all_blocked()
        self.time = until


class HastyClock:
    """Whoever sleeps has slept at once, and a little too long if he oversleeps."""

    def __init__(self, *, oversleeps_s: float = 0.0) -> None:
        self.time = 0.0
        self.sleeps: list[float] = []
        self._oversleeps_s = oversleeps_s

    @property
    def clock(self) -> Clock:
        return Clock(monotonic=lambda: self.time, now=lambda: datetime(2026, 1, 1, tzinfo=UTC), sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.time += seconds + self._oversleeps_s
        await anyio.lowlevel.checkpoint()


async def all_blocked() -> None:
    """Like anyio's `wait_all_tasks_blocked`, which looks only every tenth of a real second."""
    me = asyncio.current_task()
    while True:
        await anyio.lowlevel.checkpoint()
        if all(task is me or _is_blocked(task) for task in asyncio.all_tasks()):
            return


def _is_blocked(task: asyncio.Task[object]) -> bool:
    waited_for = getattr(task, "_fut_waiter", None)
    return waited_for is not None and not waited_for.done()
