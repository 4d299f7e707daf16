"""The test of Mann and Whitney: whether one sample tends to be above another. Pure.

H. B. Mann and D. R. Whitney, On a Test of Whether one of Two Random Variables is Stochastically Larger than the Other,
Annals of Mathematical Statistics 18 (1947). Kayenta's default judge compares a canary with its baseline by the same
test (spinnaker.io/docs/guides/user/canary/judge). SciPy's `mannwhitneyu` is what the tests compare this one with.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Final

_MOST_EXACT: Final = 400  # pairs; above that the normal distribution is as good


def p_above(these: Sequence[float], those: Sequence[float]) -> float:
    """How likely it is by chance alone that one sample is so far above another.

    Exact for small samples without ties; else by the normal distribution, corrected for ties and continuity.

    Args:
        these: the sample that may be above.
        those: the other.

    Returns:
        The one-sided p-value; 1 where a sample is empty.
    """
    if not these or not those:
        return 1.0
    counts = Counter((*these, *those))
    wins = _wins(these, those)
    has_ties = len(counts) < len(these) + len(those)
    if not has_ties and len(these) * len(those) <= _MOST_EXACT:
        ways = _ways(len(these), len(those))
        return sum(ways[int(wins) :]) / sum(ways)
    return _by_normal(wins, len(these), len(those), counts)


def _wins(these: Sequence[float], those: Sequence[float]) -> float:
    """Mann and Whitney's U: in how many pairs the first is above; a tie is half of one."""
    ranked = sorted([(value, True) for value in these] + [(value, False) for value in those])
    wins, below, begin = 0.0, 0, 0
    while begin < len(ranked):
        end, value = begin, ranked[begin][0]
        while end < len(ranked) and ranked[end][0] == value:
            end += 1
        mine = sum(is_mine for _, is_mine in ranked[begin:end])
        others = end - begin - mine
        wins += mine * (below + others / 2)
        below += others
        begin = end
    return wins


def _ways(first: int, second: int) -> list[int]:
    """In how many orders of two samples each U occurs, from 0: the coefficients of a Gaussian binomial."""
    ways = [1] + [0] * (first * second)
    for step in range(1, first + 1):
        for place in range(len(ways) - 1, second + step - 1, -1):
            ways[place] -= ways[place - second - step]
        for place in range(step, len(ways)):
            ways[place] += ways[place - step]
    return ways


def _by_normal(wins: float, first: int, second: int, counts: Counter[float]) -> float:
    total = first + second
    ties = sum(count**3 - count for count in counts.values())
    variance = first * second / 12 * (total + 1 - ties / (total * (total - 1)))
    if variance <= 0:  # all are equal
        return 1.0
    z = (wins - first * second / 2 - 0.5) / math.sqrt(variance)
    return math.erfc(z / math.sqrt(2)) / 2
