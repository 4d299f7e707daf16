"""One run over many shards: its waves, its gates, its record, and each shard's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from bulk_esm.clock import iso
from bulk_esm.engine.endings import Ending
from bulk_esm.engine.settings import EngineStatistics
from bulk_esm.errors import BulkEsmError, RunFolderError
from bulk_esm.gates.gates import Gate, WaveEnd
from bulk_esm.logs import get_logger, logging_to_file
from bulk_esm.model.continuing import left_of
from bulk_esm.model.records import RunRecord, RunStatus
from bulk_esm.model.result import Outcome, Result
from bulk_esm.model.slices import Slice, slices_of
from bulk_esm.model.stopping import Stop, status_of
from bulk_esm.model.waves import parse_waves
from bulk_esm.runs.fleet import Fleet
from bulk_esm.runs.open_slice import in_order
from bulk_esm.runs.rollout import Rollout
from bulk_esm.runs.shard_progress import ShardProgress
from bulk_esm.runs.wave_tasks import WaveTasks
from bulk_esm.store.fleet_folder import FleetFolder
from bulk_esm.store.folder import LOG

log: Final = get_logger("fleet")


class FleetRun:
    """A run over many shards that is ready to start, or to be continued: all plans are on disk.

    Attributes:
        folder: where plans and results are.
        record: how the run status; `run.json` says the same.
    """

    def __init__(
        self,
        fleet: Fleet,
        folder: FleetFolder,
        *,
        known: Mapping[str, Mapping[str, Ending]] | None = None,
        deadline: datetime | None = None,
    ) -> None:
        """Take up a run that was published; see `RunPlan.publish`.

        Args:
            fleet: who does the work; the shards are those of the folder.
            folder: its folder.
            known: how items end to which nothing is sent, by shard and UUID.
            deadline: when all should have ended.
        """
        self.folder = folder
        self.record = folder.record()
        self._clock = fleet.clock
        self._fleet = folder.fleet()
        self._deadline = deadline
        self._requests = Counter(self.record.requests)
        self._engine = WaveTasks(
            fleet.executor,
            folder,
            self._fleet,
            self.record,
            reach=fleet.reach,
            known=known or {},
            deadline=iso(deadline),
        )
        self._rollout: Rollout[Slice] | None = None

    @classmethod
    def again(cls, fleet: Fleet, folder: FleetFolder, *, deadline: datetime | None = None) -> FleetRun:
        """Open an interrupted run: what has no final result loses it, and is looked at first.

        Args:
            fleet: who does the work.
            folder: its folder.
            deadline: when all should have ended now.

        Raises:
            RunFolderError: its files cannot be read or written.
        """
        for name in folder.names():
            shard = folder.shard(name)
            shard.keep_results(left_of(shard.plan().items, shard.results()).kept)
        folder.write_record(
            msgspec.structs.replace(
                folder.record(),
                status=RunStatus.RUNNING,
                reason=None,
                ended_at=None,
                continued_at=iso(fleet.clock.now()),
            )
        )
        return cls(fleet, folder, deadline=deadline)

    @property
    def path(self) -> Path:
        """Its folder's path."""
        return self.folder.path

    @property
    def stage(self) -> str:
        """What is being done between two waves; empty during a wave."""
        return self._rollout.stage if self._rollout else ""

    @property
    def progress_by_shard(self) -> Sequence[ShardProgress]:
        """How each shard status."""
        return tuple(self._engine.progress_by_shard.values())

    def statistics(self) -> EngineStatistics:
        """How the run status, over all shards."""
        return self._engine.statistics()

    def stop(self) -> None:
        """Send nothing more, look at once at what was accepted, and end as interrupted."""
        stop = Stop(RunStatus.INTERRUPTED, "it was interrupted")
        if self._rollout:
            self._rollout.stop(stop)
        else:
            self._engine.stop(stop, hurry=True)

    async def carry_out(
        self,
        on_result: Callable[[Result], None] = lambda _: None,
        *,
        gates: Sequence[Gate] = (),
        confirm: Callable[[WaveEnd], Awaitable[bool]] | None = None,
    ) -> RunRecord:
        """Carry the plans out, or what is left of them.

        Args:
            on_result: called with each result, once it is on disk.
            gates: asked between waves, and while soaking, whether the run may go on.
            confirm: asked last, before each wave but the first.

        Returns:
            The record, as it status at the end.

        Raises:
            BulkEsmError: a file could not be read or written.
        """
        status, reason = RunStatus.INTERRUPTED, None
        with logging_to_file(self.folder.path / LOG):
            try:
                self._rollout = self._make_rollout(gates, confirm)
                self._engine.end_unsent(on_result)
                await self._rollout.run(on_result)
                stop = self._engine.stopped_by
                status = status_of(stop, self._outcomes(), cut_short=self._engine.cut_short)
                reason = stop.reason if stop and status is not RunStatus.FINISHED else None
            except BulkEsmError as error:
                status, reason = RunStatus.HALTED, str(error)
                raise
            finally:
                self._end(status, reason)
        return self.record

    def _make_rollout(
        self, gates: Sequence[Gate], confirm: Callable[[WaveEnd], Awaitable[bool]] | None
    ) -> Rollout[Slice]:
        settings = self.record.rollout
        sizes = parse_waves(",".join(settings.waves)) if settings.waves else ()
        updates = {entry.shard.name: entry.updates for entry in self._fleet.shards}
        steps: list[tuple[Slice, ...]] = slices_of(self._fleet.groups, updates, sizes)
        if self.record.continued_at is not None:
            over = self._over(steps)
            steps = [tuple(slice_ for slice_ in step if slice_ not in over) for step in steps]
        return Rollout(
            self._engine,
            steps,
            size_of=len,
            gates=gates,
            confirm=confirm,
            soak_s=settings.soak_s,
            deadline=self._on_the_clock(),
            as_given=settings.as_given,
            clock=self._clock,
        )

    def _over(self, steps: Sequence[Sequence[Slice]]) -> set[Slice]:
        """The slices of which all has ended before; what has ended counts for the run."""
        over: set[Slice] = set()
        slices: dict[str, list[Slice]] = {}
        for slice_ in (slice_ for step in steps for slice_ in step):
            slices.setdefault(slice_.shard, []).append(slice_)
        for name in self.folder.names():
            shard = self.folder.shard(name)
            results = {result.uuid: result.outcome for result in shard.results()}
            self._engine.progress_by_shard[name].outcomes.update(results.values())
            ordered = in_order(shard.plan(), self.record)
            for slice_ in slices.get(name, []):
                if all(item.uuid in results for item in ordered[slice_.begin : slice_.end]):
                    over.add(slice_)
        return over

    def _on_the_clock(self) -> float:
        if self._deadline is None:
            return float("inf")
        return self._clock.monotonic() + (self._deadline - self._clock.now()).total_seconds()

    def _outcomes(self) -> Counter[str]:
        counts: Counter[str] = Counter()
        for progress in self.progress_by_shard:
            counts.update({outcome.value: count for outcome, count in progress.outcomes.items()})
        return counts

    def _end(self, status: RunStatus, reason: str | None) -> None:
        shards: Counter[str] = Counter()
        for progress in self.progress_by_shard:
            shards[self._end_shard(progress)] += 1
        self.record = msgspec.structs.replace(
            self.record,
            status=status,
            reason=reason,
            ended_at=iso(self._clock.now()),
            counts=dict(self._outcomes()),
            requests=dict(self._requests + self._engine.requests),
            shards=dict(shards),
        )
        self._written(lambda: self.folder.write_record(self.record))

    def _end_shard(self, progress: ShardProgress) -> RunStatus:
        """Write a shard's own record, and tell how it status."""
        folder = self.folder.shard(progress.name)
        stop = self._engine.stopped_by
        counts = {outcome.value: count for outcome, count in progress.outcomes.items()}
        # A shard that had all its answers when the others were stopped is finished.
        is_cut = bool(counts.get(Outcome.NOT_STARTED) or progress.cut_short)
        status = stop.status if stop and is_cut else RunStatus.FINISHED
        reason = stop.reason if stop and is_cut else None
        if progress.problem is not None:
            status, reason = RunStatus.UNREACHABLE, progress.problem.reason

        def write() -> None:
            record = folder.record()
            folder.write_record(
                msgspec.structs.replace(
                    record,
                    status=status,
                    reason=reason,
                    ended_at=iso(self._clock.now()),
                    counts=counts,
                    requests=dict(Counter(record.requests) + progress.requests),
                )
            )

        self._written(write)
        return status

    def _written(self, write: Callable[[], None]) -> None:
        try:
            write()
        except RunFolderError as error:
            # Plans and results are what a run is continued from; this says no more than they do.
            log.error("record_not_written", error=str(error))  # noqa: TRY400 - the user needs no traceback
