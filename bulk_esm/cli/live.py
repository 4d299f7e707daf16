"""What is shown on stderr as long as something lasts: live on a terminal, plain lines at intervals elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bulk_esm.cli.streams import say
from bulk_esm.engine.task_groups import task_group
from bulk_esm.model.events import RunEvent, WaveBegan

_REFRESH_S: Final = 0.25
_PLAIN_INTERVAL_S: Final = 10.0
_BAR_WIDTH: Final = 60


class Display:
    """What is on the screen, which makes way for a question. It observes the run that it shows.

    Attributes:
        wave: the wave that is under way, where there are several.
    """

    def __init__(self) -> None:
        """Show nothing yet."""
        self.wave: WaveBegan | None = None
        self.live: Live | None = None

    def __call__(self, event: RunEvent, /) -> None:
        """Take note of what happens in the run; see `Observer`."""
        if isinstance(event, WaveBegan) and event.waves > 1:
            self.wave = event

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Show nothing meanwhile."""
        if self.live is None:
            yield
            return
        self.live.stop()
        try:
            yield
        finally:
            self.live.start(refresh=True)


@asynccontextmanager
async def shown(
    picture: Callable[[], RenderableType],
    line: Callable[[], str],
    *,
    sleep: Callable[[float], Awaitable[None]],
    console: Console,
    display: Display | None = None,
) -> AsyncIterator[Display]:
    """Show something, as long as the context lasts."""
    display = display or Display()
    if console.quiet:
        yield display
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
                display.live = live
                tasks.start_soon(refresh, live)
                yield display
                tasks.cancel_scope.cancel()
        else:
            tasks.start_soon(report)
            yield display
            tasks.cancel_scope.cancel()


def title_line(title: str, done: int, total: int, of: str = "") -> Text:
    """A heading: what, and how much of it is done."""
    text = Text.assemble((title, "bold"), f"  {done:,} of {total:,} {of}".rstrip())
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def bar(done: int, total: int, console: Console) -> Table:
    """How much is done, as a bar."""
    line = Table.grid()  # a bar by itself does not end its line
    line.add_row(ProgressBar(total=max(1, total), completed=done, width=min(_BAR_WIDTH, console.width)))
    return line


def one_line(text: str, style: str = "") -> Text:
    """A line that is cut off where the screen ends."""
    return Text(text, style, no_wrap=True, overflow="ellipsis")
