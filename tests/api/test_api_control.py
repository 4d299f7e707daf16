"""`bulk_esm.control`: a program steers a run of which it knows no more than where it is kept."""

from pathlib import Path

import anyio
import pytest
from api_world import EVERYTHING, PAUSE, connected
from engine_world import accepted, in_virtual_time, queues, virtual_clock

import bulk_esm
from bulk_esm import ControlHeard, Outcome, RefusedError, RunEvent, RunStatus, UsageError


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
