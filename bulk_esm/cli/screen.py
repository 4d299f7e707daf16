"""The one way by which rich reaches a terminal: text from outside cannot command it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from bulk_esm.cli.streams import in_color, speaks_json
from bulk_esm.escaping import escaped


class Screen(Console):
    """A console that shows control characters as they are written in JSON. Rich itself lets most of them pass."""

    def __init__(self, **settings: Any) -> None:
        """Make one without rich's own ideas of what text may mean.

        Args:
            settings: rich's.
        """
        stream = sys.stderr if settings.get("stderr") else sys.stdout
        if speaks_json() and stream is sys.stderr:
            settings["force_terminal"] = False  # a live display is no line of JSON
        is_terminal = settings.get("force_terminal", stream.isatty())
        color_system = ("auto" if is_terminal else "standard") if in_color(stream) else None
        settings = {"color_system": color_system, "no_color": False, **settings}
        super().__init__(highlight=False, markup=False, emoji=False, **settings)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render; rich calls this for all that it shows, part by part."""
        return super().render(_harmless(renderable), options)


def _harmless(renderable: RenderableType) -> RenderableType:
    if isinstance(renderable, str):
        return escaped(renderable)
    if isinstance(renderable, Text) and (plain := escaped(renderable.plain)) != renderable.plain:
        # Styles of parts are lost, as the parts are not where they were.
        return Text(plain, renderable.style, no_wrap=renderable.no_wrap, overflow=renderable.overflow)
    return renderable
