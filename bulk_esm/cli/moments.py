"""Moments as people write them: in `30m`, or at a time of day with its zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta

from bulk_esm.cli.durations import parse_duration
from bulk_esm.errors import UsageError


def parse_moment(text: str, flag: str, *, now: datetime) -> datetime:
    """Read a moment.

    Returns:
        The moment, in UTC.

    Raises:
        UsageError: it is none of these, has no zone, or is over.
    """
    text = text.strip()
    hint = "write it like 30m, 03:30Z or 2026-01-31T03:30+01:00"
    try:
        if re.fullmatch(r"[\d.]+[smh]", text):
            return now + timedelta(seconds=parse_duration(text, flag))
        is_time_of_day = re.match(r"\d\d:\d\d", text) is not None
        moment = _next(time.fromisoformat(text), now) if is_time_of_day else datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise UsageError(f"{flag} {text}: say the zone, such as Z for UTC or +01:00; {hint}")
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{flag} {text!r} is neither a duration nor a moment; {hint}") from error
    if moment <= now:
        raise UsageError(f"{flag} {text} is over: it is {now:%Y-%m-%dT%H:%MZ}")
    return moment


def _next(at: time, now: datetime) -> datetime:
    """The next such time of day, by the calendar of its own zone; without a zone it is none yet."""
    moment = datetime.combine(now.astimezone(at.tzinfo).date(), at)
    return moment + timedelta(days=1) if at.tzinfo and moment <= now else moment
