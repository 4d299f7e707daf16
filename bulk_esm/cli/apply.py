"""`bulk-esm apply`: change mappings, by flags or by a saved plan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bulk_esm.api import BulkEsm
from bulk_esm.cli.carry_out import Planned, carry_out, refuse_before_sending, set_up_logs, with_aws
from bulk_esm.cli.inputs import read_change, read_selection, reads_stdin, require_selection
from bulk_esm.cli.options import AwsOptions, ChangeOptions, OutputOptions, RunOptions, RunsOptions, SelectOptions
from bulk_esm.cli.plan import tell_of_transition
from bulk_esm.errors import RefusedError, UsageError
from bulk_esm.model.change import Change
from bulk_esm.model.plan import Plan, PlanItem
from bulk_esm.runs.jsonl import read_lines


def apply_command(
    *,
    select: SelectOptions = SelectOptions(),
    change: ChangeOptions = ChangeOptions(),
    plan: Annotated[
        Path | None, Parameter(help="FILE that `bulk-esm plan --save` wrote, in place of all else.")
    ] = None,
    run: RunOptions = RunOptions(),
    aws: AwsOptions = AwsOptions(),
    runs: RunsOptions = RunsOptions(),
    output: OutputOptions = OutputOptions(),
) -> int:
    """Change mappings: shows the plan's summary, asks, and carries it out.

    Example: bulk-esm apply --function 'orders-*' --set BatchSize=50 --set MaximumBatchingWindowInSeconds=5
    """
    set_up_logs(output)
    stdin_is_data = reads_stdin(select, change.requests)
    if plan is not None:
        if select != SelectOptions() or change != ChangeOptions():
            raise UsageError("--plan says which mappings and which change; it goes without those flags")
        return _apply_saved(plan, run=run, aws=aws, runs=runs, output=output)
    wanted = read_change(change)
    selection = read_selection(select, None if isinstance(wanted, Change) else wanted)
    require_selection(selection)
    refuse_before_sending(run, runs, stdin_is_data=stdin_is_data)

    async def work(bulk: BulkEsm) -> int:
        made = await bulk.plan(
            selection, wanted, allow_irreversible=change.allow_irreversible, waiting=tell_of_transition
        )
        return await carry_out(bulk, Planned(made), command="apply", run_options=run, runs=runs, output=output)

    return with_aws(aws, work)


def _apply_saved(path: Path, *, run: RunOptions, aws: AwsOptions, runs: RunsOptions, output: OutputOptions) -> int:
    saved = Plan(tuple(read_lines(path, PlanItem)))
    saved.check()
    refuse_before_sending(run, runs)
    planned_in = saved.region
    aws = replace(aws, region=aws.region or planned_in)

    async def work(bulk: BulkEsm) -> int:
        if planned_in not in (None, bulk.region):
            raise RefusedError(f"{path} was planned in {planned_in}, not in {bulk.region}")
        plan, changed_since = await bulk.renew(saved)
        planned = Planned(plan, changed_since)
        return await carry_out(bulk, planned, command="apply", run_options=run, runs=runs, output=output)

    return with_aws(aws, work)
