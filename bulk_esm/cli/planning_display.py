"""How far the plans of many shards are, on stderr."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import anyio
from rich.console import Console, Group, RenderableType
from rich.text import Text

from bulk_esm.cli.durations import format_duration
from bulk_esm.cli.live import bar, one_line, shown, title_line
from bulk_esm.model.shard import Problem

_MOST_NAMED: Final = 5


class PlanningProgress:
    """How far the plans of a fleet's shards are."""

    def __init__(self, total: int, *, clock: Callable[[], float]) -> None:
        """Begin."""
        self._total = total
        self._clock = clock
        self._began_at = clock()
        self._planned = self._items = self._updates = 0
        self._problems: dict[str, Problem] = {}
        self._waiting: Counter[str] = Counter()

    def planned(self, shard_name: str, items: int, updates: int, problem: Problem | None) -> None:
        """Take note of a shard's plan."""
        self._planned += 1
        self._items += items
        self._updates += updates
        self._waiting.pop(shard_name, None)
        if problem is not None:
            self._problems[shard_name] = problem

    def waiting(self, shard_name: str, count: int) -> None:
        """Take note that a shard's plan waits for mappings in transition."""
        self._waiting[shard_name] = count

    def line(self) -> str:
        """How far it is, in one line."""
        found = [f"{self._planned:,}/{self._total:,} shards planned", *self._counts()]
        if self._waiting:
            found.append(f"{len(self._waiting):,} wait for {self._waiting.total():,} mappings in transition")
        return ", ".join([*found, f"{format_duration(self._clock() - self._began_at)} elapsed"])

    def picture(self, console: Console) -> RenderableType:
        """How far it is, with the shards that failed and those that still wait."""
        failed = [f"{name}: {' '.join(problem.reason.split())}" for name, problem in self._problems.items()]
        waiting = [f"{name} waits for {n:,} mappings in transition" for name, n in self._waiting.most_common()]
        return Group(
            title_line("planning", self._planned, self._total, "shards"),
            bar(self._planned, self._total, console),
            Text(", ".join(self._counts()), "red" if failed else ""),
            Text(f"{format_duration(self._clock() - self._began_at)} elapsed", "dim"),
            *(one_line(line, "red") for line in _few(failed)),
            *(one_line(line) for line in _few(waiting)),
        )

    def _counts(self) -> list[str]:
        failed = [f"{len(self._problems):,} failed"] if self._problems else []
        return [f"{self._items:,} mappings found", f"{self._updates:,} to update", *failed]


def _few(lines: Sequence[str]) -> list[str]:
    more = len(lines) - _MOST_NAMED
    return [*lines[:_MOST_NAMED], f"and {more:,} more"] if more > 0 else list(lines)


@asynccontextmanager
async def planning_progress(
    total: int,
    *,
    clock: Callable[[], float],
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    console: Console,
) -> AsyncIterator[PlanningProgress]:
    """Show how far the plans of a fleet are, as long as they are being made."""
    progress = PlanningProgress(total, clock=clock)
    async with shown(lambda: progress.picture(console), progress.line, sleep=sleep, console=console):
        yield progress
