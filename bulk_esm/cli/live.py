"""What is shown on stderr as long as something lasts: live on a terminal, plain lines at intervals elsewhere."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import msgspec
from rich.console import Console, ConsoleRenderable, RenderableType
from rich.live import Live
from rich.text import Text

from bulk_esm.cli.streams import say
from bulk_esm.engine.task_groups import task_group
from bulk_esm.escaping import shortened
from bulk_esm.model.events import GateAnswered, RunEvent, WaveBegan

_REFRESH_S: Final = 0.25
_PLAIN_INTERVAL_S: Final = 10.0
_BAR_WIDTH: Final = 60
_NAME: Final = 60  # characters of a gate's, which may be a long command


class Display:
    """What is on the screen, which makes way for a question. It observes the run that it shows.

    Attributes:
        wave: the wave that is under way, where there are several.
        stops_at: when what was accepted is no longer waited for, on the clock; None as long as nobody stops it.
    """

    def __init__(self) -> None:
        """Show nothing yet."""
        self.wave: WaveBegan | None = None
        self.stops_at: float | None = None
        self.live: Live | None = None
        self._answers: dict[str, GateAnswered] = {}

    def __call__(self, event: RunEvent, /) -> None:
        """Take note of what happens in the run; see `Observer`."""
        if isinstance(event, WaveBegan) and event.waves > 1:
            self.wave = event
        if isinstance(event, GateAnswered) and self.live is not None and self._is_news(event):
            say(answer_text(event))  # above the picture

    def _is_news(self, event: GateAnswered) -> bool:
        """Whether an answer is another than before, or for something else. Meanwhile only what is not well counts."""
        if event.stage == "during" and event.step == "go" and event.reason is None:
            self._answers.pop(event.gate, None)
            return False
        if event.step == "wait":  # until when it is asked again changes each time, and is in the picture
            event = msgspec.structs.replace(event, reason=None)
        before, self._answers[event.gate] = self._answers.get(event.gate), event
        return event != before

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


class Picture(Live):
    """What is drawn again and again in the same place, also in a terminal that changes its size.

    One that becomes narrower folds what is on it, so that it takes more lines than were drawn: all are taken back.
    """

    def __init__(self, console: Console) -> None:
        """Prepare."""
        super().__init__(console=console, auto_refresh=False, transient=True, redirect_stdout=False)
        self._drawn: list[int] = []  # how wide each line on the screen was

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Take back what is on the screen, and draw; see `Live`."""
        width = self.console.width
        if any(wide > width for wide in self._drawn):
            self._take_for_drawn(sum(max(1, math.ceil(wide / width)) for wide in self._drawn))
        lines = self.console.render_lines(self._live_render.renderable, pad=False)
        self._drawn = [sum(segment.cell_length for segment in line) for line in lines]
        return super().process_renderables(renderables)

    def stop(self) -> None:
        """Take it off the screen, and know that it is: what is told meanwhile is not to be taken back."""
        super().stop()
        self._take_for_drawn(0)
        self._drawn = []

    def _take_for_drawn(self, height: int) -> None:
        # rich has no other way to say it
        self._live_render._shape = (self.console.width, height) if height else None  # noqa: SLF001


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
            live.update(picture(), refresh=live.is_started)  # not while it is hidden
            await sleep(_REFRESH_S)

    async with task_group() as tasks:
        if console.is_terminal:
            with Picture(console) as live:
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


def bar(done: int, total: int, console: Console, *, sent: int = 0) -> Text:
    """How much is done, and of the rest how much is on its way, as a bar in two tones."""
    width = min(_BAR_WIDTH, console.width)
    ends = [_cells(count, total, width) for count in (done, min(total, done + sent))]
    full, half, none = ("#", "=", "-") if console.options.ascii_only else ("█", "▒", "░")
    parts = ((full, ends[0], "green"), (half, ends[1] - ends[0], "green"), (none, width - ends[1], "dim"))
    return Text.assemble(*((sign * cells, style) for sign, cells, style in parts), no_wrap=True)


def _cells(count: int, total: int, width: int) -> int:
    """How many cells of a bar stand for so many: one for the first of them, and all only for all."""
    if count >= max(1, total):
        return width
    return min(width - 1, max(1, count * width // total)) if count > 0 else 0


def answer_text(event: GateAnswered) -> str:
    """A gate's answer in words."""
    when = {"before": "before the first update", "during": f"in wave {event.wave}", "bake": "in the bake"}
    what = {"go": "goes on", "wait": "is asked again"}.get(event.step, "halts")
    said = shortened(event.gate, _NAME) + ": " + ("well" if event.reason is None else event.reason)
    return f"{when.get(event.stage, f'after wave {event.wave}')}: {said}" + (f"; {what}" if event.reason else "")


def one_line(text: str, style: str = "") -> Text:
    """A line that is cut off where the screen ends."""
    return Text(text, style, no_wrap=True, overflow="ellipsis")
