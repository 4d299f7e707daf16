"""The plan of a run: each shard's, made beside the others. Nothing is a run until it is published."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Self

import msgspec

from bulk_esm._version import __version__
from bulk_esm.clock import iso
from bulk_esm.engine.endings import Ending
from bulk_esm.executors.tasks import ShardEnd, Task
from bulk_esm.model.checked import Checked
from bulk_esm.model.plan import Action, Plan, PlanItem
from bulk_esm.model.plan_summary import PlanSummary
from bulk_esm.model.records import FleetRecord, Intent, RunRecord, RunStatus, ShardEntry
from bulk_esm.model.redacting import redacted
from bulk_esm.model.shard import Problem, Shard
from bulk_esm.model.unmatched import in_all
from bulk_esm.runs.each_shard import Told, nobody
from bulk_esm.runs.fleet import Fleet
from bulk_esm.runs.invoking import begun, caller
from bulk_esm.runs.read_tasks import ReadTasks
from bulk_esm.store.finding import new_run_id
from bulk_esm.store.place import RunsDir, place_at
from bulk_esm.store.run_files import RunFiles


class PlanContext(Checked, frozen=True, kw_only=True):
    """What a plan is made for, and who is told meanwhile.

    Attributes:
        intent: what the run will be for.
        uuids_are_of_shards: whether each shard was asked for UUIDs of its own, and not all for the same.
        told: called with each shard and what came of it, as it ends.
        waiting: called with a shard's name and its number of mappings in transition, before they are waited for.
    """

    intent: Intent = Intent()
    uuids_are_of_shards: bool = False
    told: Told = nobody
    waiting: Callable[[str, int], None] = nobody


class RunPlan:
    """What a run would do. The home shard's plan is in memory; those of several are brought to disk as they are made.

    Attributes:
        run_id: the run that it is for.
        intent: what it was made for.
        known: how items end to which nothing is sent, by shard and UUID.
        unknown: UUIDs that were asked for in one shard and that no mapping there has; see `nowhere` too.
        requests: what planning took, by kind.
        summary: what it comes to.
        blind: the shards in which Get is not permitted, so that List alone must tell what became of an update.
    """

    def __init__(self, fleet: Fleet, run_id: str, *, runs_dir: RunsDir, context: PlanContext) -> None:
        """Begin with no shard; see `plan_run`."""
        self.run_id = run_id
        self.intent = context.intent
        self.known: dict[str, dict[str, Ending]] = {}
        self.unknown: list[str] = []
        self.requests: Counter[str] = Counter()
        self.summary = PlanSummary()
        self.blind: list[Shard] = []
        self._place = place_at(runs_dir)
        self._names_unknown = not fleet.is_named or context.uuids_are_of_shards
        self._started_at = iso(fleet.clock.now()) or ""
        self._shards: tuple[Shard, ...] = (*fleet.shards, *(shard for shard, _ in fleet.failed))
        self._entries: dict[str, ShardEntry] = {shard.name: ShardEntry(shard=shard) for shard in self._shards}
        self._unknown: list[set[str]] = []
        self._unmatched: list[tuple[tuple[str, str], ...]] = []
        self._home: Plan | None = None if fleet.is_named else Plan(())
        self._files: RunFiles | None = self._place.begin(run_id) if fleet.is_named else None
        self._fleet_record: FleetRecord | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    def discard(self) -> None:
        """Remove what is on disk of it, unless it was published."""
        if self._files is not None and self._fleet_record is None:
            self._files.discard()

    @property
    def entries(self) -> tuple[ShardEntry, ...]:
        """The shards, in their order; those without a plan say why."""
        return tuple(self._entries.values())

    @property
    def shards(self) -> tuple[Shard, ...]:
        """The shards as they were named, in their order; `entries` have their accounts."""
        return self._shards

    @property
    def fleet_record(self) -> FleetRecord | None:
        """What was published of the shards; None before that."""
        return self._fleet_record

    @property
    def problems(self) -> list[Problem]:
        """Why some shards have no plan."""
        return [entry.problem for entry in self.entries if entry.problem is not None]

    @property
    def seen(self) -> int:
        """How many mappings were looked through."""
        return sum(entry.seen for entry in self.entries)

    @property
    def updates(self) -> int:
        """How many mappings an update is to be sent to."""
        return self.summary.actions[Action.UPDATE]

    @property
    def nowhere(self) -> list[str]:
        """UUIDs that were asked for and that no shard has; nothing is said while a shard has not answered."""
        if not self._unknown or self.problems:
            return []
        return sorted(set.intersection(*self._unknown))

    @property
    def unmatched(self) -> tuple[tuple[str, str], ...] | None:
        """Flags and values of the selection that match no mapping; None without one, or if a shard did not answer."""
        return None if self.problems or not self._unmatched else in_all(self._unmatched)

    def count(self, action: Action) -> int:
        """How many mappings have this action; those that someone changed since count for none."""
        return self.summary.actions[action]

    def items(self) -> Iterator[PlanItem]:
        """All items; those of several shards are read from disk, one shard in memory at a time."""
        if self._home is not None:
            yield from self._home.items
        elif self._files is not None:
            for shard in self._planned():
                yield from self._files.shard(shard).plan().items

    def take(self, shard: Shard, end: ShardEnd, task_of: Callable[[Shard], Task] | None = None) -> None:
        """Keep a shard's plan, or note why there is none.

        Args:
            shard: the shard.
            end: what came of planning it.
            task_of: makes the task that was to plan it.
        """
        self.requests.update(end.requests)
        if end.unmatched is not None:
            self._unmatched.append(end.unmatched)
        plan = end.plan or Plan(())
        unknown = [item.uuid for item in plan.items if item.is_unknown]
        if self._names_unknown:
            self.unknown += unknown
        else:
            # A UUID that another shard may have is no mapping of this one, and no matter of its plan.
            self._unknown.append(set(unknown))
            plan = Plan(tuple(item for item in plan.items if not item.is_unknown))
        found = msgspec.structs.replace(shard, account_id=shard.account_id or end.account_id or plan.account_id)
        self._entries[shard.name] = ShardEntry(
            shard=found,
            items=len(plan.items),
            updates=plan.count(Action.UPDATE),
            seen=max(end.seen, len(plan.items)),
            problem=end.problem,
        )
        if end.cannot_get:
            self.blind.append(found)
        if end.known:
            self.known[found.name] = dict(end.known)
        self.summary.add(plan.items, left_alone=end.known)
        if self._files is None:
            self._home = plan
            return
        digest = self._files.add(found.name, self._record_of(found, end.problem), plan)
        self._entries[shard.name] = msgspec.structs.replace(self._entries[shard.name], plan=digest)
        if end.problem is not None and task_of is not None and found.is_known:
            self._files.write_task(found, msgspec.json.encode(task_of(shard)))  # for `continue`

    def publish(
        self,
        intent: Intent,
        groups: Sequence[Sequence[Shard]],
        most_failed: int | None,
        *,
        principal_arn: str | None = None,
    ) -> RunFiles:
        """Make it a run: from now on it is there for `continue`, and may be carried out.

        Args:
            intent: what it is for, and how it is to go.
            groups: the shards, in the groups that go one after another.
            most_failed: how many shards may fail before the run halts; None for any number.
            principal_arn: who carries it out, where that is known.
        """
        accounts = {entry.shard.account_id for entry in self.entries}
        record = RunRecord(
            run_id=self.run_id,
            command=intent.command,
            argv=intent.argv,
            version=__version__,
            account_id=accounts.pop() if self._home is not None else None,
            region=",".join(sorted({entry.shard.region for entry in self.entries})),
            started_at=self._started_at,
            rollout=intent.rollout,
            undoes=intent.undoes,
            executor=intent.executor,
            scheduler=intent.scheduler,
            requests=dict(self.requests),
        )
        record = begun(record, caller(principal_arn), configured=intent.configured)
        if self._home is not None:
            self._files = self._place.begin(self.run_id)
            record = msgspec.structs.replace(record, plan=self._files.add_home(self._home))
        files = self._files
        if files is None:
            raise AssertionError("a plan is in memory or on disk")
        fleet = FleetRecord(shards=self.entries, groups=self._grouped(groups), most_failed_shards=most_failed)
        files.publish(record, fleet if self._home is None else None)
        self._fleet_record, self._home = fleet, None  # from now on it is read from disk
        return files

    def _grouped(self, groups: Sequence[Sequence[Shard]]) -> tuple[tuple[str, ...], ...]:
        """The names of the shards by group; what was out of reach before it could be put into one goes last."""
        found = [tuple(self._entries[shard.name].shard.name for shard in group) for group in groups]
        grouped = {name for group in found for name in group}
        left = tuple(entry.shard.name for entry in self.entries if entry.shard.name not in grouped)
        return (*found[:-1], (*(found[-1] if found else ()), *left))

    def _planned(self) -> Iterator[Shard]:
        return (entry.shard for entry in self.entries if entry.problem is None)

    def _record_of(self, shard: Shard, problem: Problem | None) -> RunRecord:
        return RunRecord(
            run_id=self.run_id,
            command=self.intent.command,
            argv=redacted(self.intent.argv),
            version=__version__,
            account_id=shard.account_id,
            region=shard.region,
            started_at=self._started_at,
            status=RunStatus.UNREACHABLE if problem else RunStatus.RUNNING,
            reason=problem.reason if problem else None,
            undoes=self.intent.undoes,
        )


async def plan_run(
    fleet: Fleet,
    task_of: Callable[[Shard], Task],
    *,
    runs_dir: RunsDir,
    context: PlanContext,
) -> RunPlan:
    """Plan all shards; changes nothing.

    Args:
        fleet: the shards, and who does it.
        task_of: makes a shard's task.
        runs_dir: where the plans of several shards are put, and later the run.
        context: what it is for, and who is told.

    Returns:
        The plan; to be used as a context manager, which removes what is not published.
    """
    run_id = new_run_id(context.intent.command, fleet.clock.now())
    plan = RunPlan(fleet, run_id, runs_dir=runs_dir, context=context)

    def take(shard: Shard, end: ShardEnd) -> None:
        plan.take(shard, end, task_of)
        context.told(shard, end)

    try:
        for shard, problem in fleet.failed:
            take(shard, ShardEnd(shard=shard.name, problem=problem))
        await ReadTasks(fleet, task_of, take, waiting=context.waiting).run()
    except BaseException:
        plan.discard()
        raise
    return plan


def split_saved(saved: Plan) -> dict[tuple[str | None, str | None], Plan]:
    """Part a saved plan of several accounts and Regions by the places that its mappings are of.

    Args:
        saved: the plan.

    Returns:
        By account and Region. What no ARN places is left out, as it is blocked anyway.
    """
    parts: dict[tuple[str | None, str | None], list[PlanItem]] = {}
    for item in saved.items:
        place = Plan((item,))
        if place.account_id and place.region:
            parts.setdefault((place.account_id, place.region), []).append(item)
    return {place: Plan(tuple(items)) for place, items in parts.items()}
