"""`bulk-esm rollback RUN`: put back what a run changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from cyclopts import Parameter

from bulk_esm.bulk import BulkEsm
from bulk_esm.cli.carry_out import Planned, carry_out, set_up_logs, with_aws
from bulk_esm.cli.fleet_carry_out import change_fleet
from bulk_esm.cli.fleet_conduct import rollback_task
from bulk_esm.cli.fleet_options import FleetOptions
from bulk_esm.cli.fleet_work import with_fleet
from bulk_esm.cli.guards import guarded
from bulk_esm.cli.inputs import require_region
from bulk_esm.cli.job import Job
from bulk_esm.cli.options import (
    RUN,
    AwsOptions,
    GuardOptions,
    OutputOptions,
    RunName,
    RunOptions,
    RunsOptions,
    WaveOptions,
)
from bulk_esm.cli.plan import tell_of_transition
from bulk_esm.cli.streams import say
from bulk_esm.model.plan import Action
from bulk_esm.store.finding import find_run
from bulk_esm.store.fleet_folder import FleetFolder


def rollback_command(
    name: RunName,
    /,
    *,
    force: Annotated[
        bool,
        Parameter(group=RUN, help="Put back even where someone changed the mapping since; else that is a conflict."),
    ] = False,
    run: RunOptions = RunOptions(),
    waves: WaveOptions = WaveOptions(),
    guards: GuardOptions = GuardOptions(),
    fleet: FleetOptions = FleetOptions(),
    aws: AwsOptions = AwsOptions(),
    runs: RunsOptions = RunsOptions(),
    output: OutputOptions = OutputOptions(),
) -> int:
    """Put back what a run changed, as it was in that run's plan: a run like any other, which can itself be put back.

    Example: bulk-esm rollback last --dry-run
    """
    set_up_logs(output)
    folder = find_run(runs.runs_dir, name)
    record = folder.record()
    job = Job(
        command="rollback",
        run=run,
        waves=waves,
        guards=guards,
        runs=runs,
        output=output,
        undoes=record.run_id,
        goes_in_groups=fleet.shard_order is not None,
    )
    job.check()
    if (there := FleetFolder.of(folder.path)) is not None:
        fleet.check(aws, of_run=True)
        return with_fleet(
            fleet,
            aws,
            lambda at_work: change_fleet(at_work, job, lambda shard: rollback_task(there, shard, force=force)),
            folder=there,
        )
    fleet.refuse(record.run_id)

    async def work(bulk: BulkEsm) -> int:
        require_region(bulk, record)
        async with guarded(bulk, job) as lock:
            plan, known = await bulk.plan_rollback(folder, force=force, waiting=tell_of_transition)
            if not plan.items:
                say(f"{record.run_id} changed nothing, so there is nothing to put back", quiet=output.quiet)
                return 0
            stays = [item for item in plan.items if item.action is not Action.BLOCKED and item.problems]
            for item in stays[:3]:
                say(f"warning: {item.uuid}: {'; '.join(item.problems)}")
            if len(stays) > 3:  # noqa: PLR2004 - as many as are shown
                say(f"warning: and {len(stays) - 3:,} more that cannot be put back wholly")
            return await carry_out(bulk, Planned(plan, known), job, lock)

    return with_aws(replace(aws, region=aws.region or record.region), work)
