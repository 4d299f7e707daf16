"""Carries a plan out: an anyio task group fans the updates out, and each item ends in exactly one result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

import anyio
import msgspec

from bulk_esm.aws.control_plane import ControlPlane
from bulk_esm.clock import Clock, iso
from bulk_esm.engine.course import Course
from bulk_esm.engine.endings import Ending, changed, cut_short, failed, internal_error, without_sending
from bulk_esm.engine.estimates import LIKELY_SETTLE_S
from bulk_esm.engine.settling import Asked
from bulk_esm.engine.tasks import task_group
from bulk_esm.engine.waiter import Waiter
from bulk_esm.engine.waits import Settlement
from bulk_esm.errors import AccessError, ServiceError
from bulk_esm.logs import get_logger
from bulk_esm.model.plan import Action, PlanItem
from bulk_esm.model.result import ErrorRecord, Outcome, Result

log: Final = get_logger("engine")


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a plan is carried out.

    Attributes:
        concurrency: updates being sent at once.
        most_under_way: mappings sent or waited for at once: so many that only stuck ones can fill it, but bounded.
        timeout_s: how long a mapping may take to be accepted, and then to settle, in seconds.
    """

    concurrency: int = 50
    most_under_way: int = 10_000
    timeout_s: float = 900.0


class EngineStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """A look at a run.

    Attributes:
        total: items that need an update.
        sending: updates on their way to being accepted.
        settling: accepted and not yet settled.
        outcomes: results so far, by outcome.
    """

    total: int
    sending: int
    settling: int
    outcomes: dict[Outcome, int]


class _Stopped(Exception):  # noqa: N818 - not an error: the engine was told to send nothing more
    """Raised in place of sending."""


class Engine:
    """Turns plan items into results, one for every item, whatever happens."""

    def __init__(
        self,
        control_plane: ControlPlane,
        *,
        run_id: str,
        account_id: str | None,
        settings: EngineSettings | None = None,
        changed_since: frozenset[str] = frozenset(),
        clock: Clock | None = None,
    ) -> None:
        """Prepare one run.

        Args:
            control_plane: where to send.
            run_id: the run, for the results.
            account_id: the account, for the results.
            settings: see `EngineSettings`.
            changed_since: mappings that someone changed after the plan was made: nothing is sent to them.
            clock: the time.
        """
        self._control_plane = control_plane
        self._changed_since = changed_since
        self._run_id = run_id
        self._account_id = account_id
        self._settings = settings or EngineSettings()
        self._clock = clock or Clock()
        self._waiter = Waiter(control_plane, clock=self._clock, updates_wait=self._updates_wait)
        self._sending = anyio.Semaphore(self._settings.concurrency, fast_acquire=True)
        self._under_way = anyio.Semaphore(self._settings.most_under_way, fast_acquire=True)
        self._outcomes: Counter[Outcome] = Counter()
        self._total = 0
        self._settling: dict[str, Course] = {}
        self._stopping = self._cannot_record = False
        self._refused: ErrorRecord | None = None

    def statistics(self) -> EngineStatistics:
        """How the run stands."""
        return EngineStatistics(
            total=self._total,
            sending=self._settings.concurrency - self._sending.value,
            settling=len(self._settling),
            outcomes=dict(self._outcomes),
        )

    def stop(self) -> None:
        """Send nothing more, and look at all that was accepted. That is still waited for; the rest is `not_started`."""
        self._stopping = True
        self._waiter.look_at_all()

    async def run(self, items: Iterable[PlanItem], record: Callable[[Result], None]) -> None:
        """Carry out a plan that is already on disk.

        Args:
            items: the plan.
            record: called with each result as it ends. What it raises ends the run, and is raised: a result that
                cannot be recorded must not be followed by another update, nor by another result.

        Raises:
            AccessError: the credentials were refused; every item has its result all the same.
        """
        updates: list[PlanItem] = []
        for item in items:
            if item.action is not Action.UPDATE:
                self._end(self._course(item), without_sending(item), record)
            elif item.uuid in self._changed_since:
                self._end(self._course(item), changed("it is no longer as it was planned; plan it anew"), record)
            else:
                updates.append(item)
        self._total = len(updates)
        # What settles slowest goes first, so that its wait overlaps the rest. The list is taken from its end.
        updates.sort(key=lambda item: LIKELY_SETTLE_S[item.source_type])
        try:
            async with task_group() as looking:
                looking.start_soon(self._look)
                async with task_group() as tasks:
                    while updates and not self._stopping:
                        # Room is found before a task starts, so work in flight is bounded, and memory with it.
                        await self._under_way.acquire()
                        await self._sending.acquire()
                        tasks.start_soon(self._send, self._course(updates.pop()), record)
                await self._waiter.until_nobody_waits()
                looking.cancel_scope.cancel()
        finally:
            for course in list(self._settling.values()):
                self._end_settling(course, self._cut_short(course), record)
            for item in reversed(updates):
                self._end(self._course(item), Ending(Outcome.NOT_STARTED), record)

    def _updates_wait(self) -> bool:
        return self._sending.value < self._settings.concurrency

    def _course(self, item: PlanItem) -> Course:
        return Course(item, control_plane=self._control_plane, timeout_s=self._settings.timeout_s, clock=self._clock)

    async def _look(self) -> None:
        try:
            await self._waiter.run()
        except AccessError as refused:
            self._note_refused(refused)
            raise

    def _note_refused(self, refused: AccessError) -> None:
        # Final for the whole account and Region: the others are cancelled, and need not find out one by one.
        self._refused = self._refused or ErrorRecord(code="AccessDenied", message=str(refused))

    async def _send(self, course: Course, record: Callable[[Result], None]) -> None:
        """Send one update, and hand it to the waiter; or end it, whatever happens, cancellation included."""
        found: Asked | Ending | None = None
        place_to_send = _Place(self._sending)
        try:
            found = await course.send(before_sending=self._unless_stopping, answered=place_to_send.release)
        except _Stopped:
            pass
        except AccessError as refused:
            self._note_refused(refused)
            raise
        except ServiceError as error:
            found = failed(error, course.item.request, perhaps_applied=course.perhaps_applied)
        except Exception as bug:
            # One mapping's bug must not lose the others.
            log.exception("internal_error", uuid=course.item.uuid)
            found = internal_error(bug, perhaps_applied=course.perhaps_applied)
        finally:
            # Nothing here waits, so that a cancelled item has its result too.
            place_to_send.release()
            if isinstance(found, Asked):
                self._settling[course.item.uuid] = course
                ended = partial(self._settled, course, found, record)
                deadline = self._clock.monotonic() + self._settings.timeout_s
                self._waiter.wait_for(found, deadline=deadline, ended=ended)
            else:
                self._under_way.release()
                self._end(course, found or self._cut_short(course), record)

    def _settled(self, course: Course, asked: Asked, record: Callable[[Result], None], settlement: Settlement) -> None:
        try:
            ending = course.settled(settlement, asked)
        except Exception as bug:
            log.exception("internal_error", uuid=course.item.uuid)
            ending = internal_error(bug, perhaps_applied=True)
        self._end_settling(course, ending, record)

    def _end_settling(self, course: Course, ending: Ending, record: Callable[[Result], None]) -> None:
        del self._settling[course.item.uuid]
        self._under_way.release()
        self._end(course, ending, record)

    def _cut_short(self, course: Course) -> Ending:
        return cut_short(
            perhaps_applied=course.perhaps_applied,
            accepted=course.accepted,
            why=self._refused if course.update_calls else None,
        )

    def _unless_stopping(self) -> None:
        if self._stopping:
            raise _Stopped

    def _end(self, course: Course, ending: Ending, record: Callable[[Result], None]) -> None:
        """Make the item's one result."""
        if self._cannot_record:
            return  # what was raised then ends the run
        item = course.item
        result = Result(
            run_id=self._run_id,
            uuid=item.uuid,
            function_arn=item.function_arn,
            event_source_arn=item.event_source_arn,
            source_type=item.source_type,
            account_id=self._account_id,
            region=self._control_plane.region,
            wave=1,
            outcome=ending.outcome,
            state=course.seen.state if course.seen else item.state,
            request=item.request,
            error=ending.error,
            update_calls=course.update_calls,
            accepted_at=iso(course.accepted_at),
            settled_at=iso(course.settled_at),
            duration_s=round(self._clock.monotonic() - course.started_s, 3),
        )
        try:
            record(result)
        except BaseException:
            self._cannot_record = True
            raise
        self._outcomes[ending.outcome] += 1


class _Place:
    """A place among the updates that are being sent; released once, by whoever is first."""

    def __init__(self, places: anyio.Semaphore) -> None:
        self._places: anyio.Semaphore | None = places

    def release(self) -> None:
        if self._places is not None:
            self._places.release()
            self._places = None
