"""Which controller adapts the rate best when another caller takes a part of the quota: AIMD or CUBIC?

    python benchmarks/controllers.py

A model, not a measurement: a bucket like Lambda's, answers that come a round trip later, and the pacers themselves on a
clock that this script moves; so it repeats to the last digit, and shows what a burst of another size would change
(Lambda publishes none). `contention.py --pacers controllers:CubicPacer` measures the same with the whole engine.

Each cell: share of what the other caller leaves that was used / share of our requests that were throttled. The other
caller takes 25, 50 or 75 % of the quota, steadily, or 10 seconds on and 10 seconds off. The quota is 15 requests/s.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

from records import table

from bulk_esm.aws.pacing import Pacer
from bulk_esm.clock import Clock

QUOTA_PER_S = 15.0
ROUND_TRIP_S = 0.08
LASTS_S = 120.0
OTHERS = [(0.0, 0.0), (0.25, 0.0), (0.5, 0.0), (0.75, 0.0), (0.25, 10.0), (0.5, 10.0), (0.75, 10.0)]


class CubicPacer(Pacer):
    """The controller of botocore's adaptive mode (F§5.2), in the place of ours."""

    beta = 0.7
    scale = 0.4

    def __init__(self, *, max_per_second: float, clock: Clock | None = None) -> None:
        super().__init__(max_per_second=max_per_second, clock=clock)
        self._before = max_per_second

    def succeeded(self) -> None:
        if not self._episodes:
            return
        speed = self._max_per_second / QUOTA_PER_S  # botocore's constants are for seconds and a few requests each
        plateau = self._before / speed
        k = (plateau * (1 - self.beta) / self.scale) ** (1 / 3)
        elapsed = (self._clock.monotonic() - self._episode_at) * speed
        wanted = speed * (self.scale * (elapsed - k) ** 3 + plateau)
        self._rate = min(self._max_per_second, max(wanted, self._max_per_second / 20))

    def throttled(self, granted_at: float, retry_after_s: float | None = None) -> None:
        before, episodes = self._rate, self._episodes
        super().throttled(granted_at, retry_after_s)
        if self._episodes > episodes:
            self._before = before
            self._rate = max(before * self.beta, self._max_per_second / 20)


def aimd(decrease: float, recovery_per_s: float) -> Callable[..., Pacer]:
    """Ours with other constants."""

    class Aimd(Pacer):
        def succeeded(self) -> None:
            step = self._max_per_second * recovery_per_s / QUOTA_PER_S * self._max_per_second / self._rate
            self._rate = min(self._max_per_second, self._rate + step)

        def throttled(self, granted_at: float, retry_after_s: float | None = None) -> None:
            before, episodes = self._rate, self._episodes
            super().throttled(granted_at, retry_after_s)
            if self._episodes > episodes:
                self._rate = max(before * decrease, self._max_per_second / 20)

    return Aimd


def refill(start: float, end: float, *, share: float, period_s: float) -> float:
    """The tokens that the other caller leaves between two times."""
    left, at = 0.0, start
    while at < end:
        phase = at % (2 * period_s) if period_s else 0.0
        until = min(end, at + period_s - phase % period_s + 1e-9) if period_s else end
        busy = phase < period_s or not period_s
        left += (until - at) * QUOTA_PER_S * (1 - share if busy else 1.0)
        at = until
    return left


def play(make: Callable[..., Pacer], *, share: float, period_s: float, burst: float) -> str:
    """Send as fast as the pacer's rate allows, for two minutes."""
    now = 0.0
    pacer = make(max_per_second=QUOTA_PER_S, clock=Clock(monotonic=lambda: now))
    tokens, left, served, throttled = burst, burst, 0, 0
    answers: list[tuple[float, float, bool]] = []
    while now < LASTS_S:
        following = now + 1 / pacer.statistics().rate
        while answers and answers[0][0] <= following:
            now, granted_at, ok = heapq.heappop(answers)
            if ok:
                pacer.succeeded()
            else:
                pacer.throttled(granted_at)
        came = refill(following - 1 / pacer.statistics().rate, following, share=share, period_s=period_s)
        now = following
        tokens, left = min(burst, tokens + came), left + came
        ok = tokens >= 1
        tokens -= ok
        served += ok
        throttled += not ok
        heapq.heappush(answers, (now + ROUND_TRIP_S, now, ok))
    return f"{served / left:.0%} / {throttled / (served + throttled):.1%}"


def main() -> None:
    contenders: dict[str, Callable[..., Pacer]] = {
        "ours: AIMD 0.6, 9 %/s": Pacer,
        "AIMD 0.7, 5 %/s": aimd(0.7, 0.05),
        "AIMD 0.9, 5 %/s": aimd(0.9, 0.05),
        "AIMD 0.5, 10 %/s": aimd(0.5, 0.1),
        "CUBIC 0.7": CubicPacer,
    }
    columns = [f"{share:.0%}{' in bursts' if period_s else ''}" for share, period_s in OTHERS]
    for burst in (15.0, 2.0):
        print(f"\na bucket {burst:g} deep\n")
        rows = [
            [name, *(play(make, share=share, period_s=period_s, burst=burst) for share, period_s in OTHERS)]
            for name, make in contenders.items()
        ]
        print(table(["controller", *columns], rows))


if __name__ == "__main__":
    main()
