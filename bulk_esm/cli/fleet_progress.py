"""Progress of a fleet on stderr: by shard and live on a terminal, plain lines at sensible intervals elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import anyio
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bulk_esm.cli.durations import format_duration
from bulk_esm.cli.fleet_look import FleetLook, outcomes_text, pace_text, states_text, table_lines
from bulk_esm.cli.fleet_watch import Watch
from bulk_esm.cli.progress import Display
from bulk_esm.cli.streams import say
from bulk_esm.engine.task_groups import task_group
from bulk_esm.model.shard import Problem
from bulk_esm.runs.shard_progress import ShardProgress

_REFRESH_S: Final = 0.5  # shards tell of themselves once a second
_PLAIN_INTERVAL_S: Final = 10.0
_MOST_ROWS: Final = 12
_ABOVE_AND_BELOW: Final = 11  # lines beside the rows, on a narrow terminal, on which a few of them are folded
_MOST_NAMED: Final = 5
_BAR_WIDTH: Final = 60


class PlanningProgress:
    """How far the plans of a fleet's shards are."""

    def __init__(self, total: int, *, clock: Callable[[], float]) -> None:
        """Begin.

        Args:
            total: how many shards there are.
            clock: monotonic time in seconds.
        """
        self._total = total
        self._clock = clock
        self._began_at = clock()
        self._planned = self._items = self._updates = 0
        self._problems: dict[str, Problem] = {}
        self._waiting: Counter[str] = Counter()

    def planned(self, shard_name: str, items: int, updates: int, problem: Problem | None) -> None:
        """Take note of a shard's plan.

        Args:
            shard_name: the shard.
            items: how many mappings its plan has.
            updates: to how many of them something is sent.
            problem: why it has no plan, or None.
        """
        self._planned += 1
        self._items += items
        self._updates += updates
        self._waiting.pop(shard_name, None)
        if problem is not None:
            self._problems[shard_name] = problem

    def waiting(self, shard_name: str, count: int) -> None:
        """Take note that a shard's plan waits for mappings in transition.

        Args:
            shard_name: the shard.
            count: how many mappings it waits for.
        """
        self._waiting[shard_name] = count

    def line(self) -> str:
        """How far it is, in one line."""
        found = [f"{self._planned:,}/{self._total:,} shards planned", *self._counts()]
        if self._waiting:
            found.append(f"{len(self._waiting):,} wait for {self._waiting.total():,} mappings in transition")
        return ", ".join([*found, f"{format_duration(self._clock() - self._began_at)} elapsed"])

    def picture(self, console: Console) -> RenderableType:
        """How far it is, with the shards that failed and those that still wait.

        Args:
            console: where it is shown.
        """
        failed = [f"{name}: {' '.join(problem.reason.split())}" for name, problem in self._problems.items()]
        waiting = [f"{name} waits for {n:,} mappings in transition" for name, n in self._waiting.most_common()]
        return Group(
            _title("planning", self._planned, self._total, "shards"),
            _bar(self._planned, self._total, console),
            Text(", ".join(self._counts()), "red" if failed else ""),
            Text(f"{format_duration(self._clock() - self._began_at)} elapsed", "dim"),
            *(_one_line(line, "red") for line in _few(failed)),
            *(_one_line(line) for line in _few(waiting)),
        )

    def _counts(self) -> list[str]:
        failed = [f"{len(self._problems):,} failed"] if self._problems else []
        return [f"{self._items:,} mappings found", f"{self._updates:,} to update", *failed]


def _few(lines: Sequence[str]) -> list[str]:
    more = len(lines) - _MOST_NAMED
    return [*lines[:_MOST_NAMED], f"and {more:,} more"] if more > 0 else list(lines)


@asynccontextmanager
async def fleet_progress(
    progress_by_shard: Callable[[], Sequence[ShardProgress]],
    *,
    stage: Callable[[], str] = lambda: "",
    title: str,
    clock: Callable[[], float],
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    console: Console,
) -> AsyncIterator[Display]:
    """Show how a run over many shards stands, as long as it lasts.

    Args:
        progress_by_shard: how each shard stands.
        stage: what is being done between two waves; empty during one.
        title: what is being done.
        clock: monotonic time in seconds.
        sleep: waits for so many seconds.
        console: where to show it live, if that is a terminal; nowhere if it is quiet.
    """
    watch = Watch(progress_by_shard, clock=clock)

    def picture() -> RenderableType:
        return fleet_picture(title, watch.look(), stage(), console)

    def line() -> str:
        look = watch.look()
        how = stage() or pace_text(look)
        return f"{look.done:,}/{look.total:,} done: {outcomes_text(look)}; shards: {states_text(look.shards)}; {how}"

    async with _shown(picture, line, sleep=sleep, console=console) as display:
        yield display


@asynccontextmanager
async def planning_progress(
    total: int,
    *,
    clock: Callable[[], float],
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    console: Console,
) -> AsyncIterator[PlanningProgress]:
    """Show how far the plans of a fleet are, as long as they are being made.

    Args:
        total: how many shards there are.
        clock: monotonic time in seconds.
        sleep: waits for so many seconds.
        console: where to show it live, if that is a terminal; nowhere if it is quiet.
    """
    progress = PlanningProgress(total, clock=clock)
    async with _shown(lambda: progress.picture(console), progress.line, sleep=sleep, console=console):
        yield progress


@asynccontextmanager
async def _shown(
    picture: Callable[[], RenderableType],
    line: Callable[[], str],
    *,
    sleep: Callable[[float], Awaitable[None]],
    console: Console,
) -> AsyncIterator[Display]:
    if console.quiet:
        yield Display(None)
        return

    async def report() -> None:
        while True:
            await sleep(_PLAIN_INTERVAL_S)
            say(line())

    async def refresh(live: Live) -> None:
        while True:
            live.update(picture())
            await sleep(_REFRESH_S)

    async with task_group() as tasks:
        if console.is_terminal:
            with Live(
                console=console, refresh_per_second=1 / _REFRESH_S, transient=True, redirect_stdout=False
            ) as live:
                tasks.start_soon(refresh, live)
                yield Display(live)
                tasks.cancel_scope.cancel()
        else:
            tasks.start_soon(report)
            yield Display(None)
            tasks.cancel_scope.cancel()


def fleet_picture(title: str, look: FleetLook, stage: str, console: Console) -> RenderableType:
    """What is on the screen; it fits there.

    Args:
        title: what is being done.
        look: how the fleet stands.
        stage: what is being done between two waves; empty during one.
        console: where it is shown.
    """
    rows = max(0, min(_MOST_ROWS, console.height - _ABOVE_AND_BELOW))
    return Group(
        _title(title, look.done, look.total),
        _bar(look.done, look.total, console),
        Text(outcomes_text(look), "red" if look.is_in_trouble else ""),
        _one_line(f"{len(look.shards):,} shards: {states_text(look.shards)}"),
        Text(stage or pace_text(look), "bold" if stage else "dim"),
        *(_one_line(line, "red" if is_bad else "") for line, is_bad in table_lines(look.shards, rows)),
    )


def _title(title: str, done: int, total: int, of: str = "") -> Text:
    text = Text.assemble((title, "bold"), f"  {done:,} of {total:,} {of}".rstrip())
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _bar(done: int, total: int, console: Console) -> Table:
    bar = Table.grid()  # a bar by itself does not end its line
    bar.add_row(ProgressBar(total=max(1, total), completed=done, width=min(_BAR_WIDTH, console.width)))
    return bar


def _one_line(text: str, style: str = "") -> Text:
    return Text(text, style, no_wrap=True, overflow="ellipsis")
