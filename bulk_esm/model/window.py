"""Windows: the hours of the day in which a job may work, by the clocks of a zone."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

import msgspec

from bulk_esm.errors import UsageError
from bulk_esm.model.parameters import nearest

_TIME: Final = r"(?:[01]\d|2[0-3]):[0-5]\d"
_FORM: Final = re.compile(rf"({_TIME})-({_TIME}|24:00)(?:\[(?P<zone>[^\[\]]*)\]|(?P<utc>Z))?")
_DAY: Final = timedelta(days=1)
_DAYS_AHEAD: Final = 3  # on one of them at most there is no such time


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """Hours of each day. What ends at or before its beginning ends on the next day.

    A time that the clocks skip is the moment at which they are put forward; of a time that they show twice, the first
    counts.

    Attributes:
        text: as it was written.
        opens: when it opens.
        closes: when it closes; 00:00 where 24:00 was written.
        zone: the zone by whose clocks, such as `Europe/Berlin`.
    """

    text: str
    opens: time
    closes: time
    zone: str

    @classmethod
    def parse(cls, text: str) -> Window:
        """Read a window.

        Args:
            text: such as `02:00-04:30[Europe/Berlin]` or `22:00-04:00Z`.

        Raises:
            UsageError: it is none, has no zone, or an unknown one, or never opens.
        """
        text = text.strip()
        found = _FORM.fullmatch(text)
        hint = "write it like '02:00-04:30[Europe/Berlin]' or '02:00-04:30[UTC]'"
        if found is None:
            raise UsageError(f"--window {text!r} is no window; {hint}")
        if found["zone"] is None and found["utc"] is None:
            raise UsageError(f"--window {text}: say the zone; {hint}")
        zone = "UTC" if found["utc"] else found["zone"]
        _zone(zone)
        if found[1] == found[2]:
            raise UsageError(f"--window {text}: it closes when it opens; for the whole day write 00:00-24:00[{zone}]")
        closes = "00:00" if found[2] == "24:00" else found[2]
        return cls(text=text, opens=time.fromisoformat(found[1]), closes=time.fromisoformat(closes), zone=zone)

    def next(self, now: datetime) -> tuple[datetime, datetime]:
        """When it opens and closes: the one that is open, or else the next.

        Args:
            now: the time.

        Returns:
            Both in UTC; the first may be over.
        """
        today = now.astimezone(_zone(self.zone)).date()
        days = (self._on(today + number * _DAY) for number in range(-1, _DAYS_AHEAD))
        # On the day on which the clocks skip the hour that it lies in, it does not open.
        return next((opens, closes) for opens, closes in days if opens < closes and now < closes)

    def _on(self, day: date) -> tuple[datetime, datetime]:
        until = day if self.opens < self.closes else day + _DAY
        return _moment(day, self.opens, _zone(self.zone)), _moment(until, self.closes, _zone(self.zone))


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:  # `Europe` is a folder, and one that is not there a KeyError
        hint = nearest(name, available_timezones()) or "; write one such as Europe/Berlin or UTC"
        raise UsageError(f"--window: there is no zone {name!r}{hint}") from error


def _moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The moment at which clocks show a time for the first time, or pass it by."""
    local = datetime.combine(day, at, zone)  # with the offset from before, where clocks are put forward or back
    moment = local.astimezone(UTC)
    if moment.astimezone(zone).time() == at:
        return moment
    before, after = local.replace(fold=1).astimezone(UTC), moment
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        before, after = (middle, after) if middle.astimezone(zone).utcoffset() == offset else (before, middle)
    return after.replace(microsecond=0)
