"""Files and standard input that name mappings, as people and other programs write them: lines, JSON, CSV."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from bulk_esm.errors import UsageError
from bulk_esm.shards.document import read_text, refuse_unreasonable
from bulk_esm.shards.json_text import TwiceError, read_json

_LISTED: Final = "EventSourceMappings"
_UUID_NAMES: Final = ("uuid", "UUID", "Uuid")


def records_of(name: str, flag: str) -> Iterator[tuple[str, Any]]:
    """The records of a file: objects of JSON, or words of text.

    It may be one document of JSON (an array; or what the AWS CLI prints of ListEventSourceMappings), JSON-lines, CSV
    with a column `uuid` as `--output csv` writes it, or lines of words. Empty lines and those that begin with # are
    passed over.

    Args:
        name: the file, or - for standard input.
        flag: which flag names it.

    Yields:
        Where each stands, for messages, and the record.

    Raises:
        UsageError: it cannot be read, is no text, or holds what is not JSON where JSON begins.
    """
    whole = f"{flag} {name}"
    text = _read_stdin(flag) if name == "-" else read_text(Path(name), whole)
    found = _document(text, whole)
    if found is not None:
        for number, record in enumerate(found, start=1):
            yield f"{whole}, item {number}", record
    elif text.lstrip().split(",", 1)[0].strip() == "uuid":
        for number, row in enumerate(csv.DictReader(io.StringIO(text.lstrip())), start=2):
            yield f"{whole}, line {number}", row
    else:
        yield from _lines(text, whole)


def uuid_in(record: dict[str, Any]) -> Any:
    """What an object says its mapping is, under whichever of the names that are in use; None if it does not say."""
    return next((record[name] for name in _UUID_NAMES if name in record), None)


def without_uuid(record: dict[str, Any]) -> dict[str, Any]:
    """The other members of an object."""
    return {name: value for name, value in record.items() if name not in _UUID_NAMES}


def _read_stdin(flag: str) -> str:
    try:
        return sys.stdin.read().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise UsageError(f"{flag} -: standard input is not text in UTF-8") from error


def _document(text: str, where: str) -> list[Any] | None:
    """The items of a file that is one document of JSON and not one line of JSON-lines; None of any other."""
    if not text.lstrip().startswith(("[", "{")):
        return None
    try:
        found = read_json(text)
    except TwiceError as error:
        if text.strip().split("\n", 1)[0].endswith("}"):
            return None  # a line, which will be named
        raise UsageError(f"{where}: {error}") from error
    except ValueError:
        return None
    refuse_unreasonable(found, where)
    if isinstance(found, dict) and isinstance(found.get(_LISTED), list):
        if found.get("NextToken") or found.get("NextMarker"):
            raise UsageError(
                f"{where}: it is one page of several; save all of them (without --max-items, --no-paginate)"
            )
        return list(found[_LISTED])
    if isinstance(found, list):
        return found
    return [found] if len(text.strip().split("\n")) > 1 else None


def _lines(text: str, whole: str) -> Iterator[tuple[str, Any]]:
    lines = map(str.strip, text.split("\n"))  # what else ends a line may stand in a string of JSON
    for number, line in enumerate(lines, start=1):
        where = f"{whole}, line {number}"
        if not line or line.startswith("#"):
            continue
        if not line.startswith(("{", "[")):
            yield from ((where, word) for word in line.split())  # with tabs between, as `--output text` writes them
            continue
        try:
            found = read_json(line)
        except ValueError as error:
            raise UsageError(f"{where}: {'' if isinstance(error, TwiceError) else 'not JSON: '}{error}") from error
        refuse_unreasonable(found, where)
        yield where, found
