"""A run whose calendar closes meanwhile, against the simulator, in virtual time."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
from api_world import EVERYTHING, PAUSE, connected
from engine_world import STARTED_AT, in_virtual_time, queues

from bulk_esm import BulkEsm, Closed, Intent, RolloutSettings, Run, RunEvent, RunRecord, RunStatus, WaveBegan
from bulk_esm.gates.calendar import CalendarGate
from bulk_esm.gates.gate import WaveEnd
from bulk_esm.model.gating import GateAnswer
from bulk_esm.simulator import Faults, Simulator

TOTAL = 240
OPENS = STARTED_AT + timedelta(minutes=5)
WAVES = ("1", "50%", "100%")


async def prepare(bulk: BulkEsm, *, deadline: timedelta | None = None, **rollout: Any) -> Run:
    settings = RolloutSettings(**{"waves": WAVES, "calendars": ("freeze",), "gate_interval_s": 5.0, **rollout})
    ends_at = None if deadline is None else STARTED_AT + deadline
    return bulk.prepare(await bulk.plan(EVERYTHING, PAUSE), intent=Intent(rollout=settings), deadline=ends_at)


async def carried_out(
    bulk: BulkEsm, run: Run, *, closes: Callable[[], None] = lambda: None, in_wave: int = 2
) -> tuple[RunRecord, list[str]]:
    """The record, and what was told, of a run whose calendar closes when a wave has begun."""
    told: list[str] = []

    def observer(event: RunEvent, /) -> None:
        if isinstance(event, WaveBegan) and event.wave == in_wave:
            closes()

    gates = [CalendarGate(("freeze",), bulk.calendars, told.append)]
    return await run.carry_out([observer], gates=gates), told


def closing(simulator: Simulator) -> Callable[[], None]:
    return lambda: simulator.set_calendar("freeze", "CLOSED", turns_at=[OPENS])


def sent_at(simulator: Simulator) -> list[float]:
    return [update.accepted_at for mapping in simulator.report().mappings for update in mapping.accepted]


@in_virtual_time
async def test_one_that_closes_in_wave_2_has_the_rest_wait_until_it_opens(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(TOTAL)) as (simulator, bulk):
        simulator.set_calendar("freeze", "OPEN")
        run = await prepare(bulk, deadline=timedelta(hours=1))
        stages: set[str] = set()

        async def look() -> None:
            while True:
                stages.add(run.stage)
                await anyio.sleep(20)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(look)
            record, told = await carried_out(bulk, run, closes=closing(simulator))
            tasks.cancel_scope.cancel()
        assert (record.status, record.counts) == (RunStatus.FINISHED, {"updated": TOTAL})
        opens = (OPENS - STARTED_AT).total_seconds()
        early = [at for at in sent_at(simulator) if at < opens]
        assert len(early) == TOTAL / 2  # wave 2 was finished, and wave 3 waited
        waits = "calendar freeze is CLOSED until 2026-01-01 00:05 UTC"
        assert told == [f"note: {waits}: wave 2 is finished, and what comes after it waits"]
        assert f"wave 2 of 3 is done; soaking; {waits}; asked again" in stages


@in_virtual_time
async def test_until_the_deadline_and_continue_goes_on(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(TOTAL)) as (simulator, bulk):
        simulator.set_calendar("freeze", "OPEN")
        run = await prepare(bulk, deadline=timedelta(minutes=2))
        record, _ = await carried_out(bulk, run, closes=closing(simulator))
        assert (record.status, record.counts) == (RunStatus.DEADLINE, {"updated": TOTAL / 2, "not_started": TOTAL / 2})
        assert record.reason == (
            "the deadline comes before wave 3 could begin: calendar freeze is CLOSED until 2026-01-01 00:05 UTC"
        )
        assert abs((bulk.fleet.clock.now() - STARTED_AT).total_seconds() - 120) < 2
        again = (await bulk.plan_rest(run.files)).begin(deadline=STARTED_AT + timedelta(hours=1))
        assert again.record.rollout.calendars == ("freeze",)
        record, _ = await carried_out(bulk, again)
        assert (record.status, record.counts) == (RunStatus.FINISHED, {"updated": TOTAL})
        assert max(sent_at(simulator)) > (OPENS - STARTED_AT).total_seconds()


@in_virtual_time
async def test_without_a_deadline_it_halts_after_the_wave(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(TOTAL)) as (simulator, bulk):
        simulator.set_calendar("freeze", "OPEN")
        record, _ = await carried_out(bulk, await prepare(bulk), closes=closing(simulator))
        assert (record.status, record.counts) == (RunStatus.HALTED, {"updated": TOTAL / 2, "not_started": TOTAL / 2})
        assert record.reason == "after wave 2, calendar freeze is CLOSED until 2026-01-01 00:05 UTC"


@in_virtual_time
async def test_in_a_window_it_waits_until_that_closes(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(TOTAL)) as (simulator, bulk):
        simulator.set_calendar("freeze", "OPEN")
        run = await prepare(bulk, window="00:00-00:02[UTC]")
        record, _ = await carried_out(bulk, run, closes=closing(simulator))
        assert (record.status, record.counts["not_started"]) == (RunStatus.DEADLINE, TOTAL / 2)


@in_virtual_time
async def test_one_that_closes_before_the_first_update_has_all_wait(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(5)) as (simulator, bulk):
        simulator.set_calendar("freeze", "CLOSED", turns_at=[OPENS])
        record, _ = await carried_out(bulk, await prepare(bulk, waves=(), deadline=timedelta(hours=1)))
        assert (record.status, record.counts) == (RunStatus.FINISHED, {"updated": 5})
        assert min(sent_at(simulator)) >= (OPENS - STARTED_AT).total_seconds()


@in_virtual_time
async def test_one_that_closes_in_the_last_wave_and_the_bake_hinders_nothing(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(TOTAL)) as (simulator, bulk):
        simulator.set_calendar("freeze", "OPEN")
        run = await prepare(bulk, waves=(), bake_s=60.0)
        record, told = await carried_out(bulk, run, closes=closing(simulator), in_wave=1)
        assert (record.status, record.counts) == (RunStatus.FINISHED, {"updated": TOTAL})
        assert len(told) == 1


@in_virtual_time
async def test_one_that_cannot_be_read_for_long_halts(tmp_path: Path) -> None:
    broken = Faults(denied_actions=frozenset({"ssm:GetCalendarState"}))
    async with connected(runs_dir=tmp_path, fleet=queues(5), faults=broken) as (_, bulk):
        record, _ = await carried_out(bulk, await prepare(bulk, deadline=timedelta(hours=1)))
        assert (record.status, record.counts) == (RunStatus.HALTED, {"not_started": 5})
        assert "before the first update, the calendars cannot be read" in str(record.reason)


class NeverOpen:
    """A gate of a user's own that has what comes next wait, whenever it is asked."""

    async def check(self, end: WaveEnd | None) -> GateAnswer:
        assert end is not None
        return Closed("it is late") if end.wave else None


@in_virtual_time
async def test_a_gate_that_has_things_wait_ends_no_wave_that_is_under_way(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(TOTAL)) as (_, bulk):
        run = await prepare(bulk, waves=("50%", "100%"))
        record = await run.carry_out(gates=[NeverOpen()])
        assert (record.status, record.counts) == (RunStatus.HALTED, {"updated": TOTAL / 2, "not_started": TOTAL / 2})
        assert record.reason == "after wave 1, it is late"
