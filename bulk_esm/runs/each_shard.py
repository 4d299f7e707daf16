"""Has a task that only reads done in each shard, and tells which could not be reached."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bulk_esm.executors.tasks import ShardEnd, Task
from bulk_esm.model.shard import Problem, Shard
from bulk_esm.runs.fleet import Fleet
from bulk_esm.runs.read_tasks import ReadTasks

Told = Callable[[Shard, ShardEnd], None]


def nobody(*_: object) -> None:
    """Tell nobody."""


async def in_each_shard(fleet: Fleet, task_of: Callable[[Shard], Task], take: Told) -> dict[str, Problem]:
    """Have a task done in each shard.

    Args:
        fleet: the shards.
        task_of: makes a shard's task.
        take: called with what came of each.

    Returns:
        Why some shards could not be worked in, by name.

    Raises:
        BulkEsmError: what kept the only shard from being worked in.
    """
    problems = {shard.name: problem for shard, problem in fleet.failed}

    def end(shard: Shard, found: ShardEnd) -> None:
        if found.problem is not None:
            problems[shard.name] = found.problem
        take(shard, found)

    await ReadTasks(fleet, task_of, end).run()
    raise_if_only(fleet, problems.values())
    return problems


def raise_if_only(fleet: Fleet, problems: Iterable[Problem]) -> None:
    """Raise what went wrong in the only shard; of one among many it is told.

    Raises:
        BulkEsmError: that.
    """
    if len(fleet.shards) + len(fleet.failed) == 1:
        for problem in problems:
            raise problem.error()
