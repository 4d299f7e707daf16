"""When has a mapping settled? Pure: what was asked, what is seen, and what that means."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

import msgspec

from bulk_esm.model.mapping import EventSourceMapping, State
from bulk_esm.model.plan import PlanItem
from bulk_esm.model.stamps import Age, age_of, is_newer
from bulk_esm.model.values import current_value, holds


class Asked(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What was asked of a mapping by an accepted update.

    Attributes:
        item: the item of the plan: what was sent, and the mapping as it was.
        planned_stamp: the `LastModified` of the mapping as it was, in seconds since the epoch.
        accepted_stamp: that of the update's 202, or of the look by which it was known to have been accepted.
    """

    item: PlanItem
    planned_stamp: float
    accepted_stamp: float

    @classmethod
    def of(cls, item: PlanItem, *, accepted_stamp: float) -> Asked:
        """What an item asked for, whose update was accepted."""
        planned_stamp = item.last_modified
        return cls(item=item, planned_stamp=planned_stamp, accepted_stamp=accepted_stamp)

    @property
    def is_hidden_from_list(self) -> bool:
        """Whether only Get shows what was asked.

        List returns encrypted filters as null (F§2), and it lags: where the plan's picture may bear the stamp that the
        update has, a still older one may bear it too, and show just what was asked.
        """
        if age_of(self.accepted_stamp, planned=self.planned_stamp, accepted=self.accepted_stamp) is Age.UNKNOWN:
            return True
        request = self.item.request
        if "FilterCriteria" not in request:
            return False
        return bool(request.get("KMSKeyArn") or self.item.before.configuration.get("KMSKeyArn"))


class Verdict(StrEnum):
    """What a look at a mapping says about an accepted update."""

    STALE = "stale"
    UNTOLD = "untold"
    IN_TRANSITION = "in transition"
    SETTLED = "settled"
    NOT_APPLIED = "not applied"
    CHANGED = "changed"
    GONE = "gone"
    TIMED_OUT = "timed out"


MISMATCH: Final = frozenset({Verdict.NOT_APPLIED, Verdict.CHANGED})


def judge(asked: Asked, seen: EventSourceMapping, *, by_get: bool = False) -> Verdict:
    """Say what a look means.

    1. A picture from before the update tells nothing, nor does one from List that may be (`model.stamps`). Get is
       taken to be current: it tells where its stamp does not, and also where its stamp is from after the plan, should
       stamps be less precise than we think.
    2. Not at rest: it is on its way. The values in it may be new or old, by source type (F§3.2).
    3. At rest with every parameter as asked, and in the state of the plan where no other was asked for: settled.
    4. At rest with a value that is neither what was asked nor what was there before: someone else was here.
    5. At rest as it was before: Lambda accepted the update and did not apply it, or someone put it back.

    Args:
        asked: what was asked.
        seen: the mapping as a look shows it.
        by_get: whether the look was a Get.
    """
    age = age_of(seen.last_modified, planned=asked.planned_stamp, accepted=asked.accepted_stamp)
    if age is Age.UNKNOWN and not by_get:
        return Verdict.UNTOLD
    lacks = _lacking(asked, seen)
    if age is Age.OLD and not (by_get and not lacks and is_newer(seen.last_modified, than=asked.planned_stamp)):
        return Verdict.STALE
    if not seen.at_rest:
        return Verdict.IN_TRANSITION
    if not lacks:
        return Verdict.SETTLED
    before = asked.item.before
    as_before = all(current_value(seen, name) == current_value(before, name) for name in lacks)
    return Verdict.NOT_APPLIED if as_before else Verdict.CHANGED


def missing_text(asked: Asked, seen: EventSourceMapping) -> str:
    """What a mapping at rest lacks of what was asked, in words for a message."""
    return "; ".join(
        f"{name} is {current_value(seen, name)!r}, not {value!r}" for name, value in _lacking(asked, seen).items()
    )


def _lacking(asked: Asked, seen: EventSourceMapping) -> dict[str, Any]:
    """What was asked for and is not there, by parameter; the state of the plan was asked for if no other was."""
    request = asked.item.request
    wanted = request if "Enabled" in request else {"Enabled": asked.item.state == State.ENABLED, **request}
    return {name: value for name, value in wanted.items() if not holds(name, value, seen)}
