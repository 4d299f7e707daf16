"""One run: a plan on disk, the engine that carries it out, and the record of both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Self

import msgspec

from bulk_esm._version import __version__
from bulk_esm.aws.control_plane import ControlPlane
from bulk_esm.clock import Clock, iso
from bulk_esm.engine.endings import Ending
from bulk_esm.engine.engine import Engine
from bulk_esm.engine.settings import EngineSettings, EngineStatistics
from bulk_esm.errors import BulkEsmError, RecordingError, RunFolderError
from bulk_esm.gates.gates import Gate, WaveEnd
from bulk_esm.logs import get_logger, logging_to_file
from bulk_esm.model.plan import Action, Plan, PlanItem
from bulk_esm.model.records import Intent, RunRecord, RunStatus
from bulk_esm.model.result import Outcome, Result
from bulk_esm.model.rollout import RolloutSettings
from bulk_esm.model.stopping import Stop, status_of
from bulk_esm.model.waves import parse_waves, waves_of
from bulk_esm.runs.rollout import Rollout
from bulk_esm.store.finding import new_run_id
from bulk_esm.store.folder import LOG, ResultWriter, RunFolder

log = get_logger("run")


class Run:
    """A run that is ready to start, or to be continued: its plan is on disk, and nothing has been sent since.

    Attributes:
        folder: where plan and results are.
        record: how the run stands; `run.json` says the same.
    """

    def __init__(  # noqa: PLR0913 - keyword-only, all with defaults
        self,
        control_plane: ControlPlane,
        folder: RunFolder,
        record: RunRecord,
        plan: Plan,
        *,
        ended: Sequence[Result] = (),
        known: Mapping[str, Ending] | None = None,
        in_doubt: AbstractSet[str] = frozenset(),
        settings: EngineSettings | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Take up a run whose plan is on disk; see `prepare` for a new one.

        Args:
            control_plane: where to send.
            folder: its folder.
            record: its record.
            plan: its plan.
            ended: the results that it has already, and that stay.
            known: how items end to which nothing is sent, by UUID.
            in_doubt: to which items an update may have been sent before, by UUID.
            settings: see `EngineSettings`; budget and ramp are the record's.
            clock: the time.
        """
        self.folder = folder
        self.record = record
        self._clock = clock or Clock()
        self._control_plane = control_plane
        self._counts: Counter[str] = Counter(result.outcome.value for result in ended)
        self._requests = Counter(record.requests)
        self._results: ResultWriter | None = None
        self._settings = msgspec.structs.replace(
            settings or EngineSettings(),
            most_failures=record.rollout.most_failures,
            ramp_s=record.rollout.ramp_s,
        )
        known = known or {}
        gone_through = {result.uuid for result in ended}
        self._waves = _waves(plan, record.rollout, gone_through)
        self._engine = Engine(
            control_plane,
            run_id=record.run_id,
            account_id=record.account_id,
            settings=self._settings,
            known=known,
            in_doubt=in_doubt,
            total=sum(item.uuid not in known and item.uuid not in gone_through for item in plan.updates),
            has_room=self._require_room,
            clock=self._clock,
        )
        self._rollout: Rollout[PlanItem] | None = None

    @classmethod
    def prepare(
        cls,
        control_plane: ControlPlane,
        plan: Plan,
        *,
        runs_dir: Path,
        intent: Intent,
        known: Mapping[str, Ending] | None = None,
        settings: EngineSettings | None = None,
        clock: Clock | None = None,
    ) -> Self:
        """Write a plan down as a new run.

        Args:
            control_plane: where to send.
            plan: the plan.
            runs_dir: where runs are kept.
            intent: what it is for, and how it is to go.
            known: how items end to which nothing is sent, by UUID.
            settings: see `EngineSettings`.
            clock: the time.

        Raises:
            RunFolderError: the folder cannot be written.
        """
        clock = clock or Clock()
        started_at = clock.now()
        record = RunRecord(
            run_id=new_run_id(intent.command, started_at),
            command=intent.command,
            argv=intent.argv,
            version=__version__,
            account_id=plan.account_id,
            region=control_plane.region,
            started_at=iso(started_at) or "",
            rollout=intent.rollout,
            undoes=intent.undoes,
        )
        folder = RunFolder.create(runs_dir, record, plan)
        return cls(control_plane, folder, record, plan, known=known, settings=settings, clock=clock)

    @property
    def path(self) -> Path:
        """Its folder's path."""
        return self.folder.path

    @property
    def stage(self) -> str:
        """What is being done between two waves; empty during a wave."""
        return self._rollout.stage if self._rollout else ""

    def statistics(self) -> EngineStatistics:
        """How the run stands."""
        return self._engine.statistics()

    def stop(self) -> None:
        """Send nothing more, look at once at what was accepted, and end as interrupted."""
        stop = Stop(RunStatus.INTERRUPTED, "it was interrupted")
        if self._rollout:
            self._rollout.stop(stop)
        else:
            self._engine.stop(stop)

    async def carry_out(
        self,
        on_result: Callable[[Result], None] = lambda _: None,
        *,
        gates: Sequence[Gate] = (),
        confirm: Callable[[WaveEnd], Awaitable[bool]] | None = None,
    ) -> RunRecord:
        """Carry the plan out, or what is left of it.

        Args:
            on_result: called with each result, once it is on disk.
            gates: asked between waves, and while soaking, whether the run may go on.
            confirm: asked last, before each wave but the first.

        Returns:
            The record, as it stands at the end.

        Raises:
            AccessError: the credentials were refused meanwhile; every item has its result all the same.
            RecordingError: a result could not be written; nothing was sent after that.
        """
        settings = self.record.rollout
        status, reason = RunStatus.INTERRUPTED, None
        with logging_to_file(self.folder.path / LOG), self.folder.open_results() as self._results:
            writer = self._results

            def record(result: Result) -> None:
                try:
                    writer.append(result)
                except RecordingError:
                    if result.outcome is not Outcome.NOT_STARTED:  # which no line says just as well
                        raise
                self._counts[result.outcome.value] += 1
                on_result(result)

            self._rollout = Rollout(
                self._engine,
                self._waves,
                gates=gates,
                confirm=confirm,
                soak_s=settings.soak_s,
                deadline=self._settings.deadline,
                as_given=settings.as_given,
                clock=self._clock,
            )
            try:
                await self._rollout.run(record)
                stop = self._engine.stopped_by
                status = status_of(stop, self._counts, cut_short=self._engine.cut_short)
                reason = stop.reason if stop and status is not RunStatus.FINISHED else None
            except BulkEsmError as error:
                status, reason = RunStatus.HALTED, str(error)
                raise
            finally:
                self._end(status, reason)
        return self.record

    def _end(self, status: RunStatus, reason: str | None) -> None:
        self._requests.update(self._control_plane.unrecorded_request_counts())
        self.record = msgspec.structs.replace(
            self.record,
            status=status,
            reason=reason,
            ended_at=iso(self._clock.now()),
            counts=dict(self._counts),
            requests=dict(self._requests),
        )
        try:
            self.folder.write_record(self.record)
        except RunFolderError as error:
            # Plan and results are what a run is continued from; this says no more than they do.
            log.error("record_not_written", error=str(error))  # noqa: TRY400 - the user needs no traceback

    def _require_room(self, results: int) -> None:
        if self._results is not None:
            self._results.require_room(results)


def _waves(plan: Plan, settings: RolloutSettings, gone_through: set[str]) -> list[list[PlanItem]]:
    """The waves of a plan, less what has ended; who is in which does not depend on what has."""
    sizes = parse_waves(",".join(settings.waves)) if settings.waves else ()
    waves = [list(wave) for wave in waves_of(plan.updates, sizes, as_given=settings.as_given)] or [[]]
    waves[0] = [*(item for item in plan.items if item.action is not Action.UPDATE), *waves[0]]
    return [[item for item in wave if item.uuid not in gone_through] for wave in waves]
