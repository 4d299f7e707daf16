"""What a command writes while it runs: passed on line by line, less those of a flood, and its last lines kept.

It is written to a file without a name and read from there. A pipe would end whatever the command leaves running, such
as a server, as soon as nobody reads it any more.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import anyio

_LOOK_EVERY_S: Final = 0.1
_LAST_LINES: Final = 20
_LONGEST: Final = 2000  # characters of a line that is kept
_AT_ONCE: Final = 65_536  # bytes; of what comes faster than that between two looks, only the end is read
_LINES_AT_ONCE: Final = 1_000


class Output:
    """What one command writes.

    Attributes:
        file: the file descriptor to give it.
    """

    def __init__(self, file: int, told: Callable[[str], None]) -> None:
        """Read a file that a command will write; see `capturing`."""
        self.file = file
        self._told = told
        self._last: deque[str] = deque(maxlen=_LAST_LINES)
        self._read = 0
        self._rest = b""

    @property
    def last_lines(self) -> list[str]:
        """The last of what it wrote."""
        return list(self._last)

    @asynccontextmanager
    async def passed_on(self) -> AsyncIterator[None]:
        """Pass on what is written meanwhile, to the last of it."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._follow)
                yield
                tasks.cancel_scope.cancel()
        finally:
            self._look()
            if self._rest:
                self._keep([self._rest])

    async def _follow(self) -> None:
        while True:
            self._look()
            await anyio.sleep(_LOOK_EVERY_S)

    def _look(self) -> None:
        left_out = os.fstat(self.file).st_size - self._read - _AT_ONCE
        if left_out > 0:  # to read a flood to its end would keep all else from going on
            self._read += left_out
            self._rest = b""
            self._told(f"[{left_out:,} bytes left out]")
        found = os.pread(self.file, _AT_ONCE, self._read)
        self._read += len(found)
        *lines, self._rest = (self._rest + found).split(b"\n")
        self._rest = self._rest[-_AT_ONCE:]
        if len(lines) > _LINES_AT_ONCE:
            self._told(f"[{len(lines) - _LINES_AT_ONCE:,} lines left out]")
        self._keep(lines[-_LINES_AT_ONCE:])

    def _keep(self, lines: Sequence[bytes]) -> None:
        for line in lines:
            text = line.decode(errors="replace")
            self._last.append(text[:_LONGEST])
            self._told(text)


@contextmanager
def capturing(told: Callable[[str], None]) -> Iterator[Output]:
    """Make a place for what a command writes.

    Args:
        told: called with each line.

    Raises:
        OSError: there is no room for it.
    """
    with tempfile.TemporaryFile(mode="a+b") as file:  # appended to, whoever of its processes writes
        yield Output(file.fileno(), told)


def to_stderr(line: str) -> None:
    """Pass a line on to stderr as it is; that nobody reads it is no reason to halt."""
    try:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        return
