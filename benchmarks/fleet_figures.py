"""The yardsticks of the fleet benchmarks, as pure functions of what was noted."""

from __future__ import annotations

from collections.abc import Sequence

Samples = Sequence[tuple[float, float]]  # (monotonic seconds, CPU seconds so far)


def highest_rate(times: Sequence[float], window_s: float = 10.0) -> float:
    """The most events a second over any window of so many seconds; all of them by the window if they took less."""
    ordered = sorted(times)
    most, begin = 0, 0
    for end, moment in enumerate(ordered):
        while moment - ordered[begin] >= window_s:
            begin += 1
        most = max(most, end - begin + 1)
    return most / window_s


def cpu_between(samples: Samples, start_s: float, end_s: float) -> float:
    """The CPU seconds that were used between two moments, as near as the samples tell."""
    within = [used for at, used in samples if start_s <= at <= end_s]
    return within[-1] - within[0] if within else 0.0


def busiest_share(samples: Samples, window_s: float = 10.0) -> float:
    """The largest share of one core over any window of so many seconds; over all of it if that is less."""
    shares = [0.0]
    begin = 0
    for at, used in samples:
        while at - samples[begin][0] > window_s:
            begin += 1
        since, before = samples[max(0, begin - 1)]
        if at - since >= min(window_s, samples[-1][0] - samples[0][0]):
            shares.append((used - before) / (at - since))
    return max(shares)
