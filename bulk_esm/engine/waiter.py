"""Learns when each mapping has settled, for as few requests as it can.

`wait_for(asked)` registers what was asked; `run` takes the looks that `looks.choose` finds worthwhile, and `waits`
keeps what they told. No task waits for a mapping, as thousands are on their way at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import aclosing
from typing import Final

import anyio
import msgspec

from bulk_esm.aws.control_plane import ControlPlane
from bulk_esm.aws.retrying import Treatment, treatment_of
from bulk_esm.clock import Clock
from bulk_esm.engine.estimates import SettleTimes
from bulk_esm.engine.inventory import get_if_there
from bulk_esm.engine.looks import Look, choose
from bulk_esm.engine.settling import Asked
from bulk_esm.engine.task_groups import task_group
from bulk_esm.engine.waits import Settlement, Waits
from bulk_esm.errors import DeniedError, ServiceError
from bulk_esm.logs import get_logger
from bulk_esm.model.mapping import EventSourceMapping

log: Final = get_logger("waiter")

# How often the looks are weighed, as a share of the shortest settle time that is waited for. Beside updates that is
# seldom, but whether they still wait is asked as often: the moment that they do not, looks are due. Never more often
# than a request may leave, however soon some settle.
_TURN_SHARE: Final = 0.05
_TURN_SHARE_BESIDE_UPDATES: Final = 1.0
# However fast the control plane, weighing takes about 1 part in so many of our own time.
_REST_AFTER_WEIGHING: Final = 20.0
# A look that failed has been retried so often already: the next one comes as late as one retry more.
_FAILURES_OF_A_LOOK: Final = 8


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


class Waiter:
    """Waits for mappings to settle.

    Attributes:
        times: how long that takes, as far as it was seen.
    """

    def __init__(
        self,
        control_plane: ControlPlane,
        *,
        times: SettleTimes | None = None,
        clock: Clock | None = None,
        updates_wait: Callable[[], bool] = lambda: False,
        on_page: Callable[[list[EventSourceMapping], float], None] = lambda _page, _asked_at: None,
    ) -> None:
        """Wait on one control plane.

        Args:
            control_plane: where to look.
            times: what was learned there before.
            clock: the time.
            updates_wait: whether updates still wait to be sent, which every look delays.
            on_page: told each page of List that is read here, and when on the clock it was asked for.
        """
        self._control_plane = control_plane
        self._clock = clock or Clock()
        self._updates_wait = updates_wait
        self._on_page = on_page
        self.times = times or SettleTimes(max_per_second=control_plane.pacer.max_per_second)
        self._waits = Waits(self.times, self._clock)
        self._looking_at: set[tuple[str, str]] = set()
        self._someone_waits = anyio.Event()
        self._nobody_waits = anyio.Event()
        self._list_denied = False
        self._told: set[str] = set()
        self._looks: dict[str, int] = {"get": 0, "function": 0, "source": 0, "sweep": 0}

    def statistics(self) -> WaiterStatistics:
        """What is waited for, and what the looks have cost."""
        return WaiterStatistics(
            waiting=len(self._waits),
            looks=dict(self._looks),
            found=self._waits.found,
            list_lag_s=self.times.list_lag_s,
        )

    def wait_for(self, asked: Asked, *, deadline: float, ended: Callable[[Settlement], None]) -> None:
        """Wait until an accepted update has settled. `run` must be running meanwhile.

        Args:
            asked: what was asked.
            deadline: when to stop waiting, on the clock.
            ended: called once, from `run`, with how it ended. What it raises ends `run`.
        """
        self._waits.add(asked, deadline, ended)
        self._someone_waits.set()
        if self._list_denied and (wait := self._waits.get(asked.item.uuid)):
            self._waits.deny_list(wait)

    async def until_nobody_waits(self) -> None:
        """Return when nothing is waited for."""
        while self._waits:
            self._nobody_waits = anyio.Event()
            await self._nobody_waits.wait()

    def heed_page(self, page: Iterable[EventSourceMapping], asked_at: float) -> None:
        """Take note of a page of List, whoever read it.

        Args:
            page: what it shows.
            asked_at: when it was asked for, on the clock.
        """
        self._waits.heed_page(page, asked_at)
        if not self._waits:
            self._nobody_waits.set()

    def look_at_all(self) -> None:
        """Take a Get of everything that is waited for: whoever stops a run wants to know now."""
        for wait in self._waits:
            self._waits.doubt(wait)

    async def run(self) -> None:
        """Take looks, as long as it is not cancelled."""
        weighed_at = -math.inf
        took_s = 0.0
        async with task_group() as tasks:
            while True:
                if not self._waits:
                    self._nobody_waits.set()
                    self._someone_waits = anyio.Event()
                    await self._someone_waits.wait()
                now = self._clock.monotonic()
                transitions = {wait.pending.transition for wait in self._waits}
                shortest_s = min((self.times.median_s(one) for one in transitions), default=0.0)
                updates_wait = self._updates_wait()
                if not updates_wait or now >= weighed_at + shortest_s * _TURN_SHARE_BESIDE_UPDATES:
                    weighed_at = now
                    for look in self._choose(now, updates_wait=updates_wait):
                        self._looking_at.add((look.kind, look.key))
                        self._looks[look.kind] += 1
                        tasks.start_soon(self._take, look)
                took_before_s, took_s = took_s, self._clock.monotonic() - now
                # The shorter of two, as one may have met a collection of garbage, which is not weighing.
                rest_s = min(took_before_s, took_s) * _REST_AFTER_WEIGHING
                await self._clock.sleep(
                    max(rest_s, shortest_s * _TURN_SHARE, 1 / self._control_plane.pacer.max_per_second)
                )

    def _choose(self, now: float, *, updates_wait: bool) -> list[Look]:
        for wait in list(self._waits):
            if not wait.pending.may_get:
                self._waits.give_up_if_late(wait)
            elif now >= wait.deadline:
                wait.pending.get_at = min(wait.pending.get_at, now)  # never give up without a last look
        looks = choose(
            [wait.pending for wait in self._waits if ("get", wait.pending.uuid) not in self._looking_at],
            self._control_plane.census,
            self.times,
            now=now,
            list_lag_s=self.times.list_lag_s,
            updates_wait=updates_wait,
        )
        return [look for look in looks if (look.kind, look.key) not in self._looking_at]

    async def _take(self, look: Look) -> None:
        try:
            if look.kind == "get":
                await self._get(look.key)
            else:
                await self._list(look)
        except DeniedError as refused:
            self._do_without(look, refused)
        except ServiceError as error:
            # A look that failed tells nothing; what it was for is looked at again, until its deadline.
            tell = log.info if error.message in self._told else log.warning
            tell("look_failed", kind=look.kind, key=look.key, code=error.code, message=error.message)
            self._told.add(error.message)
            # Only a Get is a last look: one is taken at the deadline, whatever becomes of the Lists.
            if wait := self._waits.get(look.key):
                self._waits.give_up_if_late(wait, error)
            if treatment_of(error) is Treatment.FINAL:
                self._never_again(look)
            await self._clock.sleep(self._control_plane.backoff_s(_FAILURES_OF_A_LOOK))
        finally:
            self._looking_at.discard((look.kind, look.key))
            if not self._waits:
                self._nobody_waits.set()

    def _do_without(self, look: Look, refused: DeniedError) -> None:
        """Get may be denied for one mapping or for all, and List for all: what the other tells must do."""
        if look.kind == "get":
            if wait := self._waits.get(look.key):
                self._waits.deny_get(wait, refused)
            return
        self._list_denied = True
        for wait in list(self._waits):
            self._waits.deny_list(wait)

    def _never_again(self, look: Look) -> None:
        """What is refused once is refused always, such as a List narrowed to an ARN that Lambda does not take."""
        for wait in (wait for uuid in look.covers if (wait := self._waits.get(uuid))):
            if look.kind == "source":
                wait.pending.event_source_arn = None
            elif look.kind == "function":
                wait.pending.function_arn = None

    async def _get(self, uuid: str) -> None:
        wait = self._waits.get(uuid)
        if wait is None:
            return
        started_at = self._clock.monotonic()
        seen = await get_if_there(self._control_plane, uuid, deadline=wait.deadline)
        self._waits.heed_get(wait, seen, started_at)

    async def _list(self, look: Look) -> None:
        filters = {"function": "function_name", "source": "event_source_arn"}
        arguments = {filters[look.kind]: look.key} if look.kind in filters else {}
        missing = set(look.covers)
        async with aclosing(self._control_plane.list(**arguments)) as pages:
            started_at = self._clock.monotonic()
            async for page in pages:
                self.heed_page(page, started_at)
                self._on_page(page, started_at)
                missing.difference_update(seen.uuid for seen in page)
                missing = {uuid for uuid in missing if self._waits.get(uuid)}
                if not missing:
                    return
                started_at = self._clock.monotonic()
        for uuid in missing:
            # List does not show it: it is gone, or this List never shows it. A Get tells.
            if wait := self._waits.get(uuid):
                self._waits.doubt(wait)
                if not wait.pending.may_get:
                    wait.pending.unsettled_s = started_at - wait.pending.accepted_at
