"""Which mappings List is not believed about, as a run of late may have changed them: pure.

List lags (F§0.2 saw 1.3 s once), so what it shows of them may be a picture from before.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Final

import msgspec

from bulk_esm.model.mapping import EventSourceMapping
from bulk_esm.model.plan import Action, PlanItem
from bulk_esm.model.result import Outcome, Result
from bulk_esm.model.stamps import is_newer, latest_ms


class Doubts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What List alone does not decide about.

    Attributes:
        by_get: mappings to which something may have been sent, and nobody saw what became of it.
        stamps: by UUID the `LastModified`, in seconds since the epoch, that a mapping had before an update that was
            accepted: what is not newer is a picture from before.
    """

    by_get: frozenset[str] = frozenset()
    stamps: dict[str, float] = {}

    def about(self, seen: EventSourceMapping) -> bool:
        """Whether a Get has to tell what a mapping is.

        Args:
            seen: the mapping as List shows it.
        """
        if seen.uuid in self.by_get:
            return True
        before = self.stamps.get(seen.uuid)
        return before is not None and not is_newer(seen.last_modified, than=before)

    def among(self, uuids: AbstractSet[str]) -> Doubts:
        """Those about some mappings."""
        return Doubts(by_get=self.by_get & uuids, stamps={u: at for u, at in self.stamps.items() if u in uuids})

    def __or__(self, other: Doubts) -> Doubts:
        latest = {**self.stamps}
        for uuid, at in other.stamps.items():
            # A stamp that is cut may stand for a later moment than one that is greater, and is not.
            latest[uuid] = max(at, latest.get(uuid, at), key=lambda stamp: (latest_ms(stamp), stamp))
        return Doubts(by_get=self.by_get | other.by_get, stamps=latest)


NO_DOUBTS: Final = Doubts()


def perhaps_sent(item: PlanItem, result: Result | None, begun: AbstractSet[str] | None) -> bool:
    """Whether a run may have sent something to a mapping.

    Args:
        item: the item of its plan.
        result: its result; None if the run was killed before.
        begun: to which something may have been sent; None where that is not known, and so may be to all. A result
            that says more is believed all the same, as this file may have been lost.
    """
    if item.action is not Action.UPDATE:
        return False
    return begun is None or item.uuid in begun or (result is not None and tells_of_sending(result))


def tells_of_sending(result: Result) -> bool:
    """Whether a result says that something was sent, or may have been: by this part of its run or an earlier one."""
    return result.update_calls > 0 or result.outcome in {Outcome.UPDATED, Outcome.TIMED_OUT}


def doubts_of(items: Iterable[PlanItem], results: Iterable[Result], begun: AbstractSet[str] | None) -> Doubts:
    """Tell about which mappings of a run List is not believed.

    Args:
        items: the run's plan.
        results: its results.
        begun: to which something may have been sent; None where that is not known, and so may be to all.
    """
    by_uuid = {result.uuid: result for result in results}
    by_get: set[str] = set()
    stamps: dict[str, float] = {}
    for item in items:
        result = by_uuid.get(item.uuid)
        if not perhaps_sent(item, result, begun):
            continue
        if result is None or (tells_of_sending(result) and result.outcome is not Outcome.UPDATED):
            by_get.add(item.uuid)
        elif result.outcome in {Outcome.UPDATED, Outcome.CONFLICT}:  # also what `continue` found, and did not send
            stamps[item.uuid] = item.last_modified
    return Doubts(by_get=frozenset(by_get), stamps=stamps)
