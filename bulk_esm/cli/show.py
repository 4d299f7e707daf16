"""`bulk-esm show RUN`: what became of each mapping of a run; or what a saved plan would do."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from cyclopts import Parameter

from bulk_esm.cli import completing
from bulk_esm.cli.damages import tell_of_damages
from bulk_esm.cli.options import OutputOptions, RunsOptions
from bulk_esm.cli.streams import say
from bulk_esm.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bulk_esm.cli.output import Results
    from bulk_esm.model.records import RunRecord
    from bulk_esm.model.result import Result
    from bulk_esm.store.run_files import RunFiles

OutcomeName = Literal["updated", "unchanged", "blocked", "failed", "timed_out", "conflict", "not_started"]


def show_command(
    name: Annotated[
        str,
        Parameter(
            name="RUN",
            completer=completing.runs,
            help="As of other commands, or the FILE of a plan: it needs no credentials.",
        ),
    ],
    /,
    *,
    uuid: Annotated[
        str | None, Parameter(help="Show this mapping alone, before and after, by its UUID or how that begins.")
    ] = None,
    outcome: Annotated[
        tuple[OutcomeName, ...], Parameter(help="Only the mappings that ended so, such as failed. Repeatable.")
    ] = (),
    limit: Annotated[int, Parameter(help="Only so many mappings, those that ended first; 0 for all.")] = 0,
    runs: RunsOptions = RunsOptions(),
    output: OutputOptions = OutputOptions(),
) -> int:
    """Show what became of each mapping of a run, and the run's summary; of a saved plan, what it would do.

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
    from bulk_esm.store.saved_plan import is_plan_file

    set_up_logs(output)
    if limit < 0:
        raise UsageError(f"--limit {limit}: give how many mappings to show, 0 for all")
    if is_plan_file(Path(name)):
        if outcome:
            raise UsageError(f"--outcome {outcome[0]}: {name} is a plan, of which nothing has become yet")
        return _show_plan(Path(name), uuid, output, salvage=runs.salvage)
    files = find_run(place_for(runs), name, salvage=runs.salvage)
    if uuid is not None:
        from bulk_esm.cli.one_mapping import show_one

        show_one(files.items(), uuid, output, files=files)
        tell_of_damages([files])
        return 0
    columns = with_place(RESULT_COLUMNS, result_row) if files.has_shards else (RESULT_COLUMNS, result_row)
    results = Results(form_for(output.output), *columns)
    for line in _add_chosen(results, files.results(), outcome, limit):
        say(line, quiet=output.quiet)
    record = _counted(files.record(), files.results())
    if not output.quiet:
        tell_summary(record, run_summary(record, files))
    if record.status is RunStatus.RUNNING:
        for line in _asked_lines(record, files):
            say(line)
        total = sum(entry.items for entry in files.fleet().shards)
        if without := total - sum(record.counts.values()):
            so = " yet" if files.at_work() else ", so what became of them is not known"
            say(f"{without:,} of {total:,} mappings have no result{so}")
    tell_of_damages([files])
    return 0


def _add_chosen(
    results: Results, found: Iterable[Result], outcomes: Sequence[OutcomeName], limit: int
) -> Iterator[str]:
    """Show the results that are asked for, and tell how many more there are."""
    count = 0
    for result in found:
        if not outcomes or result.outcome in outcomes:
            count += 1
            if not limit or count <= limit:
                results.add(result)
    results.finish()
    if limit and count > limit:
        yield f"these are the first {limit:,} of {count:,}; --limit 0 shows all"
    elif outcomes and not count:
        yield f"no mapping of this run is {' or '.join(outcomes)}"


def _show_plan(path: Path, uuid: str | None, output: OutputOptions, *, salvage: bool) -> int:
    from bulk_esm.cli.damages import tell_of_damage
    from bulk_esm.cli.one_mapping import show_one
    from bulk_esm.cli.plan_file import show_plan_file
    from bulk_esm.store.saved_plan import read_plan

    if uuid is None:
        return show_plan_file(path, output, salvage=salvage)
    show_one(read_plan(path, salvage=salvage, told=tell_of_damage).items, uuid, output)
    return 0


def _asked_lines(record: RunRecord, files: RunFiles) -> Iterator[str]:
    """What holds a run, or what it waits for, as far as it has told that."""
    import anyio

    from bulk_esm.cli.run_text import run_argument
    from bulk_esm.errors import BulkEsmError

    if not files.at_work():
        return
    try:
        status = anyio.run(files.asked().status)
    except BulkEsmError as error:
        yield f"warning: what it was asked is not known: {error}"
        return
    if status is None or status.invocation != len(record.invocations):
        return
    if status.held is not None:
        yield f"held by {status.held.who} since {status.held.at}: bulk-esm go {run_argument(files)}"
    if status.awaits is not None:
        yield f"awaiting approval of wave {status.awaits}: bulk-esm approve {run_argument(files)}"


def _counted(record: RunRecord, results: Iterable[Result]) -> RunRecord:
    """The record, with the results of a run that did not end: its own counts are written at the end."""
    from bulk_esm.model.records import RunStatus

    if record.status is not RunStatus.RUNNING:
        return record
    return msgspec.structs.replace(record, counts=Counter(result.outcome.value for result in results))
