"""Carries a plan out: an anyio task group fans the updates out, and each item ends in exactly one result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from functools import partial
from typing import Final

import anyio
import msgspec
from anyio.abc import TaskGroup

from bulk_esm.aws.control_plane import ControlPlane
from bulk_esm.aws.retrying import Treatment, treatment_of
from bulk_esm.clock import Clock
from bulk_esm.engine.budget import Budget
from bulk_esm.engine.endings import Ending, cut_short, denied, failed, internal_error, without_sending
from bulk_esm.engine.estimates import LIKELY_SETTLE_S, SettleTimes
from bulk_esm.engine.rereading import Rereading
from bulk_esm.engine.results import ResultMaker
from bulk_esm.engine.sending import Sending
from bulk_esm.engine.settings import BeforeUpdate, EngineSettings, EngineStatistics, MaySend, unrecorded
from bulk_esm.engine.settling import Asked
from bulk_esm.engine.task_groups import task_group
from bulk_esm.engine.waiter import Waiter
from bulk_esm.engine.waits import Settlement
from bulk_esm.errors import AccessError, DeniedError, RunFolderError, ServiceError
from bulk_esm.logs import get_logger
from bulk_esm.model.denials import Denials
from bulk_esm.model.plan import Action, PlanItem
from bulk_esm.model.records import RunStatus
from bulk_esm.model.result import ErrorRecord, Outcome, Result
from bulk_esm.model.stopping import Stop
from bulk_esm.model.transitions import transition_of

log: Final = get_logger("engine")

_TOO_LATE: Final = Stop(RunStatus.DEADLINE, "what could not have settled before the deadline was not sent")
_FOLLOWING: Final = 100  # updates that are recorded as begun at a time


class _Stopped(Exception):  # noqa: N818 - not an error: the engine was told to send nothing more
    """Raised in place of sending."""


class _Held(Exception):  # noqa: N818 - not an error either
    """Raised in place of sending while the engine is held."""


class Engine:
    """Turns plan items into results, one for every item, whatever happens.

    Attributes:
        stopped_by: why nothing more is sent, or None.
    """

    def __init__(  # noqa: PLR0913 - keyword-only, all with defaults
        self,
        control_plane: ControlPlane,
        *,
        run_id: str,
        account_id: str | None,
        settings: EngineSettings | None = None,
        known: Mapping[str, Ending] | None = None,
        in_doubt: AbstractSet[str] = frozenset(),
        total: int | None = None,
        denials: Denials | None = None,
        before_update: BeforeUpdate = unrecorded,
        may_send: MaySend = lambda: True,
        budget: Budget | None = None,
        times: SettleTimes | None = None,
        read_at: float | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Prepare one run.

        Args:
            control_plane: where to send.
            run_id: the run, for the results.
            account_id: the account, for the results.
            settings: see `EngineSettings`.
            known: how items end to which nothing is sent, as a look since they were planned has told, by UUID.
            in_doubt: to which items an update may have been sent before, by UUID: what is found there is this run's.
            total: how many items of all that will be carried out need an update, if that is known beforehand.
            denials: what the run's updates met there before; where left out, nothing, and these items are all.
            before_update: waited for before each update with the number of results that may have to be written, and the
                UUIDs of it and of some that follow; raises `RunFolderError` where it could not be recorded.
            may_send: asked just before each update goes out; where it says no, nothing is sent, and a stop follows.
            budget: what is shared with other engines; of its own, from the settings, if left out.
            times: what was learned before of how long mappings take to settle there.
            read_at: when the items were read, on the clock, as what was read too long ago is read again before anything
                is sent to it; when they are handed over, if left out.
            clock: the time.
        """
        self.stopped_by: Stop | None = None
        self._control_plane = control_plane
        self._place = f"{account_id}-{control_plane.region}"
        self._known = known or {}
        self._in_doubt = in_doubt
        self._settings = settings or EngineSettings()
        self._before_update = before_update
        self._may_send = may_send
        self._clock = clock or Clock()
        self._read_at = read_at
        self._rereading = Rereading(control_plane, in_doubt=in_doubt, clock=self._clock)
        self._waiter = Waiter(
            control_plane,
            times=times,
            clock=self._clock,
            updates_wait=lambda: self._updates_wait,
            on_page=self._rereading.heed,
        )
        self._rereading.on_page = self._waiter.heed_page
        self._unread: ServiceError | None = None
        self._budget = budget or Budget(self._settings.most_failures)
        self._sending = anyio.CapacityLimiter(self._settings.concurrency)
        self._under_way = anyio.Semaphore(self._settings.most_under_way, fast_acquire=True)
        self._feeding = anyio.CancelScope()
        self._results = ResultMaker(
            run_id=run_id, account_id=account_id, region=control_plane.region, clock=self._clock
        )
        self._total = total or 0
        self._grows = total is None
        self._settling: dict[str, Sending] = {}
        self._begun = self._sent = self.cut_short = 0
        self._first_sent_at: float | None = None
        self._updates_wait = False
        self._refused: ErrorRecord | None = None
        self._denials = denials or Denials()
        self._counts_updates = denials is None
        self._last_denial: DeniedError | None = None
        self._answered = anyio.Event()
        self._is_held = self._is_late = False
        self._held_back = 0
        self._changed = anyio.Event()

    def statistics(self) -> EngineStatistics:
        """How the run stands."""
        return EngineStatistics(
            total=self._total,
            sending=self._begun - len(self._settling) - self._held_back,
            settling=len(self._settling),
            outcomes=dict(self._results.outcomes),
        )

    def stop(self, stop: Stop, *, hurry: bool = False) -> None:
        """Send nothing more: what was accepted is still waited for, and the rest is `not_started`.

        Args:
            stop: why; the first reason stays.
            hurry: whether to look at once at all that was accepted.
        """
        self.stopped_by = self.stopped_by or stop
        self._feeding.cancel()
        self._wake()
        if hurry:
            self._waiter.look_at_all()

    def hold(self, *, is_held: bool) -> None:
        """Send nothing for now, or go on; what was accepted is waited for meanwhile.

        Args:
            is_held: whether to send nothing.
        """
        self._is_held = is_held
        self._wake()

    def _wake(self) -> None:
        """Have whoever waits to go on look whether it may."""
        self._changed.set()
        self._changed = anyio.Event()

    async def run(
        self, items: Iterable[PlanItem], record: Callable[[Result], None], *, wave: int = 1, as_given: bool = False
    ) -> None:
        """Carry out a plan that is already on disk, or a wave of it.

        Args:
            items: the items.
            record: called with each result as it ends. What it raises ends the run, and is raised: a result that
                cannot be recorded must not be followed by another update, nor by another result.
            wave: its number, for the results.
            as_given: whether to keep the order of the items; else those that settle slowest go first.
        """
        self._results.record, self._results.wave = record, wave
        updates: list[PlanItem] = []
        for item in items:
            ending = self._without_sending(item)
            if ending is None:
                updates.append(item)
            else:
                self._results.end(self._sending_of(item), ending)
        if self._grows:
            self._total += len(updates)
        if self._counts_updates:
            self._denials = msgspec.structs.replace(self._denials, updates=self._denials.updates + len(updates))
        # What settles slowest goes first, so that its wait overlaps the rest. The list is taken from its end.
        updates.reverse()
        if not as_given:
            updates.sort(key=lambda item: LIKELY_SETTLE_S[transition_of(item)])
        now = self._clock.monotonic()
        self._rereading.expect(updates, read_at=now if self._read_at is None else self._read_at)
        self._feeding = anyio.CancelScope()
        try:
            with self._budget.watched(self._halt):
                async with task_group() as looking:
                    looking.start_soon(self._look)
                    async with task_group() as tasks:
                        with self._feeding:
                            await self._feed(updates, tasks)
                    if self._is_late:
                        self.stop(_TOO_LATE)
                    await self._waiter.until_nobody_waits()
                    looking.cancel_scope.cancel()
            self._raise_if_denied()
            if self._unread is not None:
                raise self._unread
        finally:
            for sending in list(self._settling.values()):
                self._end_settling(sending, self._cut_short(sending))
            self.leave(reversed(updates), record, wave=wave)

    def leave(self, items: Iterable[PlanItem], record: Callable[[Result], None], *, wave: int) -> None:
        """End items to which nothing was sent, as nothing more is."""
        self._results.record, self._results.wave = record, wave
        for item in items:
            self._results.end(self._sending_of(item), self._without_sending(item) or Ending(Outcome.NOT_STARTED))

    def _without_sending(self, item: PlanItem) -> Ending | None:
        if item.uuid in self._known:
            return self._known[item.uuid]
        return None if item.action is Action.UPDATE else without_sending(item)

    async def _feed(self, updates: list[PlanItem], tasks: TaskGroup) -> None:
        """Start the updates, one for each grant of the pacer, so that a stop leaves none of them in its line."""
        late: list[PlanItem] = []
        try:
            while updates and self.stopped_by is None:
                if self._would_be_late(updates[-1]):
                    late.append(updates.pop())
                    continue
                await self._until_its_turn()
                # Room is found before a task starts, so work in flight is bounded, and memory with it. Where there is
                # none, updates wait for what settles and not for requests.
                self._updates_wait = self._under_way.value > 0
                await self._under_way.acquire()
                self._updates_wait = True
                await self._stand_while_held()  # before it is read again, and recorded as begun
                if (ending := await self._reread(updates)) is not None:
                    self._under_way.release()
                    self._results.end(self._sending_of(updates.pop()), ending)
                    continue
                await self._sending.acquire_on_behalf_of(updates[-1].uuid)
                try:
                    await self._budget.enter((self, updates[-1].uuid))
                    if await self._is_denied():
                        raise _Stopped  # noqa: TRY301 - as any end of this loop
                    await self._announce(updates)
                    granted_at = await self._control_plane.pacer.acquire()
                except BaseException:
                    self._make_place(updates[-1].uuid)
                    raise
                if self._would_be_late(updates[-1]):  # the pacer may have been held for long
                    self._make_place(updates[-1].uuid)
                    self._under_way.release()
                    continue
                self._begun += 1
                self._sent += 1
                tasks.start_soon(self._send, self._sending_of(updates.pop()), granted_at)
        except _Stopped:
            pass  # denied, or not to be read: `run` raises it when all that was sent has ended
        finally:
            self._updates_wait = False
            updates.extend(reversed(late))
        if late:
            self.stop(_TOO_LATE)

    async def _until_unheld(self) -> None:
        """Wait while the engine is held.

        Raises:
            _Stopped: it is stopped.
        """
        while self._is_held and self.stopped_by is None:
            await self._changed.wait()
        if self.stopped_by is not None:
            raise _Stopped

    async def _stand_while_held(self) -> None:
        """Let nothing follow while the engine is held. What is spread over a time is put off by as much."""
        if not self._is_held:
            return
        self._updates_wait = False  # looks delay nothing meanwhile
        held_at = self._clock.monotonic()
        await self._until_unheld()
        if self._first_sent_at is not None:
            self._first_sent_at += self._clock.monotonic() - held_at
        self._updates_wait = True

    async def _announce(self, updates: Sequence[PlanItem]) -> None:
        try:
            await self._before_update(self._begun + 1, [item.uuid for item in updates[: -_FOLLOWING - 1 : -1]])
        except RunFolderError as error:
            self.stop(Stop(RunStatus.HALTED, str(error)))
            raise _Stopped from error

    async def _reread(self, updates: Sequence[PlanItem]) -> Ending | None:
        """How the next one ends as it is no longer what was planned, if it was read too long ago and is read again."""
        try:
            return await self._rereading.next(updates)
        except AccessError as refused:
            self._note_refused(refused)
            raise
        except ServiceError as error:
            self._unread = error
            raise _Stopped from error

    async def _is_denied(self) -> bool:
        """Whether the role lacks the action; whoever is still on the way to an answer has a say in that."""
        while self._denials.is_of_all and self._sending.borrowed_tokens > 1:  # one is for who asks
            self._answered = anyio.Event()
            await self._answered.wait()
        return self._denials.is_of_all

    def _raise_if_denied(self) -> None:
        if self._denials.is_of_all and self._last_denial is not None:
            refused = self._last_denial
            what = (
                f"{refused.action} is not permitted for any mapping: {self._denials.denied:,} were refused, and none "
            )
            raise DeniedError(
                f"{what}was accepted ({refused.said}); permit it to whoever runs this",
                action=refused.action,
                said=refused.said,
            )

    async def _until_its_turn(self) -> None:
        if not self._settings.ramp_s:
            return
        now = self._clock.monotonic()
        if self._first_sent_at is None:
            self._first_sent_at = now
        self._updates_wait = False  # looks delay nothing meanwhile
        turn = self._first_sent_at + self._settings.ramp_s * self._sent / max(1, self._total)
        await self._clock.sleep(max(0.0, turn - now))

    def _would_be_late(self, item: PlanItem) -> bool:
        return self._clock.monotonic() + self._waiter.times.most_s(transition_of(item)) > self._settings.deadline

    def _sending_of(self, item: PlanItem) -> Sending:
        return Sending(
            item,
            control_plane=self._control_plane,
            deadline=self._deadline,
            clock=self._clock,
            in_doubt=item.uuid in self._in_doubt,
        )

    def _deadline(self) -> float:
        return min(self._clock.monotonic() + self._settings.timeout_s, self._settings.deadline)

    async def _look(self) -> None:
        try:
            await self._waiter.run()
        except AccessError as refused:
            self._note_refused(refused)
            raise

    def _note_refused(self, refused: AccessError) -> None:
        # Final for the whole account and Region: the others are cancelled, and need not find out one by one.
        self._refused = self._refused or ErrorRecord(code="AccessDenied", message=str(refused))

    async def _send(self, sending: Sending, granted_at: float) -> None:
        """Send one update, and hand it to the waiter; or end it, whatever happens, cancellation included."""
        found: Asked | Ending | None = None
        try:
            found = await self._sent_unless_held(sending, granted_at)
        except _Stopped:
            pass
        except DeniedError as refused:
            found = self._denied(refused, sending)
        except AccessError as refused:
            self._note_refused(refused)
            raise
        except ServiceError as error:
            treatment = treatment_of(error)
            if treatment in {Treatment.UNCONNECTED, Treatment.BARRED} and not sending.perhaps_applied:
                found = self._unconnected(error)
            else:
                if treatment is Treatment.BARRED:
                    self.stop(Stop(RunStatus.HALTED, error.message))
                found = failed(error, sending.item, perhaps_applied=sending.perhaps_applied)
        except Exception as bug:
            # One mapping's bug must not lose the others.
            log.exception("internal_error", uuid=sending.item.uuid)
            found = internal_error(bug, perhaps_applied=sending.perhaps_applied)
        finally:
            # Nothing here waits, so that a cancelled item has its result too.
            self._make_place(sending.item.uuid)
            self._answered.set()
            if isinstance(found, Asked):
                self._denials = msgspec.structs.replace(self._denials, accepted=True)
                self._budget.accept(self._place)
                self._settling[sending.item.uuid] = sending
                ended = partial(self._settled, sending, found)
                self._waiter.wait_for(found, deadline=self._deadline(), ended=ended)
            else:
                self._end_begun(sending, found or self._cut_short(sending))

    async def _sent_unless_held(self, sending: Sending, granted_at: float | None) -> Asked | Ending:
        """Send one update; where a hold comes first, let others have its place, and look again when that is over."""
        uuid = sending.item.uuid
        while True:
            with suppress(_Held):
                return await sending.send(
                    before_sending=self._unless_stopped,
                    answered=partial(self._make_place, uuid),
                    granted_at=granted_at,
                )
            self._make_place(uuid)
            self._answered.set()
            self._held_back += 1
            try:
                await self._until_unheld()
            finally:
                self._held_back -= 1
            granted_at = None
            if self._would_be_late(sending.item):
                self._is_late = True
                raise _Stopped
            if (ending := await self._rereading.again(sending.item, in_doubt=sending.in_doubt)) is not None:
                return ending
            await self._sending.acquire_on_behalf_of(uuid)
            await self._budget.enter((self, uuid))

    def _denied(self, refused: DeniedError, sending: Sending) -> Ending:
        """A policy may deny one mapping and allow the next, so this is the end of one."""
        if not sending.perhaps_applied:
            self._last_denial = refused
        return denied(refused, sending.item, perhaps_applied=sending.perhaps_applied)

    def _unconnected(self, error: ServiceError) -> Ending:
        """For all the time that a mapping has, no connection came; for the others none would come either."""
        barred = treatment_of(error) is Treatment.BARRED
        what = (
            error.message
            if barred
            else f"no connection to Lambda came in the time that a mapping has ({error.message})"
        )
        is_late = self._clock.monotonic() >= self._settings.deadline
        self.stop(Stop(RunStatus.DEADLINE if is_late else RunStatus.HALTED, what))
        return cut_short(perhaps_applied=False, accepted=False, why=ErrorRecord(code=error.code, message=what))

    def _make_place(self, uuid: str) -> None:
        self._budget.leave((self, uuid))
        with suppress(RuntimeError):  # made already, when the answer came
            self._sending.release_on_behalf_of(uuid)

    def _settled(self, sending: Sending, asked: Asked, settlement: Settlement) -> None:
        try:
            ending = sending.settled(settlement, asked)
        except Exception as bug:
            log.exception("internal_error", uuid=sending.item.uuid)
            ending = internal_error(bug, perhaps_applied=True)
        if ending.outcome is Outcome.TIMED_OUT and self._clock.monotonic() >= self._settings.deadline:
            self.cut_short += 1
            self.stop(Stop(RunStatus.DEADLINE, "the deadline came before all that was accepted had settled"))
        self._end_settling(sending, ending)

    def _end_settling(self, sending: Sending, ending: Ending) -> None:
        del self._settling[sending.item.uuid]
        self._end_begun(sending, ending)

    def _end_begun(self, sending: Sending, ending: Ending) -> None:
        self._begun -= 1
        self._under_way.release()
        result = self._results.end(sending, ending)
        if result is not None:
            self._denials = self._denials.and_of(result)
            self._budget.take(self._place, result)

    def _halt(self) -> None:
        self.stop(Stop(RunStatus.HALTED, self._budget.reason))

    def _cut_short(self, sending: Sending) -> Ending:
        self.cut_short += sending.perhaps_applied
        return cut_short(
            perhaps_applied=sending.perhaps_applied,
            accepted=sending.accepted,
            why=self._refused if sending.update_calls else None,
        )

    def _unless_stopped(self) -> None:
        if self.stopped_by is not None or not self._may_send():
            raise _Stopped
        if self._is_held:
            raise _Held
