"""Takes up shards that had no plan when a run was planned, as they could not be reached: plans them, to go on there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from bulk_esm.executors.tasks import PlanChange, RenewPlan, ShardEnd, Task
from bulk_esm.model.doubts import Doubts
from bulk_esm.model.plan import Action, Plan
from bulk_esm.model.records import FileDigest, FleetRecord, RunStatus, ShardEntry
from bulk_esm.model.shard import Shard
from bulk_esm.runs.fleet import Fleet
from bulk_esm.runs.read_tasks import ReadTasks
from bulk_esm.store.run_files import RunFiles

_TASKS: Final = msgspec.json.Decoder(Task)


class LatePlans:
    """Plans of shards that had none. In memory, until the run goes on.

    Attributes:
        ends: what came of planning, by shard; one that cannot be reached still is none of them.
    """

    def __init__(self, fleet: Fleet, files: RunFiles, doubts_about: Callable[[Shard], Doubts]) -> None:
        """Read what was to be planned; see `make`.

        Args:
            fleet: who does it.
            files: the run's.
            doubts_about: about which of a shard's mappings List is not believed.
        """
        self.ends: dict[str, ShardEnd] = {}
        self._fleet = fleet
        self._files = files
        self._doubts_about = doubts_about
        self._problems: dict[str, ShardEntry] = {}

    async def make(self, waiting: Callable[[str, int], None]) -> None:
        """Plan; changes nothing, on disk or in Lambda.

        Args:
            waiting: see `plan_rest`.
        """
        shards = self._files.unplanned()
        if shards:
            await ReadTasks(self._fleet.among(shards), self._task_of, self._take, waiting=waiting).run()

    @property
    def entries(self) -> tuple[ShardEntry, ...]:
        """The run's shards as they stand now."""
        return tuple(self._entry(entry) for entry in self._files.fleet().shards)

    def plans(self) -> Iterator[tuple[str, Plan]]:
        """Each shard's new plan."""
        return ((name, end.plan) for name, end in self.ends.items() if end.plan is not None)

    def write(self) -> tuple[FleetRecord, FileDigest]:
        """Bring them to disk; `run.json` must know no digest of the list of shards meanwhile, lest a kill damage it.

        Returns:
            The list of shards, with these plans, and its digest.

        Raises:
            RunFolderError: they cannot be written.
        """
        entries = {entry.shard.name: entry for entry in self.entries}
        for name, plan in self.plans():
            files = self._files.shard(entries[name].shard)
            record = files.record()
            digest = files.write_plan(plan, run_id=record.run_id)
            files.write_record(msgspec.structs.replace(record, status=RunStatus.RUNNING, reason=None))
            entries[name] = msgspec.structs.replace(entries[name], plan=digest)
        fleet = msgspec.structs.replace(self._files.fleet(), shards=tuple(entries.values()))
        return fleet, self._files.write_fleet(fleet)

    def _task_of(self, shard: Shard) -> Task:
        task: Task = _TASKS.decode(self._files.task(shard) or b"")
        if isinstance(task, (PlanChange, RenewPlan)):
            return msgspec.structs.replace(task, doubts=self._doubts_about(shard))
        return task

    def _take(self, shard: Shard, end: ShardEnd) -> None:
        if end.problem is None:
            plan = end.plan or Plan(())
            # What was not found here may be in another shard.
            known = Plan(tuple(item for item in plan.items if not item.is_unknown))
            self.ends[shard.name] = msgspec.structs.replace(end, plan=known)
        else:
            self._problems[shard.name] = ShardEntry(shard=shard, problem=end.problem)

    def _entry(self, entry: ShardEntry) -> ShardEntry:
        end = self.ends.get(entry.shard.name)
        if end is None or end.plan is None:
            return self._problems.get(entry.shard.name, entry)
        items, updates = len(end.plan.items), end.plan.count(Action.UPDATE)
        return ShardEntry(shard=entry.shard, items=items, updates=updates, seen=max(end.seen, items))
