"""A held engine sends nothing; when it goes on it looks again at what it had read before that."""

from __future__ import annotations

import anyio
import pytest
from engine_world import accepted, check_what_always_holds, engine_of, in_virtual_time, outcomes, queues, world

from bulk_esm.engine.rereading import FRESH_S
from bulk_esm.model.change import Change
from bulk_esm.model.records import RunStatus
from bulk_esm.model.result import Outcome, Result
from bulk_esm.model.selection import Selection
from bulk_esm.model.stopping import Stop
from bulk_esm.simulator import Faults

CHANGE = Change({"BatchSize": 7})
COUNT = 120


@in_virtual_time
async def test_it_sends_nothing_while_it_is_held_and_reads_again_before_it_goes_on() -> None:
    async with world(fleet=queues(COUNT)) as (simulator, home):
        plan = await home.plan(Selection(all=True), CHANGE)
        engine, results = engine_of(home), list[Result]()
        announced: list[str] = []

        async def before_update(_: int, uuids: object) -> None:
            assert isinstance(uuids, list)
            announced.append(uuids[0])

        engine._before_update = before_update
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(engine.run, plan.items, results.append)
            await anyio.sleep(3)
            engine.hold(is_held=True)
            await anyio.sleep(5)
            sent, told = accepted(simulator), len(announced)
            assert 0 < len(sent) < COUNT
            await anyio.sleep(10 * FRESH_S)
            assert accepted(simulator) == sent
            assert len(announced) == told, "nothing is recorded as begun meanwhile"
            assert engine.statistics().settling == 0, "what was accepted is waited for"
            assert len(results) == len(sent)
            left = [item.uuid for item in plan.items if item.uuid not in sent]
            theirs, gone = left[0], left[-1]
            simulator.change_behind(theirs, BatchSize=5)
            simulator.change_behind(gone, BatchSize=6)
            lists = simulator.report().count("list")
            engine.hold(is_held=False)
        assert simulator.report().count("list") > lists
        check_what_always_holds(plan, results, simulator)
        assert outcomes(results) == {Outcome.UPDATED: COUNT - 2, Outcome.CONFLICT: 2}
        assert not {theirs, gone} & accepted(simulator)


@in_virtual_time
async def test_what_is_on_its_way_when_the_hold_comes_is_looked_at_again_too() -> None:
    """It had no good answer, and would be sent again by itself."""
    async with world(fleet=queues(10)) as (simulator, home):
        plan = await home.plan(Selection(all=True), CHANGE)
        engine, results = engine_of(home), list[Result]()
        simulator.set_faults(Faults(error_share=1.0))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(engine.run, plan.items, results.append)
            await anyio.sleep(1)
            assert engine.statistics().sending > 0
            engine.hold(is_held=True)
            await anyio.sleep(1)
            simulator.set_faults(Faults())
            updates = simulator.report().count("update")
            await anyio.sleep(600)
            assert simulator.report().count("update") == updates
            assert engine.statistics().sending == 0
            for item in plan.items[:3]:
                simulator.change_behind(item.uuid, BatchSize=5)
            engine.hold(is_held=False)
        check_what_always_holds(plan, results, simulator)
        assert outcomes(results) == {Outcome.UPDATED: 7, Outcome.CONFLICT: 3}


@pytest.mark.parametrize("at_s", [0, 3])
@in_virtual_time
async def test_a_stop_ends_a_held_engine(at_s: float) -> None:
    async with world(fleet=queues(COUNT)) as (simulator, home):
        plan = await home.plan(Selection(all=True), CHANGE)
        engine, results = engine_of(home), list[Result]()
        stop = Stop(RunStatus.HALTED, "stopped by alice@build-7")
        async with anyio.create_task_group() as tasks:
            if not at_s:
                engine.hold(is_held=True)
            tasks.start_soon(engine.run, plan.items, results.append)
            await anyio.sleep(at_s)
            engine.hold(is_held=True)
            await anyio.sleep(30)
            sent = accepted(simulator)
            engine.stop(stop)
        assert engine.stopped_by == stop
        assert accepted(simulator) == sent
        assert bool(sent) == bool(at_s)
        check_what_always_holds(plan, results, simulator)
        assert outcomes(results)[Outcome.NOT_STARTED] == COUNT - len(sent)


@in_virtual_time
async def test_a_hold_puts_off_what_is_spread_over_a_time() -> None:
    async with world(fleet=queues(60)) as (simulator, home):
        plan = await home.plan(Selection(all=True), CHANGE)
        engine, results = engine_of(home, ramp_s=600.0), list[Result]()
        began_at = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(engine.run, plan.items, results.append)
            await anyio.sleep(300)
            engine.hold(is_held=True)
            await anyio.sleep(1000)
            sent = len(accepted(simulator))
            engine.hold(is_held=False)
            await anyio.sleep(30)
            assert len(accepted(simulator)) - sent < 10, "they do not all come at once"
        assert outcomes(results) == {Outcome.UPDATED: 60}
        assert anyio.current_time() - began_at >= 1550
