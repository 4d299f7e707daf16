"""`bulk-esm show RUN`: what became of each mapping of a run."""

from __future__ import annotations

from bulk_esm.cli.fleet_summary import fleet_run_summary
from bulk_esm.cli.options import OutputOptions, RunName, RunsOptions
from bulk_esm.cli.output import Results, form_for, with_place
from bulk_esm.cli.streams import say
from bulk_esm.cli.summary import RESULT_COLUMNS, result_row, run_summary
from bulk_esm.runs.fleet_folder import FleetFolder
from bulk_esm.runs.store import find_run


def show_command(
    name: RunName,
    /,
    *,
    runs: RunsOptions = RunsOptions(),
    output: OutputOptions = OutputOptions(),
) -> int:
    """Show what became of each mapping of a run, and the run's summary.

    Example: bulk-esm show last
    """
    folder = find_run(runs.runs_dir, name)
    if FleetFolder.is_one(folder.path):
        results = Results(form_for(output.output), *with_place(RESULT_COLUMNS, result_row))
        there = FleetFolder(folder.path)
        results.add_all(there.results())
        results.finish()
        for line in fleet_run_summary(there.record(), there):
            say(line, quiet=output.quiet)
        return 0
    results = Results(form_for(output.output), RESULT_COLUMNS, result_row)
    found = list(folder.results())
    results.add_all(found)
    results.finish()
    for line in run_summary(folder.record(), found, folder=folder.path):
        say(line, quiet=output.quiet)
    return 0
