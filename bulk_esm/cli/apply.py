"""`bulk-esm apply`: change mappings, by flags or by a saved plan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from bulk_esm.cli.configured import is_configured
from bulk_esm.cli.fleet_options import FleetOptions
from bulk_esm.cli.options import (
    GUARDS,
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
from bulk_esm.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from bulk_esm.bulk import BulkEsm
    from bulk_esm.cli.job import Job
    from bulk_esm.runs.planning import PlanContext, RunPlan


def apply_command(
    *,
    select: SelectOptions = SelectOptions(),
    change: ChangeOptions = ChangeOptions(),
    plan: Annotated[
        Path | None, Parameter(help="FILE that `bulk-esm plan --save` wrote, in place of all else.")
    ] = None,
    only_my_parameters: Annotated[
        bool,
        Parameter(
            group=GUARDS, help="With --plan: a mapping is a conflict only if someone changed what the plan sets."
        ),
    ] = False,
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
    from bulk_esm.cli.change import change as carry_change
    from bulk_esm.cli.inputs import read_change, read_selection, reads_stdin, require_selection
    from bulk_esm.cli.job import Job
    from bulk_esm.cli.opening import with_bulk
    from bulk_esm.cli.places import place_for
    from bulk_esm.cli.set_up import set_up_logs
    from bulk_esm.model.change import Change

    set_up_logs(output)
    stdin_is_data = reads_stdin(select, change.requests)
    as_given = order == "given"
    fleet = fleet.checked(aws)
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
    if plan is not None:
        if select != SelectOptions() or change != ChangeOptions():
            raise UsageError("--plan says which mappings and which change; it goes without those flags")
        return _apply_saved(plan, job, aws, fleet, only_its_parameters=only_my_parameters)
    if only_my_parameters and not is_configured("--only-my-parameters"):
        raise UsageError("--only-my-parameters is about a plan that was saved; it goes with --plan")
    wanted = read_change(change)
    if as_given and isinstance(wanted, Change):
        raise UsageError("--order given is the order of --requests or --plan; it goes with one of them")
    selection = read_selection(select, None if isinstance(wanted, Change) else wanted)
    require_selection(selection)
    job.check(stdin_is_data=stdin_is_data)
    irreversible = change.allow_irreversible

    def plan_of(bulk: BulkEsm, context: PlanContext) -> Awaitable[RunPlan]:
        return bulk.plan(selection, wanted, allow_irreversible=irreversible, context=context)

    return with_bulk(aws, fleet, lambda bulk: carry_change(bulk, job, fleet, plan_of), runs_dir=place_for(runs, aws))


def _apply_saved(path: Path, job: Job, aws: AwsOptions, fleet: FleetOptions, *, only_its_parameters: bool) -> int:
    from datetime import UTC, datetime

    from bulk_esm.cli.change import change
    from bulk_esm.cli.damages import tell_of_damage
    from bulk_esm.cli.opening import with_bulk
    from bulk_esm.cli.places import place_for
    from bulk_esm.cli.streams import say
    from bulk_esm.errors import NoCredentialsError
    from bulk_esm.store.saved_plan import read_plan

    saved = read_plan(path, salvage=job.runs.salvage, told=tell_of_damage)
    saved.check()
    saved_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    job.check()

    def plan_of(bulk: BulkEsm, context: PlanContext) -> Awaitable[RunPlan]:
        return bulk.renew(saved, only_its_parameters=only_its_parameters, saved_at=saved_at, context=context)

    async def work(bulk: BulkEsm) -> int:
        return await change(bulk.for_plan(saved, name=str(path)), job, fleet, plan_of)

    try:
        return with_bulk(aws, fleet, work, region=saved.region, runs_dir=place_for(job.runs, aws))
    except NoCredentialsError as error:
        if not job.run.dry_run:
            raise
        from bulk_esm.cli.plan_file import show_saved

        say(f"note: the plan as it was saved, not compared with what is there now: {error}")
        show_saved(saved, job.output)
        return 0
