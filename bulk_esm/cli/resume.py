"""`bulk-esm resume`: enable mappings, or just those that a run paused."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from bulk_esm.cli import completing
from bulk_esm.cli.fleet_options import FleetOptions
from bulk_esm.cli.options import (
    AwsOptions,
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
    from bulk_esm.store.place import RunsPlace
    from bulk_esm.store.run_files import RunFiles


def resume_command(
    *,
    select: SelectOptions = SelectOptions(),
    run_: Annotated[
        tuple[str, ...],
        Parameter(
            name="--run",
            completer=completing.runs,
            help="RUN that paused them: its path, its id, a prefix of it, or last. May be repeated.",
        ),
    ] = (),
    all_paused_: Annotated[
        bool,
        Parameter(
            name="--all-paused",
            help="All that runs in --runs-dir paused and nothing has resumed, wherever that was; or of a fleet, there.",
        ),
    ] = False,
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
    from bulk_esm.cli.opening import with_bulk
    from bulk_esm.cli.places import place_for
    from bulk_esm.cli.set_up import set_up_logs
    from bulk_esm.model.change import Change
    from bulk_esm.runs.resuming import paused_anything, paused_by_runs
    from bulk_esm.store.finding import find_run

    set_up_logs(output)
    stdin_is_data = reads_stdin(select)
    if (run_ or all_paused_) and select != SelectOptions():
        flag = "--all-paused" if all_paused_ else "--run"
        raise UsageError(f"{flag} says which mappings; it goes without the flags that select")
    if run_ and all_paused_:
        raise UsageError("--all-paused resumes what all runs paused, and --run what one did: say one of them")
    job = Job(
        command="resume",
        run=run,
        waves=waves,
        guards=guards,
        runs=runs,
        output=output,
    )
    if all_paused_ and fleet.is_given:
        job = replace(job, goes_in_groups=fleet.shard_order is not None)
        job.check()
        fleet = fleet.checked(aws)
        return with_bulk(
            aws,
            fleet,
            lambda bulk: _resume(bulk, bulk.all_paused(salvage=runs.salvage), job, fleet),
            runs_dir=place_for(runs, aws),
        )
    if all_paused_:
        every = _read_through(place_for(runs, aws), None, salvage=runs.salvage)
        return _resume_runs(_all_paused(every, aws), job, fleet, aws)
    if run_:
        files = [find_run(place_for(runs, aws), name, salvage=runs.salvage, is_meant=paused_anything) for name in run_]
        return _resume_runs(paused_by_runs(files), job, fleet, aws)
    selection = read_selection(select)
    require_selection(selection)
    fleet = fleet.checked(aws)
    job = replace(job, goes_in_groups=fleet.shard_order is not None)
    job.check(stdin_is_data=stdin_is_data)

    def plan_of(bulk: BulkEsm, context: PlanContext) -> Awaitable[RunPlan]:
        return bulk.plan(selection, Change({"Enabled": True}), context=context)

    return with_bulk(aws, fleet, lambda bulk: change(bulk, job, fleet, plan_of), runs_dir=place_for(runs, aws))


def _all_paused(runs: Sequence[RunFiles], aws: AwsOptions) -> PausedShards:
    """What all runs still hold paused; of those that were in one account and Region, in the Region that was named."""
    from bulk_esm.runs.resuming import all_paused

    return all_paused([run for run in runs if run.has_shards or aws.region in (None, run.record().region)])


def _resume_runs(paused: PausedShards, job: Job, fleet: FleetOptions, aws: AwsOptions) -> int:
    """Enable what some runs paused, where they paused it."""
    from bulk_esm.aws.logins import Logins
    from bulk_esm.cli.opening import with_bulk
    from bulk_esm.cli.places import place_for

    for one in paused.runs:
        fleet = fleet.of_run(one.record().run_id, has_shards=paused.has_shards)
    job = replace(job, goes_in_groups=fleet.shard_order is not None)
    job.check()
    region = Logins().home_region(aws.profile) or paused.shards[0].region
    return with_bulk(
        aws,
        fleet,
        lambda bulk: _resume(bulk, paused, job, fleet),
        region=region,
        runs_dir=place_for(job.runs, aws),
        files=None if paused.has_shards else paused.runs[0],
    )


async def _resume(bulk: BulkEsm, paused: PausedShards, job: Job, fleet: FleetOptions) -> int:
    """Enable what some runs paused, and nothing else."""
    from bulk_esm.cli.change import change
    from bulk_esm.store.place import place_at

    files = paused.runs
    job = replace(job, undoes=",".join(one.record().run_id for one in files))

    def plan_of(bulk: BulkEsm, context: PlanContext) -> Awaitable[RunPlan]:
        return bulk.plan_resuming(paused, context=context)

    def look(plan: RunPlan) -> None:
        _tell_of_enabled(plan.items(), (result for one in files for result in one.results()))
        _tell_of_others(paused, place_at(bulk.runs_dir))

    return await change(await bulk.among_paused(paused), job, fleet, plan_of, after=files, look=look)


def _read_through(place: RunsPlace, most: int | None, *, salvage: bool = False) -> list[RunFiles]:
    """The newest runs, the oldest of them first, with all their files at hand."""
    from bulk_esm.store.finding import readable_runs

    runs = [run for run, _ in readable_runs(place, salvage=salvage, newest=most)]
    place.fetch(runs)
    return runs


def _tell_of_enabled(items: Iterable[PlanItem], results: Iterable[Result]) -> None:
    """Say how many that were seen paused are enabled now; one that a killed run may not have got to does not count."""
    from bulk_esm.model.plan import Action
    from bulk_esm.model.result import Outcome

    enabled = {item.uuid for item in items if item.action is Action.UNCHANGED and item.state is not None}
    count = sum(result.uuid in enabled for result in results if result.outcome is Outcome.UPDATED)
    if count:
        say(f"note: {count:,} of those that were paused have been enabled by someone since, and are left alone")


def _tell_of_others(paused: PausedShards, place: RunsPlace) -> None:
    """Say which other runs paused mappings that neither a later run nor this one resumes."""
    from bulk_esm.cli.run_text import resume_command_of
    from bulk_esm.runs.resuming import runs_still_pausing

    for other in runs_still_pausing(_read_through(place, place.most_for_a_note), paused):
        what = f"{other.run.path.name} paused more, and nothing has resumed {other.count:,} of that"
        say(f"note: {what}: {resume_command_of(other.run)}")
