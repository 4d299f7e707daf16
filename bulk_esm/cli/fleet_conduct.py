"""The conduct of a run over many shards: its display, its summary, its exit code, and how it is put back."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager

from rich.console import Console

from bulk_esm.bulk import BulkEsm
from bulk_esm.cli.fleet_progress import fleet_progress
from bulk_esm.cli.fleet_summary import fleet_run_summary
from bulk_esm.cli.fleet_work import AtWork, exit_code_of
from bulk_esm.cli.output import Form, Results, with_place
from bulk_esm.cli.progress import Display
from bulk_esm.cli.summary import RESULT_COLUMNS, result_row
from bulk_esm.executors.tasks import PlanRollback
from bulk_esm.model.records import Intent
from bulk_esm.model.shard import Shard
from bulk_esm.runs.planning import plan_run
from bulk_esm.runs.run import FleetRun
from bulk_esm.store.fleet_folder import FleetFolder


class FleetConduct:
    """The conduct of a run over many shards; see `Conduct`."""

    def __init__(self, at_work: AtWork, run: FleetRun) -> None:
        """Take a run that is ready.

        Args:
            at_work: the fleet.
            run: the run.
        """
        self.home: BulkEsm = at_work.home
        self.run = run
        self._at_work = at_work

    def progress(self, console: Console, title: str) -> AbstractAsyncContextManager[Display]:
        """The display by shard."""
        return fleet_progress(
            lambda: self.run.progress_by_shard,
            stage=lambda: self.run.stage,
            title=title,
            clock=time.monotonic,
            console=console,
        )

    def summary(self) -> Iterable[str]:
        """What it came to."""
        return fleet_run_summary(self.run.record, self.run.folder)

    def exit_code(self) -> int:
        """The exit code that it ends with."""
        return exit_code_of(self.run.record, [standing.problem for standing in self.run.progress_by_shard])

    def results(self, form: Form) -> Results:
        """Where results are shown."""
        return Results(form, *with_place(RESULT_COLUMNS, result_row))

    async def undo(self) -> FleetConduct:
        """Prepare the run that puts back what this one did, in the shards that it could reach."""
        folder, record = self.run.folder, self.run.record
        fleet = self._at_work.of_folder(folder).fleet
        intent = Intent(command="rollback", undoes=record.run_id)
        plan = await plan_run(
            fleet, lambda shard: rollback_task(folder, shard), runs_dir=folder.path.parent, intent=intent
        )
        plan.publish(intent, [fleet.shards], None)
        return FleetConduct(self._at_work, FleetRun(fleet, plan.folder, known=plan.known))


def rollback_task(folder: FleetFolder, shard: Shard, *, force: bool = False) -> PlanRollback:
    """What would put back what a run changed in a shard.

    Args:
        folder: the run's.
        shard: the shard.
        force: whether to put it back even where someone changed the mapping since.

    Raises:
        RunFolderError: the shard's files cannot be read.
    """
    found = folder.shard(shard.name)
    return PlanRollback(items=found.plan().items, results=tuple(found.results()), force=force)
