"""`bulk-esm rollback RUN`: put back what a run changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from bulk_esm.cli.fleet_options import RunFleetOptions
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

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from bulk_esm.bulk import BulkEsm
    from bulk_esm.runs.planning import PlanContext, RunPlan


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
    fleet: RunFleetOptions = RunFleetOptions(),
    aws: AwsOptions = AwsOptions(),
    runs: RunsOptions = RunsOptions(),
    output: OutputOptions = OutputOptions(),
) -> int:
    """Put back what a run changed, as it was in that run's plan: a run like any other, which can itself be put back.

    Example: bulk-esm rollback last --dry-run
    """
    from bulk_esm.cli.change import change
    from bulk_esm.cli.job import Job
    from bulk_esm.cli.opening import with_bulk
    from bulk_esm.cli.places import place_for
    from bulk_esm.cli.set_up import set_up_logs
    from bulk_esm.store.finding import find_run

    set_up_logs(output)
    files = find_run(place_for(runs, aws), name, salvage=runs.salvage)
    record = files.record()
    fleet = fleet.of_run(record.run_id, has_shards=files.has_shards)
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

    def plan_of(bulk: BulkEsm, context: PlanContext) -> Awaitable[RunPlan]:
        return bulk.plan_rollback(files, force=force, context=context)

    return with_bulk(
        aws,
        fleet,
        lambda bulk: change(bulk, job, fleet, plan_of, after=[files]),
        runs_dir=place_for(runs, aws),
        files=files,
    )
