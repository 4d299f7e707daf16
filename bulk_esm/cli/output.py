"""What goes to stdout: results and nothing else, as a table, as JSON-lines or as CSV."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, TextIO

import msgspec
from rich.console import Console
from rich.table import Table

Form = Literal["table", "jsonl", "csv"]
Row = tuple[str, ...]
_WIDE = 10_000  # a table that is not on a terminal is never folded


class Results:
    """Writes records to stdout as they come; a table is written at the end, when its widths are known.

    A reader that has gone away (`| head -1`) ends the writing, never the run.
    """

    def __init__(self, form: Form, columns: Sequence[str], row_of: Callable[[Any], Row]) -> None:
        """Choose the form.

        Args:
            form: the form.
            columns: the headings of a table or of CSV.
            row_of: what a table or CSV shows of a record; JSON-lines have all of it.
        """
        self._form = form
        self._columns = columns
        self._row_of = row_of
        self._rows: list[Row] = []
        self._stdout: TextIO | None = sys.stdout
        self._csv = csv.writer(sys.stdout, lineterminator="\n")
        if form == "csv":
            self._write(lambda: self._csv.writerow(columns))

    def add(self, record: Any) -> None:
        """Write one record, or keep its row for the table."""
        if self._form == "table":
            self._rows.append(self._row_of(record))
        elif self._form == "csv":
            self._write(lambda: self._csv.writerow(self._row_of(record)))
        else:
            line = msgspec.json.encode(record).decode()
            self._write(lambda: print(line))  # noqa: T201 - stdout is where results go

    def add_all(self, records: Iterable[Any]) -> None:
        """Write many."""
        for record in records:
            self.add(record)

    def finish(self) -> None:
        """Write the table, if it is one and has rows."""
        if self._form == "table" and self._rows:
            table = Table(box=None, pad_edge=False)
            for column in self._columns:
                table.add_column(column, overflow="fold")
            for row in self._rows:
                table.add_row(*row)
            console = Console(width=None if sys.stdout.isatty() else _WIDE, markup=False, highlight=False)
            self._write(lambda: console.print(table))

    def _write(self, write: Callable[[], object]) -> None:
        if self._stdout is None:
            return
        try:
            write()
            self._stdout.flush()
        except BrokenPipeError:
            self._stdout = None
            # What is still buffered must not complain again when the interpreter ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def form_for(chosen: Form | None) -> Form:
    """The form that was chosen; by default a table on a terminal, else JSON-lines."""
    return chosen or ("table" if sys.stdout.isatty() else "jsonl")


def tail_of(arn: str | None) -> str:
    """What tells one ARN from another at a glance: the part after the account."""
    return (arn or "").split(":", 5)[-1].removeprefix("function:") if arn else "-"
