"""`bulk-esm pause`: disable mappings."""

from __future__ import annotations

from bulk_esm.api import BulkEsm
from bulk_esm.cli.carry_out import Planned, carry_out, refuse_before_sending, set_up_logs, with_aws
from bulk_esm.cli.inputs import read_selection, reads_stdin, require_selection
from bulk_esm.cli.options import AwsOptions, OutputOptions, RunOptions, RunsOptions, SelectOptions
from bulk_esm.cli.plan import tell_of_transition
from bulk_esm.model.change import Change


def pause_command(
    *,
    select: SelectOptions = SelectOptions(),
    run: RunOptions = RunOptions(),
    aws: AwsOptions = AwsOptions(),
    runs: RunsOptions = RunsOptions(),
    output: OutputOptions = OutputOptions(),
) -> int:
    """Disable mappings. What was disabled before is left alone, then and by `bulk-esm resume --run`.

    Example: bulk-esm pause --function 'orders-*'
    """
    set_up_logs(output)
    stdin_is_data = reads_stdin(select)
    selection = read_selection(select)
    require_selection(selection)
    refuse_before_sending(run, runs, stdin_is_data=stdin_is_data)

    async def work(bulk: BulkEsm) -> int:
        plan = await bulk.plan(selection, Change({"Enabled": False}), waiting=tell_of_transition)
        return await carry_out(bulk, Planned(plan), command="pause", run_options=run, runs=runs, output=output)

    return with_aws(aws, work)
