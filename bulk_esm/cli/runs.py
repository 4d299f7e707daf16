"""`bulk-esm runs`: what was done before."""

from __future__ import annotations

from bulk_esm.cli.options import OutputOptions, RunsOptions
from bulk_esm.cli.output import Results, Row, form_for
from bulk_esm.cli.streams import say
from bulk_esm.model.records import RunRecord
from bulk_esm.store.finding import all_runs

_COLUMNS = ("run", "command", "region", "started", "status", "counts")


def runs_command(*, runs: RunsOptions = RunsOptions(), output: OutputOptions = OutputOptions()) -> int:
    """List what was done before, the oldest first.

    Example: bulk-esm runs
    """
    results = Results(form_for(output.output), _COLUMNS, _row)
    folders = all_runs(runs.runs_dir)
    results.add_all(folder.record() for folder in folders)
    results.finish()
    if not folders:
        say(f"there are no runs in {runs.runs_dir}; see --runs-dir", quiet=output.quiet)
    return 0


def _row(record: RunRecord) -> Row:
    counts = ", ".join(f"{count:,} {outcome}" for outcome, count in record.counts.items())
    return (record.run_id, record.command, record.region, record.started_at, record.status, counts)
