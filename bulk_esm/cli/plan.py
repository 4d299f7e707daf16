"""`bulk-esm plan`: what would change; changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bulk_esm.bulk import BulkEsm
from bulk_esm.cli.carry_out import set_up_logs, show_items, with_aws
from bulk_esm.cli.fleet_commands import plan_fleet
from bulk_esm.cli.fleet_options import FleetOptions
from bulk_esm.cli.fleet_work import AtWork, with_fleet
from bulk_esm.cli.inputs import read_change, read_selection, reads_stdin, require_selection
from bulk_esm.cli.options import AwsOptions, ChangeOptions, OutputOptions, SelectOptions
from bulk_esm.cli.streams import say
from bulk_esm.cli.summary import Pace, plan_summary
from bulk_esm.errors import RunFolderError, UsageError
from bulk_esm.executors.tasks import PlanChange
from bulk_esm.model.change import Change
from bulk_esm.model.plan import Action
from bulk_esm.store.jsonl import write_durably

_CHANGES = 2


def plan_command(
    *,
    select: SelectOptions = SelectOptions(),
    change: ChangeOptions = ChangeOptions(),
    save: Annotated[Path | None, Parameter(help="FILE to write the plan to, for `bulk-esm apply --plan`.")] = None,
    detailed_exitcode: Annotated[bool, Parameter(help="Exit with 0 for no change and 2 for changes.")] = False,
    fleet: FleetOptions = FleetOptions(),
    aws: AwsOptions = AwsOptions(),
    output: OutputOptions = OutputOptions(),
) -> int:
    """Show what a change would do: a line for each selected mapping, and the requests that it takes.

    Example: bulk-esm plan --source-type kinesis --set ParallelizationFactor=4 --save plan.jsonl
    """
    set_up_logs(output)
    reads_stdin(select, change.requests)
    wanted = read_change(change)
    selection = read_selection(select, None if isinstance(wanted, Change) else wanted)
    require_selection(selection)
    if save and not save.parent.is_dir():
        raise UsageError(f"--save {save}: there is no folder {save.parent}; make it first")
    fleet.check(aws)
    if fleet.is_given:
        task = PlanChange.of(selection, wanted, allow_irreversible=change.allow_irreversible)

        async def in_fleet(at_work: AtWork) -> int:
            code, changes = await plan_fleet(at_work, lambda _: task, output, save=save)
            return code or (_CHANGES if detailed_exitcode and changes else 0)

        return with_fleet(fleet, aws, in_fleet)

    async def work(bulk: BulkEsm) -> int:
        plan = await bulk.plan(
            selection, wanted, allow_irreversible=change.allow_irreversible, waiting=tell_of_transition
        )
        if save:
            try:
                write_durably(save, plan.items)
            except OSError as error:
                raise RunFolderError(f"--save {save}: {error.strerror}") from error
        show_items(plan.items, output)
        for line in plan_summary(plan.items, pace=Pace.of(len(plan.updates), aws.rate)):
            say(line, quiet=output.quiet)
        if save:
            say(f"saved: carry it out with bulk-esm apply --plan {save}", quiet=output.quiet)
        return _CHANGES if detailed_exitcode and plan.count(Action.UPDATE) else 0

    return with_aws(aws, work)


def tell_of_transition(count: int) -> None:
    """Say why a plan takes its time."""
    say(f"waiting for {count:,} mappings in transition, up to --timeout: only at rest do they tell what they have")
