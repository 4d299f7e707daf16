"""`bulk-esm show RUN`: what became of each mapping of a run."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from cyclopts import Parameter

from bulk_esm.cli.damages import tell_of_damages
from bulk_esm.cli.options import OutputOptions, RunName, RunsOptions
from bulk_esm.cli.streams import say
from bulk_esm.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bulk_esm.model.records import RunRecord
    from bulk_esm.model.result import Result

OutcomeName = Literal["updated", "unchanged", "blocked", "failed", "timed_out", "conflict", "not_started"]


def show_command(
    name: RunName,
    /,
    *,
    outcome: Annotated[
        tuple[OutcomeName, ...], Parameter(help="Only the mappings that ended so, such as failed. Repeatable.")
    ] = (),
    limit: Annotated[int, Parameter(help="Only so many mappings, those that ended first; 0 for all.")] = 0,
    runs: RunsOptions = RunsOptions(),
    output: OutputOptions = OutputOptions(),
) -> int:
    """Show what became of each mapping of a run, and the run's summary.

    Example: bulk-esm show last --outcome failed --limit 50
    """
    from bulk_esm.cli.output import Results, form_for, with_place
    from bulk_esm.cli.places import place_for
    from bulk_esm.cli.run_text import run_summary
    from bulk_esm.cli.set_up import set_up_logs
    from bulk_esm.cli.summary import RESULT_COLUMNS, result_row
    from bulk_esm.cli.telling import tell_summary
    from bulk_esm.model.records import RunStatus
    from bulk_esm.store.finding import find_run

    set_up_logs(output)
    if limit < 0:
        raise UsageError(f"--limit {limit}: give how many mappings to show, 0 for all")
    files = find_run(place_for(runs), name, salvage=runs.salvage)
    columns = with_place(RESULT_COLUMNS, result_row) if files.has_shards else (RESULT_COLUMNS, result_row)
    results = Results(form_for(output.output), *columns)
    found = 0
    for result in files.results():
        if not outcome or result.outcome in outcome:
            found += 1
            if not limit or found <= limit:
                results.add(result)
    results.finish()
    if limit and found > limit:
        say(f"these are the first {limit:,} of {found:,}; --limit 0 shows all", quiet=output.quiet)
    elif outcome and not found:
        say(f"no mapping of this run is {' or '.join(outcome)}", quiet=output.quiet)
    record = _counted(files.record(), files.results())
    if not output.quiet:
        tell_summary(record, run_summary(record, files))
    if record.status is RunStatus.RUNNING:
        total = sum(entry.items for entry in files.fleet().shards)
        without = total - sum(record.counts.values())
        say(f"{without:,} of {total:,} mappings have no result, so what became of them is not known")
    tell_of_damages([files])
    return 0


def _counted(record: RunRecord, results: Iterable[Result]) -> RunRecord:
    """The record, with the results of a run that did not end: its own counts are written at the end."""
    from bulk_esm.model.records import RunStatus

    if record.status is not RunStatus.RUNNING:
        return record
    return msgspec.structs.replace(record, counts=Counter(result.outcome.value for result in results))
