"""The conduct of a run: what a person sees of it, what it exits with, and how it is put back."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final, Protocol

from rich.console import Console

from bulk_esm.aws.pacing import PacerStatistics
from bulk_esm.bulk import BulkEsm
from bulk_esm.cli.output import Form, Results
from bulk_esm.cli.progress import Display, progress
from bulk_esm.cli.summary import RESULT_COLUMNS, result_row, run_summary
from bulk_esm.engine.settings import EngineStatistics
from bulk_esm.engine.single_run import Run
from bulk_esm.gates.gates import Gate, WaveEnd
from bulk_esm.model.records import Intent, RunRecord, RunStatus
from bulk_esm.model.result import TROUBLE, Result

_EXIT_BY_STATUS: Final = {RunStatus.HALTED: 3, RunStatus.DEADLINE: 4, RunStatus.INTERRUPTED: 130}


def exit_code(record: RunRecord) -> int:
    """The exit code of a run; see the README."""
    trouble = any(record.counts.get(outcome) for outcome in TROUBLE)
    return _EXIT_BY_STATUS.get(record.status, 1 if trouble else 0)


class Runnable(Protocol):
    """A run that is ready to start: of one account and Region, or of a fleet."""

    record: RunRecord

    @property
    def path(self) -> Path:
        """Its folder."""

    @property
    def stage(self) -> str:
        """What is being done between two waves; empty during a wave."""

    def stop(self) -> None:
        """Send nothing more, and end as interrupted."""

    async def carry_out(
        self,
        on_result: Callable[[Result], None],
        *,
        gates: Sequence[Gate],
        confirm: Callable[[WaveEnd], Awaitable[bool]] | None,
    ) -> RunRecord:
        """Carry it out."""


class Conduct(Protocol):
    """A run, and what a person sees of it and may ask of it.

    Attributes:
        run: the run.
        home: where alarms are read.
    """

    @property
    def run(self) -> Runnable:
        """The run."""

    @property
    def home(self) -> BulkEsm:
        """Where alarms are read."""

    def progress(self, console: Console, title: str) -> AbstractAsyncContextManager[Display]:
        """The display while it is carried out."""

    def summary(self) -> Iterable[str]:
        """What it came to."""

    def exit_code(self) -> int:
        """The exit code that it ends with."""

    def results(self, form: Form) -> Results:
        """Where results are shown."""

    async def undo(self) -> Conduct:
        """Prepare the run that puts back what this one did."""


class SingleConduct:
    """The conduct of a run in one account and Region."""

    def __init__(self, bulk: BulkEsm, run: Run) -> None:
        """Take a run that is ready.

        Args:
            bulk: the account and Region.
            run: the run.
        """
        self.home = bulk
        self.run = run

    def progress(self, console: Console, title: str) -> AbstractAsyncContextManager[Display]:
        """The display while it is carried out."""

        def statistics() -> tuple[EngineStatistics, PacerStatistics]:
            return self.run.statistics(), self.home.control_plane.pacer.statistics()

        return progress(statistics, stage=lambda: self.run.stage, title=title, clock=time.monotonic, console=console)

    def summary(self) -> Iterable[str]:
        """What it came to."""
        return run_summary(self.run.record, self.run.folder.results(), folder=self.run.path)

    def exit_code(self) -> int:
        """The exit code that it ends with."""
        return exit_code(self.run.record)

    def results(self, form: Form) -> Results:
        """Where results are shown."""
        return Results(form, RESULT_COLUMNS, result_row)

    async def undo(self) -> SingleConduct:
        """Prepare the run that puts back what this one did."""
        plan, known = await self.home.plan_rollback(self.run.folder)
        intent = Intent(command="rollback", undoes=self.run.record.run_id)
        runs_dir = self.run.path.parent
        back = self.home.prepare(plan, runs_dir=runs_dir, intent=intent, skip_blocked=True, known=known)
        return SingleConduct(self.home, back)
