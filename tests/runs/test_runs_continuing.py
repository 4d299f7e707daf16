"""What a run that did not end well has left, and how it goes on."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from runs_toy import ToyExecutor, fleet_of, item_of, of_an_older_version, plan_of, planned, shard

from bulk_esm.clock import Clock
from bulk_esm.engine.endings import Ending
from bulk_esm.errors import AccessError
from bulk_esm.executors.protocols import TaskSource
from bulk_esm.executors.tasks import Assignment, CarryOut, ShardEnd
from bulk_esm.model.records import Intent, RunRecord, RunStatus
from bulk_esm.model.result import Outcome
from bulk_esm.model.shard import Problem, Shard
from bulk_esm.runs.continuing import plan_rest, put_back_since
from bulk_esm.runs.fleet import Fleet
from bulk_esm.runs.run import Run
from bulk_esm.store.run_files import RunFiles

A, B, C = shard(1), shard(2), shard(3)
INTENT = Intent(command="pause")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DENIED = Problem.of(AccessError("the role is gone"))


def is_cut(executor: ToyExecutor, source: TaskSource, assignment: Assignment, task: CarryOut) -> None:
    """Two are updated, one does not settle in time, and the rest is not started."""
    for item, outcome in zip(task.items, (Outcome.UPDATED, Outcome.UPDATED, Outcome.TIMED_OUT), strict=False):
        executor.tell(source, assignment, item, outcome)
    source.on_end(ShardEnd(shard=assignment.shard.name, problem=DENIED, requests={"update": 3}))


def is_denied(_: ToyExecutor, source: TaskSource, assignment: Assignment, task: CarryOut) -> None:
    source.on_end(ShardEnd(shard=assignment.shard.name, problem=DENIED))


async def cut_run(runs_dir: Path, *shards: Shard) -> tuple[ToyExecutor, Fleet, Run]:
    """A run whose first shard is cut halfway, whose second ended well, and whose third did not begin."""
    executor = ToyExecutor(
        {each.name: plan_of(each, 4, unchanged=1) for each in shards}, {A.name: [is_cut], C.name: [is_denied]}
    )
    fleet = msgspec.structs.replace(fleet_of(executor, shards), clock=Clock(now=lambda: NOW))
    with await planned(fleet, runs_dir, INTENT) as plan:
        run = Run(fleet, plan.publish(INTENT, [shards], None))
        with suppress(AccessError):  # of the only one
            await run.carry_out()
    return executor, fleet, run


async def test_what_is_left_is_counted_and_nothing_changed(tmp_path: Path) -> None:
    executor, fleet, run = await cut_run(tmp_path, A, B, C)
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    executor.known = {A.name: {item_of(A, 2).uuid: Ending(Outcome.UPDATED)}}
    rest = await plan_rest(fleet, run.files)
    assert (rest.total, rest.ended, rest.left) == (15, 3 + 5 + 1, 2 + 0 + 4)
    assert (rest.shards_left, rest.to_send) == (2, 5)
    assert (rest.count(Outcome.UPDATED), rest.count(Outcome.CONFLICT)) == (1, 0)
    assert rest.problems == {}
    assert rest.requests == {"list": 2}
    assert [(each.shard, each.task) for each in executor.looked] == [(A, rest.task_of(A)), (C, rest.task_of(C))]
    assert [item.uuid for item in rest.task_of(A).items] == [item_of(A, 2).uuid, item_of(A, 3).uuid]
    assert {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()} == before


async def test_it_goes_on_with_what_is_left_and_what_was_found(tmp_path: Path) -> None:
    executor, fleet, run = await cut_run(tmp_path, A, B, C)
    executor.known = {A.name: {item_of(A, 2).uuid: Ending(Outcome.UPDATED)}}
    executor.unseen = {C.name: Problem(reason="it did not answer")}
    asked = len(executor.asked)
    executor.behave()
    rest = await plan_rest(fleet, run.files)
    assert rest.problems == executor.unseen
    assert rest.to_send == 5  # what could not be looked at may have to be sent
    again = rest.begin()
    assert (again.record.status, again.record.continued_at) == (RunStatus.RUNNING, "2026-01-02T03:04:05.000Z")
    assert again.record.requests == {"update": 3 + 4, "list": 2}
    assert [len(list(run.files.shard(each).results())) for each in (A, B, C)] == [3, 5, 1]
    record = await again.carry_out()
    assert record.status is RunStatus.FINISHED
    assert record.counts == {"updated": 12, "unchanged": 3}
    first, second = executor.asked[asked:]
    assert (first.shard, second.shard) == (A, C)
    assert first.task.known == executor.known[A.name]
    assert (first.task.in_doubt, first.task.looks_first) == (True, False)
    assert (second.task.in_doubt, second.task.looks_first) == (True, True)  # nobody has looked at what was sent there


async def test_what_keeps_the_only_shard_from_being_looked_at_is_raised_and_changes_nothing(tmp_path: Path) -> None:
    executor, fleet, run = await cut_run(tmp_path, A)
    before = (run.files.record(), list(run.files.results()))
    executor.unseen = {A.name: DENIED}
    with pytest.raises(AccessError, match="the role is gone"):
        await plan_rest(fleet, run.files)
    assert (run.files.record(), list(run.files.results())) == before


async def test_nothing_is_left_of_a_run_that_ended_well(tmp_path: Path) -> None:
    executor, fleet, run = await cut_run(tmp_path, B)
    rest = await plan_rest(fleet, run.files)
    assert (rest.total, rest.ended, rest.left, rest.shards_left, rest.to_send) == (5, 5, 0, 0, 0)
    assert executor.looked == []


def a_record(run_id: str = "a-run", *, started_at: str = "2026-01-01T10:00:00.000Z", **members: object) -> RunRecord:
    record = RunRecord(
        run_id=run_id, command="pause", argv=(), version="0", account_id=None, region="eu-west-1", started_at=started_at
    )
    return msgspec.structs.replace(record, **members)


LATER = "2026-01-01T11:00:00.000Z"
UNDONE = {"undoes": "a-run", "counts": {"updated": 1}}


@pytest.mark.parametrize(
    ("other", "has_put_back"),
    [
        (a_record("b", started_at=LATER, **UNDONE), True),
        (a_record("b", started_at=LATER, undoes="a-run", counts={"failed": 1}), False),
        (a_record("b", started_at=LATER, undoes="another-run", counts={"updated": 1}), False),
        (a_record("b", started_at=LATER, counts={"updated": 1}), False),
    ],
)
def test_a_run_that_was_put_back_since(other: RunRecord, *, has_put_back: bool) -> None:
    assert put_back_since(a_record(), [a_record("before"), other]) == (other if has_put_back else None)


def test_what_was_put_back_before_it_was_continued_is_over() -> None:
    other = a_record("b", started_at=LATER, **UNDONE)
    assert put_back_since(a_record(continued_at="2026-01-01T12:00:00.000Z"), [other]) is None
    assert put_back_since(a_record(continued_at="2026-01-01T10:30:00.000Z"), [other]) == other
    assert put_back_since(a_record(), []) is None


async def test_a_run_that_kept_no_list_of_what_had_begun_does_not_lose_its_doubts(tmp_path: Path) -> None:
    """One of an older version, continued and killed again at once: what it may have sent is looked at again."""
    _, fleet, run = await cut_run(tmp_path, A)
    files = run.files.shard(A)
    of_an_older_version(files)
    (files.path / "begun.jsonl").unlink()
    before = (await plan_rest(fleet, run.files)).perhaps_sent
    (await plan_rest(fleet, run.files)).begin(most_failures=10)
    with files.open_begun() as begun, files.open_results():  # and then the kill
        begun.begin([item_of(A, 3).uuid], wave=1)
    again = RunFiles(run.path)
    assert again.shard(A).begun() == frozenset(item_of(A, number).uuid for number in range(4))
    assert (await plan_rest(fleet, again)).perhaps_sent == before == 2


async def test_results_that_tell_of_sending_go_only_when_that_is_kept_elsewhere(tmp_path: Path) -> None:
    """Its list of what had begun was cut: what did not settle in time is looked at by Get, however often it dies."""
    _, fleet, run = await cut_run(tmp_path, A)
    of_an_older_version(run.files.shard(A))
    (run.files.shard(A).path / "begun.jsonl").write_bytes(b"")
    for _ in range(2):
        rest = await plan_rest(fleet, RunFiles(run.path))
        assert item_of(A, 2).uuid in rest.task_of(A).sent
        rest.begin(most_failures=10)
    assert [result.uuid for result in RunFiles(run.path).results() if result.outcome is Outcome.TIMED_OUT] == []
