"""Draws what a terminal shows of a real run, against the simulator: `scripts/picture`."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import sys
import tempfile
import threading
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import pyte
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from bulk_esm.simulator import Simulator

COMMAND: Final = ("bulk-esm", "pause", "--function", "billing-*", "--output", "csv")
SHOWN: Final = "bulk-esm pause --function 'billing-*'"
SPEED: Final = 10
COLUMNS: Final = 120
LINES: Final = 40
COLORS: Final = "495057 ff6b6b 69db7c ffd43b 74c0fc e599f7 66d9e8 ced4da"  # black, red, green, yellow, blue ...
THEME: Final = TerminalTheme(
    (24, 26, 31),
    (222, 226, 230),
    [tuple(bytes.fromhex(color)) for color in COLORS.split()],  # type: ignore[misc]
)
NAMES: Final = {"brown": "yellow", "brightblack": "bright_black"}


def main() -> None:
    """Draw it."""
    halfway, end = asyncio.run(played())
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w", encoding="utf-8"), force_terminal=True)  # noqa: SIM115, PTH123 - for as long as this lives
    console.print(Text.assemble(("$ ", "bold green"), (SHOWN, "bold")))
    for line in (*halfway, Text(""), *end):
        console.print(line, no_wrap=True, overflow="crop")
    svg = console.export_svg(title="bulk_esm", theme=THEME)
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # which would be fetched from elsewhere
    svg = re.sub(r"terminal-\d+", "terminal", svg).replace(
        "Fira Code, monospace", "ui-monospace, Menlo, Consolas, monospace"
    )
    Path(sys.argv[1]).write_text(svg, encoding="utf-8")


async def played() -> tuple[list[Text], list[Text]]:
    """What the terminal shows while it sends, and at its end."""
    async with Simulator(mappings=2000, speed=SPEED, region="eu-west-1") as simulator:
        variables = {"BULK_ESM_RATE": f"{12 * SPEED}", "TERM": "xterm-256color"}
        return await asyncio.to_thread(terminal, {**os.environ, **simulator.environment, **variables})


def terminal(environment: dict[str, str]) -> tuple[list[Text], list[Text]]:
    """Run the command at a terminal, say yes, and keep two of its screens."""
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    halfway: list[Text] = []
    with tempfile.TemporaryDirectory() as folder:
        process, ours = pty.fork()
        if process == 0:
            os.chdir(folder)
            os.environ |= environment | {"COLUMNS": str(COLUMNS), "LINES": str(LINES)}
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the results, which are for a program
            os.execvpe(COMMAND[0], COMMAND, os.environ)  # noqa: S606 - our own command
        asked = threading.Event()
        while True:
            try:
                stream.feed(os.read(ours, 65536))
            except OSError:  # how Linux says that the other end was closed
                break
            if "[y/N]" in "".join(screen.display) and not asked.is_set():
                asked.set()
                os.write(ours, b"y\n")
            elif not halfway and (part := re.search(r"(\d+) of (\d+)  ", "".join(screen.display))):
                halfway = texts(screen) if int(part[1]) > int(part[2]) / 2 else []
        os.waitpid(process, 0)
    end = texts(screen)
    first = next(number for number, line in enumerate(end) if "finished in" in line.plain)
    return halfway, end[first:]


def texts(screen: pyte.Screen) -> list[Text]:
    """The screen as rich has it, without empty lines at its end."""
    lines = []
    for number in range(screen.lines):
        row = screen.buffer[number]
        text = Text()
        for style, cells in groupby((row[column] for column in range(screen.columns)), style_of):
            text.append("".join(cell.data for cell in cells), style)
        text.rstrip()
        lines.append(text)
    while lines and not lines[-1].plain:
        lines.pop()
    return lines


def style_of(character: Any) -> Style:
    """Its colors."""
    color = None if character.fg == "default" else NAMES.get(character.fg, character.fg)
    if color is not None and re.fullmatch(r"[0-9a-f]{6}", color):
        color = f"#{color}"
    return Style(color=color, bold=character.bold)


if __name__ == "__main__":
    main()
