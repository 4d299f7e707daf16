"""What of a file that grows is to be written next."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bulk_esm.store.begun import BegunTally

_SEGMENT: Final = 8 * 2**20  # bytes, at most


def whole_size(path: Path) -> int:
    """How much of a file that grows is whole lines."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        while size:
            start = max(0, size - 65_536)
            file.seek(start)
            found = file.read(size - start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            size = start
    return 0


def lines_after(path: Path, start: int) -> bytes:
    """The whole lines of a file from a place on, of a length that fits a segment; none where there is no file.

    Args:
        path: the file.
        start: the place, in bytes.
    """
    try:
        with path.open("rb") as file:
            file.seek(start)
            found = file.read(_SEGMENT)
    except FileNotFoundError:
        return b""
    return found[: found.rfind(b"\n") + 1]


def tally_of(path: Path, size: int) -> BegunTally:
    """The tally of the first bytes of `begun.jsonl`."""
    with path.open("rb") as file:
        first = file.readline()
        tally = BegunTally(first)
        tally.add(file.read(max(0, size - len(first))) if tally.begins_with_head else first)
    return tally


def with_head(tally: BegunTally, lines: bytes, *, is_first: bool) -> tuple[bytes, bool]:
    """Lines of `begun.jsonl` with what its first line is with them: that is written over in place, and not appended.

    Args:
        tally: of the lines before them; they are added.
        lines: the lines.
        is_first: whether the first line is among them.

    Returns:
        The lines, and whether the first of them is that one: an older version wrote none.
    """
    following = lines.partition(b"\n")[2] if is_first and tally.begins_with_head else lines
    if not tally.begins_with_head:
        return lines, False
    tally.add(following)
    return tally.head() + following, True
