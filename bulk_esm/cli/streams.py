"""stderr, on which a person is told things, and what to do with a stream at whose other end nobody is."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, Final, TextIO

from bulk_esm.escaping import escaped

_WARNINGS: Final = ("warning: ", "note: ")
_USUAL_WIDTH: Final = 80  # of a terminal that does not tell


class _Manner:
    """How this process speaks; `manner` sets it."""

    as_json = False
    color = "auto"
    wide = False


def manner(*, as_json: bool = False, color: str = "auto", wide: bool = False) -> None:
    """Say how this process is to speak from now on.

    Args:
        as_json: whether all of stderr is JSON-lines.
        color: `always`, `never`, or `auto`: on a terminal, unless `NO_COLOR` is set (https://no-color.org).
        wide: whether tables are whole, however wide that makes them.
    """
    _Manner.as_json, _Manner.color, _Manner.wide = as_json, color, wide


def speaks_json() -> bool:
    """Whether all of stderr is JSON-lines."""
    return _Manner.as_json


def is_wide() -> bool:
    """Whether tables are whole, however wide that makes them."""
    return _Manner.wide


def width_of(stream: TextIO) -> int | None:
    """How wide a line may be: as `COLUMNS` says, or the terminal; None where there is none."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        return int(columns)
    if not stream.isatty():
        return None
    try:
        return os.get_terminal_size(stream.fileno()).columns or _USUAL_WIDTH
    except (OSError, ValueError):  # a terminal by its word alone
        return _USUAL_WIDTH


def in_color(stream: TextIO) -> bool:
    """Whether what goes to a stream is to be in color."""
    if _Manner.color != "auto":
        return _Manner.color == "always"
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def say(text: str, *, quiet: bool = False, end: str = "\n") -> None:
    """Tell the user something; control characters in it are shown, and not obeyed.

    That nobody listens any more (`2>&1 | head -1`, a full disk) ends no run.
    """
    if quiet:
        return
    if _Manner.as_json:
        if text.strip():
            tell(text.strip(), level="warning" if text.startswith(_WARNINGS) else "info")
        return
    shown = escaped(text)
    if sys.stderr.isatty() and (width := width_of(sys.stderr)) is not None:
        from bulk_esm.cli.wrapping import wrapped

        shown = wrapped(shown, width)
    _write(f"{shown}{end}")


def pass_on(line: str) -> None:
    """Tell what a command of the user's wrote, as it is."""
    if _Manner.as_json:
        tell(line, more={"from": "gate"})
    else:
        _write(f"{line}\n")


def tell(event: str, *, level: str = "info", more: Mapping[str, Any] | None = None) -> None:
    """Tell an event as a line of JSON, as the log has them, whatever the log's level.

    Args:
        event: what happened.
        level: such as `warning`.
        more: what there is to know of it.
    """
    from datetime import UTC, datetime

    import msgspec

    at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    line = {"event": event, **(more or {}), "level": level, "logger": "bulk_esm.cli", "at": at}
    _write(f"{escaped(msgspec.json.encode(line).decode())}\n")


def _write(text: str) -> None:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        give_up(sys.stderr)


def give_up(stream: TextIO) -> None:
    """Let a stream lead nowhere: what is still buffered must not complain again when the interpreter ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
