"""`bulk-esm resume`: enable mappings, or just those that a run paused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from bulk_esm.cli.fleet_options import FleetOptions
from bulk_esm.cli.options import (
    ROLLOUT,
    AwsOptions,
    Duration,
    GuardOptions,
    OutputOptions,
    RunOptions,
    RunsOptions,
    SelectOptions,
    WaveOptions,
)
from bulk_esm.cli.streams import say
from bulk_esm.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Sequence

    from bulk_esm.bulk import BulkEsm
    from bulk_esm.cli.job import Job
    from bulk_esm.model.plan import PlanItem
    from bulk_esm.model.result import Result
    from bulk_esm.runs.planning import PlanContext, RunPlan
    from bulk_esm.runs.resuming import PausedShards
    from bulk_esm.store.run_files import RunFiles


def resume_command(
    *,
    select: SelectOptions = SelectOptions(),
    run_: Annotated[
        tuple[str, ...],
        Parameter(
            name="--run", help="RUN that paused them: its path, its id, a prefix of it, or last. May be repeated."
        ),
    ] = (),
    ramp: Annotated[
        Duration,
        Parameter(group=ROLLOUT, show_default="none", help="Spread the updates over this time, such as 10m."),
    ] = 0.0,
    run: RunOptions = RunOptions(),
    waves: WaveOptions = WaveOptions(),
    guards: GuardOptions = GuardOptions(),
    fleet: FleetOptions = FleetOptions(),
    aws: AwsOptions = AwsOptions(),
    runs: RunsOptions = RunsOptions(),
    output: OutputOptions = OutputOptions(),
) -> int:
    """Enable mappings. With --run only what that run paused: what was disabled before it stays so.

    Example: bulk-esm resume --run last
    """
    from bulk_esm.cli.change import change
    from bulk_esm.cli.inputs import read_selection, reads_stdin, require_selection
    from bulk_esm.cli.job import Job
    from bulk_esm.cli.opening import set_up_logs, with_bulk
    from bulk_esm.model.change import Change
    from bulk_esm.store.finding import find_run

    set_up_logs(output)
    stdin_is_data = reads_stdin(select)
    if run_ and select != SelectOptions():
        raise UsageError("--run says which mappings; it goes without the flags that select")
    job = Job(
        command="resume",
        run=run,
        waves=waves,
        guards=guards,
        runs=runs,
        output=output,
        ramp_s=ramp,
        goes_in_groups=fleet.shard_order is not None,
    )
    if run_:
        return _resume_runs([find_run(runs.runs_dir, name, salvage=runs.salvage) for name in run_], job, fleet, aws)
    selection = read_selection(select)
    require_selection(selection)
    job.check(stdin_is_data=stdin_is_data)
    fleet.check(aws)

    def plan_of(bulk: BulkEsm, context: PlanContext) -> Awaitable[RunPlan]:
        return bulk.plan(selection, Change({"Enabled": True}), context=context)

    return with_bulk(aws, fleet, lambda bulk: change(bulk, job, fleet, plan_of), runs_dir=runs.runs_dir)


def _resume_runs(files: Sequence[RunFiles], job: Job, fleet: FleetOptions, aws: AwsOptions) -> int:
    """Enable what some runs paused, and nothing else."""
    from bulk_esm.cli.change import change
    from bulk_esm.cli.damages import tell_of_damages
    from bulk_esm.cli.opening import with_bulk
    from bulk_esm.runs.resuming import paused_by_runs

    paused = paused_by_runs(files)
    for one in files:
        fleet.check_for_run(aws, one.record().run_id, has_shards=one.has_shards)
    job.check()
    if not paused.uuids:
        names = ", ".join(one.path.name for one in files)
        tell_of_damages(files)
        say(f"{names} paused no mapping, so there is nothing to resume", quiet=job.output.quiet)
        return 0

    def plan_of(bulk: BulkEsm, context: PlanContext) -> Awaitable[RunPlan]:
        return bulk.plan_resuming(paused, context=context)

    def look(plan: RunPlan) -> None:
        _tell_of_enabled(plan.items(), (result for one in files for result in one.results()))
        _tell_of_others(files, paused, job)

    return with_bulk(
        aws,
        fleet,
        lambda bulk: change(bulk.among_paused(paused), job, fleet, plan_of, after=files, look=look),
        runs_dir=job.runs.runs_dir,
        files=files[0],
    )


def _tell_of_enabled(items: Iterable[PlanItem], results: Iterable[Result]) -> None:
    """Say how many that were seen paused are enabled now; one that a killed run may not have got to does not count."""
    from bulk_esm.model.plan import Action
    from bulk_esm.model.result import Outcome

    enabled = {item.uuid for item in items if item.action is Action.UNCHANGED}
    count = sum(result.uuid in enabled for result in results if result.outcome is Outcome.UPDATED)
    if count:
        say(f"note: {count:,} of those that were paused have been enabled by someone since, and are left alone")


def _tell_of_others(files: Sequence[RunFiles], paused: PausedShards, job: Job) -> None:
    """Say which other runs paused mappings in these shards that neither a later run nor this one resumes."""
    from bulk_esm.runs.resuming import runs_still_pausing
    from bulk_esm.store.finding import readable_runs

    named = {one.path.name for one in files}
    for name in runs_still_pausing((run for run, _ in readable_runs(job.runs.runs_dir)), paused):
        if name not in named:
            say(f"note: {name} paused more, and nothing has resumed that: add --run {name}")
