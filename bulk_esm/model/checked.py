"""Settings of the Python API: of the right types and sensible, or refused where they are made."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Final, Literal, get_args, get_origin, get_type_hints

import msgspec

from bulk_esm.errors import UsageError
from bulk_esm.model.parameters import nearest

# NaN is outside of every bound, and infinity of all but the last.
Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
AtLeastOne = Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=1_000_000_000)]
AboveZero = Annotated[float, msgspec.Meta(gt=0, le=1_000_000_000)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]

_MOST_SHOWN: Final = 60
_WRONG_VALUE: Final = re.compile(r"Invalid enum value '(?P<value>.*)'")
_WORDS: Final = {"array": "a tuple", "object": "a dict", "null": "None"}


class Checked(msgspec.Struct, frozen=True):
    """What is refused where it is made if a member is of another type than it says, or `check` does.

    A list or a set is taken where a tuple is meant, and the value of an enum for its member. A string is never taken
    for a collection of its letters, nor a bool for a number.
    """

    def __post_init__(self) -> None:
        for name, kind in _kinds_of(type(self)).items():
            msgspec.structs.force_setattr(self, name, taken(name, getattr(self, name), kind))
        self.check()

    def check(self) -> None:
        """Refuse what makes no sense though its types are right; called where it is made.

        Raises:
            UsageError: what that is, and what is likely meant.
        """


def taken(name: str, value: Any, kind: Any) -> Any:
    """A value as a type says it.

    Args:
        name: what it is called in messages.
        value: what was given.
        kind: the type.

    Raises:
        UsageError: it is of another type, or out of bounds.
    """
    if any(isinstance(one, msgspec.StructMeta) and isinstance(value, one) for one in get_args(kind) or (kind,)):
        return value  # of a subclass, perhaps, with members of its own
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise UsageError(f"{name}={_shown(value)}: {_explained(name, value, kind, str(error))}") from error


def check_aware(name: str, moment: datetime | None) -> None:
    """Refuse a moment without a zone, which is another one on every machine.

    Args:
        name: what it is called in messages.
        moment: what was given.

    Raises:
        UsageError: it has none, or is no moment.
    """
    if taken(name, moment, datetime | None) is not None and (moment is None or moment.tzinfo is None):
        raise UsageError(f"{name}={moment!r}: say the zone, such as datetime.now(UTC)")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


@cache
def _kinds_of(settings: type[Checked]) -> dict[str, Any]:
    return get_type_hints(settings, include_extras=True)


def _explained(name: str, value: Any, kind: Any, message: str) -> str:
    if isinstance(value, str) and "Expected `array" in message:
        # What holds a parenthesis may be an expression, in which commas are no separators.
        parts = (value,) if "(" in value or "[" in value else tuple(part.strip() for part in value.split(","))
        return f"a string, where several may be meant; write {name}={parts!r}"
    if found := _WRONG_VALUE.search(message):
        known = _choices(kind)
        return f"there is no {found['value']!r}{nearest(found['value'], known) or '; there are ' + ', '.join(known)}"
    what = re.sub(r"`([^`]*)`", lambda part: " or ".join(_WORDS.get(one, one) for one in part[1].split(" | ")), message)
    for sign, words in (">=", "of at least"), ("<=", "of at most"), (">", "above"):
        what = what.replace(f" {sign} ", f" {words} ")
    return what[:1].lower() + what[1:]


def _choices(kind: Any) -> list[str]:
    """The values that a type names, at whatever depth."""
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return [str(member) for member in kind]
    if get_origin(kind) is Literal:
        return [str(value) for value in get_args(kind)]
    return [choice for part in get_args(kind) for choice in _choices(part)]
