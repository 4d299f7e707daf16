"""What `LastModified` can prove about a picture of a mapping. Pure, and the one place that knows.

An accepted update sets it, a no-op too; it does not move when the state settles; and it is not equally precise
everywhere (F§0.2). The 202 of an update has milliseconds. Get and List have them too for SQS, MQ, DocumentDB and Kafka,
but show streams cut to the whole minute. So a stamp on a whole minute stands for any moment of that minute, and one on
a whole second for any of that second:

1. A picture whose every possible moment lies before the acceptance of an update is older than the update.
2. A picture whose every possible moment lies after every one of the picture that was planned from shows a later
   modification than that: the update, or somebody's.
3. Where neither holds, an old picture and a new one look alike, and the stamp proves nothing.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

# Guess: no stamp is cut to more than the minute, nor to a part of a second: Kafka's and MQ's 202 were not captured.
# Where this is wrong, what Get shows as asked after the plan counts anyway.
# Probe steps: no-op, configuration
_SPANS_MS: Final = (60_000, 1_000)


class Age(StrEnum):
    """What a stamp says of a picture, beside an accepted update."""

    OLD = "older than the update"
    NEW = "newer than the plan"
    UNKNOWN = "either"


def age_of(seen: float, *, planned: float, accepted: float) -> Age:
    """Tell whether a picture is from before or after an update was accepted.

    Args:
        seen: the picture's `LastModified`, in seconds since the epoch; 0 where it has none.
        planned: that of the picture that the update was planned from, as Get or List had it.
        accepted: that of the update's 202.
    """
    if latest_ms(seen) < _ms(accepted):
        return Age.OLD
    return Age.NEW if is_newer(seen, than=planned) else Age.UNKNOWN


def is_newer(seen: float, *, than: float) -> bool:
    """Whether a picture surely shows a later modification than another.

    Args:
        seen: its `LastModified`, in seconds since the epoch.
        than: that of the other.
    """
    return _ms(seen) > latest_ms(than)


def may_be_cut(stamp: float) -> bool:
    """Whether several modifications may bear this stamp.

    Args:
        stamp: a `LastModified`, in seconds since the epoch.
    """
    return latest_ms(stamp) > _ms(stamp)


def _ms(stamp: float) -> int:
    return round(stamp * 1000)


def latest_ms(stamp: float) -> int:
    """The last moment that a stamp may stand for, in milliseconds since the epoch.

    Args:
        stamp: a `LastModified`, in seconds since the epoch.
    """
    earliest_ms = _ms(stamp)
    return earliest_ms + next((span - 1 for span in _SPANS_MS if earliest_ms % span == 0), 0)
