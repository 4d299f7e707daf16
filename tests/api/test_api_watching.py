"""A run that is watched while it sends, between its waves and in its bake, against the simulator, in virtual time."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import anyio
import msgspec
import pytest
from api_world import EVERYTHING, PAUSE, check_the_files, connected
from engine_world import STARTED_AT, accepted, in_virtual_time, queues

from bulk_esm import AlarmGate, BulkEsm, Inconclusive, Intent, Plan, RolloutSettings, Run, RunStatus
from bulk_esm.gates.gate import Stage, WaveEnd
from bulk_esm.model.gating import GateAnswer
from bulk_esm.simulator import Simulator

Says = Callable[[WaveEnd, float], GateAnswer]


class AGate:
    """A gate that answers as it is told to, and remembers when it was asked, and how the run stood."""

    def __init__(self, says: Says = lambda *_: None) -> None:
        self.asked: list[tuple[float, WaveEnd]] = []
        self._says = says

    async def check(self, end: WaveEnd | None) -> GateAnswer:
        assert end is not None
        self.asked.append((anyio.current_time(), end))
        return self._says(end, anyio.current_time())

    def times(self, stage: Stage) -> list[float]:
        return [at for at, end in self.asked if end.stage == stage]


async def prepare(bulk: BulkEsm, *, deadline: timedelta | None = None, **rollout: Any) -> Run:
    intent = Intent(command="pause", rollout=RolloutSettings(**rollout))
    ends_at = None if deadline is None else STARTED_AT + deadline
    return bulk.prepare(await bulk.plan(EVERYTHING, PAUSE), intent=intent, deadline=ends_at)


def without_dates(simulator: Simulator) -> dict[str, bytes]:
    return {
        each["UUID"]: msgspec.json.encode({**each, "LastModified": None}, order="sorted")
        for each in simulator.snapshot()
    }


async def ring(simulator: Simulator, after_s: float, rang: list[float]) -> None:
    """Have an alarm ring so long after now, and remember when that was by the simulator's clock."""
    await anyio.sleep(after_s)
    simulator.set_alarm("lag", "ALARM", reason="messages grow old")
    rang.append(simulator.now)


@pytest.mark.parametrize("interval_s", [30.0, 5.0])
@in_virtual_time
async def test_an_alarm_in_the_middle_of_a_wave_stops_the_sending_within_an_interval(
    tmp_path: Path, interval_s: float
) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(2000)) as (simulator, bulk):
        before, rang = without_dates(simulator), list[float]()
        simulator.set_alarm("lag", "OK")
        run = await prepare(bulk, gate_interval_s=interval_s, alarms=("lag",))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ring, simulator, 61.0, rang)
            record = await run.carry_out(gates=[AlarmGate(("lag",), bulk.alarms, pytest.fail)])
        assert record.status is RunStatus.HALTED
        assert record.reason == "in wave 1, in ALARM: lag (messages grow old)"
        sent = [update.accepted_at for mapping in simulator.report().mappings for update in mapping.accepted]
        assert rang[0] < max(sent) <= rang[0] + interval_s + 1  # and what was on its way
        assert record.counts == {"updated": len(sent), "not_started": 2000 - len(sent)}
        assert len(sent) < 1500
        # Put back, as --on-halt rollback does.
        back = await bulk.apply(await bulk.plan_rollback(run.files))
        assert back.counts == {"updated": len(sent)}
        assert without_dates(simulator) == before


@in_virtual_time
async def test_an_alarm_in_the_bake(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(40)) as (simulator, bulk):
        before, rang = without_dates(simulator), list[float]()
        simulator.set_alarm("lag", "OK")
        run = await prepare(bulk, waves=("1", "100%"), bake_s=600.0)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ring, simulator, 300.0, rang)
            record = await run.carry_out(gates=[AlarmGate(("lag",), bulk.alarms, pytest.fail)])
        assert (record.status, record.counts) == (RunStatus.HALTED, {"updated": 40})
        assert record.reason == "in the bake, in ALARM: lag (messages grow old)"
        assert rang[0] <= simulator.now <= rang[0] + 31
        await bulk.apply(await bulk.plan_rollback(run.files))
        assert without_dates(simulator) == before


@in_virtual_time
async def test_when_a_gate_is_asked(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(800)) as (simulator, bulk):
        gate = AGate()
        run = await prepare(bulk, waves=("1", "100%"), soak_s=80.0, bake_s=100.0, gate_interval_s=20.0)
        began_at = anyio.current_time()
        record = await run.carry_out(gates=[gate])
        check_the_files(run, Plan(tuple(run.files.items())), simulator)
        assert record.status is RunStatus.FINISHED
        assert gate.asked[0] == (began_at, WaveEnd(wave=0, waves=2, next_updates=1, outcomes={}, stage="before"))
        assert gate.times("before") == [began_at]
        soak, bake = gate.times("between"), gate.times("bake")
        assert [at - soak[0] for at in soak] == pytest.approx([0, 20, 40, 60, 80])
        assert [at - bake[0] for at in bake] == pytest.approx([0, 20, 40, 60, 80, 100])
        assert anyio.current_time() == pytest.approx(bake[-1])
        during = [(at, end) for at, end in gate.asked if end.stage == "during" and end.wave == 2]
        assert [at - soak[-1] for at, _ in during] == pytest.approx([20.0 * (n + 1) for n in range(len(during))])
        assert len(during) == int((bake[0] - soak[-1]) / 20)
        assert len(during) >= 3
        counts = [sum(end.outcomes.values()) for _, end in during]
        assert counts == sorted(counts)
        assert counts[0] < counts[-1]
        assert {end.next_updates for _, end in during} == {799}


@pytest.mark.parametrize("waves", [(), ("1", "100%")])
@in_virtual_time
async def test_a_gate_that_halts_before_the_first_update(tmp_path: Path, waves: tuple[str, ...]) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(5)) as (simulator, bulk):
        run = await prepare(bulk, waves=waves, bake_s=60.0)
        record = await run.carry_out(gates=[AGate(lambda *_: "it is red")])
        assert (record.status, record.counts) == (RunStatus.HALTED, {"not_started": 5})
        assert record.reason == "before the first update, it is red"
        assert not accepted(simulator)
        again = (await bulk.plan_rest(run.files)).begin()
        assert (await again.carry_out(gates=[AGate()])).counts == {"updated": 5}


@pytest.mark.parametrize("stage", ["before", "between", "bake"])
@in_virtual_time
async def test_a_gate_that_cannot_tell_yet_is_asked_again_until_it_can(tmp_path: Path, stage: Stage) -> None:
    """Like a command that exits with 75 three times, and then with 0."""
    async with connected(runs_dir=tmp_path, fleet=queues(5)) as (_, bulk):
        gate = AGate(
            lambda end, _: Inconclusive("too early") if end.stage == stage and len(gate.times(stage)) <= 3 else None
        )
        run = await prepare(bulk, waves=("1", "100%"), bake_s=120.0)
        record = await run.carry_out(gates=[gate])
        assert (record.status, record.counts) == (RunStatus.FINISHED, {"updated": 5})
        asked = gate.times(stage)
        assert asked[3] - asked[0] == pytest.approx(90, abs=1)


@pytest.mark.parametrize("stage", ["before", "during", "between", "bake"])
@pytest.mark.parametrize("then", ["halt", "go"])
@in_virtual_time
async def test_a_gate_that_cannot_tell_for_long(tmp_path: Path, stage: Stage, then: Literal["halt", "go"]) -> None:
    total = 2000 if stage == "during" else 20
    async with connected(runs_dir=tmp_path, fleet=queues(total)) as (_, bulk):
        gate = AGate(lambda end, _: Inconclusive("no data") if end.stage == stage and end.wave in {0, 1, 2} else None)
        run = await prepare(bulk, waves=("1%", "100%"), bake_s=120.0, inconclusive_for_s=100.0, on_inconclusive=then)
        record = await run.carry_out(gates=[gate])
        asked = gate.times(stage)
        if then == "go":
            assert (record.status, record.counts) == (RunStatus.FINISHED, {"updated": total})
        else:
            assert record.status is RunStatus.HALTED
            assert str(record.reason).endswith("inconclusive for 120 s: no data")
            assert asked[-1] - asked[0] == pytest.approx(120)
        if stage == "during":
            assert record.counts["updated"] > 100  # nothing waits for it meanwhile


@in_virtual_time
async def test_a_gate_that_takes_its_time_keeps_no_other_from_being_asked(tmp_path: Path) -> None:
    class Slow(AGate):
        async def check(self, end: WaveEnd | None) -> GateAnswer:
            if end is not None and end.stage == "during":
                await anyio.sleep(3600)
            return await super().check(end)

    async with connected(runs_dir=tmp_path, fleet=queues(1300)) as (_, bulk):
        halting = AGate(lambda end, now: "it is red" if end.stage == "during" and now > 60 else None)
        record = await (await prepare(bulk)).carry_out(gates=[Slow(), halting])
        assert record.status is RunStatus.HALTED
        assert halting.times("during")[-1] < 100
        assert anyio.current_time() < 600


@in_virtual_time
async def test_a_mistake_in_a_gate_comes_out_as_it_is(tmp_path: Path) -> None:
    def mistaken(end: WaveEnd, _: float) -> GateAnswer:
        if end.stage == "during":
            raise KeyError("AlarmName")
        return None

    async with connected(runs_dir=tmp_path, fleet=queues(800)) as (simulator, bulk):
        run = await prepare(bulk)
        with pytest.raises(KeyError):
            await run.carry_out(gates=[AGate(mistaken)])
        sent = {result.uuid for result in run.files.results() if result.outcome != "not_started"}
        assert accepted(simulator) <= sent
        assert len(list(run.files.results())) == 800


@in_virtual_time
async def test_a_run_that_is_stopped_in_its_bake_is_continued_into_its_bake(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(5)) as (simulator, bulk):
        run = await prepare(bulk, bake_s=3600.0)
        async with anyio.create_task_group() as tasks:

            async def stop() -> None:
                await anyio.sleep(600)
                assert run.stage.startswith("all is done; baking")
                run.stop()

            tasks.start_soon(stop)
            record = await run.carry_out(gates=[AGate()])
        assert (record.status, record.counts) == (RunStatus.INTERRUPTED, {"updated": 5})
        assert anyio.current_time() < 700
        began_at, gate = anyio.current_time(), AGate()
        again = (await bulk.plan_rest(run.files)).begin()
        record = await again.carry_out(gates=[gate])
        assert (record.status, record.counts) == (RunStatus.FINISHED, {"updated": 5})
        assert anyio.current_time() - began_at == pytest.approx(3600)
        assert {end.stage for _, end in gate.asked} == {"bake"}
        assert all(mapping.accepted_count == 1 for mapping in simulator.report().mappings)


@in_virtual_time
async def test_a_deadline_in_the_bake(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(5)) as (_, bulk):
        gate = AGate()
        run = await prepare(bulk, bake_s=3600.0, deadline=timedelta(seconds=1000))
        record = await run.carry_out(gates=[gate])
        assert (record.status, record.counts) == (RunStatus.DEADLINE, {"updated": 5})
        assert record.reason == "the deadline came before its bake was over"
        assert anyio.current_time() == pytest.approx(1000, abs=1)
        assert gate.times("bake")[-1] == pytest.approx(1000, abs=1)


@in_virtual_time
async def test_nothing_is_baked_where_nothing_was_changed(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(5)) as (_, bulk):
        await bulk.apply(await bulk.plan(EVERYTHING, PAUSE))
        began_at, gate = anyio.current_time(), AGate()
        run = await prepare(bulk, bake_s=3600.0)
        record = await run.carry_out(gates=[gate])
        assert (record.status, record.counts) == (RunStatus.FINISHED, {"unchanged": 5})
        assert not gate.asked
        assert anyio.current_time() - began_at < 1
