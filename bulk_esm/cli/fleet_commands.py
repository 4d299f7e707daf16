"""What the commands do with a fleet, beside changing it anew: look, plan, verify, continue."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from bulk_esm.cli.carry_out import show_items
from bulk_esm.cli.fleet_carry_out import planned
from bulk_esm.cli.fleet_conduct import FleetConduct
from bulk_esm.cli.fleet_summary import fleet_plan_summary, shard_problem_lines, shards_text
from bulk_esm.cli.fleet_work import AtWork, exit_code_of, hold_locks
from bulk_esm.cli.guards import check_account, check_alarms
from bulk_esm.cli.options import GuardOptions, OutputOptions
from bulk_esm.cli.output import Results
from bulk_esm.cli.running import ask, run_and_report
from bulk_esm.cli.streams import say
from bulk_esm.cli.summary import plan_summary
from bulk_esm.errors import RunFolderError
from bulk_esm.executors.tasks import FindDrift, ListMappings, ShardEnd, Task
from bulk_esm.model.continuing import left_of
from bulk_esm.model.mapping import EventSourceMapping
from bulk_esm.model.records import Intent, RunStatus
from bulk_esm.model.selection import Selection
from bulk_esm.model.shard import Problem, Shard
from bulk_esm.runs.planning import RunPlan
from bulk_esm.runs.read_tasks import ReadTasks
from bulk_esm.runs.run import FleetRun
from bulk_esm.shards.order import parse_shard_order
from bulk_esm.store.fleet_folder import FleetFolder, ShardEntry
from bulk_esm.store.jsonl import write_durably


async def gather(
    at_work: AtWork, task_of: Callable[[Shard], Task], take: Callable[[ShardEnd], None]
) -> list[Problem | None]:
    """Have a task done in each shard, and tell which shards could not be reached.

    Args:
        at_work: the fleet.
        task_of: makes a shard's task.
        take: called with what came of each.

    Returns:
        Why each shard could not be worked in, or None.
    """
    entries = [ShardEntry(shard=shard, problem=problem) for shard, problem in at_work.fleet.failed]

    def end(shard: Shard, found: ShardEnd) -> None:
        entries.append(ShardEntry(shard=shard, problem=found.problem))
        take(found)

    await ReadTasks(at_work.fleet, task_of, end, waiting=_tell_of_transition).run()
    for line in shard_problem_lines(entries):
        say(line)
    return [entry.problem for entry in entries]


async def list_fleet(
    at_work: AtWork,
    selection: Selection,
    results: Results,
    record_of: Callable[[EventSourceMapping], object],
    *,
    quiet: bool,
) -> int:
    """Show the mappings of a fleet, shard by shard as each is read.

    Args:
        at_work: the fleet.
        selection: which mappings.
        results: where they are shown.
        record_of: makes a line of a mapping.
        quiet: whether to leave the summary out.

    Returns:
        The exit code.
    """
    shown = seen = 0
    unknown: list[set[str]] = []

    def take(end: ShardEnd) -> None:
        nonlocal shown, seen
        results.add_all(record_of(EventSourceMapping(configuration)) for configuration in end.mappings)
        shown += len(end.mappings)
        seen += end.seen
        if end.problem is None:
            unknown.append(set(end.unknown))

    problems = await gather(at_work, lambda _: ListMappings(selection), take)
    results.finish()
    nowhere = sorted(set.intersection(*unknown)) if unknown and not any(problems) else []
    for uuid in nowhere:
        say(f"no event source mapping has the UUID {uuid} in any of these shards")
    say(f"{shown:,} of {seen:,} mappings in {shards_text(len(problems))}", quiet=quiet)
    return exit_code_of(None, problems) or (1 if nowhere else 0)


async def plan_fleet(
    at_work: AtWork, task_of: Callable[[Shard], Task], output: OutputOptions, *, save: Path | None
) -> tuple[int, bool]:
    """Show what a change of a fleet would do.

    Args:
        at_work: the fleet.
        task_of: makes the task that plans a shard.
        output: what is shown.
        save: a file to write the plan to.

    Returns:
        The exit code, and whether something would change.

    Raises:
        RunFolderError: the file cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="bulk-esm-") as folder:
        intent = Intent(command="plan")
        groups = parse_shard_order(at_work.options.shard_order, at_work.fleet.shards)
        async with planned(at_work, task_of, runs_dir=Path(folder), intent=intent, output=output) as plan:
            if save:
                try:
                    write_durably(save, plan.items())
                except OSError as error:
                    raise RunFolderError(f"--save {save}: {error.strerror}") from error
            show_items(plan.items(), output, of_fleet=True)
            _summarize(at_work, plan, groups, quiet=output.quiet)
            return exit_code_of(None, [entry.problem for entry in plan.entries]), plan.updates > 0


def _summarize(at_work: AtWork, plan: RunPlan, groups: Sequence[Sequence[Shard]], *, quiet: bool) -> None:
    for line in fleet_plan_summary(plan.entries, groups):
        say(line, quiet=quiet)
    for line in plan_summary(plan.items(), pace=at_work.pace(plan.entries, groups)):
        say(line, quiet=quiet)
    for uuid in plan.nowhere:
        say(f"no event source mapping has the UUID {uuid} in any of these shards")


async def verify_fleet(at_work: AtWork, folder: FleetFolder, results: Results, *, quiet: bool) -> int:
    """Tell whether the mappings of a fleet still have what a run set.

    Args:
        at_work: the fleet of that run.
        folder: the run's.
        results: where drifts are shown.
        quiet: whether to leave the summary out.

    Returns:
        The exit code.
    """
    drifts = requests = 0

    def task_of(shard: Shard) -> FindDrift:
        found = folder.shard(shard.name)
        return FindDrift(items=found.plan().items, results=tuple(found.results()))

    def take(end: ShardEnd) -> None:
        nonlocal drifts, requests
        results.add_all(end.drifts)
        drifts += len(end.drifts)
        requests += end.requests.get("list", 0) + end.requests.get("get", 0)

    problems = await gather(at_work, task_of, take)
    results.finish()
    what = f"{drifts:,} mappings do not have what {folder.record().run_id} set"
    say(f"{what} ({shards_text(len(problems))}, {requests:,} requests)", quiet=quiet)
    return exit_code_of(None, problems) or (1 if drifts else 0)


async def continue_fleet(
    at_work: AtWork,
    folder: FleetFolder,
    *,
    guards: GuardOptions,
    deadline: datetime | None,
    output: OutputOptions,
    yes: bool,
    dry_run: bool,
) -> int:
    """Finish an interrupted run over a fleet: each shard is looked at first, when its turn comes.

    Args:
        at_work: the fleet of that run.
        folder: the run's.
        guards: what must hold.
        deadline: when all should have ended now.
        output: what is shown.
        yes: whether nobody is asked.
        dry_run: whether to say what is left, and change nothing.

    Returns:
        The exit code.

    Raises:
        BulkEsmError: whatever ends the command.
    """
    record, fleet = folder.record(), folder.fleet()
    problems = [entry.problem for entry in fleet.shards]
    await check_account(at_work.home, guards)
    with hold_locks(at_work, "continue", replace(guards, no_lock=guards.no_lock or dry_run)) as locks:
        for lock in locks:
            lock.tell(str(folder.path.absolute()))
        left, total, shards = _left(folder)
        what = f"{total - left:,} of {total:,} mappings have ended, {left:,} are left in {shards_text(shards)}"
        say(f"{record.run_id}: {what}; what was applied before the end came is found, and not sent again")
        for line in shard_problem_lines(fleet.shards):
            say(line)
        if dry_run:
            return 0
        if not left and record.status is RunStatus.FINISHED:
            return exit_code_of(record, problems)
        await check_alarms(at_work.home, record.rollout.alarms)
        if (
            left
            and not yes
            and not await ask(f"Look at {left:,} mappings in {shards_text(shards)}, and update what is left?")
        ):
            say("nothing was changed")
            return 0
        await at_work.outwait()
        run = FleetRun.again(at_work.fleet, folder, deadline=deadline)
        return await run_and_report(FleetConduct(at_work, run), output)


def _left(folder: FleetFolder) -> tuple[int, int, int]:
    """How many mappings are left, of how many, and in how many shards."""
    left = total = shards = 0
    for name in folder.names():
        shard = folder.shard(name)
        items = shard.plan().items
        of_shard = len(left_of(items, shard.results()).items)
        total += len(items)
        left += of_shard
        shards += of_shard > 0
    return left, total, shards


def _tell_of_transition(shard: str, count: int) -> None:
    say(f"{shard}: waiting for {count:,} mappings in transition, up to --timeout")
