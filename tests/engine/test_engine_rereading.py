"""Reading again before sending: what is too old is read by a sweep or by Get, and each page is news of all it shows."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from engine_world import Home, accepted, engine_of, in_virtual_time, outcomes, queues, world
from hypothesis import given
from hypothesis import strategies as st

from bulk_esm.engine.engine import Engine
from bulk_esm.engine.rereading import FRESH_S, Rereading, longest_age_s
from bulk_esm.errors import ServiceError
from bulk_esm.model.change import Change
from bulk_esm.model.plan import Plan
from bulk_esm.model.result import Outcome, Result
from bulk_esm.model.selection import Selection
from bulk_esm.simulator import Faults, Simulator, make_fleet

NO_GET = Faults(denied_actions=frozenset({"lambda:GetEventSourceMapping"}))
NO_LIST = Faults(denied_actions=frozenset({"lambda:ListEventSourceMappings"}))
CHANGE = Change({"BatchSize": 7})


@given(pages=st.integers(0, 10_000), rate=st.floats(0.1, 1000.0))
def test_sweeps_take_at_most_a_twentieth_of_the_requests(pages: int, rate: float) -> None:
    longest_s = longest_age_s(pages, rate)
    assert longest_s >= FRESH_S
    assert pages <= longest_s * rate / 20 + 1e-6
    assert longest_s == FRESH_S or math.isclose(pages, longest_s * rate / 20)


def rereading_of(home: Home, plan: Plan, *, read_at: float = -math.inf) -> Rereading:
    rereading = Rereading(home.control_plane, clock=home.clock)
    rereading.expect(plan.updates, read_at=read_at)
    return rereading


async def found(rereading: Rereading, plan: Plan) -> dict[str, Outcome]:
    """How those end that are not to be sent, asked in turn."""
    waiting, endings = list(plan.updates), {}
    while waiting:
        ending = await rereading.next(waiting)
        item = waiting.pop()
        if ending is not None:
            endings[item.uuid] = ending.outcome
    return endings


@in_virtual_time
async def test_without_get_only_a_later_stamp_contradicts() -> None:
    async with world(fleet=make_fleet(8, disabled_share=0.0).mappings) as (simulator, home):
        plan = await home.plan(Selection(all=True), Change({"Enabled": False}))
        later, same = (item.uuid for item in plan.items if item.source_type in {"sqs", "mq"})
        simulator.change_behind(later, BatchSize=5)
        simulator.change_behind(same, BatchSize=5, LastModified=simulator.get(same)["LastModified"])
        assert await found(rereading_of(home, plan), plan) == dict.fromkeys((later, same), Outcome.CONFLICT)

        simulator.set_faults(NO_GET)
        assert await found(rereading_of(home, plan), plan) == {later: Outcome.CONFLICT}


@in_virtual_time
async def test_without_list_each_is_read_by_get_just_before_its_turn() -> None:
    async with world(fleet=queues(250)) as (simulator, home):
        plan = await home.plan(Selection(all=True), CHANGE)
        simulator.set_faults(NO_LIST)
        theirs = plan.items[100].uuid
        simulator.change_behind(theirs, BatchSize=5)
        lists = simulator.report().count("list")
        assert await found(rereading_of(home, plan), plan) == {theirs: Outcome.CONFLICT}
        assert simulator.report().count("list") == lists + 1
        assert simulator.report().count("get") == 250


@in_virtual_time
async def test_what_has_had_its_turn_may_have_it_again() -> None:
    """As where something else keeps it from being sent for a while."""
    async with world(fleet=queues(3)) as (simulator, home):
        plan = await home.plan(Selection(all=True), CHANGE)
        rereading, waiting = rereading_of(home, plan), list(plan.updates)
        assert [await rereading.next(waiting) for _ in range(3)] == [None] * 3
        assert simulator.report().count("list") == 2  # for the plan, and once more


@in_virtual_time
async def test_any_page_is_news_of_what_waits() -> None:
    async with world(fleet=queues(250)) as (simulator, home):
        plan = await home.plan(Selection(all=True), CHANGE)
        rereading = rereading_of(home, plan)
        theirs = plan.items[100].uuid
        simulator.change_behind(theirs, BatchSize=5)
        async for page in home.control_plane.list():
            rereading.heed(page, home.clock.monotonic())
        asked = simulator.report().count("list")
        assert await found(rereading, plan) == {theirs: Outcome.CONFLICT}
        assert (simulator.report().count("list"), simulator.report().count("get")) == (asked, 0)


@in_virtual_time
async def test_what_is_on_its_way_or_shown_by_no_page_is_asked_about_just_before_its_turn() -> None:
    async with world(fleet=queues(250)) as (simulator, home):
        plan = await home.plan(Selection(all=True), CHANGE)
        moving, gone = plan.items[100].uuid, plan.items[150].uuid
        simulator.change_behind(moving, State="Updating", BatchSize=5)
        simulator.delete_behind(gone)
        rereading = rereading_of(home, plan)
        waiting = list(plan.updates)
        assert await rereading.next(waiting) is None  # by a sweep
        waiting.pop()
        simulator.change_behind(moving, State="Enabled", BatchSize=5)
        assert await found(rereading, Plan(tuple(waiting))) == dict.fromkeys((moving, gone), Outcome.CONFLICT)
        assert 2 <= simulator.report().count("get") <= 4


@in_virtual_time
async def test_a_page_that_lags_behind_the_plan_tells_nothing() -> None:
    async with world(fleet=queues(250)) as (simulator, home):
        pages = [page async for page in home.control_plane.list()]
        for mapping in simulator.snapshot():
            simulator.change_behind(mapping["UUID"], BatchSize=9)
        plan = await home.plan(Selection(all=True), CHANGE)
        now = home.clock.monotonic()
        rereading = rereading_of(home, plan, read_at=now)
        for page in pages:
            rereading.heed(page, now + 1)
        asked = simulator.report().count("get")
        assert await found(rereading, plan) == {}
        assert simulator.report().count("get") == asked


@in_virtual_time
async def test_what_was_seen_changed_is_not_taken_back_by_a_picture_from_before() -> None:
    async with world(fleet=queues(250)) as (simulator, home):
        plan = await home.plan(Selection(all=True), CHANGE)
        pages = [page async for page in home.control_plane.list()]
        changed, moving = plan.items[100].uuid, plan.items[150].uuid
        rereading = rereading_of(home, plan)
        simulator.change_behind(changed, BatchSize=5)
        simulator.change_behind(moving, State="Updating", BatchSize=5)
        async for page in home.control_plane.list():
            rereading.heed(page, home.clock.monotonic())
        simulator.change_behind(moving, State="Enabled", BatchSize=5)
        for page in pages:  # as they were
            rereading.heed(page, home.clock.monotonic())
        assert await found(rereading, plan) == dict.fromkeys((changed, moving), Outcome.CONFLICT)


def when_ended(count: int, do: Callable[[], None]) -> tuple[list[Result], Callable[[Result], None]]:
    results: list[Result] = []

    def record(result: Result) -> None:
        results.append(result)
        if len(results) == count:
            do()

    return results, record


def unsent(simulator: Simulator, plan: Plan) -> list[str]:
    sent = accepted(simulator)
    return [item.uuid for item in plan.updates if item.uuid not in sent]


@pytest.mark.parametrize("count", [2_000, 5_000])
@in_virtual_time
async def test_what_someone_changes_late_in_a_long_wave_is_a_conflict_and_is_not_overwritten(count: int) -> None:
    async with world(fleet=queues(count)) as (simulator, home):
        plan = await home.plan(Selection(all=True), CHANGE)
        theirs: list[str] = []

        def someone() -> None:
            # As each is sent in its turn, these come last: minutes later.
            theirs.extend(unsent(simulator, plan)[-3:])
            simulator.change_behind(theirs[0], BatchSize=77)
            simulator.change_behind(theirs[1], MaximumBatchingWindowInSeconds=9)
            simulator.delete_behind(theirs[2])

        results, record = when_ended(count // 10, someone)
        before = len(simulator.report().requests)
        await engine_of(home).run(plan.items, record, as_given=True)
        assert outcomes(results) == {Outcome.UPDATED: count - 3, Outcome.CONFLICT: 3}
        by_uuid = {result.uuid: result for result in results}
        says = [by_uuid[uuid].error.message for uuid in theirs if by_uuid[uuid].error]  # type: ignore[union-attr]
        assert "BatchSize: 10 -> 77" in says[0]
        assert "MaximumBatchingWindowInSeconds: 0 -> 9" in says[1]
        assert [by_uuid[uuid].update_calls for uuid in theirs] == [0, 0, 0]
        assert (simulator.get(theirs[0])["BatchSize"], simulator.get(theirs[1])["BatchSize"]) == (77, 10)
        assert (len(simulator.report().requests) - before) / count <= 1.10


@in_virtual_time
async def test_what_cannot_be_read_again_is_not_sent_and_what_was_accepted_is_seen_through() -> None:
    async with world(fleet=queues(2_000)) as (simulator, home):
        plan = await home.plan(Selection(all=True), CHANGE)
        results: list[Result] = []
        engine = engine_of(home)
        engine._rereading._sweep = broken  # type: ignore[method-assign]
        with pytest.raises(ServiceError, match="no List today"):
            await engine.run(plan.items, results.append)
        assert set(outcomes(results)) == {Outcome.UPDATED, Outcome.NOT_STARTED}
        assert {result.uuid for result in results if result.outcome is Outcome.UPDATED} == accepted(simulator)
        assert len(results) == 2_000


async def broken() -> None:
    raise ServiceError(code="ServiceException", message="no List today", status=500)


@in_virtual_time
async def test_a_conflict_that_is_seen_before_sending_takes_nothing_of_the_budget() -> None:
    async with world(fleet=queues(40)) as (simulator, home):
        plan = await home.plan(Selection(all=True), CHANGE)
        for item in plan.items[:5]:
            simulator.change_behind(item.uuid, BatchSize=5)
        results: list[Result] = []
        await engine_of_old(home, most_failures=2).run(plan.items, results.append)
        assert outcomes(results) == {Outcome.UPDATED: 35, Outcome.CONFLICT: 5}


def engine_of_old(home: Home, **settings: Any) -> Engine:
    """An engine for what was read long ago."""
    engine = engine_of(home, **settings)
    engine._read_at = -math.inf
    return engine
