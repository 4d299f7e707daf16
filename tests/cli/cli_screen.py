"""A terminal of any size for a command, and what is on its screen: as text, after all escape sequences.

As most terminals do, it folds what is on it when it is made narrower.
"""

import contextlib
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pyte
from cli_harness import LONGEST_S, Cli

# The terminal must be the process's own for Ctrl-C, and a change of its size, to reach it.
_COMMAND = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from bulk_esm.cli import main
main()
"""


class Folding(pyte.Screen):
    """A screen that folds its lines when it becomes narrower. Those that were folded so stay as they are."""

    def resize(self, lines: int | None = None, columns: int | None = None) -> None:
        """Change the size."""
        before = [line.rstrip() for line in self.display[: self.cursor.y + 1]]
        at, width = self.cursor.x, columns or self.columns
        if width >= self.columns or not hasattr(self, "buffer"):
            super().resize(lines, columns)
            return
        parts = [[line[n : n + width] for n in range(0, max(1, len(line)), width)] for line in before]
        while len(parts[-1]) <= at // width:
            parts[-1].append("")
        row = sum(map(len, parts[:-1])) + at // width
        super().resize(lines, columns)
        folded = [part for line in parts for part in line]
        gone = max(0, row + 1 - self.lines)
        self.erase_in_display(2)
        for y, text in enumerate(folded[gone:]):
            for x, each in enumerate(text):
                self.buffer[y][x] = self.default_char._replace(data=each)
        self.cursor.y, self.cursor.x = row - gone, at % width


class Terminal:
    """A command at a terminal."""

    def __init__(self, process: "subprocess.Popen[bytes]", ours: int, columns: int, lines: int) -> None:
        self.screen = Folding(columns, lines)
        self._stream = pyte.ByteStream(self.screen)
        self._process = process
        self._ours = ours
        self.resize(columns)

    @property
    def lines(self) -> list[str]:
        """What is on the screen, without empty lines at its end."""
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip("\n").split("\n")

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def resize(self, columns: int) -> None:
        """Make it wider or narrower."""
        self.screen.resize(self.screen.lines, columns)
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", self.screen.lines, columns, 0, 0))

    def type(self, text: str) -> None:
        """Press keys; `\\x03` is Ctrl-C."""
        os.write(self._ours, text.encode())

    def wait_until(self, condition: Callable[[str], bool]) -> None:
        """Wait until something is on the screen."""
        while not condition(self.text):
            assert self._read(), f"it ended, and this is on the screen: {self.text}"

    def end(self) -> int:
        """Wait for the end of the command."""
        while self._read():
            pass
        return self._process.wait(LONGEST_S)

    def _read(self) -> bool:
        """Take in what is written next; False at the end."""
        assert select.select([self._ours], [], [], LONGEST_S)[0], f"nothing more is written: {self.text}"
        written = b""
        with contextlib.suppress(OSError):  # how Linux says that the other end was closed
            written = os.read(self._ours, 65536)
        self._stream.feed(written)
        return bool(written)


@contextmanager
def at_screen(cli: Cli, *arguments: str, columns: int, lines: int = 100) -> Iterator[Terminal]:
    """Run a command at a terminal of a size, which no variable tells."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    with subprocess.Popen(
        [sys.executable, "-c", _COMMAND, *arguments],
        cwd=cli.home,
        env=cli.whole_environment() | {"TERM": "xterm-256color", "LANG": "C.UTF-8"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        try:
            yield Terminal(process, ours, columns, lines)
        finally:
            if process.poll() is None:
                process.kill()
            os.close(ours)
