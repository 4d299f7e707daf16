"""Time comes in from outside, so that tests neither sleep nor flake."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final

import anyio
import msgspec

_GOES_ON: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def time_with_sleep() -> float:
    """Time in seconds that only ever goes forward, while the machine sleeps too, where the system can tell.

    `time.monotonic` stands still meanwhile, on Linux and on macOS; there the system's own monotonic clock does not.
    """
    return time.clock_gettime(_GOES_ON)


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
