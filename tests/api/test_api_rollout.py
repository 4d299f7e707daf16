"""Waves, budget, gates, deadlines and ramps against the simulator, in virtual time."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from api_world import EVERYTHING, PAUSE, check_the_files, connected, planned
from engine_world import STARTED_AT, accepted, in_virtual_time, queues, virtual_clock

from bulk_esm import BulkEsm, Intent, Outcome, Plan, Result, RolloutSettings, Run, RunStatus
from bulk_esm.errors import RecordingError
from bulk_esm.gates.gate import WaveEnd
from bulk_esm.simulator import Faults
from bulk_esm.store.result_writer import ResultWriter


class AGate:
    """A gate that halts when told to, and remembers when it was asked."""

    def __init__(self, *, halts_after: int | None = None, at_check: int = 1) -> None:
        self.asked: list[tuple[float, int]] = []
        self.halts_after = halts_after
        self.at_check = at_check

    async def check(self, end: WaveEnd | None) -> str | None:
        if end is None:
            return None
        self.asked.append((anyio.current_time(), end.wave))
        checks = sum(wave == end.wave for _, wave in self.asked)
        return "it is on fire" if end.wave == self.halts_after and checks >= self.at_check else None


async def prepare(bulk: BulkEsm, **rollout: Any) -> tuple[Plan, Run]:
    found = await bulk.plan(EVERYTHING, PAUSE)
    plan = planned(found)
    deadline = rollout.pop("deadline", None)
    intent = Intent(command="pause", rollout=RolloutSettings(**rollout))
    return plan, bulk.prepare(found, intent=intent, deadline=deadline)


def of(results: Sequence[Result], outcome: Outcome) -> set[str]:
    return {result.uuid for result in results if result.outcome is outcome}


@in_virtual_time
async def test_waves_come_one_after_another_with_a_soak_between_them(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(40)) as (simulator, bulk):
        plan, run = await prepare(bulk, waves=("1", "25%", "100%"), soak_s=60.0)
        gate = AGate()
        record = await run.carry_out(gates=[gate])
        results = check_the_files(run, plan, simulator)
        assert record.status is RunStatus.FINISHED
        assert [sum(result.wave == wave for result in results) for wave in (1, 2, 3)] == [1, 9, 30]
        by_wave = {wave: [result for result in results if result.wave == wave] for wave in (1, 2, 3)}
        for wave in (1, 2):
            ended = max(result.settled_at or "" for result in by_wave[wave])
            begun = min(result.accepted_at or "" for result in by_wave[wave + 1])
            assert begun > ended
        times = [at for at, wave in gate.asked if wave == 1]
        assert times[-1] - times[0] == pytest.approx(60)  # at its beginning and at its end, and in between
        assert len(times) == 5


@pytest.mark.parametrize("at_check", [1, 3])
@in_virtual_time
async def test_a_gate_halts_after_its_wave_and_while_soaking(tmp_path: Path, at_check: int) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(40)) as (simulator, bulk):
        plan, run = await prepare(bulk, waves=("1", "100%"), soak_s=60.0)
        record = await run.carry_out(gates=[AGate(halts_after=1, at_check=at_check)])
        results = check_the_files(run, plan, simulator)
        assert len(accepted(simulator)) == 1
        assert record.status is RunStatus.HALTED
        assert record.reason == "after wave 1, it is on fire"
        assert (len(of(results, Outcome.UPDATED)), len(of(results, Outcome.NOT_STARTED))) == (1, 39)
        assert {result.wave for result in results} == {1, 2}


@in_virtual_time
async def test_a_gate_that_halted_a_run_is_asked_before_that_goes_on(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(40)) as (simulator, bulk):
        plan, run = await prepare(bulk, waves=("1", "10", "100%"), soak_s=3600.0)
        await run.carry_out(gates=[AGate(halts_after=1)])
        began_at = anyio.current_time()
        again = (await bulk.plan_rest(run.files)).begin()
        record = await again.carry_out(gates=[AGate(halts_after=1)])
        assert (record.status, record.counts) == (RunStatus.HALTED, {"updated": 1, "not_started": 39})
        assert anyio.current_time() - began_at < 60  # it has soaked
        finishing = (await bulk.plan_rest(run.files)).begin()
        record = await finishing.carry_out(gates=[AGate()])
        assert (record.status, record.counts) == (RunStatus.FINISHED, {"updated": 40})
        check_the_files(finishing, plan, simulator)


@pytest.mark.parametrize("answer", [True, False])
@in_virtual_time
async def test_whether_to_go_on_is_asked_before_each_wave_but_the_first(
    tmp_path: Path,
    answer: bool,  # noqa: FBT001 - a parameter
) -> None:
    asked: list[tuple[int, int]] = []

    async def confirm(end: WaveEnd) -> bool:
        asked.append((end.wave, end.next_updates))
        return answer

    async with connected(runs_dir=tmp_path, fleet=queues(40)) as (simulator, bulk):
        plan, run = await prepare(bulk, waves=("1", "10", "100%"))
        record = await run.carry_out(confirm=confirm)
        check_the_files(run, plan, simulator)
        assert asked == ([(1, 9), (2, 30)] if answer else [(1, 9)])
        assert record.status is (RunStatus.FINISHED if answer else RunStatus.HALTED)
        assert len(accepted(simulator)) == (40 if answer else 1)


@pytest.mark.parametrize("most", [0, 3])
@in_virtual_time
async def test_beyond_the_budget_nothing_more_is_sent(tmp_path: Path, most: int) -> None:
    async with connected(runs_dir=tmp_path, mappings=300, faults=Faults(refused_share=0.5)) as (simulator, bulk):
        plan, run = await prepare(bulk, most_failures=most)
        record = await run.carry_out()
        results = check_the_files(run, plan, simulator)
        assert len(of(results, Outcome.FAILED)) == most + 1
        assert record.status is RunStatus.HALTED
        assert of(results, Outcome.UPDATED) == accepted(simulator)  # what was accepted was waited for
        assert of(results, Outcome.NOT_STARTED)


@in_virtual_time
async def test_a_run_within_its_budget_goes_on(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, mappings=100, faults=Faults(refused_share=0.1)) as (simulator, bulk):
        plan, run = await prepare(bulk, most_failures=100)
        record = await run.carry_out()
        results = check_the_files(run, plan, simulator)
        assert record.status is RunStatus.FINISHED
        assert of(results, Outcome.FAILED)
        assert not of(results, Outcome.NOT_STARTED)


@in_virtual_time
async def test_nothing_is_sent_that_could_not_settle_before_the_deadline(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(400)) as (simulator, bulk):
        deadline = STARTED_AT + timedelta(seconds=40)
        plan, run = await prepare(bulk, deadline=deadline)
        record = await run.carry_out()
        results = check_the_files(run, plan, simulator)
        assert record.status is RunStatus.DEADLINE
        assert 35 < anyio.current_time() < 50  # up to the last that could settle, or a last look at what was accepted
        assert of(results, Outcome.UPDATED)
        assert len(of(results, Outcome.NOT_STARTED)) > 10
        # What is left is finished when there is time.
        again = await bulk.plan_rest(run.files)
        assert again.to_send == len(of(results, Outcome.NOT_STARTED))
        finishing = again.begin()
        record = await finishing.carry_out()
        assert (record.status, record.counts) == (RunStatus.FINISHED, {"updated": 400})
        assert len(list(finishing.files.results())) == 400
        assert all(mapping.accepted_count == 1 for mapping in simulator.report().mappings)


@in_virtual_time
async def test_a_deadline_in_the_soak(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(40)) as (simulator, bulk):
        deadline = STARTED_AT + timedelta(seconds=100)
        plan, run = await prepare(bulk, waves=("1", "100%"), soak_s=3600.0, deadline=deadline)
        record = await run.carry_out()
        check_the_files(run, plan, simulator)
        assert record.status is RunStatus.DEADLINE
        assert anyio.current_time() < 100
        assert len(accepted(simulator)) == 1


@in_virtual_time
async def test_a_soak_ends_at_once_when_the_run_is_stopped(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(40)) as (simulator, bulk):
        plan, run = await prepare(bulk, waves=("1", "100%"), soak_s=3600.0)
        planned_s = anyio.current_time()
        async with anyio.create_task_group() as tasks:

            async def stop() -> None:
                await anyio.sleep(200)
                assert run.stage.startswith("wave 1 of 2 is done; soaking")
                run.stop()

            tasks.start_soon(stop)
            record = await run.carry_out()
        check_the_files(run, plan, simulator)
        assert anyio.current_time() == pytest.approx(planned_s + 200)
        assert record.status is RunStatus.INTERRUPTED
        assert len(accepted(simulator)) == 1


@in_virtual_time
async def test_a_ramp_spreads_the_updates_over_its_time(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(60)) as (simulator, bulk):
        plan, run = await prepare(bulk, ramp_s=600.0)
        await run.carry_out()
        results = check_the_files(run, plan, simulator)
        begun = sorted(result.accepted_at or "" for result in results)
        assert begun[-1] > f"{STARTED_AT + timedelta(seconds=580):%Y-%m-%dT%H:%M:%S}"
        halfway = f"{STARTED_AT + timedelta(seconds=300):%Y-%m-%dT%H:%M:%S}"
        assert 28 <= sum(at < halfway for at in begun) <= 32
        assert anyio.current_time() < 640


@in_virtual_time
async def test_a_full_disk_halts_before_an_update_that_could_not_be_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(60)) as (simulator, bulk):
        plan, run = await prepare(bulk)
        room = 20
        append = ResultWriter.append

        def require_room(self: ResultWriter, results: int) -> None:
            if results > room:
                raise RecordingError("the disk is full")

        def append_if_room(self: ResultWriter, result: Result) -> None:
            nonlocal room
            if room == 0:
                raise RecordingError("the disk is full")
            room -= 1
            append(self, result)

        monkeypatch.setattr(ResultWriter, "require_room", require_room)
        monkeypatch.setattr(ResultWriter, "append", append_if_room)
        record = await run.carry_out()
        assert record.status is RunStatus.HALTED
        assert record.reason == "the disk is full"
        written = list(run.files.results())
        assert {result.uuid for result in written} == accepted(simulator)  # all that was sent has its line
        assert len(written) == 20
        monkeypatch.undo()
        again = (await bulk.plan_rest(run.files)).begin()
        assert (await again.carry_out()).counts == {"updated": 60}
        check_the_files(again, plan, simulator)


@in_virtual_time
async def test_a_clock_that_is_injected_tells_the_deadline(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(3)) as (simulator, bulk):
        plan, run = await prepare(bulk, deadline=virtual_clock().now() + timedelta(seconds=1))
        assert (await run.carry_out()).counts == {"not_started": 3}
        check_the_files(run, plan, simulator)
        assert not accepted(simulator)


@in_virtual_time
async def test_what_a_run_did_not_get_to_has_not_drifted(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(5)) as (simulator, bulk):
        _, run = await prepare(bulk)
        assert (await bulk.verify(run.files)).drifts == ()
        await run.carry_out()
        assert (await bulk.verify(run.files)).drifts == ()
        someone = simulator.snapshot()[2]["UUID"]
        simulator.change_behind(someone, State="Enabled")
        assert [drift.uuid for drift in (await bulk.verify(run.files)).drifts] == [someone]
