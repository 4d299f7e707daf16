"""How the engine begins, bounds and ends its work."""

import errno
from collections.abc import Callable
from typing import Any, cast

import anyio
import pytest
from engine_world import (
    Home,
    a_mapping,
    accepted,
    check_what_always_holds,
    engine_of,
    in_virtual_time,
    outcomes,
    queues,
    virtual_clock,
    world,
)

from bulk_esm import AccessError, Change, Outcome, Plan, Result, RunFolderError, Selection
from bulk_esm.engine.endings import changed
from bulk_esm.engine.engine import Engine
from bulk_esm.engine.sending import Sending
from bulk_esm.engine.task_groups import task_group
from bulk_esm.model.plan import Action, unknown_item
from bulk_esm.model.records import RunStatus
from bulk_esm.model.stopping import Stop
from bulk_esm.simulator import Faults, make_fleet

PAUSE = Change({"Enabled": False})
STOP = Stop(RunStatus.INTERRUPTED, "it was interrupted")
EVERYTHING = Selection(all=True)


class Sent:
    """Counts the updates that are under way at any time."""

    def __init__(self, home: Home) -> None:
        self.now = self.most = 0
        client = cast("Any", home.control_plane._client)
        self._send = client.update_event_source_mapping
        client.update_event_source_mapping = self._counted

    async def _counted(self, **request: Any) -> Any:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            return await self._send(**request)
        finally:
            self.now -= 1


async def later(seconds: float, act: Callable[[], Any]) -> None:
    await anyio.sleep(seconds)
    act()


@in_virtual_time
async def test_an_empty_plan() -> None:
    async with world(mappings=8) as (simulator, home):
        results: list[Result] = []
        await engine_of(home).run([], results.append)
        assert results == []
        assert simulator.report().count() == 0


@in_virtual_time
async def test_what_needs_nothing_sent_has_its_result_and_costs_nothing() -> None:
    async with world(fleet=[a_mapping(0, State="Disabled"), a_mapping(1)]) as (simulator, home):
        plan = await home.plan(EVERYTHING, Change({"Enabled": False, "ParallelizationFactor": 2}))
        plan = Plan((*plan.items, unknown_item("0" * 36)))
        assert plan.count(Action.BLOCKED) == 3
        results: list[Result] = []
        await engine_of(home).run(plan.items, results.append)
        check_what_always_holds(plan, results, simulator)
        assert outcomes(results) == {Outcome.BLOCKED: 3}
        assert all(result.request == {} and result.update_calls == 0 for result in results)
        assert simulator.report().count("update") == 0
        error = results[2].error
        assert error is not None
        assert error.code == "Blocked"
        assert "UUID" in error.message


@in_virtual_time
async def test_what_someone_changed_since_the_plan_is_a_conflict_and_is_not_sent() -> None:
    async with world(fleet=queues(4)) as (simulator, home):
        plan = await home.plan(EVERYTHING, PAUSE)
        since = plan.items[2].uuid
        engine = Engine(
            home.control_plane,
            run_id="r",
            account_id=None,
            known={since: changed("BatchSize: 100 -> 77")},
            clock=virtual_clock(),
        )
        results: list[Result] = []
        await engine.run(plan.items, results.append)
        check_what_always_holds(plan, results, simulator)
        conflict = next(result for result in results if result.uuid == since)
        assert (conflict.outcome, conflict.update_calls) == (Outcome.CONFLICT, 0)
        assert accepted(simulator) == {item.uuid for item in plan.items} - {since}


@pytest.mark.parametrize("concurrency", [1, 5])
@in_virtual_time
async def test_no_more_are_sent_at_once_than_was_said(concurrency: int) -> None:
    async with world(fleet=queues(30), faults=Faults(latency_s=2.0)) as (_, home):
        plan = await home.plan(EVERYTHING, PAUSE)
        sent = Sent(home)
        await engine_of(home, concurrency=concurrency).run(plan.items, lambda _: None)
        assert sent.most == concurrency


@in_virtual_time
async def test_waiting_for_an_update_to_settle_keeps_no_other_from_being_sent() -> None:
    async with world(fleet=queues(30), faults=Faults(stuck_share=1.0)) as (simulator, home):
        plan = await home.plan(EVERYTHING, PAUSE)
        engine = engine_of(home, concurrency=1, timeout_s=600.0)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(engine.run, plan.items, lambda _: None)
            await anyio.sleep(20)
            assert len(accepted(simulator)) == 30
            tasks.cancel_scope.cancel()


@in_virtual_time
async def test_no_more_are_under_way_than_was_said() -> None:
    async with world(fleet=queues(12), faults=Faults(stuck_share=1.0)) as (simulator, home):
        plan = await home.plan(EVERYTHING, PAUSE)
        results: list[Result] = []
        engine = engine_of(home, most_under_way=5, timeout_s=60.0)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(engine.run, plan.items, results.append)
            await anyio.sleep(50)
            assert len(accepted(simulator)) == 5
            await anyio.sleep(50)
            assert len(accepted(simulator)) == 10
        assert outcomes(results) == {Outcome.TIMED_OUT: 12}


@in_virtual_time
async def test_statistics_add_up_at_any_time() -> None:
    async with world(fleet=queues(20), faults=Faults(latency_s=1.0)) as (_, home):
        plan = await home.plan(EVERYTHING, PAUSE)
        engine = engine_of(home, concurrency=4)
        looks = 0
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(engine.run, plan.items, lambda _: None)
            while sum(engine.statistics().outcomes.values()) < 20:
                await anyio.sleep(0.5)
                statistics = engine.statistics()
                ended = sum(statistics.outcomes.values())
                assert statistics.total == 20
                assert 0 <= statistics.sending <= 4
                assert statistics.settling == home.control_plane.requests["update", "ok"] - ended
                looks += 1
        assert looks > 10
        done = engine.statistics()
        assert (done.sending, done.settling, done.outcomes) == (0, 0, {Outcome.UPDATED: 20})


@in_virtual_time
async def test_what_settles_slowest_goes_first() -> None:
    async with world(fleet=make_fleet(40, disabled_share=0.0)) as (simulator, home):
        plan = await home.plan(EVERYTHING, PAUSE)
        await engine_of(home).run(plan.items, lambda _: None)
        order = sorted(simulator.report().mappings, key=lambda mapping: mapping.accepted[0].accepted_at)
        types = [
            mapping.source_type.replace("msk", "kafka").replace("dynamodb", "kinesis").removesuffix("-fifo")
            for mapping in order
        ]
        grouped = list(dict.fromkeys(types))
        assert [source_type for kind in grouped for source_type in types if source_type == kind] == types
        assert grouped[:2] == ["documentdb", "kafka"]
        assert grouped[-2:] == ["sqs", "kinesis"]


@in_virtual_time
async def test_stop_sends_nothing_more_and_waits_for_what_was_accepted() -> None:
    async with world(fleet=queues(60)) as (simulator, home):
        plan = await home.plan(EVERYTHING, PAUSE)
        results: list[Result] = []
        engine = engine_of(home)
        sent: list[int] = []

        def stop() -> None:
            engine.stop(STOP)
            sent.append(simulator.report().count("update"))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(later, 2.0, stop)
            await engine.run(plan.items, results.append)
        check_what_always_holds(plan, results, simulator)
        assert 10 < sent[0] == simulator.report().count("update") < 30
        assert outcomes(results) == {Outcome.UPDATED: sent[0], Outcome.NOT_STARTED: 60 - sent[0]}
        rest = [result for result in results if result.outcome is Outcome.NOT_STARTED]
        assert {(result.update_calls, result.error, result.state) for result in rest} == {(0, None, "Enabled")}


@in_virtual_time
async def test_stop_before_the_start() -> None:
    async with world(fleet=queues(5)) as (simulator, home):
        plan = await home.plan(EVERYTHING, PAUSE)
        results: list[Result] = []
        engine = engine_of(home)
        engine.stop(STOP)
        await engine.run(plan.items, results.append)
        check_what_always_holds(plan, results, simulator)
        assert outcomes(results) == {Outcome.NOT_STARTED: 5}
        assert simulator.report().count("update") == 0


@in_virtual_time
async def test_what_was_throttled_when_the_stop_came_was_not_started() -> None:
    """A throttled update changed nothing: it must not count as sent and not seen."""
    async with world(fleet=queues(20), faults=Faults(other_caller_share=3.0)) as (simulator, home):
        plan = await home.plan(EVERYTHING, PAUSE)
        results: list[Result] = []
        engine = engine_of(home)
        await anyio.sleep(5)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(later, 30.0, lambda: engine.stop(STOP))
            await engine.run(plan.items, results.append)
        assert simulator.report().count("update", 429) > 5
        assert not accepted(simulator)
        assert outcomes(results) == {Outcome.NOT_STARTED: 20}
        assert sum(result.update_calls for result in results) == simulator.report().count("update")


@pytest.mark.parametrize("seconds", [0.0, 0.04, 1.0, 3.0, 5.0, 7.0, 9.5])
@in_virtual_time
async def test_cancelled_at_any_time_every_item_has_its_result(seconds: float) -> None:
    async with world(fleet=queues(40), faults=Faults(latency_s=0.3, cut_after_share=0.1)) as (simulator, home):
        plan = await home.plan(EVERYTHING, PAUSE)
        results: list[Result] = []
        with anyio.move_on_after(seconds) as scope:
            await engine_of(home).run(plan.items, results.append)
        assert scope.cancelled_caught
        check_what_always_holds(plan, results, simulator)
        counts = outcomes(results)
        assert set(counts) <= {Outcome.UPDATED, Outcome.TIMED_OUT, Outcome.NOT_STARTED}
        for result in results:
            if result.outcome is Outcome.TIMED_OUT:
                assert result.error is not None
                assert result.error.code == "Interrupted"
                assert result.update_calls > 0
                assert ("was accepted" in result.error.message) == (result.accepted_at is not None)


@in_virtual_time
async def test_a_bug_in_one_item_does_not_lose_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(fleet=queues(10)) as (simulator, home):
        plan = await home.plan(EVERYTHING, PAUSE)
        engine = engine_of(home)
        settled = Sending.settled
        while_settling, while_sending = plan.items[3].uuid, plan.items[6].uuid
        update = home.control_plane.update

        def broken_settled(sending: Sending, *arguments: Any) -> Any:
            if sending.item.uuid == while_settling:
                raise KeyError("a bug")
            return settled(sending, *arguments)

        async def broken_update(uuid: str, *arguments: Any, **options: Any) -> Any:
            if uuid == while_sending:
                raise KeyError("a bug")
            return await update(uuid, *arguments, **options)

        monkeypatch.setattr(Sending, "settled", broken_settled)
        monkeypatch.setattr(home.control_plane, "update", broken_update)
        results: list[Result] = []
        await engine.run(plan.items, results.append)
        check_what_always_holds(plan, results, simulator)
        by_uuid = {result.uuid: result for result in results}
        for uuid, outcome in ((while_settling, Outcome.TIMED_OUT), (while_sending, Outcome.FAILED)):
            result = by_uuid.pop(uuid)
            assert result.error is not None
            assert (result.outcome, result.error.code) == (outcome, "InternalError")
            assert "KeyError: 'a bug'" in result.error.message
        assert {result.outcome for result in by_uuid.values()} == {Outcome.UPDATED}


def disk_full_after(count: int) -> tuple[list[Result], Callable[[Result], None]]:
    """A record of results that fits only so many."""
    results: list[Result] = []

    def record(result: Result) -> None:
        if len(results) == count:
            raise RunFolderError("results.jsonl cannot be written: No space left on device")
        results.append(result)

    return results, record


@pytest.mark.parametrize("count", [0, 1, 7])
@pytest.mark.parametrize("mappings", [10, 100])
@in_virtual_time
async def test_a_result_that_cannot_be_recorded_stops_all_sending(mappings: int, count: int) -> None:
    async with world(fleet=queues(mappings)) as (simulator, home):
        plan = await home.plan(EVERYTHING, PAUSE)
        results, record = disk_full_after(count)
        failed_at: list[int] = []

        def watched(result: Result) -> None:
            try:
                record(result)
            except RunFolderError:
                failed_at.append(simulator.report().count("update"))
                raise

        with pytest.raises(RunFolderError, match="No space left"):
            await engine_of(home).run(plan.items, watched)
        # It was not tried again: what follows half a line would be lost with it.
        assert len(results) == count
        assert failed_at == [simulator.report().count("update")]
        await anyio.sleep(60)
        assert simulator.report().count("update") == failed_at[0]


@in_virtual_time
async def test_a_result_that_cannot_be_recorded_before_anything_was_sent() -> None:
    async with world(fleet=queues(5)) as (simulator, home):
        plan = await home.plan(EVERYTHING, PAUSE)
        _, record = disk_full_after(0)
        with pytest.raises(RunFolderError):
            await engine_of(home).run([unknown_item("0" * 36), *plan.items], record)
        assert simulator.report().count("update") == 0


@in_virtual_time
async def test_tasks_fail_with_their_own_error() -> None:
    async def fail(error: Exception) -> None:
        raise error

    cause = OSError(errno.ENOSPC, "full")
    error = AccessError("refused")
    error.__cause__ = cause
    with pytest.raises(AccessError) as caught:
        async with task_group() as tasks:
            tasks.start_soon(fail, error)
    assert caught.value is error
    assert caught.value.__cause__ is cause
    with pytest.raises(KeyError):
        async with task_group() as tasks:
            await fail(KeyError())
    async with task_group() as tasks:
        tasks.start_soon(anyio.sleep, 1)
        tasks.cancel_scope.cancel()


@in_virtual_time
async def test_when_all_places_are_taken_looks_make_room() -> None:
    """Updates wait then for what has settled, and not for requests: a look delays none."""
    async with world(fleet=queues(1000)) as (simulator, home):
        plan = await home.plan(EVERYTHING, PAUSE)
        items = plan.items[:300]
        results: list[Result] = []
        await engine_of(home, most_under_way=100).run(items, results.append)
        check_what_always_holds(Plan(items), results, simulator)
        assert outcomes(results) == {Outcome.UPDATED: 300}
        assert anyio.current_time() < 200
