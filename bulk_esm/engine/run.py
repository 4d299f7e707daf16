"""One run: a plan on disk, the engine that carries it out, and the record of both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec

from bulk_esm._version import __version__
from bulk_esm.aws.control_plane import ControlPlane
from bulk_esm.clock import Clock, iso
from bulk_esm.engine.engine import Engine, EngineSettings, EngineStatistics
from bulk_esm.errors import BulkEsmError
from bulk_esm.logs import logging_to_file
from bulk_esm.model.plan import Plan
from bulk_esm.model.result import Outcome, Result
from bulk_esm.runs.folder import LOG, RunFolder
from bulk_esm.runs.record import RunRecord, RunStatus
from bulk_esm.runs.store import new_run_id


class Run:
    """A run that is ready to start: its plan is on disk, and nothing has been sent.

    Attributes:
        folder: where plan and results are.
        record: how the run stands; `run.json` says the same.
    """

    def __init__(
        self,
        control_plane: ControlPlane,
        plan: Plan,
        *,
        runs_dir: Path,
        command: str,
        argv: tuple[str, ...] = (),
        settings: EngineSettings | None = None,
        changed_since: frozenset[str] = frozenset(),
        clock: Clock | None = None,
    ) -> None:
        """Write the plan down.

        Args:
            control_plane: where to send.
            plan: the plan.
            runs_dir: where runs are kept.
            command: such as `pause`, for the record.
            argv: the command line, for the record.
            settings: see `EngineSettings`.
            changed_since: mappings that someone changed after a saved plan was made; each ends as `conflict`.
            clock: the time.

        Raises:
            RunFolderError: the folder cannot be written.
        """
        self._clock = clock or Clock()
        started_at = self._clock.now()
        self.record = RunRecord(
            run_id=new_run_id(command, started_at),
            command=command,
            argv=argv,
            version=__version__,
            account_id=plan.account_id,
            region=control_plane.region,
            started_at=iso(started_at) or "",
        )
        self._plan = plan
        self._control_plane = control_plane
        self._engine = Engine(
            control_plane,
            run_id=self.record.run_id,
            account_id=self.record.account_id,
            settings=settings,
            changed_since=changed_since,
            clock=self._clock,
        )
        self.folder = RunFolder.create(runs_dir, self.record, plan)

    def statistics(self) -> EngineStatistics:
        """How the run stands."""
        return self._engine.statistics()

    def stop(self) -> None:
        """Send nothing more, wait for what was accepted, and end as interrupted."""
        self._engine.stop()

    async def carry_out(self, on_result: Callable[[Result], None] = lambda _: None) -> RunRecord:
        """Carry the plan out.

        Args:
            on_result: called with each result, once it is on disk.

        Returns:
            The record, as it stands at the end.

        Raises:
            AccessError: the credentials were refused meanwhile; every item has its result all the same.
            RunFolderError: a result could not be written; nothing was sent after that.
        """
        counts: Counter[str] = Counter()
        status, reason = RunStatus.INTERRUPTED, None
        with logging_to_file(self.folder.path / LOG), self.folder.open_results() as results:

            def record(result: Result) -> None:
                results.append(result)
                counts[result.outcome.value] += 1
                on_result(result)

            try:
                await self._engine.run(self._plan.items, record)
                status = RunStatus.INTERRUPTED if counts[Outcome.NOT_STARTED] else RunStatus.FINISHED
            except BulkEsmError as error:
                status, reason = RunStatus.HALTED, str(error)
                raise
            finally:
                self.record = msgspec.structs.replace(
                    self.record,
                    status=status,
                    reason=reason,
                    ended_at=iso(self._clock.now()),
                    counts=dict(counts),
                    requests=self._control_plane.request_counts(),
                )
                self.folder.write_record(self.record)
        return self.record


def least_time_s(plan: Plan, max_per_second: float) -> float:
    """The least time that a plan can take at a rate: one request for each update, and none to look.

    Args:
        plan: the plan.
        max_per_second: requests/s.
    """
    return len(plan.updates) / max_per_second
