"""What others ask of a run of several shards and waves, in virtual time: what is heeded, told, and refused."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from engine_world import STARTED_AT, in_virtual_time, virtual_clock
from runs_toy import Seen, ToyExecutor, fleet_of, plan_of, planned, shard

from bulk_esm.errors import RefusedError, RunFolderError
from bulk_esm.gates.gate import WaveEnd
from bulk_esm.model.control import ControlAction, ControlStatus
from bulk_esm.model.events import ControlHeard
from bulk_esm.model.gating import GateAnswer
from bulk_esm.model.records import Intent, RunStatus, puts_itself_back
from bulk_esm.model.result import Outcome
from bulk_esm.model.rollout import RolloutSettings
from bulk_esm.runs.controlling import ControlAnswer, ask_run
from bulk_esm.runs.run import Run
from bulk_esm.store.asked import ASKED, STATUS
from bulk_esm.store.run_files import RunFiles

A, B = shard(1), shard(2)
WAVES: dict[str, Any] = {"waves": ("2", "50%", "100%"), "soak_s": 600.0}
Work = Callable[[Run], Awaitable[None]]


class Asked:
    """A gate that lets all pass, and remembers when it was asked."""

    def __init__(self) -> None:
        self.at: list[float] = []

    async def check(self, end: WaveEnd | None) -> GateAnswer:  # noqa: ARG002 - a Gate's
        self.at.append(anyio.current_time())
        return None


@asynccontextmanager
async def at_work(
    folder: Path, *, deadline_s: float | None = None, gate: Asked | None = None, **rollout: Any
) -> AsyncIterator[tuple[Run, ToyExecutor, Seen]]:
    """A run that is carried out beside the test, to its end."""
    executor, seen = ToyExecutor({A.name: plan_of(A, 10), B.name: plan_of(B, 10)}), Seen()
    fleet = msgspec.structs.replace(fleet_of(executor, (A, B)), clock=virtual_clock())
    intent = Intent(command="pause", rollout=RolloutSettings(**{**WAVES, **rollout}))
    deadline = None if deadline_s is None else STARTED_AT + timedelta(seconds=deadline_s)
    with await planned(fleet, folder, intent) as plan:
        run = Run(fleet, plan.publish(intent, [[A, B]], None), deadline=deadline)

        async def carry_out() -> None:
            await run.carry_out([seen], gates=[gate] if gate else [])

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(carry_out)
            await anyio.lowlevel.checkpoint()
            yield run, executor, seen


async def ask(run: Run, action: ControlAction, *, rollback: bool = False) -> ControlAnswer:
    files = RunFiles(run.path)
    return await ask_run(files, action, rollback=rollback, clock=virtual_clock())


def is_held(executor: ToyExecutor) -> bool:
    return executor.is_held


def waves(executor: ToyExecutor) -> set[int]:
    """The waves that have begun."""
    return {each.task.wave for each in executor.asked}


@in_virtual_time
async def test_a_held_run_soaks_and_asks_its_gates_and_begins_no_wave(tmp_path: Path) -> None:
    gate = Asked()
    async with at_work(tmp_path, gate=gate) as (run, executor, seen):
        await anyio.sleep(60)
        answer = await ask(run, "hold")
        assert answer.status is not None
        assert (answer.status.done, answer.status.total, answer.status.under_way) == (2, 20, 0)
        assert is_held(executor)
        assert run.stage.startswith("wave 1 of 3 is done; soaking; held by ")
        await anyio.sleep(3600)
        assert waves(executor) == {1}
        assert max(gate.at) > 3600 - 30
        again = await ask(run, "hold")
        assert again.status is not None
        assert again.status.held == answer.request, "whoever was first holds it"
        await ask(run, "go")
        await anyio.sleep(1)
        assert waves(executor) == {1, 2}, "its soak was over long ago"
        assert run.stage == "wave 2 of 3 is done; soaking"
        assert not is_held(executor)
    assert run.record.status is RunStatus.FINISHED
    assert [event.request.action for event in seen.events if isinstance(event, ControlHeard)] == ["hold", "hold", "go"]


@in_virtual_time
async def test_a_deadline_ends_a_held_run(tmp_path: Path) -> None:
    async with at_work(tmp_path, deadline_s=1800.0) as (run, executor, _):
        await anyio.sleep(60)
        await ask(run, "hold")
    assert anyio.current_time() < 1900
    assert run.record.status is RunStatus.DEADLINE
    assert (run.record.reason or "").startswith("the deadline came while it was held by ")
    assert waves(executor) == {1}
    assert run.record.counts == {Outcome.UPDATED: 2, Outcome.NOT_STARTED: 18}


@pytest.mark.parametrize(("on_halt", "rollback"), [("stop", False), ("stop", True), ("rollback", False)])
@in_virtual_time
async def test_who_stops_it_says_whether_it_is_put_back(on_halt: str, rollback: bool, tmp_path: Path) -> None:  # noqa: FBT001
    async with at_work(tmp_path, on_halt=on_halt) as (run, _, __):
        await anyio.sleep(60)
        answer = await ask(run, "stop", rollback=rollback)
    assert run.record.status is RunStatus.HALTED
    assert run.record.reason == f"stopped by {answer.request.who}"
    assert puts_itself_back(run.record) is rollback
    assert RunFiles(run.path).record() == run.record


@in_virtual_time
async def test_each_wave_waits_for_its_approval(tmp_path: Path) -> None:
    async with at_work(tmp_path, approve_waves=True) as (run, executor, _):
        await anyio.sleep(60)
        with pytest.raises(RefusedError, match="waits for no approval now"):
            await ask(run, "approve")  # it soaks
        for wave in (2, 3):
            await anyio.sleep(3600)
            assert waves(executor) == set(range(1, wave))
            assert run.stage == f"wave {wave - 1} of 3 is done; awaiting approval of wave {wave}"
            assert (await ask(run, "approve")).request.wave == wave
    assert run.record.status is RunStatus.FINISHED
    assert waves(executor) == {1, 2, 3}


@in_virtual_time
async def test_nobody_approves_before_the_deadline(tmp_path: Path) -> None:
    async with at_work(tmp_path, approve_waves=True, deadline_s=1800.0) as (run, executor, _):
        pass
    assert run.record.status is RunStatus.DEADLINE
    assert run.record.reason == "the deadline came before anybody had approved wave 2"
    assert waves(executor) == {1}


@in_virtual_time
async def test_a_bake_does_not_end_a_held_run(tmp_path: Path) -> None:
    async with at_work(tmp_path, waves=(), soak_s=0.0, bake_s=600.0) as (run, _, __):
        await anyio.sleep(60)
        await ask(run, "hold")
        await anyio.sleep(3600)
        assert run.stage.startswith("all is done; baking; held by ")
        await ask(run, "go")
    assert run.record.status is RunStatus.FINISHED


@in_virtual_time
async def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    async with at_work(tmp_path) as (run, _, __):
        await anyio.sleep(60)
        with pytest.raises(RefusedError, match="is not held"):
            await ask(run, "go")
        with pytest.raises(RefusedError, match="without --approve-waves"):
            await ask(run, "approve")
        assert not (run.path / ASKED).exists(), "of a run of which nobody asks anything nothing is there"
    for action in ("hold", "go", "stop", "approve"):
        with pytest.raises(RefusedError, match="has ended: finished"):
            await ask(run, action)


@in_virtual_time
async def test_garbage_where_it_is_asked_ends_nothing(tmp_path: Path) -> None:
    async with at_work(tmp_path) as (run, _, __):
        await anyio.sleep(60)
        (run.path / ASKED).mkdir(mode=0o700)
        (run.path / ASKED / STATUS).write_bytes(b"{")
        (run.path / ASKED / "20260102T030405.000000Z-0a1b2c3d.json").write_bytes(b"{" * 10)
        await anyio.sleep(5)
        assert (await ask(run, "hold")).status is not None
        (run.path / ASKED).chmod(0o777)
        with pytest.raises(RunFolderError, match="others can write it"):
            await ask(run, "go")
        await anyio.sleep(60)
        (run.path / ASKED).chmod(0o700)
        await ask(run, "go")
    assert run.record.status is RunStatus.FINISHED


@in_virtual_time
async def test_a_run_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with at_work(tmp_path) as (run, executor, _):
        await anyio.sleep(60)

        async def deaf(status: ControlStatus) -> None:
            raise RunFolderError("no space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(run._remote._place, "tell", deaf)
            assert (await ask(run, "hold")).status is None
            assert executor.is_held, "it did all the same"
        assert (await ask(run, "go")).status is not None
    assert run.record.status is RunStatus.FINISHED
