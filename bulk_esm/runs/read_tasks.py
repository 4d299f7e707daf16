"""Tasks that only read, one for each shard: to list, to plan, to verify."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Final

from bulk_esm.executors.tasks import Assignment, Event, ShardEnd, ShardStatus, Task
from bulk_esm.model.shard import Problem, Shard
from bulk_esm.runs.fleet import Fleet

MOST_LOSSES: Final = 3  # of workers, at one shard's work: what kills three would kill a fourth


class ReadTasks:
    """A source that hands out each shard's task, and again if its worker is lost: what only reads may be repeated."""

    def __init__(
        self,
        fleet: Fleet,
        task_of: Callable[[Shard], Task],
        take: Callable[[Shard, ShardEnd], None],
        *,
        waiting: Callable[[str, int], None] = lambda _shard, _count: None,
    ) -> None:
        """Prepare."""
        self._todo = deque(fleet.shards)
        self._out: dict[str, Shard] = {}
        self._losses: Counter[str] = Counter()
        self._fleet = fleet
        self._task_of = task_of
        self._take = take
        self._waiting = waiting

    async def run(self) -> None:
        """Have it all done."""
        await self._fleet.executor.do(self)

    def next(self) -> Assignment | None:
        """Hand out the next shard's task; see `TaskSource`."""
        if not self._todo:
            return None
        shard = self._todo.popleft()
        self._out[shard.name] = shard
        return Assignment(shard=shard, reach=self._fleet.reach, task=self._task_of(shard))

    def on_event(self, event: Event) -> None:
        """Take note; see `TaskSource`."""
        if isinstance(event, ShardStatus) and event.waiting:
            self._waiting(event.shard, event.waiting)

    def on_end(self, end: ShardEnd) -> None:
        """Hand on what came of it; see `TaskSource`."""
        shard = self._out.pop(end.shard, None)
        if shard is not None:
            self._take(shard, end)

    async def before_update(self, shard: str, results: int, uuids: Sequence[str]) -> None:
        """Nothing is updated; see `TaskSource`."""

    def may_send(self, shard: str) -> bool:  # noqa: ARG002 - a TaskSource's
        """Nothing is; see `TaskSource`."""
        return False

    def on_lost(self, shard: str, why: str) -> None:
        """Have it done again; see `TaskSource`."""
        lost = self._out.pop(shard, None)
        if lost is None:
            return
        self._losses[shard] += 1
        if self._losses[shard] < MOST_LOSSES:
            self._todo.append(lost)
        else:
            self._take(lost, ShardEnd(shard=shard, problem=Problem(reason=f"its workers were lost: {why}")))
