"""A fleet whose executor is the test: what each shard answers is said beforehand, and nothing is ever sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import anyio
import msgspec

from bulk_esm.engine.budget import Budget
from bulk_esm.engine.endings import Ending
from bulk_esm.executors.protocols import TaskSource
from bulk_esm.executors.tasks import (
    Assignment,
    CarryOut,
    LookAgain,
    PlanChange,
    Reach,
    Resulted,
    ShardEnd,
    ShardStatus,
    Task,
)
from bulk_esm.model.change import Change
from bulk_esm.model.events import MappingEnded, RunEvent
from bulk_esm.model.mapping import EventSourceMapping, SourceType
from bulk_esm.model.plan import Plan, PlanItem, plan_item, unknown_item
from bulk_esm.model.records import Intent, RunStatus
from bulk_esm.model.result import TROUBLE, Outcome, Result
from bulk_esm.model.selection import Selection
from bulk_esm.model.shard import Problem, Shard
from bulk_esm.model.stopping import Stop
from bulk_esm.runs.continuing import plan_rest
from bulk_esm.runs.fleet import Fleet
from bulk_esm.runs.planning import PlanContext, RunPlan, plan_run
from bulk_esm.runs.run import Run
from bulk_esm.store.place import RunsDir
from bulk_esm.store.run_files import RunFiles
from bulk_esm.store.shard_files import ShardFiles

PAUSE = Change({"Enabled": False})
Answer = Callable[["ToyExecutor", TaskSource, Assignment, CarryOut], None]


def shard(number: int, *, region: str = "eu-west-1") -> Shard:
    return Shard(account_id=f"{number:012}", region=region)


def item_of(where: Shard, number: int, *, state: str = "Enabled") -> PlanItem:
    """A line of a plan that pauses a mapping; unchanged if it is paused already."""
    arn = f"arn:aws:{{}}:{where.region}:{where.account_id}:{{}}"
    mapping = EventSourceMapping(
        {
            "UUID": f"{int(where.account_id or 0):08}-0000-4000-8000-{number:012}",
            "FunctionArn": arn.format("lambda", f"function:orders-{number}"),
            "EventSourceArn": arn.format("sqs", "orders"),
            "State": state,
        }
    )
    return plan_item(PAUSE, mapping)


def result_of(item: PlanItem, assignment: Assignment, outcome: Outcome = Outcome.UPDATED) -> Result:
    assert isinstance(assignment.task, CarryOut)
    return Result(
        run_id=assignment.task.run_id,
        uuid=item.uuid,
        function_arn=item.function_arn,
        event_source_arn=item.event_source_arn,
        source_type=SourceType.SQS,
        account_id=assignment.shard.account_id,
        region=assignment.shard.region,
        wave=assignment.task.wave,
        outcome=outcome,
        state="Disabled",
        request=item.request,
    )


def all_updated(executor: ToyExecutor, source: TaskSource, assignment: Assignment, task: CarryOut) -> None:
    """Everything goes well."""
    for item in task.items:
        source.on_event(Resulted(assignment.shard.name, result_of(item, assignment)))
    source.on_end(ShardEnd(shard=assignment.shard.name, requests={"update": len(task.items)}))


class CarriedOut(NamedTuple):
    shard: Shard
    task: CarryOut


class LookedAgain(NamedTuple):
    shard: Shard
    task: LookAgain


class ToyExecutor:
    """Answers for each shard as the test says; a shard of which nothing is said goes well.

    Attributes:
        asked: what was handed out to be carried out, in order.
        looked: what was handed out to be looked at again, in order.
        unseen: why that fails, by shard.
        known: what is found then, by shard.
        stops: what it was told to stop for.
        budget: the fleet's.
        is_held: whether it was told to send nothing for now.
    """

    tells_before_updates = False

    def __init__(self, plans: dict[str, Plan | Problem], answers: dict[str, list[Answer]] | None = None) -> None:
        self.asked: list[CarriedOut] = []
        self.looked: list[LookedAgain] = []
        self.unseen: dict[str, Problem] = {}
        self.known: dict[str, dict[str, Ending]] = {}
        self.stops: list[Stop] = []
        self.budget = Budget(None)
        self.is_held = False
        self._plans = plans
        self._answers = answers or {}
        self._turns: Counter[str] = Counter()

    async def do(self, source: TaskSource) -> None:
        while (assignment := source.next()) is not None:
            await anyio.lowlevel.checkpoint()
            name, task = assignment.shard.name, assignment.task
            if isinstance(task, LookAgain):
                self.looked.append(LookedAgain(assignment.shard, task))
                known = self.known.get(name, {})
                problem = self.unseen.get(name)
                source.on_end(ShardEnd(shard=name, problem=problem, known=known, requests={"list": 1}))
                continue
            if not isinstance(task, CarryOut):
                found = self._plans[name]
                if isinstance(found, Problem):
                    source.on_end(ShardEnd(shard=name, problem=found))
                else:
                    source.on_end(ShardEnd(shard=name, plan=found, seen=len(found.items)))
                continue
            self.asked.append(CarriedOut(assignment.shard, task))
            answers = self._answers.get(name, [])
            answer = answers[self._turns[name]] if self._turns[name] < len(answers) else all_updated
            self._turns[name] += 1
            answer(self, source, assignment, task)

    def begin(self, budget: Budget) -> None:
        self.budget = budget

    def status(self, shard: str) -> ShardStatus | None:  # noqa: ARG002 - an Executor's
        return None

    def stop(self, stop: Stop, *, hurry: bool = False) -> None:  # noqa: ARG002 - an Executor's
        self.stops.append(stop)

    def stop_shard(self, shard: str, stop: Stop) -> None:
        """No shard of this one is halted alone."""

    def hold(self, *, is_held: bool) -> None:
        self.is_held = is_held

    def behave(self) -> None:
        """From now on everything goes well."""
        self._answers = {}

    def tell(self, source: TaskSource, assignment: Assignment, item: PlanItem, outcome: Outcome) -> None:
        """One mapping ends, and counts as an executor's do."""
        if outcome in TROUBLE:
            self.budget.fail()
        source.on_event(Resulted(assignment.shard.name, result_of(item, assignment, outcome)))


def plan_of(where: Shard, updates: int, *, unchanged: int = 0, unknown: tuple[str, ...] = ()) -> Plan:
    paused = [item_of(where, 1_000 + number, state="Disabled") for number in range(unchanged)]
    return Plan((*paused, *(item_of(where, n) for n in range(updates)), *map(unknown_item, unknown)))


def fleet_of(executor: ToyExecutor, shards: tuple[Shard, ...]) -> Fleet:
    return Fleet(shards=shards, executor=executor, reach=Reach())


async def planned(fleet: Fleet, runs_dir: RunsDir, intent: Intent | None = None) -> RunPlan:
    def task_of(_: Shard) -> Task:
        return PlanChange.of(Selection(all=True), PAUSE)

    return await plan_run(
        fleet, task_of, runs_dir=runs_dir, context=PlanContext(intent=intent or Intent(command="pause"))
    )


async def continued(fleet: Fleet, files: RunFiles) -> Run:
    """Take a run up again: each shard with something left is looked at, and nothing is sent yet."""
    return (await plan_rest(fleet, files)).begin(most_failures=1_000)  # whatever failed before


class Seen:
    """An observer that remembers.

    Attributes:
        events: what it was told, in order.
    """

    def __init__(self) -> None:
        self.events: list[RunEvent] = []

    def __call__(self, event: RunEvent, /) -> None:
        self.events.append(event)

    @property
    def results(self) -> list[Result]:
        return [event.result for event in self.events if isinstance(event, MappingEnded)]


def left_running(files: ShardFiles) -> None:
    """Have a shard's record be that of a run that did not end."""
    files.write_record(msgspec.structs.replace(files.record(), status=RunStatus.RUNNING, results=None))


def of_an_older_version(files: ShardFiles) -> None:
    """Take away the digest of a shard's record, as older versions wrote none of it nor of what had begun."""
    path = files.path / "run.json"
    members = msgspec.json.decode(path.read_bytes())
    del members["sha256"]
    path.write_bytes(msgspec.json.encode(members) + b"\n")
