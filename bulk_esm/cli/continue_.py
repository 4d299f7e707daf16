"""`bulk-esm continue RUN`: finish an interrupted run."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from cyclopts import Parameter

from bulk_esm.bulk import BulkEsm
from bulk_esm.cli.carry_out import consents, set_up_logs, with_aws
from bulk_esm.cli.conduct import SingleConduct, exit_code
from bulk_esm.cli.fleet_commands import continue_fleet
from bulk_esm.cli.fleet_options import FleetOptions
from bulk_esm.cli.fleet_work import with_fleet
from bulk_esm.cli.guards import check_account, check_alarms, one_run_at_a_time
from bulk_esm.cli.inputs import require_region
from bulk_esm.cli.job import (
    deadline_of,
    refuse_no_account,
    refuse_waves_without_terminal,
    refuse_without_terminal,
)
from bulk_esm.cli.options import RUN, AwsOptions, GuardOptions, OutputOptions, RunName, RunOptions, RunsOptions
from bulk_esm.cli.plan import tell_of_transition
from bulk_esm.cli.running import run_and_report
from bulk_esm.cli.streams import say
from bulk_esm.engine.continuing import Continuation
from bulk_esm.errors import RefusedError, RunFolderError, UsageError
from bulk_esm.model.records import RunRecord, RunStatus
from bulk_esm.model.result import Outcome
from bulk_esm.store.finding import find_run, run_folders
from bulk_esm.store.fleet_folder import FleetFolder
from bulk_esm.store.folder import RunFolder


def continue_command(
    name: RunName,
    /,
    *,
    yes: Annotated[bool, Parameter(group=RUN, help="Do not ask.")] = False,
    dry_run: Annotated[bool, Parameter(group=RUN, help="Look at what is left, and change nothing.")] = False,
    guards: GuardOptions = GuardOptions(),
    fleet: FleetOptions = FleetOptions(),
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
    _refuse_what_makes_no_sense(folder, record, guards, yes=yes, dry_run=dry_run)
    if FleetFolder.is_one(folder.path):
        there = FleetFolder(folder.path)
        fleet.check(aws, of_run=True)
        fleet.refuse_groups()
        return with_fleet(
            fleet,
            aws,
            lambda at_work: continue_fleet(
                at_work, there, guards=guards, deadline=deadline, output=output, yes=yes, dry_run=dry_run
            ),
            folder=there,
        )
    if (there_too := FleetFolder.of(folder.path)) is not None:
        raise UsageError(f"that is one shard of a run; continue the whole of it: bulk-esm continue {there_too.path}")
    fleet.refuse(record.run_id)

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
            if found.to_send and not yes and not await consents(bulk, record.account_id, found.to_send):
                say("nothing was changed")
                return 0
            return await run_and_report(SingleConduct(bulk, found.begin()), output)

    return with_aws(replace(aws, region=aws.region or record.region), work)


def _refuse_what_makes_no_sense(
    folder: RunFolder, record: RunRecord, guards: GuardOptions, *, yes: bool, dry_run: bool
) -> None:
    refuse_no_account(guards)
    if guards.max_targets is not None:
        raise UsageError("--max-targets: a run that is continued has its targets; leave it out")
    _refuse_if_put_back(folder, record)
    if not dry_run:
        refuse_without_terminal(RunOptions(yes=yes))
        if record.rollout.confirm_waves:
            refuse_waves_without_terminal()


def _restless(count: int) -> str:
    return f", {count:,} have not come to rest" if count else ""


def _refuse_if_put_back(folder: RunFolder, record: RunRecord) -> None:
    """Refuse a run that another one beside it has put back since: that would stay so, and be called updated.

    Raises:
        RefusedError: one has.
    """
    for other in run_folders(folder.path.parent):
        try:
            found = other.record()
        except RunFolderError:
            continue  # another run's files are not what this is about
        since = found.started_at >= (record.continued_at or record.started_at)
        if found.undoes == record.run_id and since and found.counts.get(Outcome.UPDATED):
            raise RefusedError(f"{record.run_id} was put back by {found.run_id} since: plan the change anew")


def _summary(found: Continuation) -> list[str]:
    applied = sum(ending.outcome is Outcome.UPDATED for ending in found.known.values())
    conflicts = sum(ending.outcome is Outcome.CONFLICT for ending in found.known.values())
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
            f"{conflicts:,} were changed by someone since{_restless(len(found.known) - applied - conflicts)}"
        )
    return lines
