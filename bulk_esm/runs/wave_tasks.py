"""Carries out one wave of a fleet after another: hands slices of shards to an executor, and records what comes back."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

import msgspec

from bulk_esm.clock import Clock
from bulk_esm.engine.budget import Budget
from bulk_esm.engine.endings import Ending
from bulk_esm.errors import BulkEsmError
from bulk_esm.executors.protocols import Executor
from bulk_esm.executors.tasks import Assignment, CarryOut, Event, Reach, Resulted, ShardEnd
from bulk_esm.logs import get_logger
from bulk_esm.model.budget import spares_denials
from bulk_esm.model.denials import Denials
from bulk_esm.model.records import FleetRecord, RunRecord, RunStatus
from bulk_esm.model.result import TROUBLE, ErrorRecord, Outcome, Result
from bulk_esm.model.shard import Problem
from bulk_esm.model.slices import Slice
from bulk_esm.model.stopping import Stop, in_shards
from bulk_esm.runs.open_slice import OpenSlice
from bulk_esm.runs.read_tasks import MOST_LOSSES
from bulk_esm.runs.recording import Recording
from bulk_esm.runs.shard_progress import ShardProgress
from bulk_esm.store.run_files import RunFiles

log: Final = get_logger("fleet")


class WaveTasks:
    """The tasks of a run's waves: turns slices into results, one for each of their mappings, whatever happens.

    Attributes:
        stopped_by: why nothing more is sent, or None.
        progress: how each shard stands, by name.
    """

    def __init__(  # noqa: PLR0913 - keyword-only, and what belongs together is in records
        self,
        executor: Executor,
        files: RunFiles,
        fleet: FleetRecord,
        record: RunRecord,
        *,
        reach: Reach,
        known: Mapping[str, Mapping[str, Ending]],
        ended: Mapping[str, Mapping[str, Outcome]],
        history: Mapping[str, Denials] | None = None,
        unseen: AbstractSet[str] = frozenset(),
        deadline: str | None = None,
        age_s: Callable[[], float] = lambda: 0.0,
        may_send: Callable[[str], bool] = lambda _: True,
        clock: Clock | None = None,
    ) -> None:
        """Prepare one run."""
        self.stopped_by: Stop | None = None
        self.progress = {entry.shard.name: ShardProgress(entry) for entry in fleet.shards}
        self._executor = executor
        self._fleet = fleet
        self._run = record
        self._reach = reach
        self.recording = Recording(
            files,
            record,
            self.progress,
            known=known,
            ended={name: of_shard.keys() for name, of_shard in ended.items()},
            cannot=lambda why: self.stop(Stop(RunStatus.HALTED, why)),
            clock=clock or Clock(),
        )
        self._deadline = deadline
        self._may_send = may_send
        self._age_s = age_s  # how long ago the mappings were read, in seconds
        self._first_wave: int | None = None
        self._unseen = unseen
        failures = sum(outcome in TROUBLE for of_shard in ended.values() for outcome in of_shard.values())
        for name, before in (history or {}).items():
            failures -= before.denied if spares_denials(record.rollout.most_failures) else 0
            self.progress[name].denials = msgspec.structs.replace(before, denied=0)
        self._budget = Budget(record.rollout.most_failures, failures=failures)
        self._as_given = False
        self._late: Stop | None = None
        self._is_held = False
        self._todo: deque[Slice] = deque()
        self._again: deque[OpenSlice] = deque()
        self._open: dict[str, OpenSlice] = {}
        executor.begin(self._budget)

    @property
    def requests(self) -> Counter[str]:
        """Requests by kind, and how many of them were throttled or failed."""
        counts: Counter[str] = Counter()
        for progress in self.progress.values():
            counts.update(progress.requests)
        return counts

    @property
    def cut_short(self) -> int:
        """How many updates that were accepted, or may have been, were not waited for to the end."""
        return sum(progress.cut_short for progress in self.progress.values())

    @property
    def outcomes(self) -> Counter[Outcome]:
        """Results so far by outcome, over all shards."""
        return sum((progress.outcomes for progress in self.progress.values()), Counter[Outcome]())

    def refresh(self) -> None:
        """Ask how each shard stands at this moment, where that can be asked."""
        for progress in self.progress.values():
            if progress.at_work and (status := self._executor.status(progress.name)) is not None:
                progress.status = status

    def stop(self, stop: Stop, *, hurry: bool = False) -> None:
        """Send nothing more, in any shard: what was accepted is still waited for, and the rest is `not_started`."""
        if self.stopped_by is None:
            self._log(stop)
        self.stopped_by = self.stopped_by or stop
        self._executor.stop(stop, hurry=hurry)

    def stop_shard(self, name: str, stop: Stop) -> None:
        """Send nothing more in one shard, while the others go on; where none of them is left, the run stops."""
        progress = self.progress[name]
        if progress.stopped_by is not None:
            return
        progress.stopped_by = stop
        log.info("shard_stopped", shard=name, status=stop.status, reason=stop.reason)
        self._executor.stop_shard(name, stop)
        busy = [other for other in self.progress.values() if other.updates]
        if all(other.is_over for other in busy):
            halted = {other.name: other.stopped_by.reason for other in busy if other.stopped_by is not None}
            self.stop(Stop(stop.status, in_shards(halted, shards=len(busy))))

    def hold(self, *, is_held: bool) -> None:
        """Send nothing for now, in any shard, or go on: what was accepted is waited for meanwhile."""
        if is_held is not self._is_held:
            self._is_held = is_held
            self._executor.hold(is_held=is_held)

    def end_unsent(self, record: Callable[[Result], None]) -> None:
        """End the mappings to which the plans send nothing."""
        self.recording.on_result = record
        for progress in self.progress.values():
            if progress.items != progress.updates:
                self.recording.end_unsent(progress.name)

    async def run(
        self, items: Iterable[Slice], record: Callable[[Result], None], *, wave: int = 1, as_given: bool = False
    ) -> None:
        """Carry out a wave."""
        self.recording.on_result, self.recording.wave = record, wave
        self._as_given = as_given
        self._first_wave = self._first_wave or wave
        for item in items:
            if self.progress[item.shard].stopped_by is None:
                self._todo.append(item)
            else:
                self._leave(item)
        if not self._executor.tells_before_updates:
            await self.recording.begin_elsewhere(self._todo)
        why = "the run ended before this one did"
        try:
            await self._executor.do(self)
        except BulkEsmError as error:  # there is nobody left to work
            why = str(error)
            self.stop(Stop(RunStatus.HALTED, why))
        finally:
            for slice_ in [*self._open.values(), *self._again]:
                self.progress[slice_.name].lose()
                self.progress[slice_.name].cut_short += len(slice_.left)
                self.recording.give_up(slice_, Ending(Outcome.TIMED_OUT, _not_known(why)))
            self._open.clear()
            self._again.clear()
            self.leave(self._todo, record, wave=wave)
            self._todo.clear()
            self.stopped_by = self.stopped_by or self._late
            if self.stopped_by is None:  # else the end is next, which brings all there
                await self.recording.flush()

    def leave(self, items: Iterable[Slice], record: Callable[[Result], None], *, wave: int) -> None:
        """End the mappings of slices to which nothing was sent, as nothing more is."""
        self.recording.on_result, self.recording.wave = record, wave
        for slice_ in items:
            self._leave(slice_)

    def next(self) -> Assignment | None:
        """Hand out the next slice_; see `TaskSource`."""
        if self.stopped_by is not None:
            return None
        slice_ = self._next_share()
        if slice_ is None:
            return None
        name = slice_.name
        progress = self.progress[name]
        progress.at_work = True
        self._open[name] = slice_
        return Assignment(
            shard=progress.shard,
            reach=self._reach,
            task=CarryOut(
                run_id=self._run.run_id,
                items=tuple(slice_.left.values()),
                wave=self.recording.wave,
                as_given=self._as_given,
                known=self.recording.known(slice_),
                in_doubt=self._run.continued_at is not None or slice_.losses > 0,
                looks_first=slice_.losses > 0 or name in self._unseen,
                denials=progress.denials,
                age_s=self._age_s() if self.recording.wave == self._first_wave else None,
                most_failures=None if self._budget.most is None else max(0, self._budget.most - self._budget.counted),
                deadline=self._deadline,
                ramp_s=self._run.rollout.ramp_s * slice_.part,
                seen=progress.seen,
            ),
        )

    async def before_update(self, shard: str, results: int, uuids: Sequence[str]) -> None:
        """Make sure that an update can be recorded; see `TaskSource`."""
        if (slice_ := self._open.get(shard)) is None:
            return
        others = (self.progress[name] for name in self._open if name != shard)
        slice_.require_room(results + sum(other.sending + other.settling for other in others))
        await slice_.begin_safely(uuids, wave=self.recording.wave)

    def may_send(self, shard: str) -> bool:
        """Whether something may be sent at this moment; see `TaskSource`."""
        return self._may_send(shard)

    def on_event(self, event: Event) -> None:
        """Record a result; see `TaskSource`. One that repeats another, as a lost worker's did arrive, is dropped.

        Raises:
            RecordingError: it cannot be written, so that the engine in that shard sends nothing more either.
        """
        if not isinstance(event, Resulted):
            self.progress[event.shard].status = event
            return
        slice_ = self._open.get(event.shard)
        if slice_ is None or event.result.uuid not in slice_.left:
            return
        self.recording.end(slice_, event.result)
        self._heed_budget()

    def on_end(self, end: ShardEnd) -> None:
        """Close a slice_; see `TaskSource`."""
        slice_ = self._open.pop(end.shard, None)
        if slice_ is None:
            return
        progress = self.progress[end.shard]
        progress.requests.update(end.requests)
        progress.cut_short += end.cut_short
        progress.unplanned.update(end.unplanned)
        progress.rest()
        if end.problem is not None:
            self._fail(slice_, end.problem, Ending(Outcome.NOT_STARTED, _left_alone(end.problem.reason)))
        elif slice_.left and self.recording.failure is None:
            self._open[end.shard] = slice_
            self.on_lost(end.shard, "not all that it told has arrived")
        else:
            self.recording.close(slice_)
        stop = None if end.stop == progress.stopped_by else end.stop  # which is no business of the others
        if stop is not None and stop.status is RunStatus.HALTED:
            self.stop(stop)
        if self._late is None and self.stopped_by is None and stop is not None:
            self._log(stop)
        self._late = self._late or stop  # what is too late in one shard may not be so in another
        self._heed_budget()

    def on_lost(self, shard: str, why: str) -> None:
        """Hand a slice_ out again; see `TaskSource`."""
        slice_ = self._open.pop(shard, None)
        if slice_ is None:
            return
        log.warning("worker_lost", shard=shard, why=why)
        self.progress[shard].lose()
        slice_.losses += 1
        if slice_.losses < MOST_LOSSES and self.stopped_by is None and self.progress[shard].stopped_by is None:
            self._again.append(slice_)
        else:
            what = f"its worker was lost ({why})"
            self._fail(slice_, Problem(reason=what), Ending(Outcome.TIMED_OUT, _not_known(what)))

    def _fail(self, slice_: OpenSlice, problem: Problem, ending: Ending) -> None:
        self.progress[slice_.name].problem = problem
        self.recording.give_up(slice_, ending)
        failed = sum(progress.problem is not None for progress in self.progress.values())
        most = self._fleet.most_failed_shards
        if most is not None and failed > most:
            self.stop(Stop(RunStatus.HALTED, f"{failed:,} shards failed, and at most {most:,} may"))
        if all(progress.problem is not None and not progress.at_work for progress in self.progress.values()):
            # Nobody is left for whom another wave, and the soak before it, could be.
            self.stop(Stop(RunStatus.HALTED, problem.reason))

    def _next_share(self) -> OpenSlice | None:
        if self._again:
            return self._again.popleft()
        while self._todo and self.progress[self._todo[0].shard].stopped_by is not None:
            self._leave(self._todo.popleft())
        if not self._todo:
            return None
        # Whoever works here asks before each update, for room too; for others all is recorded as begun at once.
        others = (
            None if self._executor.tells_before_updates else sum(len(opened.left) for opened in self._open.values())
        )
        slice_ = self.recording.open(self._todo[0], others=others)
        if slice_ is not None:
            self._todo.popleft()
        return slice_

    def _leave(self, slice_: Slice) -> None:
        if (opened := self.recording.open(slice_)) is not None:
            self.recording.give_up(opened, Ending(Outcome.NOT_STARTED))

    @staticmethod
    def _log(stop: Stop) -> None:
        log.info("stopped", status=stop.status, reason=stop.reason)

    def _heed_budget(self) -> None:
        if self._budget.is_exceeded and self.stopped_by is None:
            self.stop(Stop(RunStatus.HALTED, self._budget.reason))


def _not_known(reason: str) -> ErrorRecord:
    what = f"not known whether it was sent: {reason}; bulk-esm continue looks at it"
    return ErrorRecord(code="NotKnown", message=what)


def _left_alone(reason: str) -> ErrorRecord:
    return ErrorRecord(code="Unreachable", message=f"{reason}; bulk-esm continue looks at it again")
