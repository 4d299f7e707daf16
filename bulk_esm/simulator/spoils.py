"""Answers that are no answers of Lambda's: broken, without end, or hostile. Nobody has seen it give one of these."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

import msgspec

HOSTILE_TEXT: Final = "\x1b]0;owned\x07\x1b[2J\r\x9b31m\u202e=cmd|' /C calc'!A0"
"""What a terminal or a spreadsheet would take for orders: it follows names and messages."""

_TOO_DEEP: Final = 100_000
_WRONG_BODIES: Final = (b'{"message":5}', b'["x"]', b"null", b"\xff\xfe", b"<html>", b'{"message":{"a":[1]}}', b"")


class Spoil(StrEnum):
    """What is wrong with an answer. The first five are of List alone."""

    NO_LIST = "no-list"  # a success without EventSourceMappings
    NO_OBJECTS = "no-objects"  # mappings that are numbers
    NO_UUIDS = "no-uuids"
    SAME_MARKER = "same-marker"  # each page is the first, and leads to itself
    ENDLESS = "endless"  # each page is the first, and leads to another
    HALF = "half"  # of the body's bytes
    NO_TEXT = "no-text"  # bytes that are no UTF-8
    DEEP = "deep"  # nested deeper than parsers go
    WRONG_ERROR = "wrong-error"  # a 500 whose body is of a wrong type; nothing is applied
    REDIRECT = "redirect"  # a 307 to another place; nothing is applied
    DRIP = "drip"  # a byte at a time
    HOSTILE_TEXT = "hostile-text"


OF_LIST: Final = frozenset({Spoil.NO_LIST, Spoil.NO_OBJECTS, Spoil.NO_UUIDS, Spoil.SAME_MARKER, Spoil.ENDLESS})


def page_of(spoil: Spoil, page: dict[str, Any], number: int) -> dict[str, Any]:
    """A page of List that is spoiled.

    Args:
        spoil: how; one of List.
        page: as it should be.
        number: a number that no other page has.
    """
    match spoil:
        case Spoil.NO_LIST:
            return {"message": "Internal failure"}
        case Spoil.NO_OBJECTS:
            return {**page, "EventSourceMappings": list(range(len(page["EventSourceMappings"])))}
        case Spoil.NO_UUIDS:
            nameless = [{**mapping, "UUID": None} for mapping in page["EventSourceMappings"]]
            return {**page, "EventSourceMappings": nameless}
        case _:
            return {**page, "NextMarker": "again" if spoil is Spoil.SAME_MARKER else f"page-{number}"}


def body_of(spoil: Spoil, body: bytes, number: int) -> bytes:
    """The body of an answer that is spoiled.

    Args:
        spoil: how.
        body: as it should be.
        number: a number that no other answer has.
    """
    match spoil:
        case Spoil.HALF:
            return body[: len(body) // 2]
        case Spoil.NO_TEXT:
            return body.replace(b'":"', b'":"\xff', 1)
        case Spoil.DEEP:
            return b'{"UUID":' + b"[" * _TOO_DEEP + b"]" * _TOO_DEEP + b"}"
        case Spoil.WRONG_ERROR:
            return _WRONG_BODIES[number % len(_WRONG_BODIES)]
        case Spoil.HOSTILE_TEXT:
            return msgspec.json.encode(_hostile(msgspec.json.decode(body)))
        case _:
            return body


_SHOWN: Final = frozenset({"FunctionArn", "LastProcessingResult", "StateTransitionReason", "message", "Message"})


def _hostile(found: Any) -> Any:
    if isinstance(found, list):
        return [_hostile(each) for each in found]
    if not isinstance(found, dict):
        return found
    return {
        name: f"{value}{HOSTILE_TEXT}" if name in _SHOWN and isinstance(value, str) else _hostile(value)
        for name, value in found.items()
    }
