"""`bulk-esm continue RUN`: finish an interrupted run."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from bulk_esm.cli.configured import as_recorded, is_configured, own_unless_typed, typed
from bulk_esm.cli.fleet_options import RunFleetOptions
from bulk_esm.cli.options import (
    ROLLOUT,
    RUN,
    AwsOptions,
    GuardOptions,
    OutputOptions,
    ReportFile,
    RunName,
    RunOptions,
    RunsOptions,
)
from bulk_esm.cli.streams import say
from bulk_esm.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from bulk_esm.bulk import BulkEsm
    from bulk_esm.cli.hours import Hours
    from bulk_esm.model.amounts import Amount
    from bulk_esm.model.records import RunRecord
    from bulk_esm.runs.continuing import RunRest
    from bulk_esm.store.place import RunsPlace
    from bulk_esm.store.run_files import RunFiles


def continue_command(
    name: RunName,
    /,
    *,
    yes: Annotated[bool, Parameter(alias="-y", group=RUN, help="Do not ask.")] = False,
    dry_run: Annotated[bool, Parameter(group=RUN, help="Look at what is left, and change nothing.")] = False,
    max_failures: Annotated[
        str | None,
        Parameter(group=ROLLOUT, help="How many may fail in all of the run, instead of what it said: 10 or 2%."),
    ] = None,
    report: Annotated[ReportFile, Parameter(group=RUN)] = None,
    guards: GuardOptions = GuardOptions(),
    fleet: RunFleetOptions = RunFleetOptions(),
    aws: AwsOptions = AwsOptions(),
    runs: RunsOptions = RunsOptions(),
    output: OutputOptions = OutputOptions(),
) -> int:
    """Finish a run that was interrupted, halted or killed. What it had applied by then is found, and not sent again.

    Waves, gates and budget are those of the run, and what failed before counts. What failed or was changed by someone
    else has its result already, and keeps it.

    Example: bulk-esm continue last
    """
    from bulk_esm.cli.asking import require_consent
    from bulk_esm.cli.change import outwait, tell_of_transition
    from bulk_esm.cli.damages import tell_of_damages
    from bulk_esm.cli.exit_codes import exit_code
    from bulk_esm.cli.guards import check_account
    from bulk_esm.cli.hours import Hours
    from bulk_esm.cli.looking import looking
    from bulk_esm.cli.opening import locked, with_bulk
    from bulk_esm.cli.places import place_for
    from bulk_esm.cli.running import run_and_report
    from bulk_esm.cli.set_up import set_up_logs
    from bulk_esm.model.records import RunStatus
    from bulk_esm.runs.locking import HeldLocks
    from bulk_esm.store.finding import find_run

    set_up_logs(output)
    place = place_for(runs, aws)
    files = find_run(place, name, salvage=runs.salvage)
    record = files.record()
    window = own_unless_typed("--window", guards.window, record.rollout.window)
    hours = Hours.read(guards.deadline, window, calendars=record.rollout.calendars)
    budget = _budget(max_failures)
    _refuse_what_makes_no_sense(place, files, guards, RunOptions(yes=yes, dry_run=dry_run, report=report))
    asks_for_cluster = fleet.executor is not None or fleet.scheduler is not None
    fleet = _fleet_of(files, record, fleet)

    pace = aws.with_pace_of(record.rollout)
    tell_of_looks = partial(_tell_of_looks, pace.reach.max_per_second)

    async def work(bulk: BulkEsm) -> int:
        await check_account(bulk, guards)
        await (Hours() if dry_run else hours).wait(bulk.fleet.clock)
        there = bulk.among((*bulk.shards, *files.unplanned()))
        async with nullcontext() if dry_run else locked(there, "continue", guards, taken_up=[files]):
            bulk.locks.tell(HeldLocks(), files.path)
            if not dry_run:
                await outwait(bulk, [files])
            async with looking(bulk, quiet=output.quiet):
                rest = await bulk.plan_rest(files, waiting=tell_of_transition, looking=tell_of_looks)
            tell_of_damages([files])
            problems = [rest.problems.get(entry.shard.name, entry.problem) for entry in rest.late.entries]
            _tell(rest, files, quiet=output.quiet, yes=yes)
            is_over = not rest.left and record.status is RunStatus.FINISHED
            until = hours if is_over else await _with_calendars(bulk, hours, record, output, dry_run=dry_run)
            if dry_run:
                return exit_code(None, problems)
            if is_over:
                return exit_code(record, problems)
            most_failures = None if budget is None else budget.of(rest.updates)
            rest.rollout(most_failures)  # refused before one is asked
            await _check_gates(bulk, files, rest, until)
            if rest.to_send and not yes:
                await require_consent(_question(bulk, record, rest), updates=rest.to_send, accounts=rest.accounts_left)
            run = rest.begin(
                deadline=until.ends_at,
                most_failures=most_failures,
                window=window,
                executor=fleet.executor,
                scheduler=fleet.scheduler,
                argv=tuple(sys.argv[1:]),
                configured=as_recorded(),
            )
            return await run_and_report(bulk, run, output, grace_s=guards.grace, report=report)

    # A cluster that is gone is a reason to continue a run.
    return with_bulk(pace, fleet, work, runs_dir=place, files=files, may_do_without_cluster=not asks_for_cluster)


def _tell(rest: RunRest, files: RunFiles, *, quiet: bool, yes: bool) -> None:
    """Say what is left, and what will be run here."""
    from bulk_esm.cli.shards_text import shard_problem_lines

    for line in (*_summary(rest, files), *shard_problem_lines(rest.late.entries)):
        say(line, quiet=quiet)
    for gate in rest.record.rollout.gates:  # of a folder, not of this command line
        say(f"gate: {gate!r} will be run here", quiet=quiet and yes)


async def _with_calendars(
    bulk: BulkEsm, hours: Hours, record: RunRecord, output: OutputOptions, *, dry_run: bool
) -> Hours:
    """When it may work, by the run's calendars too, which are shown."""
    from bulk_esm.cli.guards import look_at_calendars

    states = await look_at_calendars(bulk, record.rollout.calendars, dry_run=dry_run)
    hours = hours.with_calendars(states)
    for line in hours.lines if states else ():
        say(line, quiet=output.quiet)
    return hours


async def _check_gates(bulk: BulkEsm, files: RunFiles, rest: RunRest, hours: Hours) -> None:
    from bulk_esm.cli.guards import check_gates, check_watches
    from bulk_esm.model.watching import Watch
    from bulk_esm.runs.watched import Watched

    await check_gates(bulk, rest.record.rollout, shards=rest.busy, calendars=hours.calendars)
    if watches := tuple(map(Watch.parse, rest.record.rollout.watch)):
        items = (item for shard in files.planned() for item in files.shard(shard).plan().items)
        await check_watches(bulk.of_run(files), Watched(watches, ((item, 1) for item in items)))


def _fleet_of(files: RunFiles, record: RunRecord, fleet: RunFleetOptions) -> RunFleetOptions:
    """Who does the work, as the run says where nothing else was given."""
    fleet = fleet.of_run(record.run_id, has_shards=files.has_shards).continued()
    return fleet.with_work_of(record) if files.has_shards else fleet


def _budget(max_failures: str | None) -> Amount | None:
    """How many may fail instead of what the run said: as typed; what is configured is for runs that begin."""
    from bulk_esm.model.amounts import Amount

    if max_failures is None or is_configured("--max-failures"):
        return None
    return Amount.parse(max_failures, "--max-failures")


def _refuse_what_makes_no_sense(place: RunsPlace, files: RunFiles, guards: GuardOptions, run: RunOptions) -> None:
    from bulk_esm.cli.job import (
        refuse_gates,
        refuse_no_account,
        refuse_watches,
        refuse_waves_without_terminal,
        refuse_without_terminal,
    )
    from bulk_esm.cli.reporting import check_report
    from bulk_esm.cli.run_text import run_argument
    from bulk_esm.runs.continuing import put_back_since
    from bulk_esm.store.finding import readable_runs

    if files.only is not None:
        whole = f"bulk-esm continue {run_argument(files)}"
        raise UsageError(f"that is one shard of a run; continue the whole of it: {whole}")
    refuse_no_account(guards)
    targets = {"--max-targets": guards.max_targets is not None, "--min-targets": guards.min_targets is not None}
    for flag, given in typed(targets).items():
        if given:
            raise UsageError(f"{flag}: a run that is continued has its targets; leave it out")
    record = files.record()
    kept_in = place if files.replica is not None else files.path.absolute().parent
    since = datetime.fromisoformat(record.started_at)
    beside = [other for _, other in readable_runs(kept_in, since=since)]
    if (other := put_back_since(record, beside)) is not None:
        raise RefusedError(f"{record.run_id} was put back by {other.run_id} since: plan the change anew")
    refuse_gates(record.rollout.gates)
    refuse_watches(record.rollout.watch)
    check_report(run.report)
    if not run.dry_run:
        refuse_without_terminal(run)
        if record.rollout.confirm_waves:
            refuse_waves_without_terminal()


def _tell_of_looks(max_per_second: float, count: int) -> None:
    from bulk_esm.cli.durations import format_duration

    took = format_duration(count / max_per_second)
    say(
        f"to {count:,} mappings something may have been sent, by this run or another of late: each is looked at with "
        f"Get, as List lags: about {took}"
    )


def _summary(rest: RunRest, files: RunFiles) -> list[str]:
    from bulk_esm.cli.durations import format_duration
    from bulk_esm.cli.shards_text import shards_text
    from bulk_esm.model.records import RunStatus
    from bulk_esm.model.result import Outcome

    where = f" in {shards_text(rest.shards_left)}" if files.has_shards else ""
    lines = [
        f"{rest.record.run_id}: {rest.ended:,} of {rest.total:,} mappings have ended, {rest.left:,} are left{where}"
    ]
    if rest.left:
        restless = rest.count(Outcome.TIMED_OUT)
        lines.append(
            f"of these {rest.count(Outcome.UPDATED):,} were applied before the end came, {rest.to_send:,} are to be "
            f"sent, {rest.count(Outcome.CONFLICT):,} were changed by someone since"
            + (f", {restless:,} have not come to rest" if restless else "")
        )
    if rest.record.rollout.bake_s and (rest.left or rest.record.status is not RunStatus.FINISHED):
        lines.append(f"its bake of {format_duration(rest.record.rollout.bake_s)} begins anew when all is done")
    if rest.left and rest.record.rollout.watch:
        lines.append(f"watched: {', '.join(rest.record.rollout.watch)}")
    if rest.accepted_sometime:
        lines.append(
            f"when {rest.accepted_sometime:,} of the applied were accepted was not recorded before the end came: "
            "accepted_at is null"
        )
    if rest.late.ends:
        items = sum(len(plan.items) for _, plan in rest.late.plans())
        shards = shards_text(len(rest.late.ends))
        lines.append(
            f"planned only now, as they could not be reached before: {shards} with {items:,} of these mappings"
        )
    for name, problem in rest.problems.items():
        lines.append(f"{name} could not be looked at: {problem.reason}")
    return lines


def _question(bulk: BulkEsm, record: RunRecord, rest: RunRest) -> str:
    from bulk_esm.cli.shards_text import shards_text

    home = bulk.home.control_plane
    elsewhere = "" if home.is_aws else f", at {home.endpoint_url}"
    if not bulk.fleet.is_named:
        return f"Update {rest.to_send:,} mappings in account {record.account_id}, {record.region}{elsewhere}?"
    return f"Update {rest.to_send:,} mappings in {shards_text(rest.shards_left)}{elsewhere}?"
