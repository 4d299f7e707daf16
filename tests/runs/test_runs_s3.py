"""A run whose store is S3, cut off after each write there: another machine ends it, and nothing is sent twice."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import anyio
import msgspec
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from runs_toy import continued, item_of, plan_of, planned, result_of, shard
from s3_toy import SETTINGS, ToyBucket, ToyThread

from bulk_esm.engine.budget import Budget
from bulk_esm.engine.endings import Ending
from bulk_esm.errors import BulkEsmError, RecordingError, RunFolderError
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
)
from bulk_esm.model.plan import PlanItem
from bulk_esm.model.records import Intent, RunStatus
from bulk_esm.model.result import Outcome, Result
from bulk_esm.model.rollout import RolloutSettings
from bulk_esm.model.shard import Shard
from bulk_esm.model.stopping import Stop
from bulk_esm.runs.fleet import Fleet
from bulk_esm.runs.run import Run
from bulk_esm.store.finding import all_runs, find_run
from bulk_esm.store.s3.place import S3Place

HOME = (shard(1),)
FLEET = (shard(1), shard(2))
UPDATES = 5
INTENT = Intent(command="pause", rollout=RolloutSettings(waves=("1", "100%")))


def ended(number: int, run_id: str) -> Result:
    assignment = Assignment(shard=HOME[0], reach=Reach(), task=CarryOut(run_id=run_id, items=()))
    return result_of(item_of(HOME[0], number), assignment)


class Lambda:
    """What the service has accepted, by UUID; List never shows it in time."""

    def __init__(self) -> None:
        self.accepted: Counter[str] = Counter()


class Sender:
    """Asks before each update, as whoever works in the driver's process does; all that is sent is accepted."""

    tells_before_updates = True

    def __init__(self, service: Lambda) -> None:
        self._service = service
        self._stopped: Stop | None = None

    async def do(self, source: TaskSource) -> None:
        while (assignment := source.next()) is not None:
            name, task = assignment.shard.name, assignment.task
            await anyio.lowlevel.checkpoint()
            if isinstance(task, PlanChange):
                source.on_end(ShardEnd(shard=name, plan=plan_of(assignment.shard, UPDATES), seen=UPDATES))
            elif isinstance(task, LookAgain):
                got = {uuid for uuid in task.sent if self._service.accepted[uuid]}
                known = {uuid: Ending(Outcome.UPDATED) for uuid in got}
                source.on_end(ShardEnd(shard=name, known=known))
            elif isinstance(task, CarryOut):
                todo = [item for item in task.items if item.uuid not in task.known]
                stop = await self._send(source, name, todo)
                for item in task.items:
                    if item.uuid in task.known or stop is None:
                        source.on_event(Resulted(name, result_of(item, assignment)))
                    elif not self._service.accepted[item.uuid]:
                        source.on_event(Resulted(name, result_of(item, assignment, Outcome.NOT_STARTED)))
                source.on_end(ShardEnd(shard=name, stop=stop))

    async def _send(self, source: TaskSource, name: str, todo: list[PlanItem]) -> Stop | None:
        try:
            for at, item in enumerate(todo):
                await source.before_update(name, 1, [each.uuid for each in todo[at : at + 2]])
                self._service.accepted[item.uuid] += 1
        except RunFolderError as error:
            return Stop(RunStatus.HALTED, str(error))
        return None

    def begin(self, budget: Budget) -> None:
        pass

    def status(self, shard: str) -> ShardStatus | None:  # noqa: ARG002 - an Executor's
        return None

    def stop(self, stop: Stop, *, hurry: bool = False) -> None:  # noqa: ARG002 - an Executor's
        self._stopped = stop

    def stop_shard(self, shard: str, stop: Stop) -> None:
        """No shard of this one is halted alone."""

    def hold(self, *, is_held: bool) -> None:
        pass


@pytest.fixture
def portal() -> Iterator[BlockingPortal]:
    with start_blocking_portal() as opened:
        yield opened
        opened.call(opened.stop, True)


class Machine(S3Place):
    """A machine: nothing of it is anybody else's but the bucket; its thread is all machines'."""

    def __init__(self, bucket: ToyBucket, portal: BlockingPortal, folder: Path) -> None:
        super().__init__(SETTINGS, segment_every_s=3600)
        self.thread = ToyThread(bucket, portal)
        folder.mkdir()
        self.__dict__["folder"] = folder


def fleet(service: Lambda, shards: tuple[Shard, ...]) -> Fleet:
    return Fleet(shards=shards, executor=Sender(service), reach=Reach(), is_named=len(shards) > 1)


async def begun(service: Lambda, place: S3Place, shards: tuple[Shard, ...]) -> None:
    """Plan a run and carry it out, as far as it comes."""
    made = fleet(service, shards)
    with await planned(made, place, INTENT) as plan:
        await Run(made, plan.publish(INTENT, [plan.shards], None)).carry_out()


async def taken_up(service: Lambda, place: S3Place, shards: tuple[Shard, ...]) -> None:
    """Go on with the run that is there, if there is one."""
    if all_runs(place):
        await (await continued(fleet(service, shards), find_run(place, "last"))).carry_out()


def uuids_of(place: S3Place) -> list[str]:
    return [item.uuid for item in find_run(place, "last").items()]


@pytest.mark.parametrize("shards", [HOME, FLEET], ids=["home", "fleet"])
async def test_what_one_machine_began_another_one_ends(
    shards: tuple[Shard, ...], portal: BlockingPortal, tmp_path: Path
) -> None:
    """S3 takes so many writes of the first machine, so many of the second, and all of the third."""
    whole = ToyBucket()
    await begun(Lambda(), Machine(whole, portal, tmp_path / "whole"), shards)
    assert whole.writes > 10
    dice = random.Random(1)  # noqa: S311 - which writes fail
    outcomes: Counter[str] = Counter()
    for most in range(whole.writes + 1):
        bucket, service = ToyBucket(), Lambda()
        folder = tmp_path / f"{most}"
        folder.mkdir()
        bucket.most_writes = most
        with suppress(BulkEsmError):
            await begun(service, Machine(bucket, portal, folder / "first"), shards)
        sent_by_first = service.accepted.total()
        bucket.most_writes = bucket.writes + dice.randint(0, whole.writes)
        with suppress(BulkEsmError):
            await taken_up(service, Machine(bucket, portal, folder / "second"), shards)
        bucket.most_writes = None
        third = Machine(bucket, portal, folder / "third")
        await taken_up(service, third, shards)
        if not all_runs(third):
            assert not service.accepted  # it was never published, and nobody sent anything
            outcomes["never a run"] += 1
            continue
        run = find_run(Machine(bucket, portal, folder / "reader"), "last")
        assert run.record().status is RunStatus.FINISHED
        assert Counter(result.uuid for result in run.results()) == Counter(item.uuid for item in run.items())
        assert {result.outcome for result in run.results()} == {Outcome.UPDATED}
        assert service.accepted == Counter(item.uuid for item in run.items())  # each once
        outcomes["cut" if sent_by_first < len(shards) * UPDATES else "whole"] += 1
    assert outcomes["never a run"]
    assert outcomes["cut"]
    assert outcomes["whole"]


async def test_a_run_that_was_not_published_is_none(portal: BlockingPortal, tmp_path: Path) -> None:
    bucket, service = ToyBucket(), Lambda()
    bucket.most_writes = 1
    with pytest.raises(RunFolderError, match=r"toy-runs/team/.*cannot be written: SlowDown"):
        await begun(service, Machine(bucket, portal, tmp_path / "first"), HOME)
    assert bucket.objects
    assert all_runs(Machine(bucket, portal, tmp_path / "second")) == []


async def test_a_machine_that_others_took_for_dead_writes_over_nothing(portal: BlockingPortal, tmp_path: Path) -> None:
    """It was frozen, and another one has taken its run up: it ends without a word in the record, and says why."""
    bucket, service = ToyBucket(), Lambda()
    frozen = Machine(bucket, portal, tmp_path / "frozen")
    made = fleet(service, HOME)
    with await planned(made, frozen, INTENT) as plan:
        run = Run(made, plan.publish(INTENT, [plan.shards], None))
        await run.files.replica.open()  # type: ignore[union-attr] # it has one
        await taken_up(service, Machine(bucket, portal, tmp_path / "other"), HOME)
        there = dict(bucket.objects)
        with run.files.shard(HOME[0]).open_results() as results:
            results.append(ended(0, plan.run_id))
        await run.files.replica.flush()  # type: ignore[union-attr] # likewise
        reader = Machine(bucket, portal, tmp_path / "reader")
        assert len(list(find_run(reader, "last").results())) == UPDATES
        bucket.objects = dict(there)
        run.files.write_record(msgspec.structs.replace(run.record, status=RunStatus.HALTED))
        with pytest.raises(RecordingError, match="another machine works at this run"):
            await run.files.replica.close()  # type: ignore[union-attr] # likewise
    assert bucket.objects == there


async def test_what_is_appended_is_there_within_seconds(portal: BlockingPortal, tmp_path: Path) -> None:
    """While the run goes: whoever looks sees whole lines, as many as were written."""
    bucket, service = ToyBucket(), Lambda()
    place = Machine(bucket, portal, tmp_path / "first")
    made = fleet(service, HOME)
    with await planned(made, place, INTENT) as plan:
        files = plan.publish(INTENT, [plan.shards], None)
        replica = files.replica
        assert replica is not None
        read: list[list[str]] = []
        await replica.open()
        with files.shard(HOME[0]).open_results() as results:
            for number in range(1, 4):
                results.append(ended(number, plan.run_id))
                await replica.flush()
                seen = find_run(Machine(bucket, portal, tmp_path / f"reader-{number}"), "last")
                read.append([result.uuid for result in seen.results()])
        segments = [key for key in bucket.objects if "results.jsonl." in key]
        await replica.close()
    uuids = [item_of(HOME[0], number).uuid for number in range(1, 4)]
    assert read == [uuids[:1], uuids[:2], uuids]
    assert len(segments) == len(uuids)
    assert not any("results.jsonl." in key for key in bucket.objects)  # all in one


async def test_nobody_fetches_over_a_run_at_which_this_process_works(portal: BlockingPortal, tmp_path: Path) -> None:
    """It was found twice, as when a lock was waited for meanwhile, and is taken up by who found it first."""
    bucket, service = ToyBucket(), Lambda()
    await begun(service, Machine(bucket, portal, tmp_path / "first"), HOME)
    second = Machine(bucket, portal, tmp_path / "second")
    found = find_run(second, "last").fetched()
    second._runs.clear()  # as after the seconds for which what was read counts
    [again] = all_runs(second)
    assert again.replica is not found.replica
    assert found.replica is not None
    found.replica.take_up()
    results = found.path / "results.jsonl"
    results.write_bytes(b"")
    [again] = all_runs(second)
    again.fetched()
    second.fetch([again])
    assert results.read_bytes() == b""
