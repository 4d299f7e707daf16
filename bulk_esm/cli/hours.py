"""When a job may work: from the opening of its window, to its closing or a deadline.

Read once, as `30m` and `03:30Z` would mean another moment later.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from bulk_esm.cli.durations import format_duration
from bulk_esm.cli.moments import parse_moment
from bulk_esm.cli.streams import say
from bulk_esm.clock import Clock
from bulk_esm.errors import UsageError
from bulk_esm.model.window import Window

_LOOKS_AT_THE_CLOCK_EVERY_S: Final = 60.0


@dataclass(frozen=True, kw_only=True)
class Hours:
    """When a job may work.

    Attributes:
        deadline: when all should have ended, or None.
        window: the window as it was written, or None.
        opens_at: when that opens; over, where it is open.
        closes_at: when it closes.
    """

    deadline: datetime | None = None
    window: str | None = None
    opens_at: datetime | None = None
    closes_at: datetime | None = None

    @classmethod
    def read(cls, deadline: str | None, window: str | None, *, now: datetime | None = None) -> Hours:
        """Read them.

        Args:
            deadline: a duration or a moment, or None.
            window: the window, or None.
            now: the time.

        Raises:
            UsageError: one is none, or the deadline is over, or comes before the window opens.
        """
        now = now or datetime.now(UTC)
        ends_at = None if deadline is None else parse_moment(deadline, "--deadline", now=now)
        if window is None:
            return cls(deadline=ends_at)
        opens_at, closes_at = Window.parse(window).next(now)
        if ends_at is not None and ends_at <= opens_at:
            raise UsageError(f"--deadline {deadline} comes before --window {window} opens, at {_moment(opens_at)}")
        return cls(deadline=ends_at, window=window, opens_at=opens_at, closes_at=closes_at)

    @property
    def ends_at(self) -> datetime | None:
        """When all should have ended, by whichever comes first. However long a plan and a question took."""
        return min((end for end in (self.deadline, self.closes_at) if end is not None), default=None)

    @property
    def lines(self) -> Iterator[str]:
        """What to say before a run."""
        if self.deadline is not None:
            yield f"deadline: {self.deadline:%Y-%m-%d %H:%M:%S} UTC"
        if self.closes_at is not None:
            yield f"window: {self.window}, which closes at {_moment(self.closes_at)}"

    def opens_in_s(self, now: datetime) -> float:
        """In how many seconds it opens; 0 if it is open, or there is no window."""
        return 0.0 if self.opens_at is None else max(0.0, (self.opens_at - now).total_seconds())

    async def wait(self, clock: Clock) -> None:
        """Wait for the opening, by the time of day, as a machine may sleep meanwhile."""
        if self.opens_at is None:
            return
        left_s = (self.opens_at - clock.now()).total_seconds()
        if left_s > 0:
            say(f"waiting {format_duration(left_s)} for --window {self.window} to open, at {_moment(self.opens_at)}")
        while left_s > 0:
            await clock.sleep(min(left_s, _LOOKS_AT_THE_CLOCK_EVERY_S))
            left_s = (self.opens_at - clock.now()).total_seconds()


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
