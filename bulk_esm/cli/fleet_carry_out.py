"""The one way in which a fleet's plans are made and carried out: plan, show, guard, ask, run."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

from rich.console import Console

from bulk_esm.cli.carry_out import how_it_goes, refuse_blocked, show_items, tell_of_conflicts
from bulk_esm.cli.fleet_conduct import FleetConduct
from bulk_esm.cli.fleet_progress import PlanningProgress, planning_progress
from bulk_esm.cli.fleet_summary import fleet_plan_summary, shard_problem_lines, shards_text
from bulk_esm.cli.fleet_work import AtWork, exit_code_of, hold_locks
from bulk_esm.cli.guards import check_account, check_alarms, check_losses, check_size
from bulk_esm.cli.job import Job
from bulk_esm.cli.options import OutputOptions
from bulk_esm.cli.running import ask, run_and_report
from bulk_esm.cli.streams import say
from bulk_esm.cli.summary import plan_summary
from bulk_esm.errors import RefusedError
from bulk_esm.executors.tasks import ShardEnd, Task
from bulk_esm.model.plan import Action
from bulk_esm.model.records import Intent
from bulk_esm.model.shard import Shard
from bulk_esm.model.slices import slices_of
from bulk_esm.model.waves import parse_waves
from bulk_esm.runs.planning import RunPlan, plan_run
from bulk_esm.runs.run import FleetRun
from bulk_esm.shards.order import parse_shard_order


async def change_fleet(
    at_work: AtWork,
    job: Job,
    task_of: Callable[[Shard], Task],
    *,
    look: Callable[[RunPlan], None] = lambda _: None,
) -> int:
    """Plan a change of a fleet, show it, guard, ask, carry it out and sum up.

    Args:
        at_work: the fleet.
        job: how.
        task_of: makes the task that plans a shard.
        look: called with the plan before anybody is asked.

    Returns:
        The exit code.

    Raises:
        BulkEsmError: whatever ends the command.
    """
    await check_account(at_work.home, job.guards)
    # Before anything is sent: names that no shard has.
    groups = parse_shard_order(at_work.options.shard_order, at_work.fleet.shards)
    with ExitStack() as stack:
        if job.run.dry_run:
            runs_dir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bulk-esm-")))
        else:
            runs_dir = job.runs.runs_dir
            locks = stack.enter_context(hold_locks(at_work, job.command, job.guards))
            await at_work.outwait()
        intent = Intent(command=job.command, argv=tuple(sys.argv[1:]), undoes=job.undoes)
        async with planned(at_work, task_of, runs_dir=runs_dir, intent=intent, output=job.output) as plan:
            problems = [entry.problem for entry in plan.entries]
            if all(problems):
                say("there is no shard in which something could be done", quiet=job.output.quiet)
                return exit_code_of(None, problems)
            if job.undoes and not any(entry.items for entry in plan.entries):
                say(f"{job.undoes} changed nothing there, so there is nothing to put back", quiet=job.output.quiet)
                return exit_code_of(None, problems)
            look(plan)
            _show(at_work, plan, job, groups)
            _refuse_failed(at_work, plan)
            if job.run.dry_run:
                return exit_code_of(None, problems)
            _refuse_blocked(plan, job)
            await check_alarms(at_work.home, job.waves.alarm)
            if plan.updates and not job.run.yes and not await ask(_question(at_work, plan)):
                say("nothing was changed")
                return 0
            intent = Intent(
                command=job.command,
                argv=tuple(sys.argv[1:]),
                rollout=job.rollout(updates=plan.updates),
                undoes=job.undoes,
            )
            plan.publish(intent, groups, at_work.options.max_failed_shards)
            for lock in locks:
                lock.tell(str(plan.folder.path.absolute()))
            run = FleetRun(at_work.fleet, plan.folder, known=plan.known, deadline=job.deadline)
            return await run_and_report(FleetConduct(at_work, run), job.output)


@asynccontextmanager
async def planned(
    at_work: AtWork, task_of: Callable[[Shard], Task], *, runs_dir: Path, intent: Intent, output: OutputOptions
) -> AsyncIterator[RunPlan]:
    """Plan all shards, with a display of how far that is; the plan is removed at the end unless it was published.

    Args:
        at_work: the fleet.
        task_of: makes a shard's task.
        runs_dir: where the plans are put.
        intent: what it is for.
        output: what is shown.

    Raises:
        RunFolderError: it cannot be written.
    """
    fleet = at_work.fleet
    console = Console(stderr=True, highlight=False, quiet=output.quiet)
    total = len(fleet.shards) + len(fleet.failed)
    async with planning_progress(total, clock=time.monotonic, console=console) as progress:
        plan = await plan_run(
            fleet,
            task_of,
            runs_dir=runs_dir,
            intent=intent,
            told=lambda shard, end: _tell(progress, shard, end),
            waiting=progress.waiting,
        )
    with plan:
        for line in shard_problem_lines(plan.entries):
            say(line)
        yield plan


def _tell(progress: PlanningProgress, shard: Shard, end: ShardEnd) -> None:
    items = end.plan.items if end.plan else ()
    progress.planned(shard.name, len(items), len(end.plan.updates) if end.plan else 0, end.problem)


def _show(at_work: AtWork, plan: RunPlan, job: Job, groups: list[tuple[Shard, ...]]) -> None:
    quiet = job.output.quiet
    left_alone = {uuid for known in plan.known.values() for uuid in known}
    if job.run.dry_run:
        show_items(plan.items(), job.output, of_fleet=True)
    for line in fleet_plan_summary(plan.entries, groups):
        say(line, quiet=quiet)
    for line in plan_summary(plan.items(), pace=at_work.pace(plan.entries, groups), left_alone=left_alone):
        say(line, quiet=quiet)
    sizes = parse_waves(job.waves.waves) if job.waves.waves else ()
    updates = {entry.shard.name: entry.updates for entry in plan.entries}
    steps = slices_of([[shard.name for shard in group] for group in groups], updates, sizes)
    waves = [sum(map(len, step)) for step in steps] if sizes or len(groups) > 1 else []
    for line in how_it_goes(plan.items, job, waves=waves, updates=plan.updates):
        say(line, quiet=quiet)
    if left_alone:
        tell_of_conflicts({uuid: end for known in plan.known.values() for uuid, end in known.items()})
    if plan.nowhere:
        say(f"no shard has a mapping with the UUID {', '.join(plan.nowhere[:3])}{_and_more(len(plan.nowhere) - 3)}")
    check_size(job, updates=sum(entry.updates for entry in plan.entries), seen=plan.seen)
    check_losses(plan.items(), job)


def _refuse_failed(at_work: AtWork, plan: RunPlan) -> None:
    failed = sum(entry.problem is not None for entry in plan.entries)
    most = at_work.options.max_failed_shards
    if most is not None and failed > most:
        raise RefusedError(
            f"{failed:,} of {len(plan.entries):,} shards failed, and at most {most:,} may (--max-failed-shards); "
            "nothing was sent"
        )


def _refuse_blocked(plan: RunPlan, job: Job) -> None:
    blocked = sum(item.action is Action.BLOCKED for item in plan.items()) + len(plan.nowhere)
    refuse_blocked(job, blocked, sum(entry.items for entry in plan.entries) + len(plan.nowhere))


def _question(at_work: AtWork, plan: RunPlan) -> str:
    entries = [entry for entry in plan.entries if entry.updates]
    accounts = sorted({entry.shard.account_id for entry in entries})
    what = f"account {accounts[0]}" if len(accounts) == 1 else f"{len(accounts):,} accounts"
    regions = sorted({entry.shard.region for entry in entries})
    where = regions[0] if len(regions) == 1 else f"{len(regions):,} Regions"
    home = at_work.home.control_plane
    elsewhere = "" if home.is_aws else f", at {home.endpoint_url}"
    return f"Update {plan.updates:,} mappings in {shards_text(len(entries))} ({what}, {where}{elsewhere})?"


def _and_more(count: int) -> str:
    return f" and {count:,} more" if count > 0 else ""
