"""`bulk-esm pause`: disable mappings."""

from __future__ import annotations

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
    RUN,
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
from bulk_esm.errors import UsageError
from bulk_esm.executors.tasks import PlanChange
from bulk_esm.model.change import Change


def pause_command(
    *,
    select: SelectOptions = SelectOptions(),
    for_: Annotated[
        Duration,
        Parameter(
            name="--for",
            group=RUN,
            show_default="not said",
            help="How long they will stay paused, such as 4h: refuses where data would be lost within that time.",
        ),
    ] = 0.0,
    accept_data_loss: Annotated[
        bool, Parameter(group=RUN, help="Pause those too that lose data within --for.")
    ] = False,
    run: RunOptions = RunOptions(),
    waves: WaveOptions = WaveOptions(),
    guards: GuardOptions = GuardOptions(),
    fleet: FleetOptions = FleetOptions(),
    aws: AwsOptions = AwsOptions(),
    runs: RunsOptions = RunsOptions(),
    output: OutputOptions = OutputOptions(),
) -> int:
    """Disable mappings. What was disabled before is left alone, then and by `bulk-esm resume --run`.

    Example: bulk-esm pause --function 'orders-*' --for 2h
    """
    set_up_logs(output)
    stdin_is_data = reads_stdin(select)
    selection = read_selection(select)
    require_selection(selection)
    if accept_data_loss and not for_:
        raise UsageError("--accept-data-loss says that --for may be too long; say how long: --for 4h")
    job = Job(
        command="pause",
        run=run,
        waves=waves,
        guards=guards,
        runs=runs,
        output=output,
        paused_s=for_,
        accept_data_loss=accept_data_loss,
        goes_in_groups=fleet.shard_order is not None,
    )
    job.check(stdin_is_data=stdin_is_data)
    fleet.check(aws)
    change = Change({"Enabled": False})
    if fleet.is_given:
        return with_fleet(
            fleet, aws, lambda at_work: change_fleet(at_work, job, lambda _: PlanChange.of(selection, change))
        )

    async def work(bulk: BulkEsm) -> int:
        async with guarded(bulk, job) as lock:
            plan = await bulk.plan(selection, change, waiting=tell_of_transition)
            return await carry_out(bulk, Planned(plan), job, lock)

    return with_aws(aws, work)
