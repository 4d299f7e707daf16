"""The mappings that are waited for, and what the looks have told of each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from bulk_esm.clock import Clock
from bulk_esm.engine.estimates import SettleTimes
from bulk_esm.engine.looks import Pending
from bulk_esm.engine.settling import MISMATCH, Asked, Verdict, judge
from bulk_esm.errors import ServiceError
from bulk_esm.model.mapping import EventSourceMapping

# When a Get contradicts an accepted update, the next one comes this share of a settle time later.
_DOUBT_SHARE: Final = 0.25


class Settlement(msgspec.Struct, frozen=True):
    """How the wait for a mapping ended.

    Attributes:
        verdict: `SETTLED`, `NOT_APPLIED`, `CHANGED`, `GONE` or `TIMED_OUT`.
        mapping: the mapping as last seen; None if it was never seen, or is gone.
        failure: why the last look told nothing, if it did not.
    """

    verdict: Verdict
    mapping: EventSourceMapping | None
    failure: ServiceError | None = None


class Wait:
    """One mapping that is waited for: what the choice of looks sees of it, and whom to tell how it ended."""

    __slots__ = ("asked", "contradicted", "deadline", "ended", "last", "pending", "refuted_at")

    def __init__(self, asked: Asked, pending: Pending, deadline: float, ended: Callable[[Settlement], None]) -> None:
        self.asked = asked
        self.pending = pending
        self.deadline = deadline
        self.ended = ended
        self.last: EventSourceMapping | None = None
        self.contradicted = False  # a Get saw it at rest and not as asked
        self.refuted_at = -math.inf  # the LastModified of a List entry that a Get refuted


class Waits:
    """All of them.

    Attributes:
        list_lag_s: how far List was seen to lag behind, in seconds.
        found: how many were found settled.
    """

    def __init__(self, times: SettleTimes, clock: Clock) -> None:
        """Start with none.

        Args:
            times: learns how long each took.
            clock: the time.
        """
        self.list_lag_s = 0.0
        self.found = 0
        self._times = times
        self._clock = clock
        self._by_uuid: dict[str, Wait] = {}

    def __len__(self) -> int:
        return len(self._by_uuid)

    def __iter__(self) -> Iterator[Wait]:
        return iter(self._by_uuid.values())

    def get(self, uuid: str) -> Wait | None:
        """The wait for a mapping, or None."""
        return self._by_uuid.get(uuid)

    def add(self, asked: Asked, deadline: float, ended: Callable[[Settlement], None]) -> None:
        """Wait for one more; see `Waiter.wait_for`."""
        item = asked.item
        pending = Pending(
            uuid=item.uuid,
            source_type=item.source_type,
            # A List narrowed to the function that it had would no longer show it.
            function_arn=None if "FunctionName" in item.request else item.function_arn,
            event_source_arn=item.event_source_arn,
            accepted_at=self._clock.monotonic(),
            get_only=asked.is_hidden_from_list,
        )
        self._by_uuid[item.uuid] = Wait(asked, pending, deadline, ended)

    def heed_page(self, page: Iterable[EventSourceMapping], started_at: float) -> None:
        """Take note of a page of List.

        Args:
            page: what it shows.
            started_at: when it was asked for, on the clock. What was accepted since is newer than the page.
        """
        for seen in page:
            wait = self._by_uuid.get(seen.uuid)
            if wait is not None and not wait.pending.get_only and wait.pending.accepted_at <= started_at:
                self._heed_list(wait, seen, age_s=started_at - wait.pending.accepted_at)

    def heed_get(self, wait: Wait, seen: EventSourceMapping | None, started_at: float) -> None:
        """Take note of a Get: only it can contradict, and it must do so twice.

        Args:
            wait: the wait for it.
            seen: what it shows; None if the mapping is gone.
            started_at: when it was asked for, on the clock.
        """
        if self._by_uuid.get(wait.pending.uuid) is not wait:
            return
        if seen is None:
            self._end(wait, Settlement(Verdict.GONE, None))
            return
        verdict = self._heed(wait, seen, age_s=started_at - wait.pending.accepted_at)
        if verdict in MISMATCH:
            if wait.contradicted:
                self._end(wait, Settlement(verdict, seen))
                return
            wait.contradicted = True
            pause_s = self._times.median_s(wait.pending.source_type) * _DOUBT_SHARE
            wait.pending.get_at = self._clock.monotonic() + pause_s
        elif verdict is not Verdict.SETTLED:
            # List may have said otherwise; it is not asked about that again.
            wait.contradicted = False
            wait.pending.get_at = math.inf
        self.give_up_if_late(wait)

    def doubt(self, wait: Wait) -> None:
        """Have Get say, unless it is to anyway."""
        if wait.pending.get_at == math.inf:
            wait.pending.get_at = self._clock.monotonic()

    def give_up_if_late(self, wait: Wait, failure: ServiceError | None = None) -> None:
        """End a wait whose deadline has come.

        Args:
            wait: the wait.
            failure: why the last look told nothing, if it did not.
        """
        if self._by_uuid.get(wait.pending.uuid) is wait and self._clock.monotonic() >= wait.deadline:
            self._end(wait, Settlement(Verdict.TIMED_OUT, wait.last, failure))

    def _heed_list(self, wait: Wait, seen: EventSourceMapping, *, age_s: float) -> None:
        """Take note of a List entry: it may confirm, but neither contradict nor be older than the update."""
        if judge(wait.asked, seen) is Verdict.STALE:
            self.list_lag_s = max(self.list_lag_s, age_s)
            return
        self.list_lag_s = min(self.list_lag_s, age_s)
        verdict = self._heed(wait, seen, age_s=age_s - self.list_lag_s)
        if verdict in MISMATCH and seen.last_modified > wait.refuted_at:
            wait.refuted_at = seen.last_modified
            self.doubt(wait)

    def _heed(self, wait: Wait, seen: EventSourceMapping, *, age_s: float) -> Verdict:
        """Take note of a look at a mapping: settle it, or remember how long it has not."""
        verdict = judge(wait.asked, seen)
        if verdict is not Verdict.STALE:
            wait.last = seen
        if verdict is Verdict.SETTLED:
            self.found += 1
            self._times.observe(wait.pending.source_type, unsettled_s=wait.pending.unsettled_s, settled_s=age_s)
            self._end(wait, Settlement(verdict, seen))
        else:
            wait.pending.unsettled_s = max(wait.pending.unsettled_s, age_s)
        return verdict

    def _end(self, wait: Wait, settlement: Settlement) -> None:
        del self._by_uuid[wait.pending.uuid]
        wait.ended(settlement)
