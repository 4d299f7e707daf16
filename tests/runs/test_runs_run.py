"""A run over many shards, whatever its workers do: exactly one result for each mapping, and nothing lost."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import anyio
import msgspec
import pytest
from runs_toy import (
    Answer,
    Seen,
    ToyExecutor,
    all_updated,
    continued,
    fleet_of,
    left_running,
    plan_of,
    planned,
    result_of,
    shard,
)

from bulk_esm.clock import Clock
from bulk_esm.errors import AccessError, BulkEsmError, RecordingError, RunFolderError, ServiceError
from bulk_esm.executors.protocols import TaskSource
from bulk_esm.executors.tasks import Assignment, CarryOut, Resulted, ShardEnd, ShardStatus
from bulk_esm.gates.gate import WaveEnd
from bulk_esm.model.records import Intent, RunRecord, RunStatus
from bulk_esm.model.result import Outcome, Result
from bulk_esm.model.rollout import RolloutSettings
from bulk_esm.model.shard import Problem, Shard
from bulk_esm.model.stopping import Stop
from bulk_esm.runs.run import Run
from bulk_esm.store.finding import all_runs, find_run
from bulk_esm.store.result_writer import ResultWriter
from bulk_esm.store.run_files import RunFiles

A, B, C = shard(1), shard(2), shard(3)


class Done:
    """A run that came to its end, and its files."""

    def __init__(self, executor: ToyExecutor, run: Run, record: RunRecord, seen: list[Result]) -> None:
        self.executor, self.run, self.record, self.seen = executor, run, record, seen

    @property
    def outcomes(self) -> dict[str, Counter[str]]:
        """Outcomes by shard: one line for each line of the plan."""
        found: dict[str, Counter[str]] = {}
        for each in self.run.files.planned():
            files = self.run.files.shard(each)
            results = {result.uuid: result.outcome.value for result in files.results()}
            assert len(results) == sum(1 for _ in files.results())
            assert results.keys() == {item.uuid for item in files.plan().items}
            found[each.name] = Counter(results.values())
        return found


async def carried_out(
    runs_dir: Path,
    *,
    updates: dict[str, int] | None = None,
    answers: dict[str, list[Answer]] | None = None,
    problems: dict[str, Problem] | None = None,
    rollout: RolloutSettings | None = None,
    groups: list[list[Shard]] | None = None,
    most_failed: int | None = None,
    unchanged: int = 0,
) -> Done:
    shards = (A, B, C)
    sizes = updates or {each.name: 4 for each in shards}
    executor = ToyExecutor(
        {each.name: plan_of(each, sizes[each.name], unchanged=unchanged) for each in shards} | (problems or {}), answers
    )
    fleet = fleet_of(executor, shards)
    intent = Intent(command="pause", rollout=rollout or RolloutSettings())
    seen = Seen()
    with await planned(fleet, runs_dir, intent) as plan:
        files = plan.publish(intent, groups or [list(shards)], most_failed)
        run = Run(fleet, files, known=plan.known)
        record = await run.carry_out([seen])
    return Done(executor, run, record, seen.results)


def names_in(path: Path) -> list[str]:
    return [each.name for each in path.iterdir()]


async def test_every_mapping_of_every_shard_has_one_result(tmp_path: Path) -> None:
    done = await carried_out(tmp_path, unchanged=2)
    assert done.outcomes == {each.name: {"updated": 4, "unchanged": 2} for each in (A, B, C)}
    assert done.record.status is RunStatus.FINISHED
    assert done.record.counts == {"updated": 12, "unchanged": 6}
    assert done.record.shards == {"finished": 3}
    assert {(result.account_id, result.region) for result in done.seen} == {
        (each.account_id, "eu-west-1") for each in (A, B, C)
    }
    assert done.run.files.shard(A).record().counts == {"updated": 4, "unchanged": 2}


async def test_a_run_is_found_only_when_all_its_plans_are_on_disk(tmp_path: Path) -> None:
    executor = ToyExecutor({A.name: plan_of(A, 2)})
    intent = Intent(command="pause")
    with await planned(fleet_of(executor, (A,)), tmp_path, intent) as plan:
        assert all_runs(tmp_path) == []
        plan.publish(intent, [[A]], None)
        assert find_run(tmp_path, "last").has_shards
    assert [folder.path.name for folder in all_runs(tmp_path)] == [plan.run_id]


async def test_a_plan_that_nobody_wants_leaves_nothing(tmp_path: Path) -> None:
    with await planned(fleet_of(ToyExecutor({A.name: plan_of(A, 2)}), (A,)), tmp_path):
        pass
    assert names_in(tmp_path) == []


async def test_a_uuid_is_nowhere_only_if_no_shard_has_it(tmp_path: Path) -> None:
    here, nowhere = "0" * 8, "f" * 8
    executor = ToyExecutor(
        {
            A.name: plan_of(A, 1, unknown=(here, nowhere)),
            B.name: plan_of(B, 1, unknown=(nowhere,)),
            C.name: plan_of(C, 0),
        }
    )
    with await planned(fleet_of(executor, (A, B)), tmp_path) as plan:
        assert plan.nowhere == [nowhere]
        assert sum(1 for _ in plan.items()) == 2
    with await planned(fleet_of(executor, (A, B, C)), tmp_path) as plan:
        assert plan.nowhere == []
    executor = ToyExecutor({A.name: plan_of(A, 1, unknown=(nowhere,)), B.name: Problem(reason="denied")})
    with await planned(fleet_of(executor, (A, B)), tmp_path) as plan:
        assert plan.nowhere == []  # nobody knows what the other has


async def test_a_shard_out_of_reach_hurts_no_other(tmp_path: Path) -> None:
    done = await carried_out(tmp_path, problems={B.name: Problem(reason="it was refused", is_access=True)})
    assert done.outcomes == {A.name: {"updated": 4}, C.name: {"updated": 4}}
    assert done.record.shards == {"finished": 2, "unreachable": 1}
    assert done.record.status is RunStatus.FINISHED
    found = done.run.files.shard(B).record()
    assert (found.status, found.reason) == (RunStatus.UNREACHABLE, "it was refused")


def then_denied(executor: ToyExecutor, source: TaskSource, assignment: Assignment, task: CarryOut) -> None:
    executor.tell(source, assignment, task.items[0], Outcome.UPDATED)
    source.on_end(ShardEnd(shard=assignment.shard.name, problem=Problem(reason="expired", is_access=True)))


async def test_what_a_shard_could_not_do_is_not_started_and_says_why(tmp_path: Path) -> None:
    done = await carried_out(tmp_path, answers={B.name: [then_denied]})
    assert done.outcomes[B.name] == {"updated": 1, "not_started": 3}
    reasons = {result.error.message for result in done.seen if result.outcome is Outcome.NOT_STARTED and result.error}
    assert reasons == {"expired; bulk-esm continue looks at it again"}
    assert done.outcomes[A.name] == done.outcomes[C.name] == {"updated": 4}


def dies_after_one(_: ToyExecutor, source: TaskSource, assignment: Assignment, task: CarryOut) -> None:
    source.on_event(Resulted(assignment.shard.name, result_of(task.items[0], assignment)))
    source.on_lost(assignment.shard.name, "killed")


async def test_a_lost_workers_shard_is_given_to_another_that_looks_first(tmp_path: Path) -> None:
    done = await carried_out(tmp_path, answers={B.name: [dies_after_one]})
    assert done.outcomes[B.name] == {"updated": 4}
    first, second = (each.task for each in done.executor.asked if each.shard == B)
    assert (first.looks_first, second.looks_first) == (False, True)
    assert len(first.items) == 4
    assert second.items == first.items[1:]


def tells_and_dies(executor: ToyExecutor, source: TaskSource, assignment: Assignment, task: CarryOut) -> None:
    name = assignment.shard.name
    for updates in (1, 2):
        source.on_event(ShardStatus(shard=name, sending=updates, requests={"list": 5, "update": updates}))
    dies_after_one(executor, source, assignment, task)


async def test_what_a_lost_worker_told_that_it_spent_counts(tmp_path: Path) -> None:
    done = await carried_out(tmp_path, answers={B.name: [tells_and_dies]})
    assert done.run.files.shard(B).record().requests == {"list": 5, "update": 2 + 3}
    assert done.record.requests == {"list": 5, "update": 2 + 3 + 4 + 4}


async def test_a_shard_that_loses_worker_after_worker_is_given_up(tmp_path: Path) -> None:
    done = await carried_out(tmp_path, answers={B.name: [dies_after_one] * 3})
    assert done.outcomes[B.name] == {"updated": 3, "timed_out": 1}
    assert done.record.shards == {"finished": 2, "unreachable": 1}


def tells_all_but_the_last(_: ToyExecutor, source: TaskSource, assignment: Assignment, task: CarryOut) -> None:
    for item in task.items[:-1]:
        source.on_event(Resulted(assignment.shard.name, result_of(item, assignment)))
    source.on_end(ShardEnd(shard=assignment.shard.name))


async def test_what_did_not_arrive_is_looked_at_again(tmp_path: Path) -> None:
    done = await carried_out(tmp_path, answers={C.name: [tells_all_but_the_last]})
    assert done.outcomes[C.name] == {"updated": 4}
    again = done.executor.asked[-1].task
    assert again.looks_first
    assert len(again.items) == 1


def tells_twice(executor: ToyExecutor, source: TaskSource, assignment: Assignment, task: CarryOut) -> None:
    for item in task.items:
        source.on_event(Resulted(assignment.shard.name, result_of(item, assignment)))
    all_updated(executor, source, assignment, task)
    source.on_event(Resulted(assignment.shard.name, result_of(task.items[0], assignment)))


async def test_a_result_that_comes_twice_counts_once(tmp_path: Path) -> None:
    done = await carried_out(tmp_path, answers={A.name: [tells_twice]})
    assert done.outcomes[A.name] == {"updated": 4}
    assert done.record.counts == {"updated": 12}


def all_fail(executor: ToyExecutor, source: TaskSource, assignment: Assignment, task: CarryOut) -> None:
    for item in task.items:
        executor.tell(source, assignment, item, Outcome.FAILED)
    source.on_end(ShardEnd(shard=assignment.shard.name))


async def test_the_budget_is_that_of_the_whole_fleet(tmp_path: Path) -> None:
    done = await carried_out(
        tmp_path, answers={A.name: [all_fail], B.name: [all_fail]}, rollout=RolloutSettings(most_failures=5)
    )
    assert done.record.status is RunStatus.HALTED
    assert done.record.reason == "6 mappings failed, and at most 5 may"
    assert done.outcomes[C.name] == {"not_started": 4}
    assert [each.shard for each in done.executor.asked] == [A, B]
    assert done.executor.asked[1].task.most_failures == 1
    assert done.executor.stops == [Stop(RunStatus.HALTED, "6 mappings failed, and at most 5 may")]


async def test_too_many_failed_shards_halt_it(tmp_path: Path) -> None:
    done = await carried_out(
        tmp_path, problems={A.name: Problem(reason="denied")}, answers={B.name: [then_denied]}, most_failed=1
    )
    assert done.record.status is RunStatus.HALTED
    assert done.record.reason == "2 shards failed, and at most 1 may"
    assert done.outcomes[C.name] == {"not_started": 4}


class Watch:
    """A gate that lets everything pass, and remembers."""

    def __init__(self, *, halts_after: int = 99) -> None:
        self.ends: list[WaveEnd] = []
        self._halts_after = halts_after

    async def check(self, end: WaveEnd | None) -> str | None:
        assert end is not None
        self.ends.append(end)
        return "it is red" if end.wave >= self._halts_after else None


async def test_waves_and_gates_are_those_of_the_fleet(tmp_path: Path) -> None:
    executor = ToyExecutor({each.name: plan_of(each, 4) for each in (A, B, C)})
    fleet = fleet_of(executor, (A, B, C))
    intent = Intent(command="pause", rollout=RolloutSettings(waves=("1", "50%", "100%")))
    gate = Watch(halts_after=2)
    with await planned(fleet, tmp_path, intent) as plan:
        run = Run(fleet, plan.publish(intent, [(A, B, C)], None))
        record = await run.carry_out(gates=[gate])
    assert [(end.wave, end.waves, end.next_updates) for end in gate.ends] == [(0, 3, 1), (1, 3, 5), (2, 3, 6)]
    assert record.status is RunStatus.HALTED
    assert record.counts == {"updated": 6, "not_started": 6}
    waves = Counter(result.wave for result in run.files.results() if result.outcome is Outcome.UPDATED)
    assert waves == {1: 1, 2: 5}
    # What was left is continued: the waves that are done are not asked about again.
    again = Watch()
    run = await continued(fleet, run.files)
    record = await run.carry_out(gates=[again])
    assert record.counts == {"updated": 12}
    assert record.status is RunStatus.FINISHED
    assert sorted(len(each.task.items) for each in executor.looked) == [2, 2, 2]
    left = [each.task for each in executor.asked[-3:]]
    assert all(task.in_doubt and not task.looks_first and task.wave == 3 for task in left)
    assert sum(len(task.items) for task in left) == 6


async def test_accounts_go_one_after_another(tmp_path: Path) -> None:
    done = await carried_out(tmp_path, groups=[[B], [A, C]])
    assert [each.shard for each in done.executor.asked] == [B, A, C]
    assert [each.task.wave for each in done.executor.asked] == [1, 2, 2]


async def test_a_killed_driver_left_plans_and_some_results(tmp_path: Path) -> None:
    done = await carried_out(tmp_path, unchanged=1)
    files = done.run.files
    for each, keep in ((A, 0), (B, 3)):
        path = files.shard(each).path / "results.jsonl"
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(lines[:keep]) + b'{"torn": ')
        left_running(files.shard(each))
    asked = len(done.executor.asked)
    run = await continued(fleet_of(done.executor, (A, B, C)), files)
    record = await run.carry_out()
    again = Done(done.executor, run, record, [])
    assert again.outcomes == {each.name: {"updated": 4, "unchanged": 1} for each in (A, B, C)}
    assert record.counts == {"updated": 12, "unchanged": 3}
    assert [each.shard for each in done.executor.asked[asked:]] == [A, B]


async def test_a_shard_without_a_record_is_refused_before_anything_is_changed(tmp_path: Path) -> None:
    done = await carried_out(tmp_path, unchanged=1)
    files = done.run.files
    for each in (A, B):
        path = files.shard(each).path / "results.jsonl"
        path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    (files.shard(B).path / "run.json").write_bytes(b"")
    before = {path: path.read_bytes() for path in files.path.rglob("*") if path.is_file()}
    with pytest.raises(RunFolderError, match=r"run\.json is empty"):
        await continued(fleet_of(done.executor, (A, B, C)), RunFiles(files.path, salvage=True))
    assert {path: path.read_bytes() for path in files.path.rglob("*") if path.is_file()} == before


async def test_a_full_disk_halts_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    appended = ResultWriter.append
    writes = Counter[str]()

    def fills_up(self: ResultWriter, result: Result) -> None:
        writes["all"] += 1
        if writes["all"] > 5:
            raise RecordingError("the disk is full")
        appended(self, result)

    def heard_nobody(_: ToyExecutor, source: TaskSource, assignment: Assignment, task: CarryOut) -> None:
        for item in task.items:
            with pytest.raises(RecordingError):
                source.on_event(Resulted(assignment.shard.name, result_of(item, assignment)))
            break
        source.on_end(ShardEnd(shard=assignment.shard.name, problem=Problem(reason="the disk is full")))

    def first_then_full(executor: ToyExecutor, source: TaskSource, assignment: Assignment, task: CarryOut) -> None:
        source.on_event(Resulted(assignment.shard.name, result_of(task.items[0], assignment)))
        heard_nobody(executor, source, assignment, CarryOut(run_id=task.run_id, items=task.items[1:]))

    monkeypatch.setattr(ResultWriter, "append", fills_up)
    done = await carried_out(tmp_path, answers={B.name: [first_then_full]})
    assert done.record.status is RunStatus.HALTED
    assert done.record.reason == "the disk is full"
    assert [each.shard for each in done.executor.asked] == [A, B]
    assert sum(1 for _ in done.run.files.results()) == 5


def nobody_is_left(executor: ToyExecutor, source: TaskSource, assignment: Assignment, task: CarryOut) -> None:
    executor.tell(source, assignment, task.items[0], Outcome.UPDATED)
    raise BulkEsmError("the cluster is gone")


async def test_an_executor_that_is_gone_halts_it_and_what_it_had_is_not_known(tmp_path: Path) -> None:
    done = await carried_out(tmp_path, answers={B.name: [nobody_is_left]})
    assert done.record.status is RunStatus.HALTED
    assert done.record.reason == "the cluster is gone"
    assert done.outcomes == {
        A.name: {"updated": 4},
        B.name: {"updated": 1, "timed_out": 3},
        C.name: {"not_started": 4},
    }
    errors = {result.error.code for result in done.seen if result.error}
    assert errors == {"NotKnown"}
    assert done.record.shards == {"finished": 1, "halted": 2}
    run = await continued(fleet_of(done.executor, (A, B, C)), done.run.files)
    assert (await run.carry_out()).counts == {"updated": 12}


async def test_interrupted_before_anything_was_sent(tmp_path: Path) -> None:
    executor = ToyExecutor({A.name: plan_of(A, 3)})
    fleet = fleet_of(executor, (A,))
    intent = Intent(command="pause")
    with await planned(fleet, tmp_path, intent) as plan:
        run = Run(fleet, plan.publish(intent, [[A]], None))
        run.stop()
        record = await run.carry_out()
    assert record.status is RunStatus.INTERRUPTED
    assert record.counts == {"not_started": 3}
    assert executor.asked == []


def is_denied(_: ToyExecutor, source: TaskSource, assignment: Assignment, task: CarryOut) -> None:
    source.on_end(ShardEnd(shard=assignment.shard.name, problem=Problem.of(AccessError("not allowed"))))


def is_broken(_: ToyExecutor, source: TaskSource, assignment: Assignment, task: CarryOut) -> None:
    problem = Problem.of(ServiceError(code="InternalFailure", message="sorry", status=500))
    source.on_end(ShardEnd(shard=assignment.shard.name, problem=problem))


def dies(_: ToyExecutor, source: TaskSource, assignment: Assignment, task: CarryOut) -> None:
    source.on_lost(assignment.shard.name, "killed")


IN_WAVES = Intent(command="pause", rollout=RolloutSettings(waves=("1", "50%", "100%"), soak_s=600.0))


@pytest.mark.parametrize(
    ("answers", "error", "reason", "first"),
    [
        ([is_denied], AccessError, "not allowed", "not_started"),
        ([is_broken], ServiceError, "InternalFailure: sorry", "not_started"),
        ([dies] * 3, BulkEsmError, "its worker was lost (killed)", "timed_out"),
    ],
)
async def test_a_run_whose_only_shard_is_lost_halts_and_does_not_soak(
    tmp_path: Path, answers: list[Answer], error: type[BulkEsmError], reason: str, first: str
) -> None:
    executor = ToyExecutor({A.name: plan_of(A, 10)}, {A.name: answers})

    async def no_soak(_: float) -> None:
        assert run.stage == "", "nobody is there for whom to soak"
        await anyio.sleep_forever()  # until the gate would be asked in the middle of a wave

    fleet = msgspec.structs.replace(fleet_of(executor, (A,)), clock=Clock(sleep=no_soak))
    gate = Watch()
    with await planned(fleet, tmp_path, IN_WAVES) as plan:
        run = Run(fleet, plan.publish(IN_WAVES, [[A]], None))
        with pytest.raises(error, match=re.escape(reason)):
            await run.carry_out(gates=[gate])
    assert (run.record.status, run.record.reason) == (RunStatus.HALTED, reason)
    assert [end.stage for end in gate.ends] == ["before"]
    assert [each.task.wave for each in executor.asked] == [1] * len(answers)
    results = list(run.files.results())
    assert Counter(result.outcome for result in results if result.wave > 1) == {"not_started": 9}
    (canary,) = (result for result in results if result.wave == 1)
    assert canary.outcome == first
    assert canary.error is not None
    assert reason in canary.error.message


async def test_a_run_that_lost_one_shard_after_another_halts_with_the_last(tmp_path: Path) -> None:
    executor = ToyExecutor(
        {A.name: plan_of(A, 10), B.name: plan_of(B, 10)}, {A.name: [is_denied], B.name: [all_updated, is_denied]}
    )
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    now = [0.0]
    fleet = fleet_of(executor, (A, B))
    fleet = msgspec.structs.replace(fleet, clock=Clock(monotonic=lambda: now[0], sleep=sleep))
    intent = Intent(command="pause", rollout=RolloutSettings(waves=("2", "50%", "100%"), soak_s=600.0))
    with await planned(fleet, tmp_path, intent) as plan:
        run = Run(fleet, plan.publish(intent, [[A, B]], None))
        record = await run.carry_out()
    assert sum(slept) == 600.0  # after the first wave, when the other one was still there
    assert {each.task.wave for each in executor.asked} == {1, 2}
    assert (record.status, record.reason) == (RunStatus.HALTED, "not allowed")
    assert record.shards == {"unreachable": 2}
