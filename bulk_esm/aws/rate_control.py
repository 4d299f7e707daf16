"""How fast to send when others use the quota too: pure, from answers to a share of the full rate.

Lambda's quota is a bucket that others may draw from (F§1), and a throttle says that it is empty. So what was served
between two throttles is just what the others left in that time, as the bucket was empty at both ends. That is measured,
and believed:

1. A throttle lowers the rate a little below what was left, so that the bucket fills again by a few requests.
2. From there the rate comes back along the curve that CUBIC has (RFC 9438), with a fifth power for the third: soon to
   what was left, for long about there, and then ever faster, should the others have gone. So the next throttle comes
   late, at a quarter of the quota as at all of it, and the whole quota is there soon after they have gone.
3. The better of the last two measurements counts: others who come at random empty the bucket at their busiest moments,
   after which a single one tells too little.
4. However few were served, one throttle takes away no more than a part: what is measured in an instant, or while there
   was nothing to send, says nothing.

Time is counted in requests that the full rate would send, and the rate as a share of it, so that a control plane at 20
times speed is treated as the real one. `benchmarks/controllers.py` compares with others, and shows why these numbers.
"""

from __future__ import annotations

from typing import Final

LOWEST: Final = 0.05  # others may leave almost nothing, but not nothing for ever
MOST_LOST: Final = 0.5  # of the rate, by one throttle
BELOW: Final = 0.9  # of what was left
# In so many requests of the full rate the curve rises by all of it, beginning at what was left: 7.3 s at 15/s.
RETURN: Final = 110.0
POWER: Final = 5  # odd, so that the curve rises below what was left as it does above


class RateControl:
    """The rate that the answers allow.

    Attributes:
        share: the rate, as a share of the full one; from `LOWEST` to 1.
    """

    def __init__(self) -> None:
        """Start with the full rate."""
        self.share = 1.0
        self._left = 1.0  # what the others are taken to leave, as a share of the full rate
        self._measured = 1.0  # what they were last seen to leave, likewise
        self._served = 0
        self._since = 0.0  # the last throttle: the time that was used for sending, in requests at the full rate
        self._level_at = 0.0  # when the curve comes back to what was left, likewise

    def served(self) -> None:
        """Take note of an answer that was no throttle."""
        self._served += 1
        self._since += 1 / self.share
        self.share = min(1.0, self._left + ((self._since - self._level_at) / RETURN) ** POWER)

    def throttled(self, full_rate_sends: float) -> None:
        """Take note of the first throttle of an episode of congestion.

        Args:
            full_rate_sends: how many requests the full rate would have sent since the episode before.
        """
        measured = self._served / full_rate_sends if full_rate_sends > 0 else 0.0
        left = min(max(measured, self._measured, self.share * (1 - MOST_LOST)), self.share)
        self._measured = measured
        self.share = max(left * BELOW, LOWEST)
        self._left = max(left, self.share)
        self._served, self._since = 0, 0.0
        self._level_at = RETURN * (self._left - self.share) ** (1 / POWER)
