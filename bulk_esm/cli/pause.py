"""`bulk-esm pause`: disable mappings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from bulk_esm.cli.fleet_options import FleetOptions
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
from bulk_esm.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from bulk_esm.bulk import BulkEsm
    from bulk_esm.runs.planning import PlanContext, RunPlan


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
    skip_data_loss: Annotated[
        bool, Parameter(group=RUN, help="Leave out those that lose data within --for, and pause the rest.")
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
    from bulk_esm.cli.change import change
    from bulk_esm.cli.inputs import read_selection, reads_stdin, require_selection
    from bulk_esm.cli.job import Job
    from bulk_esm.cli.opening import with_bulk
    from bulk_esm.cli.places import place_for
    from bulk_esm.cli.set_up import set_up_logs
    from bulk_esm.model.change import Change

    set_up_logs(output)
    stdin_is_data = reads_stdin(select)
    selection = read_selection(select)
    require_selection(selection)
    for flag, given in (("--accept-data-loss", accept_data_loss), ("--skip-data-loss", skip_data_loss)):
        if given and not for_:
            raise UsageError(f"{flag} says that --for may be too long; say how long: --for 4h")
    if accept_data_loss and skip_data_loss:
        raise UsageError("--accept-data-loss pauses what --skip-data-loss leaves out; give one of them")
    fleet = fleet.checked(aws)
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

    def plan_of(bulk: BulkEsm, context: PlanContext) -> Awaitable[RunPlan]:
        skips_s = for_ if skip_data_loss else 0.0
        return bulk.plan(selection, Change({"Enabled": False}), skips_losses_within_s=skips_s, context=context)

    return with_bulk(aws, fleet, lambda bulk: change(bulk, job, fleet, plan_of), runs_dir=place_for(runs, aws))
