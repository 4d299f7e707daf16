"""`bulk-esm apply`: change mappings, by flags or by a saved plan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from bulk_esm.bulk import BulkEsm
from bulk_esm.cli.carry_out import Planned, carry_out, set_up_logs, with_aws
from bulk_esm.cli.fleet_carry_out import change_fleet
from bulk_esm.cli.fleet_options import FleetOptions
from bulk_esm.cli.fleet_work import AtWork, with_fleet
from bulk_esm.cli.guards import guarded
from bulk_esm.cli.inputs import read_change, read_selection, reads_stdin, require_selection
from bulk_esm.cli.job import Job
from bulk_esm.cli.options import (
    ROLLOUT,
    AwsOptions,
    ChangeOptions,
    GuardOptions,
    OutputOptions,
    RunOptions,
    RunsOptions,
    SelectOptions,
    WaveOptions,
)
from bulk_esm.cli.plan import tell_of_transition
from bulk_esm.errors import RefusedError, UsageError
from bulk_esm.executors.tasks import PlanChange, RenewPlan
from bulk_esm.model.change import Change
from bulk_esm.model.plan import Plan, PlanItem
from bulk_esm.runs.planning import split_saved
from bulk_esm.store.jsonl import read_lines


def apply_command(
    *,
    select: SelectOptions = SelectOptions(),
    change: ChangeOptions = ChangeOptions(),
    plan: Annotated[
        Path | None, Parameter(help="FILE that `bulk-esm plan --save` wrote, in place of all else.")
    ] = None,
    order: Annotated[
        Literal["representative", "given"],
        Parameter(group=ROLLOUT, help="Who comes first: a small picture of all, or as --requests or --plan has them."),
    ] = "representative",
    run: RunOptions = RunOptions(),
    waves: WaveOptions = WaveOptions(),
    guards: GuardOptions = GuardOptions(),
    fleet: FleetOptions = FleetOptions(),
    aws: AwsOptions = AwsOptions(),
    runs: RunsOptions = RunsOptions(),
    output: OutputOptions = OutputOptions(),
) -> int:
    """Change mappings: shows the plan's summary, asks, and carries it out.

    Example: bulk-esm apply --function 'orders-*' --set BatchSize=50 --set MaximumBatchingWindowInSeconds=5
    """
    set_up_logs(output)
    stdin_is_data = reads_stdin(select, change.requests)
    as_given = order == "given"
    job = Job(
        command="apply",
        run=run,
        waves=waves,
        guards=guards,
        runs=runs,
        output=output,
        as_given=as_given,
        goes_in_groups=fleet.shard_order is not None,
    )
    fleet.check(aws)
    if plan is not None:
        if select != SelectOptions() or change != ChangeOptions():
            raise UsageError("--plan says which mappings and which change; it goes without those flags")
        return _apply_saved(plan, job, aws, fleet)
    wanted = read_change(change)
    if as_given and isinstance(wanted, Change):
        raise UsageError("--order given is the order of --requests or --plan; it goes with one of them")
    selection = read_selection(select, None if isinstance(wanted, Change) else wanted)
    require_selection(selection)
    job.check(stdin_is_data=stdin_is_data)
    if fleet.is_given:
        task = PlanChange.of(selection, wanted, allow_irreversible=change.allow_irreversible)
        return with_fleet(fleet, aws, lambda at_work: change_fleet(at_work, job, lambda _: task))

    async def work(bulk: BulkEsm) -> int:
        async with guarded(bulk, job) as lock:
            made = await bulk.plan(
                selection, wanted, allow_irreversible=change.allow_irreversible, waiting=tell_of_transition
            )
            if as_given and not isinstance(wanted, Change):
                places = {uuid: place for place, uuid in enumerate(wanted)}
                made = Plan(tuple(sorted(made.items, key=lambda item: places[item.uuid])))
            return await carry_out(bulk, Planned(made), job, lock)

    return with_aws(aws, work)


def _apply_saved(path: Path, job: Job, aws: AwsOptions, fleet: FleetOptions) -> int:
    saved = Plan(tuple(read_lines(path, PlanItem)))
    saved.check(in_one_place=not fleet.is_given)
    job.check()
    if fleet.is_given:
        return with_fleet(fleet, aws, lambda at_work: _apply_saved_to_fleet(at_work, saved, job))
    planned_in = saved.region

    async def work(bulk: BulkEsm) -> int:
        if planned_in not in (None, bulk.region):
            raise RefusedError(f"{path} was planned in {planned_in}, not in {bulk.region}")
        async with guarded(bulk, job) as lock:
            plan, known = await bulk.renew(saved)
            return await carry_out(bulk, Planned(plan, known), job, lock)

    return with_aws(replace(aws, region=aws.region or planned_in), work)


async def _apply_saved_to_fleet(at_work: AtWork, saved: Plan, job: Job) -> int:
    parts = split_saved(saved)
    shards = [shard for shard in at_work.fleet.shards if shard.name in parts]
    missing = sorted(parts.keys() - {shard.name for shard in shards})
    if missing:
        raise RefusedError(
            f"the plan has mappings of {', '.join(missing[:5])}, which the fleet does not have; name all that it was "
            "made for"
        )
    return await change_fleet(at_work.among(shards), job, lambda shard: RenewPlan(parts[shard.name]))
