"""The whole life of runs: started, interrupted, crashed, continued and rolled back in any order, while all goes wrong.

Hypothesis draws a fleet, faults and what happens in turn; that is then played in one virtual-time loop.
"""

from __future__ import annotations

import math
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from api_world import connected, planned
from engine_world import in_virtual_time
from hypothesis import HealthCheck, currently_in_test_context, event, given, settings
from hypothesis import strategies as st

from bulk_esm import BulkEsm, Change, Intent, Outcome, Plan, Result, Run, RunStatus, Selection
from bulk_esm.model.mapping import source_type_of
from bulk_esm.model.parameters import PARAMETERS, row
from bulk_esm.model.records import RunRecord
from bulk_esm.model.rollout import RolloutSettings
from bulk_esm.simulator import Faults, Simulator
from bulk_esm.store.run_files import RunFiles

MAPPINGS = 12
# What differs after a rollback although all is as it was.
VOLATILE = frozenset({"LastModified", "StateTransitionReason", "LastProcessingResult"})
NOTHING_SENT = frozenset({Outcome.UNCHANGED, Outcome.BLOCKED, Outcome.NOT_STARTED})


# What may happen


@dataclass(frozen=True)
class End:
    """How a run is ended, if not by itself: when, and whether in good order; and what of its last line gets lost."""

    after_s: float = math.inf
    crash: bool = False
    torn: float = 0.0


@dataclass(frozen=True)
class Meddling:
    """Someone else changes a mapping, so long after a step began."""

    number: int
    values: tuple[tuple[str, Any], ...]
    after_s: float = 0.0


@dataclass(frozen=True)
class Start:
    change: Change
    numbers: frozenset[int]
    rollout: RolloutSettings
    end: End
    meddling: Meddling | None


@dataclass(frozen=True)
class Continue:
    which: int
    end: End
    meddling: Meddling | None


@dataclass(frozen=True)
class RollBack:
    which: int
    end: End
    meddling: Meddling | None


@dataclass(frozen=True)
class Wait:
    for_s: float


Step = Start | Continue | RollBack | Meddling | Wait

PAUSE, RESUME = Change({"Enabled": False}), Change({"Enabled": True})
CHANGES = [
    PAUSE,
    RESUME,
    Change({"BatchSize": 5}),
    Change({"BatchSize": 7}),
    Change({"ScalingConfig": {"MaximumConcurrency": 9}}),
    Change({"ScalingConfig": {"MaximumConcurrency": 30}}),
    Change({"BatchSize": 5, "Enabled": False}),
    Change({}, unset=("ScalingConfig",)),
    Change({"MaximumRetryAttempts": 3}),
]
MEDDLED: list[dict[str, Any]] = [{"BatchSize": 3}, {"BatchSize": 5}, {"State": "Disabled"}, {"State": "Enabled"}]

moments = st.one_of(
    st.floats(0, 3),  # of updates sent
    st.floats(3, 40),  # of settling
)
ends = st.one_of(
    st.just(End()),
    st.builds(End, after_s=moments),
    st.builds(End, after_s=moments, crash=st.just(True), torn=st.floats(0, 0.99)),
    st.builds(End, after_s=moments, crash=st.just(True)),
)
numbers = st.integers(0, MAPPINGS - 1)
meddlings = st.builds(
    Meddling,
    number=numbers,
    values=st.sampled_from([tuple(values.items()) for values in MEDDLED]),
    after_s=st.floats(0, 20),
)
perhaps_meddling = st.one_of(st.none(), st.none(), st.none(), meddlings)
rollouts = st.builds(
    RolloutSettings,
    waves=st.sampled_from([(), (), ("1", "100%"), ("2", "50%", "100%")]),
    as_given=st.booleans(),
    soak_s=st.sampled_from([0.0, 5.0]),
    most_failures=st.sampled_from([None, None, 0, 2]),
)
selections = st.one_of(
    st.just(frozenset(range(MAPPINGS))), st.frozensets(numbers, min_size=1), st.frozensets(numbers, min_size=6)
)
starts = st.builds(
    Start,
    change=st.sampled_from(CHANGES),
    numbers=selections,
    rollout=rollouts,
    end=ends,
    meddling=perhaps_meddling,
)
runs_of_before = st.integers(0, 5)
steps = st.one_of(
    starts,
    starts,
    st.builds(Continue, which=runs_of_before, end=ends, meddling=perhaps_meddling),
    st.builds(RollBack, which=runs_of_before, end=ends, meddling=perhaps_meddling),
    meddlings,
    st.builds(Wait, for_s=st.floats(0, 60)),
)
faults = st.builds(
    Faults,
    error_share=st.sampled_from([0.0, 0.05]),
    cut_before_share=st.sampled_from([0.0, 0.05]),
    cut_after_share=st.sampled_from([0.0, 0.05]),
    refused_share=st.sampled_from([0.0, 0.0, 0.2]),
    stuck_share=st.sampled_from([0.0, 0.0, 0.1]),
    list_lag_s=st.sampled_from([0.0, 3.0, 10.0]),
    list_wrong_share=st.sampled_from([0.0, 0.2]),
    list_wrong_for_s=st.just(8.0),
)


# How it is played


@dataclass
class OneRun:
    """A run, and what the simulator accepted while it was carried out."""

    files: RunFiles
    selected: frozenset[str]
    accepted: Counter[str] = field(default_factory=Counter)
    is_rollback: bool = False


class Life:
    """Plays steps, and checks after each."""

    def __init__(self, simulator: Simulator, bulk: BulkEsm) -> None:
        self.simulator = simulator
        self.bulk = bulk
        self.uuids = [mapping["UUID"] for mapping in simulator.snapshot()]
        self.first = self.now()
        self.runs: list[OneRun] = []
        self.meddled: set[str] = set()
        self.troubled: set[str] = set()

    def now(self) -> dict[str, dict[str, Any]]:
        """All mappings, less what does not count."""
        return {
            mapping["UUID"]: {
                name: value
                for name, value in mapping.items()
                if name not in VOLATILE and not _is_default(name, mapping)
            }
            for mapping in self.simulator.snapshot()
        }

    def accepted(self) -> Counter[str]:
        return Counter({mapping.uuid: mapping.accepted_count for mapping in self.simulator.report().mappings})

    async def play(self, step: Step) -> None:
        match step:
            case Start():
                await self.start(step)
            case Continue(which, end, meddling) if self.runs:
                await self.go_on(self.runs[which % len(self.runs)], end, meddling)
            case RollBack(which, end, meddling) if self.runs:
                await self.roll_back(self.runs[which % len(self.runs)], end, meddling)
            case Meddling():
                await self.meddle(step)
            case Wait(for_s):
                await anyio.sleep(for_s)

    async def meddle(self, meddling: Meddling | None) -> None:
        if meddling is not None:
            await anyio.sleep(meddling.after_s)
            self.meddled.add(self.uuids[meddling.number])
            self.simulator.change_behind(self.uuids[meddling.number], **dict(meddling.values))

    async def start(self, step: Start) -> None:
        selected = frozenset(self.uuids[number] for number in step.numbers)
        plan = await self.bulk.plan(Selection(uuids=selected), step.change)
        intent = Intent(command="apply", rollout=step.rollout)
        run = self.bulk.prepare(plan, intent=intent, skip_blocked=True)
        self.runs.append(OneRun(run.files, selected))
        await self.carry_out(self.runs[-1], run, step.end, step.meddling)

    async def go_on(self, one: OneRun, end: End | None = None, meddling: Meddling | None = None) -> None:
        found = await self.bulk.plan_rest(one.files)
        if found.left or found.record.status is not RunStatus.FINISHED:
            going_on = found.begin(most_failures=1_000 if found.failures else None)
            await self.carry_out(one, going_on, end or End(), meddling)

    async def roll_back(self, one: OneRun, end: End | None = None, meddling: Meddling | None = None) -> None:
        found = await self.bulk.plan_rollback(one.files)
        plan = planned(found)
        assert {item.uuid for item in plan.items} <= {item.uuid for item in one.files.items()}
        if not plan.items:
            return
        intent = Intent(command="rollback", undoes=one.files.path.name)
        run = self.bulk.prepare(found, intent=intent, skip_blocked=True)
        self.runs.append(OneRun(run.files, one.selected, is_rollback=True))
        # What is no longer there to put back, such as a maximum that has no clear form, the plan says.
        self.troubled |= {item.uuid for item in plan.items if item.problems}
        await self.carry_out(self.runs[-1], run, end or End(), meddling)

    async def carry_out(self, one: OneRun, run: Run, end: End, meddling: Meddling | None) -> None:
        before = self.accepted()
        left_by_the_crash: dict[Path, bytes] = {}
        ended = False
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.meddle, meddling)
            async with anyio.create_task_group() as running:

                async def end_it() -> None:
                    await anyio.sleep(end.after_s)
                    if end.crash:
                        left_by_the_crash.update({path: path.read_bytes() for path in one.files.path.iterdir()})
                        running.cancel_scope.cancel()
                    else:
                        run.stop()

                if end.after_s < math.inf:
                    running.start_soon(end_it)
                await run.carry_out()
                ended = True
                running.cancel_scope.cancel()
        for path, content in left_by_the_crash.items():
            path.write_bytes(_torn(content, end.torn) if path.name == "results.jsonl" else content)
        await anyio.sleep(0.1)  # what was under way at the end arrives
        one.accepted += self.accepted() - before
        note(f"{'ended as ' + run.record.status if ended else 'crashed'}")
        self.check(one, run.record if ended else None)

    def check(self, one: OneRun, record: RunRecord | None) -> None:
        plan, results = Plan(tuple(one.files.items())), list(one.files.results())
        self.check_what_was_accepted(one, plan, results)
        if record is None:
            assert one.files.record().status is RunStatus.RUNNING
            assert max(Counter(result.uuid for result in results).values(), default=1) == 1
            assert {result.uuid for result in results} <= {item.uuid for item in plan.items}
            return
        assert one.files.record() == record
        assert Counter(result.uuid for result in results) == Counter(item.uuid for item in plan.items)
        assert record.counts == Counter(str(result.outcome) for result in results)
        left = [result for result in results if result.outcome is Outcome.NOT_STARTED]
        assert not left or record.status in {RunStatus.HALTED, RunStatus.INTERRUPTED}

    def check_what_was_accepted(self, one: OneRun, plan: Plan, results: list[Result]) -> None:
        assert one.accepted.keys() <= {item.uuid for item in plan.updates} <= one.selected
        for result in results:
            assert result.outcome not in NOTHING_SENT or not one.accepted[result.uuid], result

    async def finish(self) -> None:
        """Continue all that can be continued, and roll back all runs, the last one first."""
        for one in list(self.runs):
            for _ in range(MAPPINGS + 1):
                await self.go_on(one)
                if one.files.record().status is RunStatus.FINISHED:
                    break
            assert one.files.record().status is RunStatus.FINISHED
        for one in reversed(self.runs.copy()):
            await self.roll_back(one)
            await anyio.sleep(60)
        for one in self.runs:
            for result in one.files.results():
                at_fault = result.outcome in {Outcome.CONFLICT, Outcome.TIMED_OUT, Outcome.FAILED}
                if at_fault or (one.is_rollback and result.outcome is Outcome.BLOCKED):
                    self.troubled.add(result.uuid)
        now = self.now()
        exempt = self.meddled | self.troubled
        checked = [uuid for uuid in self.uuids if uuid not in exempt]
        note(f"put back: {len(checked) * 4 // MAPPINGS}/4")
        for uuid in checked:
            assert now[uuid] == self.first[uuid]


def note(what: str) -> None:
    """Count how often something happens, for `--hypothesis-show-statistics`."""
    if currently_in_test_context():
        event(what)


def _is_default(name: str, mapping: dict[str, Any]) -> bool:
    """Whether a member says what its absence says."""
    default = row(name).default_for(source_type_of(mapping)) if name in PARAMETERS else None
    return default is not None and bool(mapping[name] == default)


def _torn(content: bytes, share: float) -> bytes:
    """A file whose last line was only written in part."""
    begun = content.rstrip(b"\n").rfind(b"\n") + 1
    lost = math.ceil((len(content) - begun) * share)
    return content[: len(content) - lost]


@in_virtual_time
async def live(seed: int, trouble: Faults, what_happens: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with connected(runs_dir=Path(folder), mappings=MAPPINGS, seed=seed, faults=trouble, timeout_s=300.0) as (
            simulator,
            bulk,
        ):
            life = Life(simulator, bulk)
            for step in what_happens:
                await life.play(step)
            await life.finish()


@settings(deadline=None, max_examples=70, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.integers(1, 5), faults, st.lists(steps, min_size=1, max_size=7))
def test_whatever_becomes_of_runs(seed: int, trouble: Faults, what_happens: list[Step]) -> None:
    live(seed, trouble, what_happens)


def all_of(change: Change, end: End) -> Start:
    return Start(change, frozenset(range(MAPPINGS)), RolloutSettings(), end, None)


@in_virtual_time
async def lives_again(trouble: Faults, *what_happens: Step) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with connected(runs_dir=Path(folder), mappings=MAPPINGS, faults=trouble, timeout_s=300.0) as (
            simulator,
            bulk,
        ):
            life = Life(simulator, bulk)
            for step in what_happens:
                await life.play(step)
            assert not life.meddled
            assert life.now() == life.first


def test_what_a_lagging_list_does_not_show_yet_is_still_this_runs() -> None:
    """It was once `unchanged` when continued at once, so a rollback left it as it was."""
    crashed = all_of(PAUSE, End(after_s=1.0, crash=True))
    lives_again(Faults(list_lag_s=3.0), crashed, Continue(0, End(), None), Wait(60), RollBack(0, End(), None))


@in_virtual_time
async def test_a_rollback_at_once_does_not_believe_a_lagging_list(tmp_path: Path) -> None:
    """What List still showed as before the run was once left as the run made it."""
    async with connected(runs_dir=tmp_path, mappings=MAPPINGS, faults=Faults(list_lag_s=30.0)) as (simulator, bulk):
        life = Life(simulator, bulk)
        types = [mapping.source_type for mapping in simulator.report().mappings]
        resize = Change({"BatchSize": 7})
        await life.play(Start(resize, frozenset({types.index("sqs")}), RolloutSettings(), End(), None))
        assert life.now() != life.first
        await life.play(RollBack(0, End(), None))
        assert life.now() == life.first


@in_virtual_time
async def test_a_stuck_mapping_is_not_not_started_when_a_continued_run_is_interrupted(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, mappings=MAPPINGS, faults=Faults(stuck_share=1.0), timeout_s=300.0) as (
        simulator,
        bulk,
    ):
        life = Life(simulator, bulk)
        await life.play(all_of(PAUSE, End(after_s=0.5)))
        await life.play(Continue(0, End(after_s=0.0), None))
        by_uuid = {result.uuid: result.outcome for result in life.runs[0].files.results()}
        accepted = {uuid for uuid, count in life.accepted().items() if count}
        assert accepted
        assert {by_uuid[uuid] for uuid in accepted} == {Outcome.TIMED_OUT}
