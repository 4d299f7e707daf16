"""When has a mapping settled? Pure: what was asked, what is seen, and what that means."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from bulk_esm.model.mapping import EventSourceMapping
from bulk_esm.model.plan import PlanItem
from bulk_esm.model.values import current_value, holds


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked of a mapping by an accepted update.

    Attributes:
        item: the item of the plan: what was sent, and the mapping as it was.
        not_before: the accepted update's `LastModified`, in seconds since the epoch: what is older is stale.
    """

    item: PlanItem
    not_before: float

    @property
    def is_hidden_from_list(self) -> bool:
        """Whether only Get shows what was asked: List returns encrypted filters as null (F§2)."""
        request = self.item.request
        if "FilterCriteria" not in request:
            return False
        return bool(request.get("KMSKeyArn") or self.item.before.configuration.get("KMSKeyArn"))


class Verdict(StrEnum):
    """What a look at a mapping says about an accepted update."""

    STALE = "stale"
    IN_TRANSITION = "in transition"
    SETTLED = "settled"
    NOT_APPLIED = "not applied"
    CHANGED = "changed"
    GONE = "gone"
    TIMED_OUT = "timed out"


MISMATCH: Final = frozenset({Verdict.NOT_APPLIED, Verdict.CHANGED})


def judge(asked: Asked, seen: EventSourceMapping) -> Verdict:
    """Say what a look means.

    1. What was modified before the update was accepted is an old picture: it tells nothing.
    2. Not at rest: it is on its way. The values in it may be new or old, by source type (F§3.2).
    3. At rest with every parameter as asked: settled.
    4. At rest with a value that is neither what was asked nor what was there before: someone else was here.
    5. At rest as it was before: Lambda accepted the update and did not apply it, or someone put it back.

    Args:
        asked: what was asked.
        seen: the mapping as a look shows it.
    """
    if seen.last_modified < asked.not_before:
        return Verdict.STALE
    if not seen.at_rest:
        return Verdict.IN_TRANSITION
    missing = [name for name, value in asked.item.request.items() if not holds(name, value, seen)]
    if not missing:
        return Verdict.SETTLED
    before = asked.item.before
    as_before = all(current_value(seen, name) == current_value(before, name) for name in missing)
    return Verdict.NOT_APPLIED if as_before else Verdict.CHANGED


def missing_text(asked: Asked, seen: EventSourceMapping) -> str:
    """What a mapping at rest lacks of what was asked, in words for a message."""
    return "; ".join(
        f"{name} is {current_value(seen, name)!r}, not {value!r}"
        for name, value in asked.item.request.items()
        if not holds(name, value, seen)
    )
