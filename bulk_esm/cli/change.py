"""The one way in which mappings are changed: plan, show, guard, ask, carry out."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext

import anyio
import msgspec

from bulk_esm.bulk import BulkEsm
from bulk_esm.cli.asking import require_consent
from bulk_esm.cli.configured import as_recorded
from bulk_esm.cli.damages import tell_of_damages
from bulk_esm.cli.exit_codes import exit_code
from bulk_esm.cli.fleet_options import FleetOptions
from bulk_esm.cli.guards import (
    check_account,
    check_gates,
    check_losses,
    check_size,
    check_watches,
    look_at_calendars,
)
from bulk_esm.cli.hours import Hours
from bulk_esm.cli.job import Job
from bulk_esm.cli.looking import looking
from bulk_esm.cli.opening import locked
from bulk_esm.cli.options import OutputOptions
from bulk_esm.cli.output import Results, form_for, with_place
from bulk_esm.cli.planning_display import planning_progress
from bulk_esm.cli.running import run_and_report
from bulk_esm.cli.screen import Screen
from bulk_esm.cli.selection_text import unmatched_lines
from bulk_esm.cli.shards_text import groups_lines, shard_problem_lines, shards_text
from bulk_esm.cli.streams import say
from bulk_esm.cli.summary import PLAN_COLUMNS, how_it_goes, pace_of, plan_row, plan_summary
from bulk_esm.cli.watches import watch_lines
from bulk_esm.engine.endings import Ending
from bulk_esm.errors import RefusedError
from bulk_esm.executors.tasks import ShardEnd
from bulk_esm.model.plan import Action
from bulk_esm.model.records import Intent, RunStatus
from bulk_esm.model.shard import Shard
from bulk_esm.model.slices import slices_of
from bulk_esm.model.watching import Watch
from bulk_esm.model.waves import parse_waves
from bulk_esm.runs.planning import PlanContext, RunPlan
from bulk_esm.runs.watched import Watched
from bulk_esm.shards.order import parse_shard_order
from bulk_esm.store.run_files import RunFiles

_MOST_NAMED = 3
WORKERS_STOP_WITHIN_S = 25.0  # see `open_dask_executor`, and a while for what is on its way

PlanOf = Callable[[BulkEsm, PlanContext], Awaitable[RunPlan]]


async def change(
    bulk: BulkEsm,
    job: Job,
    fleet: FleetOptions,
    plan_of: PlanOf,
    *,
    after: Sequence[RunFiles] = (),
    look: Callable[[RunPlan], None] = lambda _: None,
) -> int:
    """Plan a change, show it, guard, ask, carry it out and sum up.

    Returns:
        The exit code.

    Raises:
        RefusedError: mappings are blocked, or a guard refuses.
        BulkEsmError: whatever ends the command.
    """
    await check_account(bulk, job.guards)
    # Before anything is sent: names that no shard has.
    groups = parse_shard_order(fleet.shard_order, bulk.shards)
    # A plan made while another run changes the fleet would be of what is no longer there.
    if not job.run.dry_run:
        await job.hours.wait(bulk.fleet.clock)
    holding = nullcontext() if job.run.dry_run else locked(bulk, job.command, job.guards, taken_up=after)
    async with holding:
        if job.run.dry_run:
            bulk = bulk.looking_only()
        else:
            await outwait(bulk, after)
        intent = Intent(
            command=job.command,
            argv=tuple(sys.argv[1:]),
            configured=as_recorded(),
            undoes=job.undoes,
            executor=fleet.executor or "local",
            scheduler=fleet.scheduler,
        )
        plan = await planned(bulk, plan_of, intent, job.output)
        tell_of_damages(after)
        code = exit_code(None, [entry.problem for entry in plan.entries])
        if not bulk.shards or len(plan.problems) == len(plan.entries):
            say("there is no shard in which something could be done", quiet=job.output.quiet)
            return code
        if job.undoes and not any(entry.items for entry in plan.entries):
            say(f"{job.undoes} changed nothing, so there is nothing to put back", quiet=job.output.quiet)
            check_size(job, updates=0, seen=plan.seen)
            return code
        look(plan)
        hours = job.hours.with_calendars(
            await look_at_calendars(bulk, job.waves.calendar, dry_run=job.run.dry_run),
        )
        _show(bulk, plan, job, groups, hours)
        watches = tuple(map(Watch.parse, job.waves.watch))
        watched = Watched(watches, ((item, 1) for item in (plan.items() if watches else ())))
        settings = job.rollout(updates=plan.updates)
        for line in watch_lines(watched, settings):
            say(line, quiet=job.output.quiet)
        _guard(plan, job, fleet)
        if job.run.dry_run:
            return code
        _refuse_blocked(plan, job)
        busy = [entry.shard for entry in plan.entries if entry.updates]
        await check_gates(bulk, settings, shards=busy, calendars=hours.calendars)
        if plan.updates:
            await check_watches(bulk, watched)
        if plan.updates and not job.run.yes:
            accounts = {entry.shard.account_id for entry in plan.entries if entry.updates}
            await require_consent(_question(bulk, plan), updates=plan.updates, accounts=len(accounts))
        run = bulk.prepare(
            plan,
            intent=msgspec.structs.replace(intent, rollout=settings),
            skip_blocked=True,
            groups=groups,
            most_failed_shards=fleet.max_failed_shards,
            deadline=hours.ends_at,
        )
        return await run_and_report(bulk, run, job.output, grace_s=job.guards.grace, report=job.run.report)


async def planned(bulk: BulkEsm, plan_of: PlanOf, intent: Intent, output: OutputOptions) -> RunPlan:
    """Plan all shards, and say which could not be.

    Raises:
        BulkEsmError: what kept the only shard from being planned.
    """
    async with _progress(bulk, intent, output) as context:
        plan = await plan_of(bulk, context)
    for line in shard_problem_lines(plan.entries):
        say(line)
    return plan


@asynccontextmanager
async def _progress(bulk: BulkEsm, intent: Intent, output: OutputOptions) -> AsyncIterator[PlanContext]:
    """How far the plans of many shards are, on a display; one alone says only why it takes its time."""
    total = len(bulk.fleet.shards) + len(bulk.fleet.failed)
    if not bulk.fleet.is_named:
        async with looking(bulk, quiet=output.quiet):
            yield PlanContext(intent=intent, waiting=tell_of_transition)
        return
    console = Screen(stderr=True, quiet=output.quiet)
    async with planning_progress(total, clock=time.monotonic, console=console) as progress:

        def told(shard: Shard, end: ShardEnd) -> None:
            items = end.plan.items if end.plan else ()
            progress.planned(shard.name, len(items), end.plan.count(Action.UPDATE) if end.plan else 0, end.problem)

        yield PlanContext(intent=intent, told=told, waiting=progress.waiting)


def tell_of_transition(shard: str, count: int) -> None:  # noqa: ARG001 - of the only shard
    """Say why a plan takes its time."""
    say(f"waiting for {count:,} mappings in transition, up to --timeout: only at rest do they tell what they have")


async def outwait(bulk: BulkEsm, after: Sequence[RunFiles]) -> None:
    """Wait until no worker of a killed run can be at work any more, and say how long what it sent is waited for."""
    for files in after:
        record = files.record()
        if record.status is RunStatus.RUNNING and record.executor == "dask":
            what = f"{record.run_id} was killed, and its Dask workers stop by themselves"
            say(f"{what}: waiting {WORKERS_STOP_WITHIN_S:g} s")
            await anyio.sleep(WORKERS_STOP_WITHIN_S)
        if (wait_s := bulk.seconds_to_wait(files)) >= 1:
            say(f"{record.run_id} did not end, and what it sent last may be on its way: waiting {wait_s:.0f} s")


def show_items(plan: RunPlan, output: OutputOptions, *, with_places: bool) -> None:
    """Show a plan's lines on stdout."""
    columns, row_of = with_place(PLAN_COLUMNS, plan_row) if with_places else (PLAN_COLUMNS, plan_row)
    results = Results(form_for(output.output), columns, row_of)
    results.add_all(plan.items())
    results.finish()


def show_summary(bulk: BulkEsm, plan: RunPlan, groups: Sequence[Sequence[Shard]], *, quiet: bool) -> None:
    """Say what a plan comes to."""
    if bulk.fleet.is_named:
        for line in groups_lines(plan.entries, groups):
            say(line, quiet=quiet)
    for line in plan_summary(plan.summary, pace=pace_of(bulk.fleet, plan, groups)):
        say(line, quiet=quiet)
    selected = plan.summary.total + len(plan.nowhere)
    if plan.unmatched is not None:
        for line in unmatched_lines(plan.unmatched, selected=selected, seen=plan.seen):
            say(line)
    for uuids, where in ((plan.nowhere, "in any of these shards"), (plan.unknown, "here")):
        more = f" and {len(uuids) - _MOST_NAMED:,} more" if len(uuids) > _MOST_NAMED else ""
        if uuids:
            say(f"no event source mapping {where} has the UUID {', '.join(uuids[:_MOST_NAMED])}{more}")


def _show(bulk: BulkEsm, plan: RunPlan, job: Job, groups: Sequence[Sequence[Shard]], hours: Hours) -> None:
    quiet = job.output.quiet
    for uuid, problems in plan.summary.remaining:
        say(f"warning: {uuid}: {'; '.join(problems)}")
    if plan.summary.remaining_count > len(plan.summary.remaining):
        more = plan.summary.remaining_count - len(plan.summary.remaining)
        say(f"warning: and {more:,} more that cannot be put back wholly")
    if plan.blind:
        say(_without_get(plan))
    if job.run.dry_run:
        show_items(plan, job.output, with_places=bulk.fleet.is_named)
    show_summary(bulk, plan, groups, quiet=quiet)
    pace = pace_of(bulk.fleet, plan, groups)
    for line in how_it_goes(plan, job, hours, waves=_wave_sizes(plan, job, groups), pace=pace):
        say(line, quiet=quiet)
    known = {uuid: ending for of_shard in plan.known.values() for uuid, ending in of_shard.items()}
    if known:
        _tell_of_conflicts(known)


def _without_get(plan: RunPlan) -> str:
    """That a run will have to do with List alone, before anything is sent."""
    where = f"in {shards_text(len(plan.blind))} " if len(plan.entries) > 1 else ""
    return (
        f"note: {where}these credentials lack lambda:GetEventSourceMapping: the run looks with List alone, and what "
        "only Get could tell ends as timed_out"
    )


def _wave_sizes(plan: RunPlan, job: Job, groups: Sequence[Sequence[Shard]]) -> list[int]:
    sizes = parse_waves(job.waves.waves) if job.waves.waves else ()
    if not sizes and len(groups) <= 1:
        return []
    updates = dict(zip((shard.name for shard in plan.shards), (entry.updates for entry in plan.entries), strict=True))
    waves = slices_of([[shard.name for shard in group] for group in groups], updates, sizes)
    return [sum(map(len, wave)) for wave in waves]


def _tell_of_conflicts(known: Mapping[str, Ending]) -> None:
    """Say what is left alone, as someone changed it since."""
    say(f"{len(known):,} were changed or deleted by someone since: each is left alone, as a conflict")
    for uuid, ending in list(known.items())[:3]:
        say(f"  {uuid}: {ending.error.message if ending.error else ending.outcome}")


def _guard(plan: RunPlan, job: Job, fleet: FleetOptions) -> None:
    check_size(job, updates=sum(entry.updates for entry in plan.entries), seen=plan.seen)
    check_losses(plan.items(), job)
    failed, most = len(plan.problems), fleet.max_failed_shards
    if most is not None and failed > most:
        raise RefusedError(
            f"{failed:,} of {len(plan.entries):,} shards failed, and at most {most:,} may (--max-failed-shards); "
            "nothing was sent"
        )


def _refuse_blocked(plan: RunPlan, job: Job) -> None:
    blocked = plan.count(Action.BLOCKED) + len(plan.nowhere) - plan.summary.left_out
    if blocked and not job.run.skip_blocked:
        narrower = "" if job.undoes else "narrow the selection, or "
        items = sum(entry.items for entry in plan.entries) + len(plan.nowhere)
        raise RefusedError(
            f"{blocked:,} of {items:,} mappings are blocked, so nothing was sent; "
            f"{narrower}carry out the rest with --skip-blocked"
        )


def _question(bulk: BulkEsm, plan: RunPlan) -> str:
    home = bulk.home.control_plane
    elsewhere = "" if home.is_aws else f", at {home.endpoint_url}"
    entries = [entry for entry in plan.entries if entry.updates]
    accounts = sorted({entry.shard.account_id or "?" for entry in entries})
    regions = sorted({entry.shard.region for entry in entries})
    if not bulk.fleet.is_named:
        return f"Update {plan.updates:,} mappings in account {accounts[0]}, {regions[0]}{elsewhere}?"
    what = f"account {accounts[0]}" if len(accounts) == 1 else f"{len(accounts):,} accounts"
    where = regions[0] if len(regions) == 1 else f"{len(regions):,} Regions"
    return f"Update {plan.updates:,} mappings in {shards_text(len(entries))} ({what}, {where}{elsewhere})?"
