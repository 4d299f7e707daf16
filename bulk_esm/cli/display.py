"""How a run stands, on stderr: by shard where there are several."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import anyio
from rich.console import Console, Group, RenderableType
from rich.text import Text

from bulk_esm.cli.durations import format_duration
from bulk_esm.cli.live import Display, bar, one_line, shown, title_line
from bulk_esm.cli.look import (
    RunLook,
    home_pace_text,
    outcomes_text,
    pace_text,
    states_text,
    stopping_text,
    table_lines,
)
from bulk_esm.cli.watch import Watch
from bulk_esm.runs.run import Run

_MOST_ROWS: Final = 12
_ABOVE_AND_BELOW: Final = 11  # lines beside the rows, on a narrow terminal, on which a few of them are folded


@asynccontextmanager
async def run_progress(
    run: Run,
    *,
    clock: Callable[[], float],
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    console: Console,
    display: Display | None = None,
) -> AsyncIterator[Display]:
    """Show how a run stands, as long as it lasts."""
    watch = Watch(lambda: run.progress, clock=clock)
    display = display or Display()
    by_shard = run.files.has_shards

    def stage(look: RunLook) -> str:
        if display.stops_at is not None:
            return stopping_text(look, display.stops_at - clock())
        return f"{run.stage}, {format_duration(run.stage_left_s)} left" if run.stage_left_s else run.stage

    def picture() -> RenderableType:
        look = watch.look()
        return run_picture(_title(run, display), look, stage(look), console, by_shard=by_shard)

    def line() -> str:
        look = watch.look()
        return run_line(look, stage(look), by_shard=by_shard)

    async with shown(picture, line, sleep=sleep, console=console, display=display):
        yield display


def _title(run: Run, display: Display) -> str:
    wave = f", wave {display.wave.wave} of {display.wave.waves}" if display.wave else ""
    return f"{run.record.command} {run.record.run_id}{wave}"


def run_line(look: RunLook, stage: str, *, by_shard: bool) -> str:
    """How a run stands, where there is no terminal."""
    of_shards = f"; shards: {states_text(look.shards)}" if by_shard else ""
    how = stage or (pace_text(look) if by_shard else home_pace_text(look))
    return f"{look.done:,}/{look.total:,} done: {outcomes_text(look)}{of_shards}; {how}"


def run_picture(title: str, look: RunLook, stage: str, console: Console, *, by_shard: bool) -> RenderableType:
    """What is on the screen; it fits there."""
    top = (
        title_line(title, look.done, look.total),
        bar(look.done, look.total, console, sent=look.settling),
        Text(outcomes_text(look), "red" if look.is_in_trouble else ""),
    )
    style = "bold" if stage else "dim"
    if not by_shard:
        return Group(*top, Text(stage or home_pace_text(look), style))
    rows = max(0, min(_MOST_ROWS, console.height - _ABOVE_AND_BELOW))
    return Group(
        *top,
        one_line(f"{len(look.shards):,} shards: {states_text(look.shards)}"),
        Text(stage or pace_text(look), style),
        *(one_line(line, "red" if is_bad else "") for line, is_bad in table_lines(look.shards, rows)),
    )
