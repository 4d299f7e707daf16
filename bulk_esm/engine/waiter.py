"""Learns when each mapping has settled.

The interface is `settled(asked)`: it registers what was asked and returns when that is settled, or can no longer be.
It looks with Get, first when the source type is likely to have settled, then after growing pauses; every look is paced
like any request.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from bulk_esm.aws.control_plane import ControlPlane
from bulk_esm.clock import Clock
from bulk_esm.engine.settling import FINAL, LIKELY_SETTLE_S, MISMATCH, Asked, Verdict, judge
from bulk_esm.errors import ServiceError
from bulk_esm.model.mapping import EventSourceMapping, SourceType

_PAUSE_GROWTH: Final = 1.5
_FIRST_PAUSE: Final = 0.5  # of the likely settle time
_RATE_OF_REAL_LAMBDA: Final = 12.0


class Settlement(msgspec.Struct, frozen=True):
    """How the wait for a mapping ended.

    Attributes:
        verdict: `SETTLED`, `NOT_APPLIED`, `CHANGED`, `GONE` or `TIMED_OUT`.
        mapping: the mapping as last seen; None if it was never seen, or is gone.
    """

    verdict: Verdict
    mapping: EventSourceMapping | None


class WaiterStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """A look at the waiter: mappings waited for, looks so far, and how many of those found something settled."""

    waiting: int
    looks: int
    found: int


class Waiter:
    """Waits for mappings to settle, or to come to rest, at the cost of as few requests as it can."""

    def __init__(
        self,
        control_plane: ControlPlane,
        *,
        clock: Clock | None = None,
    ) -> None:
        """Wait on one control plane.

        Args:
            control_plane: where to look.
            clock: the time.
        """
        self._control_plane = control_plane
        self._clock = clock or Clock()
        self._waiting = self._looks = self._found = 0

    def statistics(self) -> WaiterStatistics:
        """What is waited for, and what the looks have cost."""
        return WaiterStatistics(waiting=self._waiting, looks=self._looks, found=self._found)

    async def settled(self, asked: Asked, *, deadline: float) -> Settlement:
        """Wait until an accepted update has settled.

        A mismatch at rest is looked at once more, a pause later, before it counts.

        Args:
            asked: what was asked.
            deadline: when to stop waiting, on the clock.

        Raises:
            AccessError: the credentials are refused.
            ServiceError: a look failed for good.
        """
        last: EventSourceMapping | None = None
        doubted = False

        def is_over(seen: EventSourceMapping) -> Verdict | None:
            nonlocal doubted
            verdict = judge(asked, seen)
            if verdict in FINAL or (verdict in MISMATCH and doubted):
                return verdict
            doubted = verdict in MISMATCH
            return None

        verdict, last = await self._look_until(is_over, asked.uuid, asked.source_type, deadline)
        return Settlement(verdict or Verdict.TIMED_OUT, last)

    async def at_rest(self, uuid: str, source_type: SourceType, *, deadline: float) -> EventSourceMapping | None:
        """Wait until a mapping is at rest, whatever it has.

        Args:
            uuid: the mapping.
            source_type: its source type.
            deadline: when to stop waiting, on the clock.

        Returns:
            The mapping at rest, or as last seen at the deadline; None if it does not exist.

        Raises:
            AccessError: the credentials are refused.
            ServiceError: a look failed for good.
        """

        def is_over(seen: EventSourceMapping) -> Verdict | None:
            return Verdict.SETTLED if seen.at_rest else None

        _, last = await self._look_until(is_over, uuid, source_type, deadline)
        return last

    async def _look_until(
        self,
        is_over: Callable[[EventSourceMapping], Verdict | None],
        uuid: str,
        source_type: SourceType,
        deadline: float,
    ) -> tuple[Verdict | None, EventSourceMapping | None]:
        seen: EventSourceMapping | None = None
        likely_s = LIKELY_SETTLE_S[source_type] * _RATE_OF_REAL_LAMBDA / self._control_plane.pacer.max_per_second
        pause_s = likely_s
        self._waiting += 1
        try:
            while True:
                await self._clock.sleep(max(0.0, min(pause_s, deadline - self._clock.monotonic())))
                self._looks += 1
                try:
                    seen = await self._control_plane.get(uuid, deadline=deadline)
                except ServiceError as error:
                    if error.code == "ResourceNotFoundException":
                        return Verdict.GONE, None
                    raise
                verdict = is_over(seen)
                if verdict is not None:
                    self._found += 1
                    return verdict, seen
                if self._clock.monotonic() >= deadline:  # after a look, as only a look can tell that it is gone
                    return None, seen
                pause_s = likely_s * _FIRST_PAUSE if pause_s == likely_s else pause_s * _PAUSE_GROWTH
        finally:
            self._waiting -= 1
