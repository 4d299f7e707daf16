"""How long mappings take to settle, by source type: a prior, and what this run has seen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from bulk_esm.model.mapping import SourceType

# The median time to settle, in seconds: a first guess from F§3.3, where it is documented at all.
LIKELY_SETTLE_S: Final[Mapping[SourceType, float]] = {
    SourceType.SQS: 7.0,
    SourceType.SQS_FIFO: 7.0,
    SourceType.DYNAMODB: 8.0,
    SourceType.KINESIS: 25.0,
    SourceType.UNKNOWN: 25.0,
    SourceType.MQ: 30.0,
    SourceType.MSK: 50.0,
    SourceType.KAFKA: 50.0,
    SourceType.DOCUMENTDB: 100.0,
}
# The guesses are for a control plane that gives 15 requests/s. One at 20 times speed is used at 20 times the rate; but
# whoever asks the real one less often does not slow it down.
_RATE_OF_THE_GUESSES: Final = 15.0
_STEEPNESS: Final = 3  # nine in ten settle between half and twice the median
_WORTH_OF_THE_PRIOR: Final = 2.0  # observations


class SettleTimes:
    """The settle time of each source type, taken as log-logistic: learned in the run, from a prior.

    That distribution has what is needed here and two numbers only. It says little at first, much around the median,
    and the longer a mapping has taken, the longer it expects it to take still: so looks at a stuck mapping grow rare
    by themselves. The median is learned as the mean of the logarithms of the times seen, the prior counting as two of
    them; source types that were not seen yet are scaled by how wrong the prior was for the others.
    """

    def __init__(self, *, max_per_second: float) -> None:
        """Start from the prior.

        Args:
            max_per_second: the rate at which requests are sent, by which the prior is scaled.
        """
        scale = _RATE_OF_THE_GUESSES / max(_RATE_OF_THE_GUESSES, max_per_second)
        self._prior_log = {source: math.log(likely_s * scale) for source, likely_s in LIKELY_SETTLE_S.items()}
        self._sum_log: dict[SourceType, float] = dict.fromkeys(LIKELY_SETTLE_S, 0.0)
        self._count: dict[SourceType, int] = dict.fromkeys(LIKELY_SETTLE_S, 0)
        self._median_s: dict[SourceType, float] = {}
        self._forget_medians()

    def observe(self, source_type: SourceType, *, unsettled_s: float, settled_s: float) -> None:
        """Learn from one mapping.

        Args:
            source_type: its source type.
            unsettled_s: the age at which it was last known not to have settled, in seconds since acceptance.
            settled_s: the age at which it was seen settled, in seconds.
        """
        if settled_s <= unsettled_s:
            return  # the looks contradict each other, or tell of no time at all
        # When exactly was not seen, only between when. Taken is the middle of that by what is known so far, so that a
        # late look, which tells little, teaches little.
        middle = (self._share_settled(source_type, unsettled_s) + self._share_settled(source_type, settled_s)) / 2
        middle = min(max(middle, 1e-9), 1 - 1e-9)
        middle_s = self.median_s(source_type) * (middle / (1 - middle)) ** (1 / _STEEPNESS)
        self._sum_log[source_type] += math.log(middle_s)
        self._count[source_type] += 1
        self._forget_medians()

    def median_s(self, source_type: SourceType) -> float:
        """The median time to settle, in seconds, as far as it is known."""
        found = self._median_s.get(source_type)
        if found is None:
            found = self._median_s[source_type] = math.exp(self._log_median(source_type))
        return found

    def most_s(self, source_type: SourceType) -> float:
        """The time within which nine in ten settle, in seconds, as far as it is known."""
        return self.median_s(source_type) * float(9 ** (1 / _STEEPNESS))

    def probability(self, source_type: SourceType, *, unsettled_s: float, age_s: float) -> float:
        """How likely a mapping has settled by now, if it had not at an earlier look.

        Args:
            source_type: its source type.
            unsettled_s: the age at that look, in seconds since acceptance; 0 if there was none.
            age_s: the age now, in seconds.
        """
        if age_s <= unsettled_s:
            return 0.0
        median_s = self.median_s(source_type)
        # Of those not settled at the earlier look, the share that is not settled now.
        return 1 - (1 + (unsettled_s / median_s) ** _STEEPNESS) / (1 + (age_s / median_s) ** _STEEPNESS)

    def _share_settled(self, source_type: SourceType, age_s: float) -> float:
        relative = (max(age_s, 0.0) / self.median_s(source_type)) ** _STEEPNESS
        return float(relative / (1 + relative))

    def _log_median(self, source_type: SourceType) -> float:
        own = self._sum_log[source_type] + _WORTH_OF_THE_PRIOR * (self._prior_log[source_type] + self._error_of_prior())
        return own / (self._count[source_type] + _WORTH_OF_THE_PRIOR)

    def _error_of_prior(self) -> float:
        """By how much the prior is wrong on the whole, as a logarithm: a slow Region is slow for every source."""
        seen = sum(self._count.values())
        errors = sum(self._sum_log[source] - count * self._prior_log[source] for source, count in self._count.items())
        return errors / (seen + _WORTH_OF_THE_PRIOR)

    def _forget_medians(self) -> None:
        self._median_s.clear()
