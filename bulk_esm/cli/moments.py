"""Moments as people write them: in `30m`, or at a time of day with its zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from typing import Final

from bulk_esm.cli.durations import parse_duration
from bulk_esm.errors import UsageError

_HALF_A_DAY: Final = timedelta(hours=12)


def parse_moment(text: str, flag: str, *, now: datetime) -> datetime:
    """Read a moment.

    Returns:
        The moment, in UTC.

    Raises:
        UsageError: it is none of these, has no zone, or is over; a time of day if it is by less than half a day, as who
            writes 04:30Z at 04:35 hardly means tomorrow's.
    """
    text = text.strip()
    hint = "write it like 30m, 03:30Z or 2026-01-31T03:30+01:00"
    try:
        if re.fullmatch(r"[\d.]+[smhd]", text):
            return now + timedelta(seconds=parse_duration(text, flag))
        is_time_of_day = re.match(r"\d\d:\d\d", text) is not None
        moment = _today(time.fromisoformat(text), now) if is_time_of_day else datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise UsageError(f"{flag} {text}: say the zone, such as Z for UTC or +01:00; {hint}")
        if is_time_of_day:
            moment = _nearest(moment, now, f"{flag} {text}")
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{flag} {text!r} is neither a duration nor a moment; {hint}") from error
    if moment <= now:
        raise UsageError(f"{flag} {text} is over: it is {now:%Y-%m-%dT%H:%MZ}")
    return moment


def parse_since(text: str, *, now: datetime | None = None) -> datetime:
    """Read a moment that is over.

    Args:
        text: a duration, for so long ago; a day, which begins in UTC; or a moment with its zone.
        now: the time of day; by default what the clock says.

    Raises:
        UsageError: it is none of these.
    """
    try:
        if re.fullmatch(r"[\d.]+[smhd]", text):
            return (now or datetime.now(UTC)) - timedelta(seconds=parse_duration(text, "--since"))
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        what = f"--since {text!r} is neither a duration nor a moment"
        raise UsageError(f"{what}; write it like 7d, 2026-01-31 or 2026-01-31T03:30Z") from error
    if moment.tzinfo is None:
        if len(text) > len("2026-01-31"):
            raise UsageError(f"--since {text}: say the zone, such as Z for UTC or +01:00")
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC)


def _today(at: time, now: datetime) -> datetime:
    """That time of this day, by the calendar of its own zone; without a zone it is no moment yet."""
    return datetime.combine(now.astimezone(at.tzinfo).date(), at)


def _nearest(moment: datetime, now: datetime, name: str) -> datetime:
    """That time of the day that is the nearest to now, which must be ahead."""
    while moment <= now - _HALF_A_DAY:
        moment += 2 * _HALF_A_DAY
    while moment > now + _HALF_A_DAY:
        moment -= 2 * _HALF_A_DAY
    if moment <= now:
        tomorrows = (moment + 2 * _HALF_A_DAY).isoformat(
            timespec="auto" if moment.second or moment.microsecond else "minutes"
        )
        tomorrows = tomorrows.replace("+00:00", "Z")
        over = f"{name} is over: it is {now.astimezone(moment.tzinfo):%H:%M} there"
        raise UsageError(f"{over}; if the next one is meant, write {name.partition(' ')[0]} {tomorrows}")
    return moment
