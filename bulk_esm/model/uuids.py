"""A mapping's UUID as people type it: whole, as the end of its ARN, or the beginning of one that no other has. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from bulk_esm.errors import UsageError

LEAST: Final = 4  # characters of a beginning: fewer are a slip of the finger
_WHOLE: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ARN: Final = ":event-source-mapping:"
_ANY: Final = "00000000-0000-4000-8000-000000000000"  # what a beginning must go on like to be whole
_MOST_NAMED: Final = 5


def is_whole(text: str) -> bool:
    """Whether it is all of a UUID, in lower case.

    Args:
        text: whatever it may be.
    """
    return _WHOLE.fullmatch(text) is not None


def is_beginning(text: str) -> bool:
    """Whether a UUID may begin so, in lower case, and does not end there.

    Args:
        text: whatever it may be.
    """
    return LEAST <= len(text) < len(_ANY) and is_whole(text + _ANY[len(text) :])


def read_uuid(text: str, where: str) -> str:
    """Read a UUID or a beginning of one, as it is typed; or the ARN that ends in it.

    Args:
        text: what was typed.
        where: the flag, for messages.

    Returns:
        In lower case.

    Raises:
        UsageError: it is none of these.
    """
    uuid = text.strip().rpartition(_ARN)[2].lower()
    if not is_whole(uuid) and not is_beginning(uuid):
        raise UsageError(
            f"{where}: {text!r} is not a mapping's UUID (36 characters) or ARN, nor the first {LEAST} characters or "
            "more of a UUID"
        )
    return uuid


def the_only_one(beginning: str, uuids: Iterable[str], where: str) -> str:
    """Find the UUID that begins so.

    Args:
        beginning: what was typed, which may be all of it.
        uuids: those that there are.
        where: the flag, for messages.

    Raises:
        UsageError: none does, or several do.
    """
    found = sorted({uuid for uuid in uuids if uuid.startswith(beginning)})
    if not found:
        raise UsageError(f"{where} {beginning}: no mapping has a UUID that begins so")
    if len(found) > 1:
        more = f" and {len(found) - _MOST_NAMED:,} more" if len(found) > _MOST_NAMED else ""
        names = ", ".join(found[:_MOST_NAMED])
        raise UsageError(f"{where} {beginning} fits {len(found):,} mappings: {names}{more}; give more of the UUID")
    return found[0]
