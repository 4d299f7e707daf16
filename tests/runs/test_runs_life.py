"""Whatever the workers of a fleet do: one result for each line of each plan, and `continue` ends it all."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import anyio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from runs_toy import Answer, Seen, ToyExecutor, continued, fleet_of, plan_of, planned, result_of, shard

from bulk_esm.executors.protocols import TaskSource
from bulk_esm.executors.tasks import Assignment, CarryOut, Resulted, ShardEnd
from bulk_esm.model.continuing import left_of
from bulk_esm.model.records import Intent, RunStatus
from bulk_esm.model.result import TROUBLE, Outcome, Result
from bulk_esm.model.rollout import RolloutSettings
from bulk_esm.model.shard import Problem, Shard
from bulk_esm.model.stopping import Stop
from bulk_esm.runs.run import Run

SHARDS = tuple(shard(number) for number in range(1, 5))
ENDINGS = ["ends", "dies", "is denied", "forgets", "says it twice", "is stopped"]
OUTCOMES = [Outcome.UPDATED, Outcome.UPDATED, Outcome.FAILED, Outcome.TIMED_OUT, Outcome.CONFLICT]


def behaves(how: str, told: int, outcomes: list[Outcome]) -> Answer:
    """A worker that tells of some mappings, and then behaves in some way."""

    def answer(executor: ToyExecutor, source: TaskSource, assignment: Assignment, task: CarryOut) -> None:
        name = assignment.shard.name
        count = len(task.items) if how in {"ends", "says it twice", "is stopped"} else min(told, len(task.items))
        for number, item in enumerate(task.items[:count]):
            outcome = outcomes[number % len(outcomes)]
            if how == "is stopped" and number >= told:
                outcome = Outcome.NOT_STARTED
            executor.tell(source, assignment, item, outcome)
            if how == "says it twice":
                source.on_event(Resulted(name, result_of(item, assignment, Outcome.UPDATED)))
        if how == "dies":
            source.on_lost(name, "killed")
        elif how == "is denied":
            source.on_end(ShardEnd(shard=name, problem=Problem(reason="denied", is_access=True)))
        else:
            stop = Stop(RunStatus.DEADLINE, "too late") if how == "is stopped" else None
            source.on_end(ShardEnd(shard=name, stop=stop))

    return answer


answers = st.builds(
    behaves, st.sampled_from(ENDINGS), st.integers(0, 4), st.lists(st.sampled_from(OUTCOMES), min_size=1)
)
lives = st.fixed_dictionaries({each.name: st.lists(answers, max_size=4) for each in SHARDS})
rollouts = st.builds(
    RolloutSettings,
    waves=st.sampled_from([(), ("1", "100%"), ("1", "30%", "100%")]),
    most_failures=st.none() | st.integers(0, 8),
)


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(
    life=lives,
    rollout=rollouts,
    sizes=st.lists(st.integers(0, 4), min_size=len(SHARDS), max_size=len(SHARDS)),
    unplanned=st.sets(st.sampled_from([each.name for each in SHARDS]), max_size=2),
    one_by_one=st.booleans(),
    most_failed=st.none() | st.integers(0, 3),
)
def test_nothing_is_lost(
    life: dict[str, list[Answer]],
    rollout: RolloutSettings,
    sizes: list[int],
    unplanned: set[str],
    *,
    one_by_one: bool,
    most_failed: int | None,
) -> None:
    executor = ToyExecutor(
        {
            each.name: Problem(reason="denied") if each.name in unplanned else plan_of(each, size, unchanged=size % 2)
            for each, size in zip(SHARDS, sizes, strict=True)
        },
        life,
    )
    groups = [(each,) for each in SHARDS] if one_by_one else [SHARDS]

    async def main(runs_dir: Path) -> None:
        fleet = fleet_of(executor, SHARDS)
        intent = Intent(command="pause", rollout=rollout)
        shown = Seen()
        with await planned(fleet, runs_dir, intent) as plan:
            run = Run(fleet, plan.publish(intent, groups, most_failed))
            await run.carry_out([shown])
        _has_one_result_each(run)
        assert Counter(result.uuid for result in shown.results) == Counter(
            result.uuid for result in run.files.results()
        )
        before = {result.uuid: result for result in run.files.results()}
        final = {result.uuid for each in run.files.planned() for result in _kept(run, each)}
        # Whoever continues it meets workers that do as they should, and what had its answer keeps it.
        asked = len(executor.asked)
        executor.behave()
        run = await continued(fleet, run.files)
        record = await run.carry_out()
        _has_one_result_each(run)
        after = {result.uuid: result for result in run.files.results()}
        assert {uuid: after[uuid] for uuid in final} == {uuid: before[uuid] for uuid in final}
        assert all(result.outcome is Outcome.UPDATED for uuid, result in after.items() if uuid not in final)
        looked = [item.uuid for each in executor.looked for item in each.task.items]
        assert sorted(looked) == sorted(after.keys() - final)
        again = [item.uuid for each in executor.asked[asked:] for item in each.task.items]
        assert sorted(again) == sorted(after.keys() - final)
        assert all(each.task.in_doubt for each in executor.asked[asked:])
        assert record.status is RunStatus.FINISHED

    with tempfile.TemporaryDirectory() as folder:
        anyio.run(main, Path(folder))


def _has_one_result_each(run: Run) -> None:
    counts: Counter[str] = Counter()
    for each in run.files.planned():
        files = run.files.shard(each)
        results = [result.uuid for result in files.results()]
        assert sorted(results) == sorted(item.uuid for item in files.plan().items)
        of_shard = Counter(result.outcome.value for result in files.results())
        assert files.record().counts == of_shard
        counts += of_shard
    assert run.record.counts == counts
    assert run.files.record() == run.record
    assert sum(run.record.shards.values()) == len(SHARDS)
    most = run.record.rollout.most_failures
    failures = sum(counts[outcome.value] for outcome in TROUBLE)
    if most is not None and failures > most and counts["not_started"]:
        assert run.record.status in {RunStatus.HALTED, RunStatus.DEADLINE}


def _kept(run: Run, where: Shard) -> tuple[Result, ...]:
    files = run.files.shard(where)
    return left_of(files.plan().items, files.results()).kept
