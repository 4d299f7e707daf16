"""Learns when each mapping has settled, for as few requests as it can.

`settled(asked)` registers what was asked and returns when that is settled, or can no longer be. Behind it one task
takes the looks that `looks.choose` finds worthwhile, and hands each mapping what a look said of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import aclosing
from typing import Final

import anyio
import msgspec

from bulk_esm.aws.control_plane import ControlPlane
from bulk_esm.clock import Clock
from bulk_esm.engine.estimates import SettleTimes
from bulk_esm.engine.looks import Look, Pending, choose
from bulk_esm.engine.settling import MISMATCH, Asked, Verdict, judge
from bulk_esm.engine.tasks import task_group
from bulk_esm.errors import AccessError, ServiceError
from bulk_esm.logs import get_logger
from bulk_esm.model.mapping import EventSourceMapping

log: Final = get_logger("waiter")

# How often the looks are weighed, as a share of the shortest settle time that is waited for. Beside updates that is
# seldom, but whether they still wait is asked as often: the moment that they do not, looks are due.
_TURN_SHARE: Final = 0.05
_TURN_SHARE_BESIDE_UPDATES: Final = 1.0
# However fast the control plane, weighing takes at most 1 part in so many of our own time.
_REST_AFTER_WEIGHING: Final = 20.0
# A look that failed has been retried so often already: the next one comes as late as one retry more.
_FAILURES_OF_A_LOOK: Final = 8
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


class WaiterStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """A look at the waiter.

    Attributes:
        waiting: mappings waited for.
        looks: looks taken so far, by kind.
        found: mappings found settled.
        list_lag_s: how far List was seen to lag behind, in seconds.
    """

    waiting: int
    looks: dict[str, int]
    found: int
    list_lag_s: float


class _Wait:
    """One mapping that is waited for: what the choice of looks sees of it, and what its caller gets."""

    def __init__(self, asked: Asked, pending: Pending, deadline: float) -> None:
        self.asked = asked
        self.pending = pending
        self.deadline = deadline
        self.last: EventSourceMapping | None = None
        self.contradicted = False  # a Get saw it at rest and not as asked
        self.refuted_at = -math.inf  # the LastModified of a List entry that a Get refuted
        self.over = anyio.Event()
        self.ended: Settlement | AccessError | None = None

    def end(self, ended: Settlement | AccessError) -> None:
        if not self.over.is_set():
            self.ended = ended
            self.over.set()


class Waiter:
    """Waits for mappings to settle."""

    def __init__(
        self,
        control_plane: ControlPlane,
        *,
        clock: Clock | None = None,
        updates_wait: Callable[[], bool] = lambda: False,
    ) -> None:
        """Wait on one control plane.

        Args:
            control_plane: where to look.
            clock: the time.
            updates_wait: whether updates still wait to be sent, which every look delays.
        """
        self._control_plane = control_plane
        self._clock = clock or Clock()
        self._updates_wait = updates_wait
        self._times = SettleTimes(max_per_second=control_plane.pacer.max_per_second)
        self._waits: dict[str, _Wait] = {}
        self._looking_at: set[tuple[str, str]] = set()
        self._someone_waits = anyio.Event()
        self._list_lag_s = 0.0
        self._looks: dict[str, int] = {"get": 0, "function": 0, "source": 0, "sweep": 0}
        self._found = 0

    def statistics(self) -> WaiterStatistics:
        """What is waited for, and what the looks have cost."""
        return WaiterStatistics(
            waiting=len(self._waits), looks=dict(self._looks), found=self._found, list_lag_s=self._list_lag_s
        )

    async def settled(self, asked: Asked, *, deadline: float) -> Settlement:
        """Wait until an accepted update has settled. `run` must be running meanwhile.

        Args:
            asked: what was asked.
            deadline: when to stop waiting, on the clock.

        Raises:
            AccessError: the credentials are refused.
        """
        pending = Pending(
            uuid=asked.uuid,
            source_type=asked.source_type,
            # A List narrowed to the function that it had would no longer show it.
            function_arn=None if "FunctionName" in asked.request else asked.before.function_arn,
            event_source_arn=asked.before.event_source_arn,
            accepted_at=self._clock.monotonic(),
            get_only=asked.is_hidden_from_list,
        )
        wait = self._waits[asked.uuid] = _Wait(asked, pending, deadline)
        self._someone_waits.set()
        try:
            await wait.over.wait()
        finally:
            del self._waits[asked.uuid]
        if isinstance(wait.ended, AccessError):
            raise wait.ended
        assert wait.ended is not None  # noqa: S101 - the event is set with it
        return wait.ended

    def look_at_all(self) -> None:
        """Take a Get of everything that is waited for: whoever stops a run wants to know now."""
        for wait in self._waits.values():
            self._doubt(wait)

    async def run(self) -> None:
        """Take looks, as long as it is not cancelled."""
        weighed_at = -math.inf
        async with task_group() as tasks:
            while True:
                if not self._waits:
                    self._someone_waits = anyio.Event()
                    await self._someone_waits.wait()
                now = self._clock.monotonic()
                kinds = {wait.pending.source_type for wait in self._waits.values()}
                shortest_s = min((self._times.median_s(kind) for kind in kinds), default=0.0)
                updates_wait = self._updates_wait()
                if not updates_wait or now >= weighed_at + shortest_s * _TURN_SHARE_BESIDE_UPDATES:
                    weighed_at = now
                    for look in self._choose(now, updates_wait=updates_wait):
                        self._looking_at.add((look.kind, look.key))
                        self._looks[look.kind] += 1
                        tasks.start_soon(self._take, look)
                took_s = self._clock.monotonic() - now
                await self._clock.sleep(max(took_s * _REST_AFTER_WEIGHING, shortest_s * _TURN_SHARE))

    def _choose(self, now: float, *, updates_wait: bool) -> list[Look]:
        for wait in self._waits.values():
            if now >= wait.deadline:
                wait.pending.get_at = min(wait.pending.get_at, now)  # never give up without a last look
        looks = choose(
            [wait.pending for wait in self._waits.values() if ("get", wait.asked.uuid) not in self._looking_at],
            self._control_plane.census,
            self._times,
            now=now,
            list_lag_s=self._list_lag_s,
            updates_wait=updates_wait,
        )
        return [look for look in looks if (look.kind, look.key) not in self._looking_at]

    async def _take(self, look: Look) -> None:
        try:
            if look.kind == "get":
                await self._get(look.key)
            else:
                await self._list(look)
        except AccessError as error:
            for wait in self._waits.values():
                wait.end(error)
        except ServiceError as error:
            # A look that failed tells nothing; what it was for is looked at again, until its deadline.
            log.warning("look_failed", kind=look.kind, key=look.key, code=error.code, message=error.message)
            # Only a Get is a last look: one is taken at the deadline, whatever becomes of the Lists.
            if look.key in self._waits:
                self._give_up_if_late(self._waits[look.key], error)
            await self._clock.sleep(self._control_plane.backoff_s(_FAILURES_OF_A_LOOK))
        finally:
            self._looking_at.discard((look.kind, look.key))

    async def _get(self, uuid: str) -> None:
        wait = self._waits.get(uuid)
        if wait is None:
            return
        started_at = self._clock.monotonic()
        try:
            seen = await self._control_plane.get(uuid, deadline=wait.deadline)
        except ServiceError as error:
            if error.code != "ResourceNotFoundException":
                raise
            seen = None
        if self._waits.get(uuid) is not wait:
            return
        if seen is None:
            wait.end(Settlement(Verdict.GONE, None))
            return
        verdict = self._heed(wait, seen, age_s=started_at - wait.pending.accepted_at)
        if verdict in MISMATCH:
            if wait.contradicted:
                wait.end(Settlement(verdict, seen))
                return
            wait.contradicted = True
            pause_s = self._times.median_s(wait.asked.source_type) * _DOUBT_SHARE
            wait.pending.get_at = self._clock.monotonic() + pause_s
        elif verdict is not Verdict.SETTLED:
            # List may have said otherwise; it is not asked about that again.
            wait.contradicted = False
            wait.pending.get_at = math.inf
        self._give_up_if_late(wait)

    async def _list(self, look: Look) -> None:
        filters = {"function": "function_name", "source": "event_source_arn"}
        arguments = {filters[look.kind]: look.key} if look.kind in filters else {}
        missing = set(look.covers)
        async with aclosing(self._control_plane.list(**arguments)) as pages:
            started_at = self._clock.monotonic()
            async for page in pages:
                for seen in page:
                    wait = self._waits.get(seen.uuid)
                    # Accepted since this page was asked for: the page is older than the update.
                    if wait is not None and not wait.pending.get_only and wait.pending.accepted_at <= started_at:
                        self._heed_list(wait, seen, age_s=started_at - wait.pending.accepted_at)
                    missing.discard(seen.uuid)
                missing &= self._waits.keys()
                if not missing:
                    return
                started_at = self._clock.monotonic()
        for uuid in missing & self._waits.keys():
            # List does not show it: it is gone, or this List never shows it. A Get tells.
            self._doubt(self._waits[uuid])

    def _heed_list(self, wait: _Wait, seen: EventSourceMapping, *, age_s: float) -> None:
        """Take note of a List entry: it may confirm, but neither contradict nor be older than the update."""
        if judge(wait.asked, seen) is Verdict.STALE:
            self._list_lag_s = max(self._list_lag_s, age_s)
            return
        self._list_lag_s = min(self._list_lag_s, age_s)
        verdict = self._heed(wait, seen, age_s=age_s - self._list_lag_s)
        if verdict in MISMATCH and seen.last_modified > wait.refuted_at:
            wait.refuted_at = seen.last_modified
            self._doubt(wait)

    def _doubt(self, wait: _Wait) -> None:
        """Have Get say, unless it is to anyway."""
        if wait.pending.get_at == math.inf:
            wait.pending.get_at = self._clock.monotonic()

    def _heed(self, wait: _Wait, seen: EventSourceMapping, *, age_s: float) -> Verdict:
        """Take note of a look at a mapping: settle it, or remember how long it has not."""
        verdict = judge(wait.asked, seen)
        if wait.over.is_set():
            return verdict
        if verdict is not Verdict.STALE:
            wait.last = seen
        if verdict is Verdict.SETTLED:
            self._found += 1
            self._times.observe(wait.asked.source_type, unsettled_s=wait.pending.unsettled_s, settled_s=age_s)
            wait.end(Settlement(verdict, seen))
        else:
            wait.pending.unsettled_s = max(wait.pending.unsettled_s, age_s)
        return verdict

    def _give_up_if_late(self, wait: _Wait, failure: ServiceError | None = None) -> None:
        if not wait.over.is_set() and self._clock.monotonic() >= wait.deadline:
            wait.end(Settlement(Verdict.TIMED_OUT, wait.last, failure))
