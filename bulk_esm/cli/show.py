"""`bulk-esm show RUN`: what became of each mapping of a run."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from bulk_esm.cli.options import OutputOptions, RunsOptions
from bulk_esm.cli.output import Results, form_for
from bulk_esm.cli.streams import say
from bulk_esm.cli.summary import RESULT_COLUMNS, result_row, run_summary
from bulk_esm.runs.store import find_run


def show_command(
    run: Annotated[str, Parameter(help="A run folder's path, a run's id, a unique prefix of it, or last.")],
    /,
    *,
    runs: RunsOptions = RunsOptions(),
    output: OutputOptions = OutputOptions(),
) -> int:
    """Show what became of each mapping of a run, and the run's summary.

    Example: bulk-esm show last
    """
    folder = find_run(runs.runs_dir, run)
    found = list(folder.results())
    results = Results(form_for(output.output), RESULT_COLUMNS, result_row)
    results.add_all(found)
    results.finish()
    for line in run_summary(folder.record(), found):
        say(line, quiet=output.quiet)
    say(f"  folder: {folder.path}", quiet=output.quiet)
    return 0
