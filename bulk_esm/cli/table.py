"""A table that fits its width: which columns it has, how wide each is, and how what is too long is shortened. Pure.

Where there is no room for all of it, the least important columns are left out until the others have what they need:
some only until these have the least that is of use, and those that may be missing until these have what is good. What
room is left then goes to the most important column, and to the next one. So no cell is ever folded, and no line is
longer than the width.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum, auto
from itertools import pairwise
from typing import Final, NamedTuple

from rich.cells import cell_len

from bulk_esm.escaping import escaped_line

_GAP: Final = 2
_FIRST: Final = "function"  # what a person knows a mapping by
_SHORT_UUID: Final = 8
_A_PAUSE: Final = len("Enabled: true -> false")  # what most plans have is shown whole
_MAY_BE_MISSING: Final = 6  # this rank and those after it
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Cut(Enum):
    """How what is too long is shortened."""

    MIDDLE = auto()  # names, whose ends tell them apart, and changes, whose ends say to what
    END = auto()  # sentences
    UUID = auto()  # to as many characters as tell all in the table apart, or not at all
    NOT = auto()  # what is there to be copied


class Column(NamedTuple):
    """How a column gives way.

    Attributes:
        rank: how important it is, 0 being the most.
        least: the width that it needs to be of use, if it needs as much.
        cut: how what is too long is shortened.
        good: the width that it is given before one of the columns that may be missing has a place at all.
    """

    rank: int
    least: int
    cut: Cut = Cut.MIDDLE
    good: int = 0


COLUMNS: Final = {
    # of mappings
    "function": Column(0, 14, good=24),
    "outcome": Column(1, 11),
    "action": Column(1, 9),
    "what": Column(2, _A_PAUSE, good=30),
    "why": Column(2, 20, Cut.END, good=30),
    "drift": Column(2, _A_PAUSE, good=30),
    "uuid": Column(3, _SHORT_UUID, Cut.UUID),
    "account": Column(4, 12),
    "region": Column(5, 9),
    "state": Column(6, 8),
    "type": Column(7, 8),
    "source": Column(8, 16),
    # of one mapping
    "member": Column(0, 20),
    "before": Column(1, 16),
    "after": Column(1, 16),
    # of runs
    "run": Column(0, 0, Cut.NOT),
    "status": Column(1, 11, Cut.END, good=30),
    "counts": Column(2, 32, Cut.END, good=45),
    "by": Column(4, 8),
    "started": Column(7, 0, Cut.NOT),
    "command": Column(8, 8),
    # of flags
    "flag": Column(0, 0, Cut.NOT),
    "value": Column(1, 12),
    "from": Column(2, 12),
    "commands": Column(3, 8, Cut.END),
    # of a check
    "check": Column(0, 16),
    "verdict": Column(1, 7, Cut.NOT),
    "shard": Column(2, 12),
    "detail": Column(3, 16, Cut.END),
}
_OTHER: Final = Column(9, 8)


def table(names: Sequence[str], rows: Sequence[Sequence[str]], *, width: int | None, mark: str = "…") -> Iterator[str]:
    """Lay a table out.

    Args:
        names: of its columns.
        rows: their cells, as they are; what commands a terminal is shown, and not obeyed.
        width: of a line; None for as wide as it needs to be.
        mark: stands for what is left out of a cell.

    Yields:
        The lines, the heading first, without spaces at their ends.
    """
    order = sorted(range(len(names)), key=lambda index: names[index] != _FIRST)
    names = [names[index] for index in order]
    cells = [[escaped_line(row[index]) for index in order] for row in rows]
    columns = [COLUMNS.get(name, _OTHER) for name in names]
    natural = [max(map(cell_len, column)) for column in zip(names, *cells, strict=True)]
    uuids = [row[index] for index, column in enumerate(columns) if column.cut is Cut.UUID for row in cells]
    least = [
        unique_length(uuids) if column.cut is Cut.UUID else wide if column.cut is Cut.NOT else column.least
        for column, wide in zip(columns, natural, strict=True)
    ]
    widths = arranged(columns, natural, least, width=width)
    for row in (names, *cells):
        yield _line(row, columns, widths, mark)


def arranged(
    columns: Sequence[Column], natural: Sequence[int], least: Sequence[int], *, width: int | None
) -> list[tuple[int, int]]:
    """Decide which columns there are, and how wide each is.

    Args:
        columns: all of them.
        natural: how wide each is if nothing is shortened.
        least: how wide each must be to be of use, if it is as wide.
        width: of a line; None for as wide as it needs to be.

    Returns:
        The indexes of those that are shown, in their order, and their widths, with the gaps between at most `width`.
    """
    if width is None:
        return list(enumerate(natural))
    least = [min(pair) for pair in zip(natural, least, strict=True)]
    good = [max(one, min(wide, column.good)) for one, wide, column in zip(least, natural, columns, strict=True)]
    shown = sorted(range(len(columns)), key=lambda index: columns[index].rank)
    while len(shown) > 1:
        needs = good if columns[shown[-1]].rank >= _MAY_BE_MISSING else least
        if _wide(needs[index] for index in shown) <= width:
            break
        shown.pop()
    widths = {index: min(least[index], max(1, width)) for index in sorted(shown)}
    # A UUID in part is no better the longer it is: it is whole if all else is.
    for index in sorted(shown, key=lambda index: (columns[index].cut is Cut.UUID, columns[index].rank)):
        more = min(width - _wide(widths.values()), natural[index] - widths[index])
        if more > 0 and (columns[index].cut is not Cut.UUID or widths[index] + more == natural[index]):
            widths[index] += more
    return list(widths.items())


def unique_length(uuids: Sequence[str]) -> int:
    """How many characters it takes to tell some UUIDs apart, 8 at the least.

    Args:
        uuids: in any order; one may be there more than once.
    """
    alike = (_common(one, other) for one, other in pairwise(sorted(set(uuids))))
    return max(_SHORT_UUID, max(alike, default=0) + 1)


def shortened_to(text: str, width: int, *, cut: Cut = Cut.MIDDLE, mark: str = "…") -> str:
    """A text that is no wider than it may be.

    Args:
        text: in one line.
        width: in cells of a terminal, 1 at the least.
        cut: where something is left out.
        mark: what stands for it.
    """
    if cell_len(text) <= width:
        return text
    if cut is Cut.UUID and _UUID.fullmatch(text):
        return text[:width]
    room = max(0, width - cell_len(mark))
    end = room // 2 if cut is Cut.MIDDLE else 0
    found = f"{_fitting(text, room - end)}{mark}{_fitting(text, end, from_end=True)}"
    while cell_len(found) > width:  # characters may be wider beside each other than by themselves
        found = found[:-1]
    return found


def _fitting(text: str, width: int, *, from_end: bool = False) -> str:
    """As much of a text as is no wider than that."""
    found = (text[-width:] if from_end else text[:width]) if width else ""
    while cell_len(found) > width:
        found = found[1:] if from_end else found[:-1]
    return found


def _line(row: Sequence[str], columns: Sequence[Column], widths: Sequence[tuple[int, int]], mark: str) -> str:
    parts = [(shortened_to(row[index], width, cut=columns[index].cut, mark=mark), width) for index, width in widths]
    return (" " * _GAP).join(f"{part}{' ' * (width - cell_len(part))}" for part, width in parts).rstrip()


def _wide(widths: Iterable[int]) -> int:
    found = list(widths)
    return sum(found) + _GAP * (len(found) - 1)


def _common(one: str, other: str) -> int:
    """How many characters two texts have in common at their beginnings."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
