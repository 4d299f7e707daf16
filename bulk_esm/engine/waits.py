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
from bulk_esm.errors import DeniedError, ServiceError
from bulk_esm.model.mapping import EventSourceMapping
from bulk_esm.model.stamps import is_newer, may_be_cut
from bulk_esm.model.transitions import transition_of

# When a Get contradicts an accepted update, the next one comes this share of a settle time later, and at least so many
# seconds: for that long a change was seen to stay hidden, if from List (F§0.2).
_DOUBT_SHARE: Final = 0.25
_DOUBT_AT_LEAST_S: Final = 1.5


class Settlement(msgspec.Struct, frozen=True):
    """How the wait for a mapping ended.

    Attributes:
        verdict: `SETTLED`, `NOT_APPLIED`, `CHANGED`, `GONE` or `TIMED_OUT`.
        mapping: the mapping as last seen; None if it was never seen, or is gone.
        failure: why the last look told nothing, if it did not.
        denied: why Get was not asked, if it was not permitted.
        stale: the mapping as Get showed it last, if that was never but from before the update.
    """

    verdict: Verdict
    mapping: EventSourceMapping | None
    failure: ServiceError | None = None
    stale: EventSourceMapping | None = None
    denied: DeniedError | None = None


class Refuted(msgspec.Struct, frozen=True):
    """A List entry that contradicted an update, and for which a Get was asked.

    Attributes:
        stamp: its `LastModified`.
        until: until when on the clock entries that are not surely newer are passed over.
        for_s: how long that was, in seconds; the next time it is twice as long.
    """

    stamp: float
    until: float
    for_s: float


class Wait:
    """One mapping that is waited for: what the choice of looks sees of it, and whom to tell how it ended."""

    __slots__ = ("asked", "contradicted", "deadline", "denied", "ended", "last", "pending", "refuted", "stale")

    def __init__(self, asked: Asked, pending: Pending, deadline: float, ended: Callable[[Settlement], None]) -> None:
        self.asked = asked
        self.pending = pending
        self.deadline = deadline
        self.ended = ended
        self.last: EventSourceMapping | None = None
        self.contradicted = False  # a Get saw it at rest and not as asked
        self.stale: EventSourceMapping | None = None
        self.denied: DeniedError | None = None
        self.refuted: Refuted | None = None


class Waits:
    """All of them.

    Attributes:
        found: how many were found settled.
    """

    def __init__(self, times: SettleTimes, clock: Clock) -> None:
        """Start with none.

        Args:
            times: learns how long each took.
            clock: the time.
        """
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
            transition=transition_of(item),
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
        verdict = judge(wait.asked, seen, by_get=True)
        wait.stale = seen if verdict is Verdict.STALE else None
        self._heed(wait, seen, verdict, age_s=started_at - wait.pending.accepted_at)
        if verdict in MISMATCH:
            if wait.contradicted:
                self._end(wait, Settlement(verdict, seen))
                return
            wait.contradicted = True
            pause_s = self._times.median_s(wait.pending.transition) * _DOUBT_SHARE
            wait.pending.get_at = self._clock.monotonic() + max(pause_s, self._times.scale * _DOUBT_AT_LEAST_S)
        elif verdict is not Verdict.SETTLED:
            # List may have said otherwise; it is not asked about that again.
            wait.contradicted = False
            wait.pending.get_at = math.inf
        self.give_up_if_late(wait)

    def doubt(self, wait: Wait) -> None:
        """Have Get say, unless it is to anyway, or may not."""
        if wait.pending.may_get and wait.pending.get_at == math.inf:
            wait.pending.get_at = self._clock.monotonic()

    def give_up_if_late(self, wait: Wait, failure: ServiceError | None = None) -> None:
        """End a wait whose deadline has come.

        Args:
            wait: the wait.
            failure: why the last look told nothing, if it did not.
        """
        if self._by_uuid.get(wait.pending.uuid) is wait and self._clock.monotonic() >= wait.deadline:
            self._end(wait, Settlement(Verdict.TIMED_OUT, wait.last, failure, wait.stale, wait.denied))

    def deny_get(self, wait: Wait, denied: DeniedError) -> None:
        """Get may not say of a mapping: List alone must, and where it cannot tell either the wait is over.

        Args:
            wait: the wait.
            denied: the refusal.
        """
        wait.denied = denied
        wait.pending.may_get, wait.pending.get_at = False, math.inf
        self._end_if_blind(wait)

    def deny_list(self, wait: Wait) -> None:
        """List may not be asked about a mapping any more: Get alone must say."""
        wait.pending.get_only = True
        self._end_if_blind(wait)

    def _end_if_blind(self, wait: Wait) -> None:
        is_waited_for = self._by_uuid.get(wait.pending.uuid) is wait
        if is_waited_for and wait.pending.get_only and not wait.pending.may_get:
            self._end(wait, Settlement(Verdict.TIMED_OUT, wait.last, None, wait.stale, wait.denied))

    def _heed_list(self, wait: Wait, seen: EventSourceMapping, *, age_s: float) -> None:
        """Take note of a List entry: it may confirm, but neither contradict nor be older than the update."""
        verdict = judge(wait.asked, seen)
        if verdict is Verdict.UNTOLD:
            return
        if verdict is Verdict.STALE:
            self._times.list_lag_s = max(self._times.list_lag_s, age_s)
            return
        self._times.list_lag_s = min(self._times.list_lag_s, age_s)
        self._heed(wait, seen, verdict, age_s=age_s - self._times.list_lag_s)
        if verdict in MISMATCH:
            self._have_refuted(wait, seen.last_modified)

    def _have_refuted(self, wait: Wait, stamp: float) -> None:
        """Have Get say about a List entry that contradicts, unless it has just said about one like it.

        Where stamps are cut the same one may come again with another picture, so then Get is asked again, but ever more
        rarely.
        """
        now, before = self._clock.monotonic(), wait.refuted
        another = before is None or is_newer(stamp, than=before.stamp)
        if before and not another and (now < before.until or not may_be_cut(stamp)):
            return
        for_s = before.for_s * 2 if before else self._times.most_s(wait.pending.transition)
        wait.refuted = Refuted(stamp, now + for_s, for_s)
        self.doubt(wait)

    def _heed(self, wait: Wait, seen: EventSourceMapping, verdict: Verdict, *, age_s: float) -> None:
        """Take note of a look at a mapping: settle it, or remember how long it has not."""
        if verdict is not Verdict.STALE:
            wait.last = seen
        if verdict is Verdict.SETTLED:
            self.found += 1
            self._times.observe(wait.pending.transition, unsettled_s=wait.pending.unsettled_s, settled_s=age_s)
            self._end(wait, Settlement(verdict, seen))
        else:
            wait.pending.unsettled_s = max(wait.pending.unsettled_s, age_s)

    def _end(self, wait: Wait, settlement: Settlement) -> None:
        del self._by_uuid[wait.pending.uuid]
        wait.ended(settlement)
