"""Time comes in from outside, so that tests neither sleep nor flake."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import anyio
import msgspec


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """The clock that everything here reads and waits by.

    Attributes:
        monotonic: time in seconds that only ever goes forward.
        now: the time of day, in UTC.
        sleep: waits for so many seconds.
    """

    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep


def iso(at: datetime | None) -> str | None:
    """A time of day as the records have it: ISO 8601 in UTC, to the millisecond.

    Args:
        at: an aware time, or None.
    """
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None
