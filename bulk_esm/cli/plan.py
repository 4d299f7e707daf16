"""`bulk-esm plan`: what would change; changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from bulk_esm.cli.fleet_options import FleetOptions
from bulk_esm.cli.options import AwsOptions, ChangeOptions, OutputOptions, SelectOptions
from bulk_esm.errors import RunFolderError, UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from bulk_esm.bulk import BulkEsm
    from bulk_esm.runs.planning import PlanContext, RunPlan

_CHANGES = 2


def plan_command(
    *,
    select: SelectOptions = SelectOptions(),
    change: ChangeOptions = ChangeOptions(),
    save: Annotated[Path | None, Parameter(help="FILE to write the plan to, for `bulk-esm apply --plan`.")] = None,
    detailed_exitcode: Annotated[
        bool, Parameter(help="Exit with 0 for no change, 2 for changes, and 1 for any error.")
    ] = False,
    fleet: FleetOptions = FleetOptions(),
    aws: AwsOptions = AwsOptions(),
    output: OutputOptions = OutputOptions(),
) -> int:
    """Show what a change would do: a line for each selected mapping, and the requests that it takes.

    Example: bulk-esm plan --source-type kinesis --set ParallelizationFactor=4 --save plan.jsonl
    """
    from bulk_esm.cli.change import planned, show_items, show_summary
    from bulk_esm.cli.exit_codes import exit_code
    from bulk_esm.cli.inputs import read_change, read_selection, reads_stdin, require_selection
    from bulk_esm.cli.opening import with_bulk
    from bulk_esm.cli.set_up import set_up_logs
    from bulk_esm.cli.streams import say
    from bulk_esm.model.change import Change
    from bulk_esm.model.records import Intent
    from bulk_esm.shards.order import parse_shard_order

    set_up_logs(output)
    reads_stdin(select, change.requests)
    wanted = read_change(change)
    selection = read_selection(select, None if isinstance(wanted, Change) else wanted)
    require_selection(selection)
    if save and not save.parent.is_dir():
        raise UsageError(f"--save {save}: there is no folder {save.parent}; make it first")
    fleet = fleet.checked(aws)

    async def work(bulk: BulkEsm) -> int:
        groups = parse_shard_order(fleet.shard_order, bulk.shards)
        irreversible = change.allow_irreversible

        def plan_of(these: BulkEsm, context: PlanContext) -> Awaitable[RunPlan]:
            return these.plan(selection, wanted, allow_irreversible=irreversible, context=context)

        plan = await planned(bulk.looking_only(), plan_of, Intent(command="plan"), output)
        if save:
            _save(plan, save)
        show_items(plan, output, with_places=bulk.fleet.is_named)
        show_summary(bulk, plan, groups, quiet=output.quiet)
        if save:
            same = " with the same fleet flags" if bulk.fleet.is_named else ""
            lines = sum(entry.items for entry in plan.entries)
            what = f"{lines:,} mappings, {plan.updates:,} of them to update"
            say(f"saved in {save}: {what}; to look at it: bulk-esm show {save}", quiet=output.quiet)
            say(f"carry it out with bulk-esm apply --plan {save}{same}", quiet=output.quiet)
        code = exit_code(None, [entry.problem for entry in plan.entries])
        return _detailed(plan, code) if detailed_exitcode else code

    return with_bulk(aws, fleet, work)


def _detailed(plan: RunPlan, code: int) -> int:
    """As Terraform has it. What can only be blocked is no change, nor is all as asked: that is an error."""
    from bulk_esm.model.plan import Action

    if code:
        return 1
    if plan.updates:
        return _CHANGES
    return 1 if plan.count(Action.BLOCKED) or plan.nowhere else 0


def _save(plan: RunPlan, path: Path) -> None:
    from bulk_esm.store.saved_plan import save_plan

    try:
        save_plan(path, plan.items())
    except OSError as error:
        raise RunFolderError(f"--save {path}: {error.strerror}") from error
