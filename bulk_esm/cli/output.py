"""What goes to stdout: results and nothing else, as a table, as JSON, as JSON-lines or as CSV."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Literal, TextIO

import msgspec

from bulk_esm.cli.streams import give_up, in_color, is_wide, width_of
from bulk_esm.errors import BulkEsmError
from bulk_esm.escaping import escaped

Form = Literal["table", "json", "jsonl", "csv"]
Row = tuple[str, ...]
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # and their wide forms
_BOLD: Final = "\x1b[1m{}\x1b[0m"


class Results:
    """Writes records to stdout as they come; a table is written at the end, when its widths are known.

    A reader that has gone away (`| head -1`) ends the writing, never the run. So does a full disk, of which `finish`
    tells.
    """

    def __init__(self, form: Form, columns: Sequence[str], row_of: Callable[[Any], Row]) -> None:
        """Choose the form."""
        self._form = form
        self._columns = columns
        self._row_of = row_of
        self._rows: list[Row] = []
        self._count = 0
        self._stdout: TextIO | None = sys.stdout
        self._failure: OSError | None = None
        self._csv = csv.writer(sys.stdout, lineterminator="\n")
        if form == "csv":
            self._write(lambda: self._csv.writerow(columns))

    def add(self, record: Any) -> None:
        """Write one record, or keep its row for the table."""
        if self._form == "table":
            self._rows.append(self._row_of(record))
        elif self._form == "csv":
            self._write(lambda: self._csv.writerow(_cells(self._row_of(record))))
        else:
            line = escaped(msgspec.json.encode(record).decode())  # to JSON the same
            if self._form == "json":  # each record on a line of its own, as it comes
                line = f"{',' if self._count else '['}\n{line}"
            self._count += 1
            end = "" if self._form == "json" else "\n"
            self._write(lambda: print(line, end=end))  # noqa: T201 - stdout is where results go

    def add_all(self, records: Iterable[Any]) -> None:
        """Write many."""
        for record in records:
            self.add(record)

    def finish(self) -> None:
        """Write the table, if it is one and has rows; or the end of the array.

        Raises:
            BulkEsmError: not all could be written, and not because nobody wanted to read more.
        """
        if self._form == "table" and self._rows:
            text = _table(self._columns, self._rows)
            self._write(lambda: sys.stdout.write(text))
        if self._form == "json":
            self._write(lambda: sys.stdout.write("\n]\n" if self._count else "[]\n"))
        if self._failure is not None:
            raise BulkEsmError(f"not all results could be written to stdout: {self._failure.strerror}")

    def _write(self, write: Callable[[], object]) -> None:
        if self._stdout is None:
            return
        try:
            write()
            self._stdout.flush()
        except OSError as error:
            self._stdout = None
            self._failure = None if isinstance(error, BrokenPipeError) else error
            give_up(sys.stdout)


def _cells(row: Row) -> list[str]:
    """What a spreadsheet would take for a formula gets an apostrophe before it: https://owasp.org/www-community/attacks/CSV_Injection.

    A lone hyphen is none: it stands for what is not there.
    """
    cells = [f"'{cell}" if cell.startswith(_FORMULA) and cell != "-" else cell for cell in row]
    return [escaped(cell) for cell in cells] if sys.stdout.isatty() else cells


def _table(columns: Sequence[str], rows: Sequence[Row]) -> str:
    from bulk_esm.cli.table import table

    lines = table(columns, rows, width=None if is_wide() else width_of(sys.stdout), mark=_mark(sys.stdout))
    heading = next(lines)
    return "\n".join([_BOLD.format(heading) if in_color(sys.stdout) else heading, *lines, ""])


def _mark(stream: TextIO) -> str:
    """What stands for something left out, as far as a stream can take it."""
    try:
        "…".encode(stream.encoding or "ascii")
    except UnicodeEncodeError:
        return "~"
    return "…"


def with_place(columns: Sequence[str], row_of: Callable[[Any], Row]) -> tuple[tuple[str, ...], Callable[[Any], Row]]:
    """The same columns with account and Region, for lines of a fleet."""

    def row(record: Any) -> Row:
        parts = str(record.function_arn or "").split(":")
        region, account = parts[3:5] if len(parts) > 4 else ("-", "-")  # noqa: PLR2004 - of an ARN
        name, *rest = row_of(record)
        return (name, account, region, *rest)

    name, *rest = columns
    return (name, "account", "region", *rest), row


def written(text: str) -> None:
    """Write a text as it is; a reader that has gone away is no mistake.

    Args:
        text: of ours, with nothing from outside.

    Raises:
        BulkEsmError: not all could be written.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        give_up(sys.stdout)
        if not isinstance(error, BrokenPipeError):
            raise BulkEsmError(f"not all could be written to stdout: {error.strerror}") from error


def form_for(chosen: Form | None) -> Form:
    """The form that was chosen; by default a table on a terminal, else JSON-lines."""
    return chosen or ("table" if sys.stdout.isatty() else "jsonl")


def tail_of(arn: str | None) -> str:
    """What tells one ARN from another at a glance: the part after the account."""
    return (arn or "").split(":", 5)[-1].removeprefix("function:") if arn else "-"
