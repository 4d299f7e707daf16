"""The control plane's quota: one token bucket for each account and Region, for every Lambda call (F§1.1)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, Self

from bulk_esm.simulator.settings import Settings

_FUNCTIONS_PER_SECOND: Final = 100.0
_ROUNDING: Final = 1e-9  # so that a caller who waits exactly 1/rate is served in spite of floating point


class TokenBucket:
    """A token bucket in virtual time, with another caller who helps himself first.

    Args:
        per_second: tokens added a virtual second; None or infinity does without a quota.
        burst: how many tokens it holds, and starts with. Lambda's is unpublished (F§1.1).
        other_share: the share of the refill that another caller takes, in tokens that never reach the bucket.
        other_on_s: for how many virtual seconds at a time he does, starting at 0.
        other_off_s: for how many virtual seconds he then does not; 0 if he never stops.
    """

    def __init__(
        self,
        *,
        per_second: float | None,
        burst: float,
        other_share: float = 0.0,
        other_on_s: float = 1.0,
        other_off_s: float = 0.0,
    ) -> None:
        self._per_second = math.inf if per_second is None else per_second
        self._burst = burst
        self._other_share = other_share
        self._other_on_s = other_on_s
        self._period_s = other_on_s + other_off_s if other_share > 0 and other_off_s > 0 else math.inf
        self._tokens = burst
        self._filled_at = 0.0

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The bucket that a simulator's settings describe, with the other caller of its faults."""
        return cls(
            per_second=settings.quota_per_second,
            burst=settings.burst,
            other_share=settings.faults.other_caller_share,
            other_on_s=settings.faults.other_caller_on_s,
            other_off_s=settings.faults.other_caller_off_s,
        )

    @classmethod
    def of_functions(cls, settings: Settings) -> Self:
        """That of GetFunction, which has a quota of its own (F§1.1)."""
        per_second = None if settings.quota_per_second is None else _FUNCTIONS_PER_SECOND
        return cls(per_second=per_second, burst=_FUNCTIONS_PER_SECOND)

    # Guess: a refused call costs no token, and the bucket holds a second's worth; Lambda publishes the rate alone
    # (F§1.1, F§8), and a burst of calls with its 429s counted, from an otherwise idle account, would tell.
    def take(self, now: float) -> bool:
        """Take a token if there is one.

        Args:
            now: virtual seconds; never earlier than in the call before.

        Returns:
            Whether there was one.
        """
        if math.isinf(self._per_second):
            return True
        for seconds, per_second in self._refills(now):
            self._tokens = min(self._burst, max(0.0, self._tokens + seconds * per_second))
        self._filled_at = max(self._filled_at, now)
        if self._tokens < 1 - _ROUNDING:
            return False
        self._tokens -= 1
        return True

    def _refills(self, now: float) -> Iterator[tuple[float, float]]:
        """The time since the last call, cut where the other caller starts or stops: (seconds, tokens a second)."""
        reduced = self._per_second * (1 - self._other_share)
        if math.isinf(self._period_s):
            yield max(0.0, now - self._filled_at), reduced
            return
        edge = self._filled_at
        while edge < now:
            started_at = math.floor(edge / self._period_s) * self._period_s
            stops_at = started_at + self._other_on_s
            busy = edge < stops_at
            # nextafter: an edge that rounding put just before itself must not stop the loop from advancing
            until = min(now, max(stops_at if busy else started_at + self._period_s, math.nextafter(edge, math.inf)))
            yield until - edge, reduced if busy else self._per_second
            edge = until
