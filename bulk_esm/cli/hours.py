"""When a job may work: from the opening of its window, to its closing or a deadline, or that of a change calendar.

Read once, as `30m` and `03:30Z` would mean another moment later.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from bulk_esm.cli.durations import format_duration
from bulk_esm.cli.moments import parse_moment
from bulk_esm.cli.streams import say
from bulk_esm.clock import Clock
from bulk_esm.errors import UsageError
from bulk_esm.model.calendars import CalendarState, closes_at, moment_text
from bulk_esm.model.window import Window

_LOOKS_AT_THE_CLOCK_EVERY_S: Final = 60.0
_BY_CALENDAR: Final = "calendar"


@dataclass(frozen=True, kw_only=True)
class Hours:
    """When a job may work.

    Attributes:
        deadline: when all should have ended, or None.
        window: the window as it was written, or None.
        opens_at: when that opens; over, where it is open.
        closes_at: when it closes.
        by_calendar: whether the deadline is when the first calendar closes, which is known once they are read.
        calendars: how they stand, as far as they were read.
    """

    deadline: datetime | None = None
    window: str | None = None
    opens_at: datetime | None = None
    closes_at: datetime | None = None
    by_calendar: bool = False
    calendars: tuple[CalendarState, ...] = ()

    @classmethod
    def read(
        cls, deadline: str | None, window: str | None, *, calendars: Sequence[str] = (), now: datetime | None = None
    ) -> Hours:
        """Read them.

        Args:
            deadline: a duration, a moment or `calendar`, or None.
            window: the window, or None.
            calendars: the names of the job's calendars.
            now: the time.

        Raises:
            UsageError: one is none, or the deadline is over, or comes before the window opens.
        """
        now = now or datetime.now(UTC)
        by_calendar = deadline is not None and deadline.strip() == _BY_CALENDAR
        if by_calendar and not calendars:
            raise UsageError("--deadline calendar is when a calendar closes: say which, with --calendar NAME")
        ends_at = None if deadline is None or by_calendar else parse_moment(deadline, "--deadline", now=now)
        if window is None:
            return cls(deadline=ends_at, by_calendar=by_calendar)
        opens_at, closes = Window.parse(window).next(now)
        if ends_at is not None and ends_at <= opens_at:
            raise UsageError(f"--deadline {deadline} comes before --window {window} opens, at {moment_text(opens_at)}")
        return cls(deadline=ends_at, window=window, opens_at=opens_at, closes_at=closes, by_calendar=by_calendar)

    def with_calendars(self, states: Sequence[CalendarState]) -> Hours:
        """The same, with the deadline that calendars give where that was asked for.

        Args:
            states: how they stand.
        """
        deadline = closes_at(states) if self.by_calendar else self.deadline
        return replace(self, calendars=tuple(states), deadline=deadline)

    @property
    def ends_at(self) -> datetime | None:
        """When all should have ended, by whichever comes first. However long a plan and a question took."""
        return min((end for end in (self.deadline, self.closes_at) if end is not None), default=None)

    @property
    def lines(self) -> Iterator[str]:
        """What to say before a run."""
        if self.deadline is not None:
            yield f"deadline: {self.deadline:%Y-%m-%d %H:%M:%S} UTC"
        elif self.by_calendar:
            yield "deadline: none, as no calendar says when it closes"
        if self.closes_at is not None:
            yield f"window: {self.window}, which closes at {moment_text(self.closes_at)}"
        for state in self.calendars:
            yield state.text if state.until else f"{state.text}; when that changes is not known"

    def too_short_lines(self, needed_s: float, now: datetime) -> Iterator[str]:
        """Warnings of what comes before a run could have ended.

        Args:
            needed_s: how long it takes at least, in seconds.
            now: the time.
        """
        calendar = None if self.by_calendar else closes_at(self.calendars)
        rest = "what is left waits until it opens" if self.ends_at else "it halts then, as there is no deadline"
        ends = {
            "the deadline comes": (self.deadline, "what could not settle by then is not sent"),
            "the window closes": (self.closes_at, "what could not settle by then is not sent"),
            "a calendar closes": (calendar, f"the wave under way is finished, and {rest}"),
        }
        for what, (at, then) in ends.items():
            if at is not None and (left_s := (at - now).total_seconds()) < needed_s:
                needed, left = format_duration(needed_s), format_duration(max(0.0, left_s))
                yield f"warning: it takes at least {needed}, and {what} in {left}: {then}"

    def opens_in_s(self, now: datetime) -> float:
        """In how many seconds it opens; 0 if it is open, or there is no window."""
        return 0.0 if self.opens_at is None else max(0.0, (self.opens_at - now).total_seconds())

    async def wait(self, clock: Clock) -> None:
        """Wait for the opening, by the time of day, as a machine may sleep meanwhile."""
        if self.opens_at is None:
            return
        left_s = (self.opens_at - clock.now()).total_seconds()
        if left_s > 0:
            opens = f"for --window {self.window} to open, at {moment_text(self.opens_at)}"
            say(f"waiting {format_duration(left_s)} {opens}")
        while left_s > 0:
            await clock.sleep(min(left_s, _LOOKS_AT_THE_CLOCK_EVERY_S))
            left_s = (self.opens_at - clock.now()).total_seconds()
