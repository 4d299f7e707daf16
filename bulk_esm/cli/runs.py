"""`bulk-esm runs`: what was done before."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from cyclopts import Parameter

from bulk_esm.cli import completing
from bulk_esm.cli.options import OutputOptions, RunsOptions
from bulk_esm.cli.streams import say
from bulk_esm.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bulk_esm.cli.output import Row
    from bulk_esm.errors import RunFolderError
    from bulk_esm.model.records import RunRecord
    from bulk_esm.store.run_files import RunFiles

StatusName = Literal["running", "finished", "halted", "deadline", "interrupted", "killed", "unreadable"]

_COLUMNS = ("run", "command", "region", "started", "by", "status", "counts")


class Unreadable(msgspec.Struct, frozen=True, kw_only=True):
    """A run of which nothing is known but its name.

    Attributes:
        run_id: the name of its folder.
        reason: why it cannot be read or believed.
        status: `unreadable`.
    """

    run_id: str
    reason: str
    status: str = "unreadable"


def runs_command(
    *,
    limit: Annotated[int, Parameter(help="Show only so many, the newest; 0 for all.")] = 50,
    since: Annotated[
        str | None, Parameter(help="Show only those that began since: 7d ago, or at 2026-01-31 or 2026-01-31T03:30Z.")
    ] = None,
    status: Annotated[tuple[StatusName, ...], Parameter(help="Only those that stand so. Repeatable.")] = (),
    copy_to: Annotated[
        Path | None, Parameter(help="Copy the runs that are shown, as they are on disk, to this folder.")
    ] = None,
    run_: Annotated[
        tuple[str, ...],
        Parameter(
            name="--run", completer=completing.runs, help="Only this RUN: its id, a prefix of it, or last. Repeatable."
        ),
    ] = (),
    runs: RunsOptions = RunsOptions(),
    output: OutputOptions = OutputOptions(),
) -> int:
    """List what was done before, the oldest first; a run that cannot be read or believed as `unreadable`, with why.

    Example: bulk-esm runs --since 7d --status finished
    """
    from bulk_esm.cli.copying import copy_runs
    from bulk_esm.cli.moments import parse_since
    from bulk_esm.cli.output import Results, form_for
    from bulk_esm.cli.places import place_for
    from bulk_esm.cli.set_up import set_up_logs
    from bulk_esm.store.finding import find_run, records_of

    set_up_logs(output)
    if limit < 0:
        raise UsageError(f"--limit {limit}: give how many runs to show, 0 for all")
    began = None if since is None else parse_since(since)
    results = Results(form_for(output.output), _COLUMNS, _row)
    place = place_for(runs)
    # One more than are shown, to tell that there are more; of those that stand so nobody knows how many are the newest.
    newest = limit + 1 if limit and not status else None
    found_runs = [find_run(place, name, salvage=runs.salvage) for name in run_] or place.all(
        salvage=runs.salvage, since=began, newest=newest
    )
    standing = _standing(found_runs, status) if status else found_runs
    folders = standing[-limit:] if limit and not run_ else standing
    for run, found in records_of(folders):
        results.add(_as_it_stands(run, found))
    results.finish()
    if not folders:
        when = "" if since is None else f" that began since {since}"
        how = f" that are {' or '.join(status)}" if status else ""
        say(f"there are no runs in {place.shown}{when}{how}; see --runs-dir", quiet=output.quiet)
    if len(standing) > len(folders):
        say(f"these are the newest {limit:,}; --limit 0 shows all, --since 7d those of a week", quiet=output.quiet)
    if copy_to is not None:
        copy_runs(folders, copy_to)
    return 0


def _standing(runs: list[RunFiles], status: Sequence[str]) -> list[RunFiles]:
    """Those that stand in one of some ways."""
    from bulk_esm.store.finding import records_of

    return [run for run, found in records_of(runs) if _as_it_stands(run, found).status in status]


def _as_it_stands(run: RunFiles, found: RunRecord | RunFolderError) -> RunRecord | Unreadable:
    """The record, with what it cannot say itself: that its process is gone, or why it cannot be read."""
    from bulk_esm.cli.places import as_shown
    from bulk_esm.model.records import RunRecord, RunStatus

    if not isinstance(found, RunRecord):
        return Unreadable(run_id=run.path.name, reason=as_shown(str(found)))
    if found.status is RunStatus.RUNNING and run.at_work() is False:
        return msgspec.structs.replace(found, status=RunStatus.KILLED)
    return found


def _status(record: RunRecord) -> str:
    """How it stands, and the shards that stand otherwise."""
    total = sum(record.shards.values())
    others = [f"{n:,} of {total:,} shards {status}" for status, n in record.shards.items() if status != record.status]
    return "; ".join([record.status, *others])


def _row(record: RunRecord | Unreadable) -> Row:
    from bulk_esm.cli.run_text import who_text
    from bulk_esm.model.result import TROUBLE, Outcome

    if isinstance(record, Unreadable):
        return (record.run_id, "-", "-", "-", "-", record.status, record.reason)
    first = [
        *sorted(TROUBLE),
        Outcome.NOT_STARTED,
        *Outcome,
        *record.counts,
    ]  # what is not well, which so is seen in a narrow table too
    counts = ", ".join(f"{record.counts[name]:,} {name}" for name in dict.fromkeys(first) if record.counts.get(name))
    by = who_text(record.user, record.host) or "-"
    return (record.run_id, record.command, record.region, record.started_at, by, _status(record), counts)
