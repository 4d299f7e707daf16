"""One run over shards: its waves, its gates, its record, and each shard's."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from bulk_esm.clock import iso
from bulk_esm.engine.endings import Ending
from bulk_esm.errors import BulkEsmError, RecordingError, RunFolderError
from bulk_esm.gates.gate import Gate, WaveEnd
from bulk_esm.logs import get_logger, logging_to_file
from bulk_esm.model.control import ControlStatus, stopped_reason
from bulk_esm.model.denials import Denials
from bulk_esm.model.events import MappingEnded, RunBegan, RunEnded, RunEvent
from bulk_esm.model.plan import PlanItem
from bulk_esm.model.records import FleetRecord, RunRecord, RunStatus
from bulk_esm.model.result import Outcome, Result
from bulk_esm.model.shard import Shard
from bulk_esm.model.slices import Slice, slices_of
from bulk_esm.model.stopping import Stop, status_of, with_halted_shards
from bulk_esm.model.waves import wave_sizes
from bulk_esm.model.window import Window
from bulk_esm.observers.event_log import log_event
from bulk_esm.observers.observer import Observer, Observers
from bulk_esm.observers.planned_pauses import PlannedPauses
from bulk_esm.runs.elsewhere import Elsewhere
from bulk_esm.runs.fleet import Fleet
from bulk_esm.runs.invoking import ended
from bulk_esm.runs.locking import HeldLocks, release
from bulk_esm.runs.remote_control import RemoteControl
from bulk_esm.runs.rollout import Rollout
from bulk_esm.runs.shard_progress import ShardProgress
from bulk_esm.runs.wave_tasks import WaveTasks
from bulk_esm.store.at_work import at_work
from bulk_esm.store.run_files import RunFiles
from bulk_esm.store.shard_files import LOG

log: Final = get_logger("run")


class Run:
    """A run that is ready to start, or to go on: all plans are on disk, and nothing has been sent since.

    Attributes:
        files: where plans and results are.
        record: how the run stands; `run.json` says the same.
    """

    def __init__(  # noqa: PLR0913 - keyword-only, all with defaults
        self,
        fleet: Fleet,
        files: RunFiles,
        *,
        shards: FleetRecord | None = None,
        known: Mapping[str, Mapping[str, Ending]] | None = None,
        ended: Mapping[str, Mapping[str, Outcome]] | None = None,
        history: Mapping[str, Denials] | None = None,
        unseen: AbstractSet[str] = frozenset(),
        deadline: datetime | None = None,
        locks: HeldLocks = HeldLocks(),  # noqa: B008 - immutable
    ) -> None:
        """Take up a run that was published.

        Args:
            fleet: who does the work.
            files: its files.
            shards: its shards, if they were read already.
            known: how items end to which nothing is sent, by shard and UUID.
            ended: how items have ended before, by shard and UUID.
            history: what the run's updates met before in each shard, and how many are left to send there.
            unseen: the shards in which nobody could look at what was sent before.
            deadline: when all should have ended; a window's closing, if that comes first.
            locks: under which it works; its own are let go when it has been carried out.
        """
        self.files = files
        self.record = files.record()
        self._clock = fleet.clock
        self._shards = shards or files.fleet()
        self._ended = ended or {}
        self._opens_at, self._deadline = _within(self.record.rollout.window, deadline, self._clock.now())
        self._locks = locks
        self._tasks = WaveTasks(
            fleet.executor,
            files,
            self._shards,
            self.record,
            reach=fleet.reach,
            known=known or {},
            ended=self._ended,
            history=history,
            unseen=unseen,
            deadline=iso(self._deadline),
            age_s=self._age_s,
            may_send=self._may_send,
            clock=self._clock,
        )
        for name, of_shard in self._ended.items():
            self._tasks.progress[name].outcomes.update(of_shard.values())
        self._pauses = PlannedPauses(self.record, self._clock)
        self._rollout: Rollout | None = None
        self._unwritten: RunFolderError | None = None
        self._elsewhere = Elsewhere(files.replica)
        self._remote = RemoteControl(files.asked(), invocation=len(self.record.invocations))

    @property
    def has_begun(self) -> bool:
        """Whether something may be sent by now: not before all is recorded where it outlives this machine."""
        return self._elsewhere.has_begun

    @property
    def path(self) -> Path:
        """Its folder's path."""
        return self.files.path

    @property
    def stage(self) -> str:
        """What is being done between two waves, and who holds the run; empty during a wave."""
        held, stage = self._remote.control.held, self._rollout.stage if self._rollout else ""
        if held is None or self._tasks.stopped_by is not None:
            return stage
        return "; ".join(filter(None, (stage, f"held by {held.who} since {held.at}: bulk-esm go {self.files.named}")))

    @property
    def stage_left_s(self) -> float:
        """How long that takes yet, in seconds; 0 where nobody can tell: it is held, or waits for a gate's answer."""
        until = self._rollout.until if self._rollout and self._remote.control.held is None else None
        return 0.0 if until is None else max(0.0, until - self._clock.monotonic())

    @property
    def progress(self) -> Sequence[ShardProgress]:
        """How each shard stands at this moment."""
        self._tasks.refresh()
        return tuple(self._tasks.progress.values())

    @property
    def unplanned(self) -> dict[str, str | None]:
        """Mappings that the selection means and the plan lacks, function ARNs by UUID, as far as was seen since."""
        return {uuid: arn for one in self._tasks.progress.values() for uuid, arn in one.unplanned.items()}

    def planned(self) -> Iterator[tuple[PlanItem, int | None]]:
        """Each line of its plans, with the wave in which something is sent to it; None where nothing is.

        Raises:
            RunFolderError: a plan cannot be read.
        """
        for number, wave in enumerate(self._waves(), start=1):
            for slice_ in wave:
                yield from ((item, number) for item in self._tasks.recording.items(slice_))
        for entry in self._shards.shards:
            if entry.items != entry.updates:
                yield from ((item, None) for item in self._tasks.recording.unsent_items(entry.shard.name))

    def stop(self) -> None:
        """Send nothing more, look at once at what was accepted, and end as interrupted."""
        stop = Stop(RunStatus.INTERRUPTED, "it was interrupted")
        self._elsewhere.stop()
        if self._rollout:
            self._rollout.stop(stop)
        else:
            self._tasks.stop(stop, hurry=True)

    @property
    def shards_at_work(self) -> Sequence[Shard]:
        """The shards in which something is updated, but for those in which the end has come."""
        return [one.shard for one in self._tasks.progress.values() if one.updates and not one.is_over]

    @property
    def halted_shards(self) -> frozenset[str]:
        """The shards that were halted alone, by name; none if all of it was."""
        if self._tasks.stopped_by is not None and self._tasks.stopped_by.status is RunStatus.HALTED:
            return frozenset()
        return frozenset(self._halted)

    def halt_shard(self, name: str, reason: str) -> None:
        """Send nothing more in one shard; the others go on.

        Args:
            name: the shard's.
            reason: why.
        """
        self._tasks.stop_shard(name, Stop(RunStatus.HALTED, reason))

    async def carry_out(
        self,
        observers: Iterable[Observer] = (),
        *,
        gates: Sequence[Gate] = (),
        confirm: Callable[[WaveEnd], Awaitable[bool]] | None = None,
    ) -> RunRecord:
        """Carry the plans out, or what is left of them.

        Args:
            observers: told what happens.
            gates: asked whether the run may go on: before it begins, at intervals, between waves, and in the bake.
            confirm: asked last, before each wave but the first.

        Returns:
            The record, as it stands at the end.

        Raises:
            InterruptedRunError: it was stopped before anything was sent.
            BulkEsmError: what ended the work in the only shard; or a file could not be read or written. Every item has
                its result all the same.
        """
        tell = Observers([self._pauses, *observers])

        def log_and_tell(event: RunEvent) -> None:
            log_event(event)
            tell(event)

        await self._open_replica()
        self._heed_leases()
        with at_work(self.path):
            try:
                await self._carried_out(log_and_tell, gates, confirm)
            finally:
                try:
                    await self._close_replica()
                finally:
                    release(self._locks.own)
                    tell(RunEnded(self.record))
        return self.record

    async def _carried_out(
        self, tell: Observer, gates: Sequence[Gate], confirm: Callable[[WaveEnd], Awaitable[bool]] | None
    ) -> None:
        status, reason = RunStatus.INTERRUPTED, None
        with logging_to_file(self.path / LOG):
            tell(RunBegan(self.record))

            def on_result(result: Result) -> None:
                tell(MappingEnded(result))

            try:
                self._rollout = self._make_rollout(tell, gates, confirm)
                if self.record.continued_at is not None:
                    self._pauses.tell_again(self.files.results())
                self._tasks.end_unsent(on_result)
                async with self._remote.heeded(self._rollout.heed, self._standing, tell):
                    await self._rollout.run(on_result)
                stop = self._tasks.stopped_by
                bakes, cut_short = self._rollout.bake_is_left, self._tasks.cut_short
                status = status_of(stop, self._tasks.outcomes, cut_short=cut_short, bakes=bakes)
                reason = stop.reason if stop and status is not RunStatus.FINISHED else None
                shards = len(self._tasks.progress)
                status, reason = with_halted_shards(status, reason, self._halted, shards=shards)
                self._raise_problem_of_only_shard()
            except RunFolderError as error:
                status, reason = RunStatus.HALTED, str(error)
                raise RecordingError(reason) from error
            except BulkEsmError as error:
                status, reason = RunStatus.HALTED, str(error)
                raise
            finally:
                self._end(status, reason)
                self._pauses.flush()
                log_event(RunEnded(self.record))

    @property
    def _halted(self) -> dict[str, str]:
        """Why shards were halted alone."""
        return {one.name: one.stopped_by.reason for one in self._tasks.progress.values() if one.stopped_by is not None}

    def _may_send(self, shard: str) -> bool:
        """Whether something may be sent in a shard at this moment: not once its lock in the bucket may be another's."""
        lease = self._locks.leases.get(shard)
        return lease is None or lease.may_send()

    def _heed_leases(self) -> None:
        """Halt as soon as a lock in the bucket is lost, wherever that is noticed."""
        loop = asyncio.get_running_loop()

        def on_lost(reason: str) -> None:
            with suppress(RuntimeError):  # the loop has ended, and the run with it
                loop.call_soon_threadsafe(self._halt, reason)

        for lease in set(self._locks.leases.values()):
            lease.call_when_lost(on_lost)

    def _halt(self, reason: str) -> None:
        stop = Stop(RunStatus.HALTED, reason)
        if self._rollout:
            self._rollout.stop(stop)
        else:
            self._tasks.stop(stop)

    async def _open_replica(self) -> None:
        try:
            await self._elsewhere.open()
        except BaseException:
            release(self._locks.own)
            raise

    async def _close_replica(self) -> None:
        try:
            await self._elsewhere.close()
        finally:
            if self._elsewhere.failure is not None:
                self._note_unwritten(self._elsewhere.failure)

    def _raise_problem_of_only_shard(self) -> None:
        """The problem of one shard of many is told in the summary; that of the only one ends the run."""
        if len(self._tasks.progress) == 1:
            (progress,) = self._tasks.progress.values()
            if progress.problem is not None:
                raise progress.problem.error()

    def _make_rollout(
        self, tell: Observer, gates: Sequence[Gate], confirm: Callable[[WaveEnd], Awaitable[bool]] | None
    ) -> Rollout:
        settings = self.record.rollout
        waves = [tuple(slice_ for slice_ in wave if not self._is_over(slice_)) for wave in self._waves()]
        return Rollout(
            self._tasks,
            waves,
            tell=tell,
            gates=gates,
            confirm=confirm,
            settings=settings,
            opens_at=self._on_the_clock(self._opens_at, float("-inf")),
            deadline=self._on_the_clock(self._deadline, float("inf")),
            at_wave_end=self._pauses.flush,
            control=lambda: self._remote.control,
            clock=self._clock,
        )

    def _standing(self, status: ControlStatus) -> ControlStatus:
        """Add to what is told whoever asks something how the run stands."""
        progress, awaits = self.progress, self._rollout.awaits if self._rollout else None
        return msgspec.structs.replace(
            status,
            awaits=None if awaits in self._remote.control.approved else awaits,
            done=sum(one.done - one.outcomes[Outcome.NOT_STARTED] for one in progress),
            under_way=sum(one.sending + one.settling for one in progress),
            total=sum(one.updates for one in progress),
        )

    def _waves(self) -> list[tuple[Slice, ...]]:
        settings = self.record.rollout
        sizes = wave_sizes(settings.waves) if settings.waves else ()
        updates = {entry.shard.name: entry.updates for entry in self._shards.shards}
        return slices_of(self._shards.groups, updates, sizes)

    def _is_over(self, slice_: Slice) -> bool:
        """Whether all of a slice had ended when the run was taken up again."""
        ended: AbstractSet[str] = self._ended.get(slice_.shard, {}).keys()
        return bool(ended) and all(item.uuid in ended for item in self._tasks.recording.items(slice_))

    def _age_s(self) -> float:
        """How long ago the mappings were planned, or looked at by whoever continues the run, in seconds."""
        read_at = datetime.fromisoformat(self.record.continued_at or self.record.started_at)
        return (self._clock.now() - read_at).total_seconds()

    def _on_the_clock(self, moment: datetime | None, never: float) -> float:
        if moment is None:
            return never
        return self._clock.monotonic() + (moment - self._clock.now()).total_seconds()

    def _puts_back(self, status: RunStatus) -> bool | None:
        """Whether whoever stopped it said so, or not to; None where its settings tell, as something else ended it."""
        control, stop = self._remote.control, self._tasks.stopped_by
        if control.stopped is None or stop is None or status not in {RunStatus.HALTED, RunStatus.DEADLINE}:
            return None
        if control.puts_back:
            return True
        return False if stop.reason == stopped_reason(control.stopped) else None

    def _end(self, status: RunStatus, reason: str | None) -> None:
        self._unwritten = self._tasks.recording.failure
        shards: Counter[str] = Counter()
        if self.files.has_shards:
            for progress in self._tasks.progress.values():
                shards[self._end_shard(progress)] += 1
        self.record = msgspec.structs.replace(
            self.record,
            status=status,
            reason=reason,
            puts_back=self._puts_back(status),
            ended_at=iso(self._clock.now()),
            counts=_by_value(self._tasks.outcomes),
            requests=sum_counts(self.record.requests, self._tasks.requests),
            shards=dict(shards),
            results=None if self.files.has_shards else self.files.shard(self._shards.shards[0].shard).results_digest(),
        )
        self.record = ended(self.record)
        self._written(lambda: self.files.write_record(self.record))
        if self._unwritten is not None:
            self._note_unwritten(self._unwritten)

    def _note_unwritten(self, error: RunFolderError) -> None:
        self._unwritten = self._unwritten or error
        reason = self.record.reason or str(error)
        self.record = msgspec.structs.replace(self.record, status=RunStatus.HALTED, reason=reason)

    def on_disk(self) -> str | None:
        """What is on disk of it, as far as that can be read; None if all is."""
        if (left := self._elsewhere.failure) is not None:
            return str(left) if str(left) != self.record.reason else None  # which says it already
        if self._unwritten is None:
            return None
        if not self.path.is_dir():
            return "the run folder is gone, and what became of each mapping with it"
        try:
            there = len({result.uuid for result in self.files.results()})
        except RunFolderError as error:
            return f"what is on disk cannot be read: {error}"
        return f"of {sum(self._tasks.outcomes.values()):,} results {there:,} are on disk"

    def _end_shard(self, progress: ShardProgress) -> RunStatus:
        """Write a shard's own record, and tell how it stands."""
        files = self.files.shard(progress.shard)
        stop = self._tasks.stopped_by
        # A shard that had all its answers when the others were stopped is finished.
        is_cut = bool(progress.outcomes[Outcome.NOT_STARTED] or progress.cut_short)
        status = stop.status if stop and is_cut else RunStatus.FINISHED
        reason = stop.reason if stop and is_cut else None
        if progress.stopped_by is not None:
            status, reason = progress.stopped_by.status, progress.stopped_by.reason
        if progress.problem is not None:
            status, reason = RunStatus.UNREACHABLE, progress.problem.reason

        def write() -> None:
            record = files.record()
            files.write_record(
                msgspec.structs.replace(
                    record,
                    status=status,
                    reason=reason,
                    ended_at=iso(self._clock.now()),
                    counts=_by_value(progress.outcomes),
                    requests=sum_counts(record.requests, progress.requests),
                    results=files.results_digest(),
                )
            )

        self._written(write)
        return status

    def _written(self, write: Callable[[], None]) -> None:
        try:
            write()
        except RunFolderError as error:
            self._unwritten = self._unwritten or error
            log.error("record_not_written", error=str(error))  # noqa: TRY400 - the user needs no traceback


def _within(window: str | None, deadline: datetime | None, now: datetime) -> tuple[datetime | None, datetime | None]:
    """When a run begins, and when all should have ended: a window's closing is a deadline."""
    if window is None:
        return None, deadline
    opens, closes = Window.parse(window).next(now)
    ends = closes if deadline is None else min(closes, deadline)
    return min(opens, ends), ends  # what ends before it could begin is not waited for


def sum_counts(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """Counts by kind, those that are 0 included."""
    counts = Counter(one)
    counts.update(other)
    return dict(counts)


def _by_value(outcomes: Mapping[Outcome, int]) -> dict[str, int]:
    return {outcome.value: count for outcome, count in outcomes.items() if count}
