"""`bulk_esm.control`: a program steers a run of which it knows no more than where it is kept."""

from functools import partial
from pathlib import Path

import anyio
import msgspec
import pytest
from api_world import EVERYTHING, PAUSE, connected
from engine_world import accepted, in_virtual_time, queues, virtual_clock

import bulk_esm
from bulk_esm import ControlHeard, Intent, Outcome, RefusedError, RolloutSettings, RunEvent, RunStatus, UsageError
from bulk_esm.model.control import name_after


@in_virtual_time
async def test_a_program_holds_a_run_of_another(tmp_path: Path) -> None:
    clock = virtual_clock()
    async with connected(runs_dir=tmp_path, fleet=queues(200)) as (simulator, bulk):
        run, told = bulk.prepare(await bulk.plan(EVERYTHING, PAUSE)), list[RunEvent]()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run.carry_out, [told.append])
            await anyio.sleep(5)
            held = await bulk_esm.control(run.record.run_id, "hold", runs_dir=tmp_path, clock=clock)
            assert held.status is not None
            assert 0 < held.status.done + held.status.under_way < held.status.total == 200
            await anyio.sleep(60)
            sent = accepted(simulator)
            await anyio.sleep(3600)
            assert accepted(simulator) == sent
            theirs = next(item.uuid for item in run.files.items() if item.uuid not in sent)
            simulator.change_behind(theirs, BatchSize=77)
            assert (await bulk_esm.control(run.files, "go", runs_dir=str(tmp_path), clock=clock)).status is not None
        assert run.record.status is RunStatus.FINISHED
        assert run.record.counts == {Outcome.UPDATED: 199, Outcome.CONFLICT: 1}
        assert [event.request.action for event in told if isinstance(event, ControlHeard)] == ["hold", "go"]
        with pytest.raises(RefusedError, match="has ended: finished"):
            await bulk_esm.control(run.path, "stop", rollback=True, runs_dir=tmp_path)


async def test_an_action_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="action='explode'"):
        await bulk_esm.control("last", "explode", runs_dir=tmp_path)  # type: ignore[arg-type]


@in_virtual_time
async def test_what_came_too_late_is_no_word_to_who_continues_it(tmp_path: Path) -> None:
    clock = virtual_clock()
    ask = partial(bulk_esm.control, runs_dir=tmp_path, clock=clock)
    rollout = RolloutSettings(waves=("1", "50%", "100%"), approve_waves=True)
    async with connected(runs_dir=tmp_path, fleet=queues(20)) as (simulator, bulk):
        run = bulk.prepare(await bulk.plan(EVERYTHING, PAUSE), intent=Intent(rollout=rollout))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run.carry_out)
            await anyio.sleep(60)
            await ask(run.path, "approve")
            await anyio.sleep(60)
            held = await ask(run.path, "hold")
            run.stop()
        assert run.record.status is RunStatus.INTERRUPTED
        place = run.files.asked()  # where whoever looked before the run ended writes afterwards
        for action in ("go", "approve"):
            late = msgspec.structs.replace(held.request, action=action, wave=3 if action == "approve" else None)
            await place.ask(name_after(await place.read(), clock.now(), f"0000000{len(action)}"), late)

        run, told = (await bulk.plan_rest(run.path)).begin(), list[RunEvent]()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run.carry_out, [told.append])
            await anyio.sleep(600)
            assert len(accepted(simulator)) == 10
            assert [event.request.action for event in told if isinstance(event, ControlHeard)] == ["hold"]
            await ask(run.path, "approve")
            await anyio.sleep(600)
            assert len(accepted(simulator)) == 10, "it is held all the same"
            await ask(run.path, "go")
        assert run.record.status is RunStatus.FINISHED
        assert run.record.counts == {Outcome.UPDATED: 20}
