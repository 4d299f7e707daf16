"""What of the command line that is being carried out was not typed: asked by whoever says or refuses something."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, TypeVar

T = TypeVar("T")

_FLAG: Final = re.compile(r"--[a-z][a-z-]*")
# Of this process: it carries out one command line.
_where: dict[str, str] = {}
_values: dict[str, str] = {}
_notes: list[str] = []
_warnings: list[str] = []


def configured(
    where: Mapping[str, str],
    values: Mapping[str, str],
    *,
    notes: Iterable[str] = (),
    warnings: Iterable[str] = (),
) -> None:
    """Take note of what was not typed.

    Args:
        where: the place that sets each flag, such as `BULK_ESM_RATE` or `bulk-esm.toml, line 3`.
        values: what each is set to.
        notes: what the user should know.
        warnings: what is likely to be a mistake.
    """
    _where.clear()
    _where.update(where)
    _values.clear()
    _values.update(values)
    _notes[:] = notes
    _warnings[:] = warnings


def is_configured(flag: str) -> bool:
    """Whether a flag was not typed, but set by a variable or a file.

    Args:
        flag: such as `--rate`.
    """
    return flag in _where


def configured_value(flag: str) -> str:
    """What a flag that was not typed is set to; empty if it is not.

    Args:
        flag: such as `--rate`.
    """
    return _values.get(flag, "")


def as_recorded() -> dict[str, str]:
    """All that was not typed, with the places that set it, and without secrets."""
    from bulk_esm.model.redacting import redacted_value

    return {flag: f"{redacted_value(flag[2:], _values[flag])} ({where})" for flag, where in _where.items()}


def typed(flags: Mapping[str, bool]) -> dict[str, bool]:
    """Of flags that are given or not, those that are not configured; what was typed must make sense."""
    return {flag: given for flag, given in flags.items() if not is_configured(flag)}


def own_unless_typed(flag: str, given: T | None, own: T | None) -> T | None:
    """What a run that is continued goes on with: what was typed, else its own, else what was configured.

    Args:
        flag: such as `--rate`.
        given: what is given for it now, in whatever way.
        own: what the run has; None if nothing.
    """
    return own if own is not None and (given is None or is_configured(flag)) else given


def told_once() -> tuple[list[str], list[str]]:
    """What there is to tell the user, notes and warnings, once."""
    found = list(_notes), list(_warnings)
    _notes.clear()
    _warnings.clear()
    return found


def with_places(message: str) -> str:
    """A message that names flags, with the places that set those that were not typed."""
    places = [f"{flag} is from {_where[flag]}" for flag in dict.fromkeys(_FLAG.findall(message)) if flag in _where]
    return f"{message} ({'; '.join(places)})" if places else message
