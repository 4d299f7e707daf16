"""`bulk-esm continue RUN`: finish an interrupted run."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from cyclopts import Parameter

from bulk_esm.bulk import BulkEsm
from bulk_esm.cli.carry_out import set_up_logs, with_aws
from bulk_esm.cli.guards import check_account, check_alarms, one_run_at_a_time
from bulk_esm.cli.inputs import require_region
from bulk_esm.cli.job import deadline_of, refuse_without_terminal
from bulk_esm.cli.options import RUN, AwsOptions, GuardOptions, OutputOptions, RunName, RunOptions, RunsOptions
from bulk_esm.cli.plan import tell_of_transition
from bulk_esm.cli.running import ask, exit_code, run_and_report
from bulk_esm.cli.streams import say
from bulk_esm.engine.continuing import Continuation
from bulk_esm.errors import UsageError
from bulk_esm.model.result import Outcome
from bulk_esm.runs.record import RunStatus
from bulk_esm.runs.store import find_run


def continue_command(
    name: RunName,
    /,
    *,
    yes: Annotated[bool, Parameter(group=RUN, help="Do not ask.")] = False,
    dry_run: Annotated[bool, Parameter(group=RUN, help="Look at what is left, and change nothing.")] = False,
    guards: GuardOptions = GuardOptions(),
    aws: AwsOptions = AwsOptions(),
    runs: RunsOptions = RunsOptions(),
    output: OutputOptions = OutputOptions(),
) -> int:
    """Finish a run that was interrupted, halted or killed. What it had applied by then is found, and not sent again.

    Waves, gates and budget are those of the run; failures are counted anew. What failed or was changed by someone else
    has its result already, and keeps it.

    Example: bulk-esm continue last
    """
    set_up_logs(output)
    folder = find_run(runs.runs_dir, name)
    record = folder.record()
    deadline = deadline_of(guards)
    if guards.max_targets is not None:
        raise UsageError("--max-targets: a run that is continued has its targets; leave it out")
    if not dry_run:
        refuse_without_terminal(RunOptions(yes=yes))

    async def work(bulk: BulkEsm) -> int:
        require_region(bulk, record)
        await check_account(bulk, guards)
        with one_run_at_a_time(bulk, record.account_id, "continue", guards) as lock:
            if lock:
                lock.tell(str(folder.path.absolute()))
            found = await bulk.reopen(folder, deadline=deadline, waiting=tell_of_transition)
            for line in _summary(found):
                say(line, quiet=output.quiet)
            if dry_run:
                return 0
            if not found.left.items and record.status is RunStatus.FINISHED:
                return exit_code(record)
            await check_alarms(bulk, record.rollout.alarms)
            if found.to_send and not yes and not await ask(f"Update {found.to_send:,} mappings in {bulk.region}?"):
                say("nothing was changed")
                return 0
            return await run_and_report(bulk, found.begin(), output)

    return with_aws(replace(aws, region=aws.region or record.region), work)


def _summary(found: Continuation) -> list[str]:
    applied = sum(ending.outcome is Outcome.UPDATED for ending in found.known.values())
    total = len(found.left.items) + len(found.left.kept)
    lines = [
        (
            f"{found.record.run_id}: {len(found.left.kept):,} of {total:,} mappings have ended, "
            f"{len(found.left.items):,} are left"
        )
    ]
    if found.left.items:
        lines.append(
            f"of these {applied:,} were applied before the end came, {found.to_send:,} are to be sent, "
            f"{len(found.known) - applied:,} were changed by someone since"
        )
    return lines
