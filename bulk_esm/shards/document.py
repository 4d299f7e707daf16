"""Documents that users write, in TOML, YAML or JSON: of plain values, and no larger than they look."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final

from bulk_esm.errors import UsageError
from bulk_esm.shards.json_text import DEEPEST, TwiceError, read_json

_MOST_VALUES: Final = 1_000_000  # aliases of YAML counted each time: a few lines may stand for billions
_LARGEST: Final = 2**63


def read_document(path: Path, name: str) -> Any:
    """Read a document: TOML if its file ends in `.toml`, else YAML, which JSON is too.

    Args:
        path: the file.
        name: what it is called in messages.

    Raises:
        UsageError: it cannot be read, is malformed, or holds what JSON cannot.
    """
    text = read_text(path, name)
    try:
        found = tomllib.loads(text) if path.suffix.casefold() == ".toml" else _json_or_yaml(text)
    except TwiceError as error:
        raise UsageError(f"{name}: {error}") from error
    except (ValueError, RecursionError) as error:  # as TOML's errors are
        what = " ".join(str(error).split()) if isinstance(error, ValueError) else "it is nested too deep"
        raise UsageError(f"{name}: not JSON, YAML or TOML ({what})") from error
    refuse_unreasonable(found, name)
    return found


def _json_or_yaml(text: str) -> Any:
    """JSON is read as such: YAML takes no tabs, and no characters in two halves."""
    try:
        return read_json(text)
    except TwiceError:
        raise
    except ValueError:
        from bulk_esm.shards.yaml_text import read_yaml  # noqa: PLC0415 - few runs read any, and it takes its time

        return read_yaml(text)


def read_text(path: Path, name: str) -> str:
    """Read a file of text.

    Args:
        path: the file.
        name: what it is called in messages.

    Raises:
        UsageError: it cannot be read, or is no text.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")  # as editors of Windows begin a file
    except UnicodeDecodeError as error:
        raise UsageError(f"{name}: it is not text in UTF-8") from error
    except (OSError, ValueError) as error:  # a path with a NUL is a ValueError
        raise UsageError(f"{name}: {getattr(error, 'strerror', None) or error}") from error


def refuse_unreasonable(found: Any, name: str) -> None:
    """Refuse what JSON has not, and what is nested or repeated beyond reason.

    Raises:
        UsageError: it is so.
    """
    to_see, seen = [(found, 0)], 0
    while to_see:
        value, depth = to_see.pop()
        seen += 1
        if depth > DEEPEST:
            raise UsageError(f"{name}: it is nested more than {DEEPEST} deep, or contains itself")
        if seen > _MOST_VALUES:
            raise UsageError(f"{name}: it has more than {_MOST_VALUES:,} values, with aliases counted each time")
        if isinstance(value, dict):
            to_see += [(part, depth + 1) for pair in value.items() for part in pair]
        elif isinstance(value, list):
            to_see += [(part, depth + 1) for part in value]
        elif not _is_plain(value):
            raise UsageError(f"{name}: {str(value)[:40]!r} is of a kind that JSON has not ({type(value).__name__})")


def _is_plain(value: Any) -> bool:
    if isinstance(value, str):
        return not any("\ud800" <= each <= "\udfff" for each in value)
    if isinstance(value, int):
        return -_LARGEST <= value < _LARGEST
    return value is None or isinstance(value, float)
