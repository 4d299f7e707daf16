"""`bulk-esm runs`: what was done before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bulk_esm.cli.options import OutputOptions, RunsOptions
from bulk_esm.cli.streams import say

if TYPE_CHECKING:
    from bulk_esm.cli.output import Row
    from bulk_esm.model.records import RunRecord
    from bulk_esm.store.run_files import RunFiles

_COLUMNS = ("run", "command", "region", "started", "by", "status", "counts")


class _Unreadable(msgspec.Struct, frozen=True, kw_only=True):
    """A run of which nothing is known but its name."""

    run_id: str
    reason: str
    status: str = "unreadable"


def runs_command(*, runs: RunsOptions = RunsOptions(), output: OutputOptions = OutputOptions()) -> int:
    """List what was done before, the oldest first; a run that cannot be read or believed as `unreadable`, with why.

    Example: bulk-esm runs
    """
    from bulk_esm.cli.output import Results, form_for
    from bulk_esm.cli.set_up import set_up_logs
    from bulk_esm.model.records import RunRecord
    from bulk_esm.store.finding import all_runs, records_of

    set_up_logs(output)
    results = Results(form_for(output.output), _COLUMNS, _row)
    folders = all_runs(runs.runs_dir)
    for run, found in records_of(folders):
        if isinstance(found, RunRecord):
            results.add(_as_it_stands(run, found))
        else:
            results.add(_Unreadable(run_id=run.path.name, reason=str(found)))
    results.finish()
    if not folders:
        say(f"there are no runs in {runs.runs_dir}; see --runs-dir", quiet=output.quiet)
    return 0


def _as_it_stands(run: RunFiles, record: RunRecord) -> RunRecord:
    """The record, with what it cannot say itself: that its process is gone."""
    from bulk_esm.model.records import RunStatus
    from bulk_esm.store.at_work import is_at_work

    if record.status is RunStatus.RUNNING and is_at_work(run.path) is False:
        return msgspec.structs.replace(record, status=RunStatus.KILLED)
    return record


def _status(record: RunRecord) -> str:
    """How it stands, and the shards that stand otherwise."""
    total = sum(record.shards.values())
    others = [f"{n:,} of {total:,} shards {status}" for status, n in record.shards.items() if status != record.status]
    return "; ".join([record.status, *others])


def _row(record: RunRecord | _Unreadable) -> Row:
    from bulk_esm.cli.run_text import who_text

    if isinstance(record, _Unreadable):
        return (record.run_id, "-", "-", "-", "-", record.status, record.reason)
    counts = ", ".join(f"{count:,} {outcome}" for outcome, count in record.counts.items())
    by = who_text(record.user, record.host) or "-"
    return (record.run_id, record.command, record.region, record.started_at, by, _status(record), counts)
