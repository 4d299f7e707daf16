"""Progress on stderr: a live display on a terminal, plain lines at sensible intervals elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import anyio
import msgspec
from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bulk_esm.aws.pacing import PacerStatistics
from bulk_esm.cli.durations import format_duration
from bulk_esm.cli.streams import say
from bulk_esm.engine.settings import EngineStatistics
from bulk_esm.model.result import TROUBLE, Outcome

_REFRESH_S: Final = 0.25
_PLAIN_INTERVAL_S: Final = 10.0


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How a run stands at one moment: all that a display shows.

    Attributes:
        engine: the engine's statistics.
        pacer: the pacer's statistics.
        rate: requests/s over the last moments.
        elapsed_s: since the run started, in seconds.
    """

    engine: EngineStatistics
    pacer: PacerStatistics
    rate: float
    elapsed_s: float

    @property
    def done(self) -> int:
        """Updates that have ended."""
        not_sent = sum(self.engine.outcomes.get(o, 0) for o in (Outcome.UNCHANGED, Outcome.BLOCKED))
        return max(0, sum(self.engine.outcomes.values()) - not_sent)

    @property
    def eta_s(self) -> float:
        """The time that is left, in seconds, from the quota: what is still to be sent, and what came of the rest."""
        waiting = max(0, self.engine.total - self.done - self.engine.settling)
        spent = self.pacer.granted / max(1, self.done + self.engine.settling)
        return waiting * max(1.0, spent) / self.pacer.rate


def counts_text(standing: Standing) -> str:
    """Counts by outcome and what is in flight, in one line."""
    shown = [f"{count:,} {outcome}" for outcome, count in standing.engine.outcomes.items() if count]
    return ", ".join([*shown, f"{standing.engine.sending:,} sending", f"{standing.engine.settling:,} settling"])


def rate_text(standing: Standing) -> str:
    """Rate against limit, throttles, elapsed and time left, in one line."""
    pacer = standing.pacer
    limit = f"{pacer.max_per_second:g}" if pacer.rate >= pacer.max_per_second else f"{pacer.rate:.1f} (slowed down)"
    left = f"about {format_duration(standing.eta_s)} left" if standing.eta_s else "waiting for the last to settle"
    return (
        f"{standing.rate:.1f} of {limit} requests/s, {pacer.throttles:,} throttles, "
        f"{format_duration(standing.elapsed_s)} elapsed, {left}"
    )


class Display:
    """What is on the screen, which makes way for a question."""

    def __init__(self, live: Live | None) -> None:
        self._live = live

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Show nothing meanwhile."""
        if self._live is None:
            yield
            return
        self._live.stop()
        try:
            yield
        finally:
            self._live.start(refresh=True)


@asynccontextmanager
async def progress(
    statistics: Callable[[], tuple[EngineStatistics, PacerStatistics]],
    *,
    stage: Callable[[], str] = lambda: "",
    title: str,
    clock: Callable[[], float],
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    console: Console,
) -> AsyncIterator[Display]:
    """Show how a run stands, as long as it lasts.

    Args:
        statistics: a look at the engine and the pacer.
        stage: what is being done between two waves; empty during one.
        title: what is being done.
        clock: monotonic time in seconds.
        sleep: waits for so many seconds.
        console: where to show it live, if that is a terminal; nowhere if it is quiet.
    """
    started_at = clock()
    last: list[tuple[float, int]] = []

    def look() -> Standing:
        engine, pacer = statistics()
        last.append((clock(), pacer.granted))
        del last[:-20]
        (then, before), (now, granted) = last[0], last[-1]
        rate = (granted - before) / (now - then) if now > then else 0.0
        return Standing(engine=engine, pacer=pacer, rate=rate, elapsed_s=clock() - started_at)

    if console.quiet:
        yield Display(None)
        return
    async with anyio.create_task_group() as tasks:
        if console.is_terminal:
            with Live(
                console=console, refresh_per_second=1 / _REFRESH_S, transient=True, redirect_stdout=False
            ) as live:

                async def refresh() -> None:
                    while True:
                        live.update(_picture(title, look(), stage()))
                        await sleep(_REFRESH_S)

                tasks.start_soon(refresh)
                yield Display(live)
                tasks.cancel_scope.cancel()
        else:

            async def report() -> None:
                while True:
                    await sleep(_PLAIN_INTERVAL_S)
                    standing = look()
                    total = standing.engine.total
                    how = stage() or rate_text(standing)
                    say(f"{standing.done:,}/{total:,} done: {counts_text(standing)}; {how}")

            look()
            tasks.start_soon(report)
            yield Display(None)
            tasks.cancel_scope.cancel()


def _picture(title: str, standing: Standing, stage: str) -> Table:
    trouble = any(standing.engine.outcomes.get(outcome) for outcome in TROUBLE)
    picture = Table.grid()
    picture.add_row(Text.assemble((title, "bold"), f"  {standing.done:,} of {standing.engine.total:,}"))
    picture.add_row(ProgressBar(total=max(1, standing.engine.total), completed=standing.done, width=60))
    picture.add_row(Text(counts_text(standing), style="red" if trouble else ""))
    picture.add_row(Text(stage or rate_text(standing), "bold" if stage else "dim"))
    return picture
