"""The plan of a fleet: each shard's, made beside the others and brought to disk as it is made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Self

from bulk_esm._version import __version__
from bulk_esm.clock import Clock, iso
from bulk_esm.engine.endings import Ending
from bulk_esm.executors.tasks import ShardEnd, Task
from bulk_esm.model.mapping import SourceType
from bulk_esm.model.plan import Action, Plan, PlanItem
from bulk_esm.model.records import Intent, RunRecord, RunStatus
from bulk_esm.model.shard import Problem, Shard
from bulk_esm.runs.fleet import Fleet
from bulk_esm.runs.read_tasks import ReadTasks
from bulk_esm.store.finding import new_run_id
from bulk_esm.store.fleet_folder import FleetFolder, FleetRecord, ShardEntry


class RunPlan:
    """A fleet's plan on disk, in a folder that is hidden until the run begins.

    Attributes:
        folder: where it is.
        run_id: the run that it is for.
        entries: the shards, in their order; those without a plan say why.
        known: how items end to which nothing is sent, by shard and UUID.
        requests: what planning it took, by kind.
    """

    def __init__(self, folder: FleetFolder, run_id: str, *, intent: Intent, clock: Clock) -> None:
        """Begin with no shard; see `plan_run`."""
        self.folder = folder
        self.run_id = run_id
        self.known: dict[str, dict[str, Ending]] = {}
        self.requests: Counter[str] = Counter()
        self._intent = intent
        self._started_at = clock.now()
        self._entries: dict[str, ShardEntry] = {}
        self._unknown: dict[str, set[str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Remove it, unless it was published."""
        if self.folder.path.name != self.run_id:
            self.folder.discard()

    @property
    def entries(self) -> tuple[ShardEntry, ...]:
        """The shards, in their order."""
        return tuple(self._entries.values())

    @property
    def seen(self) -> int:
        """How many mappings were looked through."""
        return sum(entry.seen for entry in self.entries)

    @property
    def updates(self) -> int:
        """How many mappings an update is to be sent to."""
        return sum(entry.updates for entry in self.entries) - sum(len(known) for known in self.known.values())

    @property
    def nowhere(self) -> list[str]:
        """UUIDs that were asked for and that no shard has; nothing is said while a shard has not answered."""
        if not self._unknown or any(entry.problem for entry in self.entries):
            return []
        return sorted(set.intersection(*self._unknown.values()))

    def items(self) -> Iterator[PlanItem]:
        """All items, read from disk, one shard in memory at a time."""
        return self.folder.items()

    def expect(self, shard: Shard) -> None:
        """Keep a shard's place in the order."""
        self._entries[shard.name] = ShardEntry(shard=shard)

    def take(self, shard: Shard, end: ShardEnd) -> None:
        """Bring a shard's plan to disk, or note why there is none.

        A UUID that another shard may have is no mapping of this one, and no matter of its plan.

        Raises:
            RunFolderError: it cannot be written.
        """
        self.requests.update(end.requests)
        items = end.plan.items if end.plan else ()
        plan = Plan(tuple(item for item in items if not _is_unknown(item)))
        self._unknown[shard.name] = {item.uuid for item in items if _is_unknown(item)}
        self._entries[shard.name] = ShardEntry(
            shard=shard,
            items=len(plan.items),
            updates=len(plan.updates),
            seen=max(end.seen, len(plan.items)),
            problem=end.problem,
        )
        if end.known:
            self.known[shard.name] = dict(end.known)
        self.folder.add(shard.name, self._record_of(shard, end.problem), plan)

    def publish(self, intent: Intent, groups: Sequence[Sequence[Shard]], most_failed: int | None) -> RunRecord:
        """Make it a run: from now on it is there for `continue`.

        Args:
            intent: what it is for, and how it is to go.
            groups: the shards, in the groups that go one after another.
            most_failed: how many shards may fail before the run halts; None for any number.

        Raises:
            RunFolderError: it cannot be written.
        """
        regions = sorted({entry.shard.region for entry in self.entries})
        record = RunRecord(
            run_id=self.run_id,
            command=intent.command,
            argv=intent.argv,
            version=__version__,
            account_id=None,
            region=",".join(regions),
            started_at=iso(self._started_at) or "",
            rollout=intent.rollout,
            undoes=intent.undoes,
            requests=dict(self.requests),
        )
        fleet = FleetRecord(
            shards=self.entries,
            groups=tuple(tuple(shard.name for shard in group) for group in groups),
            most_failed_shards=most_failed,
        )
        self.folder.publish(record, fleet)
        return record

    def _record_of(self, shard: Shard, problem: Problem | None) -> RunRecord:
        return RunRecord(
            run_id=self.run_id,
            command=self._intent.command,
            argv=self._intent.argv,
            version=__version__,
            account_id=shard.account_id,
            region=shard.region,
            started_at=iso(self._started_at) or "",
            status=RunStatus.UNREACHABLE if problem else RunStatus.RUNNING,
            reason=problem.reason if problem else None,
            undoes=self._intent.undoes,
        )


async def plan_run(
    fleet: Fleet,
    task_of: Callable[[Shard], Task],
    *,
    runs_dir: Path,
    intent: Intent,
    told: Callable[[Shard, ShardEnd], None] = lambda _shard, _end: None,
    waiting: Callable[[str, int], None] = lambda _shard, _count: None,
) -> RunPlan:
    """Plan all shards; changes nothing.

    Args:
        fleet: the shards, and who does it.
        task_of: makes a shard's task.
        runs_dir: where the plans are put.
        intent: what it is for.
        told: called as each shard ends.
        waiting: called with a shard's name and its number of mappings in transition, before they are waited for.

    Returns:
        The plan; to be used as a context manager, which removes what is not published.

    Raises:
        RunFolderError: it cannot be written.
    """
    run_id = new_run_id(intent.command, fleet.clock.now())
    plan = RunPlan(FleetFolder.begin(runs_dir, run_id), run_id, intent=intent, clock=fleet.clock)

    def take(shard: Shard, end: ShardEnd) -> None:
        plan.take(shard, end)
        told(shard, end)

    try:
        for shard in fleet.shards:
            plan.expect(shard)
        for shard, problem in fleet.failed:
            take(shard, ShardEnd(shard=shard.name, problem=problem))
        await ReadTasks(fleet, task_of, take, waiting=waiting).run()
    except BaseException:
        plan.folder.discard()
        raise
    return plan


def _is_unknown(item: PlanItem) -> bool:
    return item.action is Action.BLOCKED and item.source_type is SourceType.UNKNOWN and bytes(item.before_json) == b"{}"


def split_saved(saved: Plan) -> dict[str, Plan]:
    """Part a saved plan of several accounts and Regions by the shards that its mappings are of.

    Args:
        saved: the plan.

    Returns:
        By the shard's name. What no ARN places is left out, as it is blocked anyway.
    """
    parts: dict[str, list[PlanItem]] = {}
    for item in saved.items:
        place = Plan((item,))
        if place.account_id and place.region:
            parts.setdefault(f"{place.account_id}-{place.region}", []).append(item)
    return {name: Plan(tuple(items)) for name, items in parts.items()}
