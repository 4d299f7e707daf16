"""How fast to go beside others who use the same quota. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

QUOTA_PER_SECOND: Final = 15.0  # F§1.1
QUOTA_CODE: Final = "L-B2AA0F47"  # F§0.1
FALLBACK_PER_SECOND: Final = 12.0
LOOKED_BACK_MINUTES: Final = 60

_SHARE_OF_ROOM: Final = 0.8  # as the default leaves a fifth of the whole
_LEAST_PER_SECOND: Final = 0.5
_A_MINUTE_S: Final = 60.0
_NAMED: Final = 3

# A quarter of an hour of the last one: what others do for as long is taken for what they go on doing; a short run of
# ours that has just ended, or a single deployment, is not.
_QUANTILE: Final = 0.75

# Guess: all operations in AWS/Usage share the 15/s but these, of which F§1.1 says so, and invocations, which are not of
# the control plane; which operations are published is not listed (F§0.1), and ListMetrics in an account would tell.
_NOT_OF_THE_QUOTA: Final = ("GetFunction", "GetPolicy")
_DATA_PLANE: Final = "Invoke"
_VERSION: Final = re.compile(r"\d{8}(v\d+)?$")  # as in UpdateEventSourceMapping20150331 (F§0.1)


class RateChoice(msgspec.Struct, frozen=True, kw_only=True):
    """A rate that leaves room for others, and why.

    Attributes:
        per_second: the rate.
        others_per_second: what is used already.
        quota_per_second: what there is.
        reason: why, in words.
    """

    per_second: float
    others_per_second: float
    quota_per_second: float
    reason: str

    @property
    def is_used_up(self) -> bool:
        """Whether others leave less than one request a second."""
        return self.quota_per_second - self.others_per_second < 1


def is_of_the_quota(operation: str) -> bool:
    """Whether calls of an operation count against the control plane's rate.

    Args:
        operation: as AWS/Usage names it; some have an API version at the end.
    """
    name = _VERSION.sub("", operation)
    return name not in _NOT_OF_THE_QUOTA and not name.startswith(_DATA_PLANE)


def choose_rate(
    calls: Mapping[str, Sequence[float]], quota_per_second: float = QUOTA_PER_SECOND, *, is_known: bool = True
) -> RateChoice:
    """Choose a rate that leaves room for others.

    Args:
        calls: calls in each minute that was looked at, by operation; all for the same minutes.
        quota_per_second: what there is in all.
        is_known: whether Service Quotas told so.
    """
    counted = {operation: minutes for operation, minutes in calls.items() if is_of_the_quota(operation)}
    sums = sorted(float(sum(minute)) for minute in zip(*counted.values(), strict=True)) or [0.0]
    others = sums[math.ceil(_QUANTILE * len(sums)) - 1] / _A_MINUTE_S
    chosen = math.floor(10 * _SHARE_OF_ROOM * max(0.0, quota_per_second - others)) / 10
    per_second = max(_LEAST_PER_SECOND, chosen)
    of = f"{quota_per_second:g} requests/s" + ("" if is_known else " (as documented; Service Quotas did not tell)")
    most = sorted(counted, key=lambda operation: -sum(counted[operation]))[:_NAMED] if others else []
    names = f" ({', '.join(most)})" if most else ""
    reason = (
        f"of {of}, {others:.1f} were used in the last hour{names}, {sums[-1] / _A_MINUTE_S:.1f} in its busiest "
        f"minute; --rate {per_second:g} leaves room"
    )
    return RateChoice(per_second=per_second, others_per_second=others, quota_per_second=quota_per_second, reason=reason)
