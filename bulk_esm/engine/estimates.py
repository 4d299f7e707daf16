"""How long mappings take to settle, by source type and kind of update: a prior, and what this run has seen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from bulk_esm.model.mapping import SourceType
from bulk_esm.model.transitions import Transition, TransitionKind

_KINDS: Final = tuple(TransitionKind)
_ST: Final = SourceType
_AT_ONCE_S: Final = 0.5


def _each(
    enable_s: float, disable_s: float, reconfigure_s: float, reconfigure_disabled_s: float
) -> dict[TransitionKind, float]:
    return dict(zip(_KINDS, (enable_s, disable_s, reconfigure_s, reconfigure_disabled_s), strict=True))


# The median time to settle, in seconds. What was captured: SQS all, streams but for a configuration while they are
# enabled, and a configuration while disabled of all others, which is at once for SQS and RabbitMQ (F§0.2). At once is
# half a second here, that of the call itself from far away.
# Guess: the rest of the table follows what is documented (F§3.3), if anything is; the run learns.
# Probe steps: flip, configuration
_BY_SOURCE: Final = {
    _ST.SQS: _each(9.0, 7.5, 14.0, _AT_ONCE_S),
    _ST.SQS_FIFO: _each(9.0, 7.5, 14.0, _AT_ONCE_S),
    _ST.DYNAMODB: _each(0.8, 0.8, 8.0, 0.8),
    _ST.KINESIS: _each(0.8, 0.8, 25.0, 0.8),
    _ST.UNKNOWN: _each(25.0, 25.0, 25.0, 2.0),
    _ST.MQ: _each(30.0, 30.0, 30.0, _AT_ONCE_S),
    _ST.MSK: _each(50.0, 50.0, 50.0, 1.5),
    _ST.KAFKA: _each(50.0, 50.0, 50.0, 1.5),
    _ST.DOCUMENTDB: _each(100.0, 100.0, 100.0, 3.0),
}
LIKELY_SETTLE_S: Final[Mapping[Transition, float]] = {
    Transition(source_type, kind): likely_s
    for source_type, by_kind in _BY_SOURCE.items()
    for kind, likely_s in by_kind.items()
}
# The guesses are for a control plane that gives 15 requests/s. One at 20 times speed is used at 20 times the rate; but
# whoever asks the real one less often does not slow it down.
_RATE_OF_THE_GUESSES: Final = 15.0
_STEEPNESS: Final = 3  # nine in ten settle between half and twice the median
_WORTH_OF_THE_PRIOR: Final = 2.0  # observations


class SettleTimes:
    """The settle time of each transition, taken as log-logistic: learned in the run, from a prior.

    That distribution has what is needed here and two numbers only. It says little at first, much around the median,
    and the longer a mapping has taken, the longer it expects it to take still: so looks at a stuck mapping grow rare
    by themselves. The median is learned as the mean of the logarithms of the times seen, the prior counting as two of
    them; transitions that were not seen yet are scaled by how wrong the prior was for the others.

    Attributes:
        scale: how long a second of Lambda's takes here, in seconds: less than 1 on a control plane at higher speed.
        list_lag_s: how far List was seen to lag behind, in seconds.
    """

    def __init__(self, *, max_per_second: float) -> None:
        """Start from the prior.

        Args:
            max_per_second: the rate at which requests are sent, by which the prior is scaled.
        """
        self.scale = scale = _RATE_OF_THE_GUESSES / max(_RATE_OF_THE_GUESSES, max_per_second)
        self.list_lag_s = 0.0
        self._at_once_s = _AT_ONCE_S * scale
        self._prior_log = {transition: math.log(likely_s * scale) for transition, likely_s in LIKELY_SETTLE_S.items()}
        self._sum_log: dict[Transition, float] = dict.fromkeys(LIKELY_SETTLE_S, 0.0)
        self._count: dict[Transition, int] = dict.fromkeys(LIKELY_SETTLE_S, 0)
        self._median_s: dict[Transition, float] = {}
        self._forget_medians()

    def observe(self, transition: Transition, *, unsettled_s: float, settled_s: float) -> None:
        """Learn from one mapping.

        Args:
            transition: what it went through.
            unsettled_s: the age at which it was last known not to have settled, in seconds since acceptance.
            settled_s: the age at which it was seen settled, in seconds.
        """
        if settled_s <= unsettled_s:
            return  # the looks contradict each other, or tell of no time at all
        # When exactly was not seen, only between when. Taken is the middle of that by what is known so far, so that a
        # late look, which tells little, teaches little.
        middle = (self._share_settled(transition, unsettled_s) + self._share_settled(transition, settled_s)) / 2
        middle = min(max(middle, 1e-9), 1 - 1e-9)
        middle_s = self.median_s(transition) * (middle / (1 - middle)) ** (1 / _STEEPNESS)
        # What had settled with the answer says nothing of how fast the Region is.
        middle_s = max(middle_s, self._at_once_s)
        self._sum_log[transition] += math.log(middle_s)
        self._count[transition] += 1
        self._forget_medians()

    def median_s(self, transition: Transition) -> float:
        """The median time to settle, in seconds, as far as it is known."""
        found = self._median_s.get(transition)
        if found is None:
            found = self._median_s[transition] = math.exp(self._log_median(transition))
        return found

    def most_s(self, transition: Transition) -> float:
        """The time within which nine in ten settle, in seconds, as far as it is known."""
        return self.median_s(transition) * float(9 ** (1 / _STEEPNESS))

    def probability(self, transition: Transition, *, unsettled_s: float, age_s: float) -> float:
        """How likely a mapping has settled by now, if it had not at an earlier look.

        Args:
            transition: what it went through.
            unsettled_s: the age at that look, in seconds since acceptance; 0 if there was none.
            age_s: the age now, in seconds.
        """
        if age_s <= unsettled_s:
            return 0.0
        median_s = self.median_s(transition)
        # Of those not settled at the earlier look, the share that is not settled now.
        return 1 - (1 + (unsettled_s / median_s) ** _STEEPNESS) / (1 + (age_s / median_s) ** _STEEPNESS)

    def _share_settled(self, transition: Transition, age_s: float) -> float:
        relative = (max(age_s, 0.0) / self.median_s(transition)) ** _STEEPNESS
        return float(relative / (1 + relative))

    def _log_median(self, transition: Transition) -> float:
        own = self._sum_log[transition] + _WORTH_OF_THE_PRIOR * (self._prior_log[transition] + self._error_of_prior())
        return own / (self._count[transition] + _WORTH_OF_THE_PRIOR)

    def _error_of_prior(self) -> float:
        """By how much the prior is wrong on the whole, as a logarithm: a slow Region is slow for every source."""
        seen = sum(self._count.values())
        errors = sum(self._sum_log[one] - count * self._prior_log[one] for one, count in self._count.items())
        return errors / (seen + _WORTH_OF_THE_PRIOR)

    def _forget_medians(self) -> None:
        self._median_s.clear()
