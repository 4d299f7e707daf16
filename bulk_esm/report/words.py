"""Amounts, moments and changes in words: pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from bulk_esm.clock import iso
from bulk_esm.model.differences import Difference
from bulk_esm.model.values import short

_MANY_DIGITS_S: Final = 10.0


def seconds_of(at: str | None) -> float | None:
    """A moment in seconds since the epoch; None if it is none, or no moment as damage may have left it.

    Args:
        at: ISO 8601.
    """
    if at is None:
        return None
    try:
        return datetime.fromisoformat(at).timestamp()
    except (ValueError, OverflowError):
        return None


def iso_of(at: float | None) -> str | None:
    """A moment in seconds since the epoch, as the records have it."""
    return None if at is None else iso(datetime.fromtimestamp(at, UTC))


def moment_text(at: str | None) -> str:
    """A moment to the second, such as `2026-01-31 03:30:12 UTC`; a hyphen if it is none."""
    if at is None:
        return "-"
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return at
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def hour_text(at: str | None, beside: str) -> str:
    """A moment's time of day, with its date if that is another than that of a moment beside it."""
    text = moment_text(at).removesuffix(" UTC")
    day, _, hour = text.partition(" ")
    return hour if hour and beside.startswith(day) else text


def duration_text(seconds: float | None) -> str:
    """A duration as it is said: `0.42 s`, `12 s`, `3 min 05 s`, `2 h 04 min`; a hyphen if it is not known."""
    if seconds is None:
        return "-"
    if seconds < _MANY_DIGITS_S:
        return f"{seconds:g} s" if seconds == int(seconds) else f"{seconds:.2f} s"
    minutes, whole = divmod(round(seconds), 60)
    if not minutes:
        return f"{whole} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes:02} min" if hours else f"{minutes} min {whole:02} s"


def counts_text(counts: dict[str, int]) -> str:
    """Counts by name, such as `12 updated, 3 failed`; those that are 0 left out."""
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items() if count)


def mappings_text(count: int) -> str:
    """So many mappings, in words."""
    return f"{count:,} mapping{'' if count == 1 else 's'}"


def tail_of(arn: str | None) -> str:
    """What tells one ARN from another at a glance: the part after the account."""
    return arn.split(":", 5)[-1].removeprefix("function:") if arn else "-"


def by_member(diff: Iterable[Difference]) -> Iterator[tuple[str, Any, Any]]:
    """What changes, by dotted member; plans of versions before 1.0 have whole structures.

    Args:
        diff: of one mapping.

    Yields:
        The member, its value before and after; None where it has none.
    """
    for one in diff:
        yield from _members(one.parameter, one.before, one.after)


def _members(path: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(after, dict) and after and isinstance(before, dict | None):
        had = before or {}
        for name in dict.fromkeys([*after, *had]):
            if had.get(name) != after.get(name):
                yield from _members(f"{path}.{name}", had.get(name), after.get(name))
    else:
        yield path, before, after


def change_text(diff: Iterable[Difference]) -> str:
    """What changes of one mapping, such as `BatchSize: 10 → 100`."""
    return "; ".join(f"{member}: {short(before)} → {short(after)}" for member, before, after in by_member(diff))


def what_text(member: str, after: Any) -> str:
    """What is done to a member of many mappings, such as `set BatchSize to 100`."""
    if member == "Enabled" and isinstance(after, bool):
        return "enable the mapping" if after else "disable the mapping"
    if after in (None, "", {}, []):
        return f"clear {member}"
    return f"set {member} to {short(after)}"
