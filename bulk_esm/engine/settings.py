"""How a plan is carried out, and a look at how that stands."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from bulk_esm.model.result import Outcome

BeforeUpdate = Callable[[int, Sequence[str]], Awaitable[None]]


MaySend = Callable[[], bool]


async def unrecorded(_results: int, _uuids: Sequence[str], /) -> None:
    """Let an update go that need not be recorded."""


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a plan is carried out.

    Attributes:
        concurrency: updates being sent at once.
        most_under_way: mappings sent or waited for at once: so many that only stuck ones can fill it, but bounded.
        timeout_s: how long a mapping may take to be accepted, and then to settle, in seconds.
        most_failures: how many mappings may fail before nothing more is sent; None for any number.
        deadline: when all should have ended, on the clock; what could not settle by then is not sent.
        ramp_s: the time over which the updates are spread, in seconds.
    """

    concurrency: int = 50
    most_under_way: int = 10_000
    timeout_s: float = 900.0
    most_failures: int | None = None
    deadline: float = math.inf
    ramp_s: float = 0.0


class EngineStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """A look at a run.

    Attributes:
        total: items that need an update.
        sending: updates on their way to being accepted.
        settling: accepted and not yet settled.
        outcomes: results so far, by outcome.
    """

    total: int
    sending: int
    settling: int
    outcomes: dict[Outcome, int]
