"""What a command reads before it has anything to show, on stderr, once that takes more than a moment."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import anyio
from rich.console import Console
from rich.text import Text

from bulk_esm.bulk import BulkEsm
from bulk_esm.cli.live import Display, one_line, shown
from bulk_esm.cli.screen import Screen
from bulk_esm.engine.task_groups import task_group
from bulk_esm.model.census import PAGE_SIZE

_AFTER_S: Final = 1.0


class Looking:
    """How far a reading is.

    Attributes:
        shards: how many shards have been read.
        display: what is on the screen, which makes way for results.
    """

    def __init__(self, bulk: BulkEsm, *, mappings: int = 0) -> None:
        """Begin.

        Args:
            bulk: the shards that are read.
            mappings: how many mappings there are at the least, where an earlier run has told.
        """
        self.shards = 0
        self.display = Display()
        self._of = len(bulk.shards) if bulk.fleet.is_named else 0
        self._home = bulk.home.control_plane
        self._pages_at_least = math.ceil(mappings / PAGE_SIZE)
        self._before = dict(self._home.requests)

    def line(self) -> str:
        """How far it is, such as `looking: 12 of 31 pages`."""
        if self._of:
            return f"looking: {self.shards:,} of {self._of:,} shards"
        pages, gets = self._answered("list"), self._answered("get")
        of = f" of {self._pages_at_least:,}" if self._pages_at_least >= pages else ""
        by_get = f", {gets:,} mappings by Get" if gets else ""
        return f"looking: {pages:,}{of} page{'' if pages == 1 and not of else 's'}{by_get}"

    def _answered(self, kind: str) -> int:
        return self._home.requests[kind, "ok"] - self._before.get((kind, "ok"), 0)


@asynccontextmanager
async def looking(
    bulk: BulkEsm,
    *,
    quiet: bool,
    mappings: int = 0,
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    console: Console | None = None,
) -> AsyncIterator[Looking]:
    """Show how far a reading is, as long as the context lasts, but not of one that is over at once.

    Args:
        bulk: the shards that are read.
        quiet: whether to show nothing.
        mappings: see `Looking`.
        sleep: waits for so many seconds.
        console: where to; stderr if left out.
    """
    console = console or Screen(stderr=True, quiet=quiet)
    found = Looking(bulk, mappings=mappings)

    async def show() -> None:
        await sleep(_AFTER_S)
        async with shown(lambda: picture(found), found.line, sleep=sleep, console=console, display=found.display):
            await anyio.sleep_forever()

    async with task_group() as tasks:
        tasks.start_soon(show)
        yield found
        tasks.cancel_scope.cancel()


def picture(found: Looking) -> Text:
    """How far it is, on a terminal."""
    return one_line(found.line(), "dim")
