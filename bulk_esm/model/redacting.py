"""Command lines without their secrets: they are recorded, and shown to whoever looks at a run."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

HIDDEN: Final = "***"
_SECRET: Final = frozenset({"external-id"})  # whoever knows it can have the role assumed
_WITH_SECRETS: Final = frozenset({"notify"})  # such addresses are tokens: in their path, their user, their query
_USER_INFO: Final = re.compile(r"(?<=://)[^/@\s]*@")
_BEYOND_SCHEME: Final = re.compile(r"(?<=://).*", re.DOTALL)
_SECRET_QUERY: Final = re.compile(
    r"(?i)([?&][^=&#]*(?:token|secret|password|signature|credential|key)[^=&#]*=)[^&#\s]*"
)


def redacted(argv: Iterable[str]) -> tuple[str, ...]:
    """A command line without secrets.

    Args:
        argv: its words.
    """
    found: list[str] = []
    flag = ""
    for word in argv:
        name, given, value = word.partition("=")
        if flag and not word.startswith("--"):
            found.append(str(redacted_value(flag, word)))
            flag = ""
        elif name.startswith("--") and given:
            found.append(f"{name}={redacted_value(name[2:], value)}")
            flag = ""
        else:
            found.append(_harmless(word))
            flag = word[2:] if word.startswith("--") else ""
    return tuple(found)


def redacted_value(flag: str, value: Any) -> Any:
    """The value of a flag, or its values, without secrets.

    Args:
        flag: its name, without the hyphens before it.
        value: what it has.
    """
    if isinstance(value, list):
        return [redacted_value(flag, one) for one in value]
    if not isinstance(value, str):
        return value
    if flag in _SECRET:
        return HIDDEN
    return _BEYOND_SCHEME.sub(HIDDEN, value) if flag in _WITH_SECRETS else _harmless(value)


def _harmless(word: str) -> str:
    """A word in which no address has a user, a password or a token."""
    return _SECRET_QUERY.sub(rf"\g<1>{HIDDEN}", _USER_INFO.sub(f"{HIDDEN}@", word))
