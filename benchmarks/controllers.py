"""Which controller adapts the rate best when another caller takes a part of the quota: ours, AIMD or CUBIC?

    python benchmarks/controllers.py --seeds 20

A model, not a measurement: a bucket like Lambda's, answers that come a round trip later, and the controllers themselves
in virtual time; so it repeats to the last digit, and shows what a burst of another size would change (Lambda publishes
none). `contention.py --pacers controllers:cubic_pacer` measures the same with the whole engine.

Each cell: share of what the other caller leaves that was used / share of our requests that were throttled, the mean of
the seeds. The other caller takes 25 to 90 % of the quota: steadily; at random moments (a Poisson process); or 20
seconds on and 20 off. Back: how many seconds after a steady caller left the whole quota was asked for, at the most.
Two of ours: both alike without another caller, and how much the one that got less had of the other's. 15 requests/s.
"""

from __future__ import annotations

import argparse
import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from statistics import mean

from records import table

from bulk_esm.aws.pacing import Pacer
from bulk_esm.aws.rate_control import LOWEST, RateControl
from bulk_esm.clock import Clock

QUOTA_PER_S = 15.0
ROUND_TRIP_S = 0.08
LASTS_S = 120.0
LEAVES_S = 60.0


class CubicControl(RateControl):
    """The controller of botocore's adaptive mode (F§5.2), in the place of ours."""

    beta = 0.7
    scale = 0.4

    def __init__(self) -> None:
        super().__init__()
        self._before_per_s, self._sent_for_s = 0.0, 0.0

    def served(self) -> None:
        if not self._before_per_s:
            return
        self._sent_for_s += 1 / (self.share * QUOTA_PER_S)  # the constants are for seconds, and a few requests each
        k = (self._before_per_s * (1 - self.beta) / self.scale) ** (1 / 3)
        wanted_per_s = self.scale * (self._sent_for_s - k) ** 3 + self._before_per_s
        self.share = min(1.0, max(wanted_per_s / QUOTA_PER_S, LOWEST))

    def throttled(self, full_rate_sends: float) -> None:  # noqa: ARG002 - CUBIC does not measure
        self._before_per_s, self._sent_for_s = self.share * QUOTA_PER_S, 0.0
        self.share = max(self.share * self.beta, LOWEST)


class Aimd(RateControl):
    """Additive increase, multiplicative decrease: ours until it was replaced, with its constants."""

    def __init__(self, decrease: float = 0.6, recovery: float = 0.006) -> None:
        super().__init__()
        self._decrease, self._recovery = decrease, recovery

    def served(self) -> None:
        self.share = min(1.0, self.share + self._recovery / self.share)

    def throttled(self, full_rate_sends: float) -> None:  # noqa: ARG002 - AIMD does not measure
        self.share = max(self.share * self._decrease, LOWEST)


def cubic_pacer(*, max_per_second: float, clock: Clock | None = None) -> Pacer:
    """For `contention.py`."""
    return Pacer(max_per_second=max_per_second, clock=clock, control=CubicControl())


def aimd_pacer(*, max_per_second: float, clock: Clock | None = None) -> Pacer:
    """For `contention.py`."""
    return Pacer(max_per_second=max_per_second, clock=clock, control=Aimd())


@dataclass(frozen=True, kw_only=True)
class Other:
    """Another caller."""

    share: float = 0.0
    at_random: bool = False
    period_s: float = 0.0  # on for so long, then off for so long; 0 is always on
    leaves_s: float = LASTS_S

    def takes(self, at: float) -> float:
        """The share of the quota that he takes at a moment."""
        off = at >= self.leaves_s or (self.period_s and at % (2 * self.period_s) >= self.period_s)
        return 0.0 if off else self.share


class Play:
    """Callers that always have something to send, for two minutes, and what became of that."""

    def __init__(self, controls: list[RateControl], other: Other, *, burst: float, seed: int) -> None:
        self.served, self.throttled = [0] * len(controls), 0
        self.left = self._tokens = burst
        self.back_s: float | None = None
        self._burst, self._other, self._random = burst, other, random.Random(seed)  # noqa: S311 - a model
        self._controls, self._episodes = controls, [0.0] * len(controls)
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._scheduled, self._at = 0, 0.0
        for number in range(len(controls)):
            self._later(self._random.random() / QUOTA_PER_S, partial(self._send, number))
        if other.at_random:
            self._later(0.0, self._other_comes)
        while self._events[0][0] < LASTS_S:
            now, _, happens = heapq.heappop(self._events)
            self._refill(now)
            happens(now)

    def _later(self, at: float, happens: Callable[[float], None]) -> None:
        self._scheduled += 1
        heapq.heappush(self._events, (at, self._scheduled, happens))

    def _refill(self, now: float) -> None:
        taken = 0.0 if self._other.at_random else self._other.takes((self._at + now) / 2)
        came = (now - self._at) * QUOTA_PER_S * (1 - taken)
        self._at, self.left, self._tokens = now, self.left + came, min(self._burst, self._tokens + came)

    def _other_comes(self, now: float) -> None:
        if self._other.takes(now) and self._tokens >= 1:
            self._tokens -= 1
            self.left -= 1
        self._later(now + self._random.expovariate(self._other.share * QUOTA_PER_S), self._other_comes)

    def _send(self, number: int, now: float) -> None:
        control = self._controls[number]
        if self.back_s is None and now >= self._other.leaves_s and control.share == 1:
            self.back_s = now - self._other.leaves_s
        ok = self._tokens >= 1
        self._tokens -= ok
        self.served[number] += ok
        self.throttled += not ok
        self._later(now + ROUND_TRIP_S * self._random.uniform(0.5, 1.5), partial(self._answered, number, now, ok))
        self._later(now + self._random.uniform(0.97, 1.03) / (control.share * QUOTA_PER_S), partial(self._send, number))

    def _answered(self, number: int, sent_at: float, ok: bool, now: float) -> None:  # noqa: FBT001
        if ok:
            self._controls[number].served()
        elif sent_at > self._episodes[number]:  # as `Pacer.throttled` has it
            self._controls[number].throttled((now - self._episodes[number]) * QUOTA_PER_S)
            self._episodes[number] = now

    def __str__(self) -> str:
        return f"{sum(self.served) / self.left:.0%} / {self.throttled / (sum(self.served) + self.throttled):.1%}"


def row(make: Callable[[], RateControl], others: list[Other], *, burst: float, seeds: int) -> list[str]:
    """One controller against all."""

    def plays(other: Other, callers: int = 1) -> list[Play]:
        return [Play([make() for _ in range(callers)], other, burst=burst, seed=seed) for seed in range(seeds)]

    def cell(of: list[Play]) -> str:
        used = mean(sum(play.served) / play.left for play in of)
        throttled = mean(play.throttled / (sum(play.served) + play.throttled) for play in of)
        return f"{used:.0%} / {throttled:.1%}"

    back = [play.back_s for share in (0.5, 0.75) for play in plays(Other(share=share, leaves_s=LEAVES_S))]
    two = plays(Other(), 2)
    fair = mean(min(play.served) / max(play.served) for play in two)
    longest = "never" if None in back else f"{max(one for one in back if one is not None):.0f} s"
    return [*(cell(plays(other)) for other in others), longest, f"{cell(two)} / {fair:.0%}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    options = parser.parse_args()
    contenders: dict[str, Callable[[], RateControl]] = {
        "ours": RateControl,
        "AIMD 0.6, 9 %/s": Aimd,
        "AIMD 0.9, 5 %/s": partial(Aimd, 0.9, 0.05 / QUOTA_PER_S),
        "CUBIC 0.7": CubicControl,
    }
    shares = (0.25, 0.5, 0.75)
    others = {f"{share:.0%}": Other(share=share) for share in (*shares, 0.9)}
    others |= {f"{share:.0%} at random": Other(share=share, at_random=True) for share in shares}
    others |= {f"{share:.0%} in bursts": Other(share=share, period_s=20.0) for share in shares}
    for burst in (15.0, 2.0):
        print(f"\na bucket {burst:g} deep\n")
        rows = [
            [name, *row(make, list(others.values()), burst=burst, seeds=options.seeds)]
            for name, make in contenders.items()
        ]
        print(table(["controller", *others, "back", "two of ours"], rows))


if __name__ == "__main__":
    main()
