"""`bulk-esm resume`: enable mappings, or just those that a run paused."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from cyclopts import Parameter

from bulk_esm.api import BulkEsm
from bulk_esm.cli.carry_out import Planned, carry_out, refuse_before_sending, set_up_logs, with_aws
from bulk_esm.cli.inputs import read_selection, reads_stdin, require_selection
from bulk_esm.cli.options import AwsOptions, OutputOptions, RunOptions, RunsOptions, SelectOptions
from bulk_esm.cli.plan import tell_of_transition
from bulk_esm.cli.streams import say
from bulk_esm.errors import RefusedError, UsageError
from bulk_esm.model.change import Change
from bulk_esm.model.resuming import paused_by
from bulk_esm.model.selection import Selection
from bulk_esm.runs.folder import RunFolder
from bulk_esm.runs.store import find_run


def resume_command(
    *,
    select: SelectOptions = SelectOptions(),
    run_: Annotated[
        str | None, Parameter(name="--run", help="RUN that paused them: its path, its id, a prefix of it, or last.")
    ] = None,
    run: RunOptions = RunOptions(),
    aws: AwsOptions = AwsOptions(),
    runs: RunsOptions = RunsOptions(),
    output: OutputOptions = OutputOptions(),
) -> int:
    """Enable mappings. With --run only what that run paused: what was disabled before it stays so.

    Example: bulk-esm resume --run last
    """
    set_up_logs(output)
    stdin_is_data = reads_stdin(select)
    if run_ is not None:
        if select != SelectOptions():
            raise UsageError("--run says which mappings; it goes without the flags that select")
        folder = find_run(runs.runs_dir, run_)
        selection = _paused(folder)
        aws = replace(aws, region=aws.region or folder.record().region)
        if not any("Enabled" in item.request for item in folder.plan().updates) and folder.record().command != "pause":
            raise UsageError(f"{folder.path.name} did not pause anything; `bulk-esm runs` shows which run did")
        if not selection.uuids:
            say(f"{folder.path.name} paused no mapping, so there is nothing to resume", quiet=output.quiet)
            return 0
    else:
        selection = read_selection(select)
        require_selection(selection)
    refuse_before_sending(run, runs, stdin_is_data=stdin_is_data)

    async def work(bulk: BulkEsm) -> int:
        if run_ is not None and bulk.region != (paused_in := folder.record().region):
            raise RefusedError(f"{folder.path.name} paused mappings in {paused_in}, not in {bulk.region}")
        plan = await bulk.plan(selection, Change({"Enabled": True}), waiting=tell_of_transition)
        return await carry_out(bulk, Planned(plan), command="resume", run_options=run, runs=runs, output=output)

    return with_aws(aws, work)


def _paused(folder: RunFolder) -> Selection:
    return Selection(uuids=paused_by(folder.plan().items, folder.results()))
