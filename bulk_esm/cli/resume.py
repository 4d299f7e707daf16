"""`bulk-esm resume`: enable mappings, or just those that a run paused."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated

from cyclopts import Parameter

from bulk_esm.bulk import BulkEsm
from bulk_esm.cli.carry_out import Planned, carry_out, set_up_logs, with_aws
from bulk_esm.cli.fleet_carry_out import change_fleet
from bulk_esm.cli.fleet_options import FleetOptions
from bulk_esm.cli.fleet_work import with_fleet
from bulk_esm.cli.guards import guarded
from bulk_esm.cli.inputs import read_selection, reads_stdin, require_selection
from bulk_esm.cli.job import Job
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
from bulk_esm.cli.plan import tell_of_transition
from bulk_esm.cli.streams import say
from bulk_esm.errors import RefusedError, UsageError
from bulk_esm.executors.tasks import PlanChange
from bulk_esm.model.change import Change
from bulk_esm.model.plan import Action, PlanItem
from bulk_esm.model.result import Outcome, Result
from bulk_esm.model.resuming import paused_by, still_paused
from bulk_esm.model.selection import Selection
from bulk_esm.model.shard import Shard
from bulk_esm.runs.planning import RunPlan
from bulk_esm.store.finding import find_run, run_folders
from bulk_esm.store.fleet_folder import FleetFolder
from bulk_esm.store.folder import RunFolder


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
    set_up_logs(output)
    stdin_is_data = reads_stdin(select)
    if run_ and select != SelectOptions():
        raise UsageError("--run says which mappings; it goes without the flags that select")
    folders = [find_run(runs.runs_dir, name) for name in run_]
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
    fleets = [there for folder in folders if (there := FleetFolder.of(folder.path)) is not None]
    if fleets or fleet.is_given:
        return _resume_fleet(select, job, fleets, fleet, aws, all_are=len(fleets) == len(folders))
    fleet.check(aws)
    if folders:
        account_id, region = _place_of(folders)
        selection = Selection(uuids=frozenset().union(*map(_paused, folders)))
        aws = replace(aws, region=aws.region or region)
        if not selection.uuids:
            say(f"{', '.join(run_)} paused no mapping, so there is nothing to resume", quiet=output.quiet)
            return 0
    else:
        account_id = region = None
        selection = read_selection(select)
        require_selection(selection)
    job.check(stdin_is_data=stdin_is_data)

    async def work(bulk: BulkEsm) -> int:
        if region not in (None, bulk.region):
            raise RefusedError(f"{', '.join(run_)} paused mappings in {region}, not in {bulk.region}")
        async with guarded(bulk, job) as lock:
            plan = await bulk.plan(selection, Change({"Enabled": True}), waiting=tell_of_transition)
            bulk.require_account(account_id)
            _tell_of_enabled(plan.items, (result for folder in folders for result in folder.results()))
            others = _still_paused(run_folders(runs.runs_dir), selection.uuids, account_id, region) if folders else []
            for folder in others:
                say(f"note: {folder.path.name} paused more, and nothing has resumed that: add --run {folder.path.name}")
            return await carry_out(bulk, Planned(plan), job, lock)

    return with_aws(aws, work)


def _place_of(folders: list[RunFolder]) -> tuple[str | None, str]:
    for folder in folders:
        if folder.record().command != "pause" and not _paused(folder):
            raise UsageError(f"{folder.path.name} did not pause anything; `bulk-esm runs` shows which run did")
    places = {(record.account_id, record.region) for record in (folder.record() for folder in folders)}
    if len(places) > 1:
        raise UsageError("these runs are of several accounts or Regions; resume one after another")
    return places.pop()


def _paused(folder: RunFolder) -> frozenset[str]:
    return paused_by(folder.plan().items, folder.results())


def _still_paused(
    folders: list[RunFolder], resumed: frozenset[str], account_id: str | None, region: str | None
) -> list[RunFolder]:
    """The runs in this account and Region that paused mappings which neither a later run nor this one resumes."""
    here = [
        folder for folder in folders if (folder.record().account_id, folder.record().region) == (account_id, region)
    ]
    left = still_paused((folder.path.name, _paused(folder), folder.results()) for folder in here)
    return [folder for folder in here if left.get(folder.path.name, frozenset()) - resumed]


def _tell_of_enabled(items: Iterable[PlanItem], results: Iterable[Result]) -> None:
    """Say how many that were seen paused are enabled now; one that a killed run may not have got to does not count."""
    enabled = {item.uuid for item in items if item.action is Action.UNCHANGED}
    count = sum(result.uuid in enabled for result in results if result.outcome is Outcome.UPDATED)
    if count:
        say(f"note: {count:,} of those that were paused have been enabled by someone since, and are left alone")


def _resume_fleet(
    select: SelectOptions,
    job: Job,
    paused_by_runs: list[FleetFolder],
    fleet: FleetOptions,
    aws: AwsOptions,
    *,
    all_are: bool,
) -> int:
    """Resume a fleet; by runs, only what they paused."""
    change = Change({"Enabled": True})
    if not paused_by_runs:
        if not all_are:
            raise UsageError(
                "--run says where, too: that was a run in one account and Region; leave the fleet's flags out"
            )
        stdin_is_data = reads_stdin(select)
        selection = read_selection(select)
        require_selection(selection)
        job.check(stdin_is_data=stdin_is_data)
        fleet.check(aws)
        task = PlanChange.of(selection, change)
        return with_fleet(fleet, aws, lambda at_work: change_fleet(at_work, job, lambda _: task))
    if not all_are:
        raise UsageError("--run: one of these is a run over a fleet, and another is not; resume one after another")
    job.check()
    fleet.check(aws, of_run=True)
    shards: dict[str, Shard] = {}
    paused: dict[str, frozenset[str]] = {}
    for folder in paused_by_runs:
        for entry in folder.fleet().shards:
            if entry.problem is None and (found := _paused(folder.shard(entry.shard.name))):
                shards[entry.shard.name] = entry.shard
                paused[entry.shard.name] = paused.get(entry.shard.name, frozenset()) | found
    if not shards:
        say("nothing was paused there, so there is nothing to resume", quiet=job.output.quiet)
        return 0

    def task_of(shard: Shard) -> PlanChange:
        return PlanChange.of(Selection(uuids=paused[shard.name]), change)

    def look(plan: RunPlan) -> None:
        _tell_of_enabled(plan.items(), (result for folder in paused_by_runs for result in folder.results()))

    return with_fleet(
        fleet,
        aws,
        lambda at_work: change_fleet(at_work.among(tuple(shards.values())), job, task_of, look=look),
        folder=paused_by_runs[0],
    )
