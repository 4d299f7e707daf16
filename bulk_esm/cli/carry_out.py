"""The one way in which plans are carried out: show, guard, ask, run."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

import anyio
import msgspec

from bulk_esm.api import connect
from bulk_esm.bulk import BulkEsm
from bulk_esm.cli.conduct import SingleConduct
from bulk_esm.cli.durations import format_duration
from bulk_esm.cli.guards import check_alarms, check_losses, check_size
from bulk_esm.cli.job import Job
from bulk_esm.cli.options import AwsOptions, OutputOptions
from bulk_esm.cli.output import Results, form_for, with_place
from bulk_esm.cli.running import ask, run_and_report
from bulk_esm.cli.streams import say
from bulk_esm.cli.summary import PLAN_COLUMNS, Pace, plan_row, plan_summary
from bulk_esm.engine.endings import Ending
from bulk_esm.errors import RefusedError
from bulk_esm.logs import log_to_stderr
from bulk_esm.model.budget import budget_line
from bulk_esm.model.plan import Action, Plan, PlanItem
from bulk_esm.model.ramp import ACCOUNT_CONCURRENCY, added_concurrency, ramp_lines
from bulk_esm.model.records import Intent
from bulk_esm.model.rollback import irreversible
from bulk_esm.model.waves import parse_waves, waves_of
from bulk_esm.store.lock import RunLock

QUOTA_PER_SECOND: Final = 15


class Planned(msgspec.Struct, frozen=True):
    """A plan, and how items end to which nothing is sent, by UUID."""

    plan: Plan
    known: Mapping[str, Ending] = {}


def set_up_logs(options: OutputOptions) -> None:
    """Show the log on stderr as the flags say."""
    log_to_stderr(options.log_level, as_json=options.log_format == "json")


def with_aws(options: AwsOptions, work: Callable[[BulkEsm], Awaitable[int]]) -> int:
    """Do something with a connection, and warn of a rate that no account has.

    Args:
        options: how to reach AWS.
        work: what to do; it returns the exit code.

    Raises:
        BulkEsmError: whatever ends the command.
    """

    async def main() -> int:
        async with connect(
            region=options.region,
            profile=options.profile,
            endpoint_url=options.endpoint_url,
            max_per_second=options.rate,
            concurrency=options.concurrency,
            timeout_s=options.timeout,
        ) as bulk:
            if options.rate > QUOTA_PER_SECOND and bulk.control_plane.is_aws:
                say(f"warning: --rate {options.rate:g} is above the {QUOTA_PER_SECOND} requests/s that Lambda gives")
            return await work(bulk)

    return anyio.run(main)


def show_items(items: Iterable[PlanItem], output: OutputOptions, *, of_fleet: bool = False) -> None:
    """Show a plan's lines on stdout."""
    columns, row_of = with_place(PLAN_COLUMNS, plan_row) if of_fleet else (PLAN_COLUMNS, plan_row)
    results = Results(form_for(output.output), columns, row_of)
    results.add_all(items)
    results.finish()


async def carry_out(bulk: BulkEsm, planned: Planned, job: Job, lock: RunLock | None) -> int:
    """Show a plan, guard, ask, carry it out and sum up.

    Args:
        bulk: the account and Region.
        planned: what to do.
        job: how.
        lock: what keeps other runs away, to be told the run.

    Returns:
        The exit code.

    Raises:
        RefusedError: mappings are blocked, or a guard refuses.
        BulkEsmError: whatever ends the run.
    """
    plan = planned.plan
    if job.run.dry_run:
        show_items(plan.items, job.output)
    to_update = [item for item in plan.updates if item.uuid not in planned.known]
    pace = Pace.of(len(to_update), bulk.control_plane.pacer.max_per_second)
    for line in plan_summary(plan.items, pace=pace, left_alone=planned.known):
        say(line, quiet=job.output.quiet)
    waves = waves_of(plan.updates, parse_waves(job.waves.waves), as_given=job.as_given) if job.waves.waves else []
    for line in how_it_goes(lambda: plan.items, job, waves=[len(wave) for wave in waves], updates=len(to_update)):
        say(line, quiet=job.output.quiet)
    if planned.known:
        tell_of_conflicts(planned.known)
    check_size(job, updates=len(plan.updates), seen=max(bulk.control_plane.census.total, len(plan.items)))
    check_losses(plan.items, job)
    if job.run.dry_run:
        return 0
    refuse_blocked(job, plan.count(Action.BLOCKED), len(plan.items))
    await check_alarms(bulk, job.waves.alarm)
    if to_update and not job.run.yes and not await consents(bulk, plan.account_id, len(to_update)):
        say("nothing was changed")
        return 0
    intent = Intent(
        command=job.command,
        argv=tuple(sys.argv[1:]),
        rollout=job.rollout(updates=len(to_update)),
        undoes=job.undoes,
    )
    run = bulk.prepare(
        plan,
        runs_dir=job.runs.runs_dir,
        intent=intent,
        skip_blocked=job.run.skip_blocked,
        known=planned.known,
        deadline=job.deadline,
    )
    if lock:
        lock.tell(str(run.folder.path.absolute()))
    return await run_and_report(SingleConduct(bulk, run), job.output)


def refuse_blocked(job: Job, blocked: int, items: int) -> None:
    """Refuse a plan in which mappings are blocked, unless they are to be skipped.

    Raises:
        RefusedError: some are.
    """
    if blocked and not job.run.skip_blocked:
        narrower = "" if job.undoes else "narrow the selection, or "
        raise RefusedError(
            f"{blocked:,} of {items:,} mappings are blocked, so nothing was sent; "
            f"{narrower}carry out the rest with --skip-blocked"
        )


def how_it_goes(
    items: Callable[[], Iterable[PlanItem]], job: Job, *, waves: Sequence[int], updates: int
) -> Iterator[str]:
    """Waves, budget and what there is to know before one says yes.

    Args:
        items: reads the plan's, as often as it is called.
        job: what was asked.
        waves: how many updates each wave has; none where there are no waves.
        updates: how many there are in all.
    """
    if waves:
        sizes = " + ".join(f"{size:,}" for size in waves)
        soaks_s = job.waves.soak * (len(waves) - 1)
        soak = f", with a soak of {format_duration(job.waves.soak)} between them" if soaks_s else ""
        yield f"in {len(waves)} waves: {sizes}{soak}"
        asked = [*(f"alarm {name}" for name in job.waves.alarm), *(f"gate {command!r}" for command in job.waves.gate)]
        asked += ["you"] if job.waves.confirm_waves else []
        if asked:
            yield f"asked between waves: {', '.join(asked)}"
    if job.ramp_s:
        yield f"spread over {format_duration(job.ramp_s)}"
    if job.waves.on_halt == "rollback":
        yield "what it changed is put back if it halts"
    if updates:
        yield budget_line(job.most_failures(updates=updates))
    if deadline := job.deadline:
        yield f"deadline: {deadline:%Y-%m-%d %H:%M:%S} UTC"
    lasting = irreversible(items())
    for item, problems in lasting[:3]:
        yield f"warning: {item.uuid}: {'; '.join(problems)}"
    if len(lasting) > 3:  # noqa: PLR2004 - as many as are shown
        yield f"warning: and {len(lasting) - 3:,} more that no rollback can put back wholly"
    added = added_concurrency(items())
    if added:
        yield f"concurrent invocations that resuming adds (an account has {ACCOUNT_CONCURRENCY:,} by default):"
        yield from ramp_lines(added)


def tell_of_conflicts(known: Mapping[str, Ending]) -> None:
    """Say what is left alone, as someone changed it since."""
    say(f"{len(known):,} were changed or deleted by someone since: each is left alone, as a conflict")
    for uuid, ending in list(known.items())[:3]:
        say(f"  {uuid}: {ending.error.message if ending.error else ending.outcome}")


async def consents(bulk: BulkEsm, account_id: str | None, updates: int) -> bool:
    """Ask whether to go on in one account and Region."""
    return await ask(f"Update {updates:,} mappings in account {account_id}, {bulk.region}{_elsewhere(bulk)}?")


def _elsewhere(bulk: BulkEsm) -> str:
    return "" if bulk.control_plane.is_aws else f", at {bulk.control_plane.endpoint_url}"
