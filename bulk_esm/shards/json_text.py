"""JSON as users write it: no key twice, no numbers that are none."""

from __future__ import annotations

import json
from typing import Any, Final

DEEPEST: Final = 100  # of documents of either kind


def read_json(text: str) -> Any:
    """Read a document. msgspec would take the last of several values in silence.

    Raises:
        ValueError: it is not JSON, has a key twice, or is nested too deep.
    """
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) != len(members):
        names = [name for name, _ in members]
        raise TwiceError(f"the key {next(name for name in names if names.count(name) > 1)!r} is given twice")
    return found


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number")


class TwiceError(ValueError):
    """A key is given twice, so it is JSON, and still is not taken."""
