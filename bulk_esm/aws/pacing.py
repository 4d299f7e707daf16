"""The token bucket that every request of one account and Region passes.

Lambda gives 15 requests/s to an account and Region for all callers together (F§1). The bucket hands out its tokens in
the order in which they were asked for, and changes its own rate: down once for each episode of congestion, back up
while traffic is clean (`rate_control`).
"""

from __future__ import annotations

from typing import Final

import anyio
import msgspec

from bulk_esm.aws.rate_control import RateControl
from bulk_esm.clock import Clock
from bulk_esm.errors import UsageError
from bulk_esm.logs import get_logger

log: Final = get_logger("aws")

# How much of an idle second may be caught up at once: enough that a late wake-up of the event loop loses nothing,
# little enough that no window of a second sees a burst. Lambda publishes no burst size (F§1.1).
BURST_S: Final = 0.04
MOST_BURST: Final = 10.0  # requests
# Guess: Lambda never means a longer pause, as no capture shows a Retry-After at all; were it longer, the next answer
# would ask for it again. It also keeps a proxy's nonsense (1e9, inf) from stopping a run for ever.
_LONGEST_HOLD_S: Final = 60.0


class PacerStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """A look at the bucket.

    Attributes:
        rate: requests/s at present.
        max_per_second: requests/s when nothing throttles.
        granted: requests let through so far.
        waiting: requests in line.
        throttles: throttling answers so far.
        episodes: how often the rate was lowered.
    """

    rate: float
    max_per_second: float
    granted: int
    waiting: int
    throttles: int
    episodes: int


class Pacer:
    """A token bucket: first come, first served; safe to cancel; adjustable while it runs.

    In any window of `t` seconds it grants at most `rate * t` requests and one burst: what `BURST_S` brings, but at
    least 1 and at most `MOST_BURST`.
    """

    def __init__(
        self,
        *,
        max_per_second: float,
        clock: Clock | None = None,
        control: RateControl | None = None,
    ) -> None:
        """Start with one token.

        Args:
            max_per_second: requests/s while nothing throttles.
            clock: the time.
            control: what becomes of the rate when something does.

        Raises:
            UsageError: a rate that is not a number above zero.
        """
        self._max_per_second = _checked(max_per_second)
        self._clock = clock or Clock()
        self._line = anyio.Lock(
            fast_acquire=True
        )  # hands over in the order of arrival; who is cancelled leaves the line
        self._refilled_at = self._clock.monotonic()
        self._tokens = 1.0
        self._held_until = float("-inf")
        self._episode_at = self._refilled_at
        self._control = control or RateControl()
        self._granted = self._throttles = self._episodes = 0

    @property
    def max_per_second(self) -> float:
        """Requests/s while nothing throttles; may be set at any time."""
        return self._max_per_second

    @max_per_second.setter
    def max_per_second(self, value: float) -> None:
        self._refill()
        self._max_per_second = _checked(value)

    def statistics(self) -> PacerStatistics:
        """What the bucket has done and is doing."""
        lined_up = self._line.statistics()
        return PacerStatistics(
            rate=self._rate,
            max_per_second=self._max_per_second,
            granted=self._granted,
            waiting=lined_up.tasks_waiting + lined_up.locked,
            throttles=self._throttles,
            episodes=self._episodes,
        )

    async def acquire(self) -> float:
        """Wait in line for one request.

        The head of the line takes its token in one step with no wait after it, so a cancelled caller has taken
        neither a token nor anyone's place.

        Returns:
            The time of the grant, to be handed to `succeeded` or `throttled`.
        """
        async with self._line:
            while (wait_s := self._wait_s()) > 0:
                await self._clock.sleep(wait_s)
            self._tokens -= 1
            self._granted += 1
            return self._refilled_at

    def succeeded(self) -> None:
        """Take note of an answer that was no throttle: clean traffic brings the rate back."""
        self._control.served()

    def throttled(self, granted_at: float, retry_after_s: float | None = None) -> None:
        """Take note of a throttle.

        A request that was granted before the rate was last lowered tells of the same congestion, so it lowers nothing.

        Args:
            granted_at: what `acquire` returned for the request.
            retry_after_s: the pause that the answer asked for, in seconds, if it did.
        """
        self._throttles += 1
        now = self._refill()
        if retry_after_s is not None:
            self._held_until = max(self._held_until, now + min(retry_after_s, _LONGEST_HOLD_S))
        if self._episodes and granted_at <= self._episode_at:
            return
        self._control.throttled((now - self._episode_at) * self._max_per_second)
        self._episodes += 1
        self._episode_at = now
        self._tokens = min(self._tokens, 0.0)
        log.info("throttled", per_second=round(self._rate, 2))

    @property
    def _rate(self) -> float:
        return self._max_per_second * self._control.share

    @property
    def _capacity(self) -> float:
        return max(1.0, min(self._rate * BURST_S, MOST_BURST))

    def _refill(self) -> float:
        now = self._clock.monotonic()
        self._tokens = min(self._capacity, self._tokens + (now - self._refilled_at) * self._rate)
        self._refilled_at = now
        return now

    def _wait_s(self) -> float:
        now = self._refill()
        # A hair's breadth of rounding must not cost another turn of the event loop.
        for_token = (1 - self._tokens) / self._rate if self._tokens < 1 - 1e-9 else 0.0
        return max(for_token, self._held_until - now)


def _checked(max_per_second: float) -> float:
    if not 0 < max_per_second < float("inf"):
        raise UsageError(f"the rate is in requests a second and above 0, not {max_per_second:g}")
    return max_per_second
