"""A run whose calendar closes meanwhile, against the simulator, in virtual time."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
from api_world import EVERYTHING, PAUSE, connected
from engine_world import STARTED_AT, in_virtual_time, queues

from bulk_esm import BulkEsm, Intent, RolloutSettings, Run, RunRecord, RunStatus
from bulk_esm.gates.calendar import CalendarGate
from bulk_esm.simulator import Faults, Simulator

TOTAL = 1200
IN_WAVE_2 = STARTED_AT + timedelta(seconds=60)  # of three waves, of which the second takes 50 s
OPENS = STARTED_AT + timedelta(hours=2)
WAVES = ("1", "50%", "100%")


async def prepare(bulk: BulkEsm, *, deadline: timedelta | None = None, **rollout: Any) -> Run:
    settings = RolloutSettings(**{"waves": WAVES, "calendars": ("freeze",), **rollout})
    ends_at = None if deadline is None else STARTED_AT + deadline
    return bulk.prepare(await bulk.plan(EVERYTHING, PAUSE), intent=Intent(rollout=settings), deadline=ends_at)


async def carried_out(bulk: BulkEsm, run: Run) -> tuple[RunRecord, list[str]]:
    """The record, and what was told."""
    told: list[str] = []
    return await run.carry_out(gates=[CalendarGate(("freeze",), bulk.calendars, told.append)]), told


def sent_at(simulator: Simulator) -> list[float]:
    return [update.accepted_at for mapping in simulator.report().mappings for update in mapping.accepted]


@in_virtual_time
async def test_one_that_closes_in_wave_2_has_the_rest_wait_until_it_opens(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(TOTAL)) as (simulator, bulk):
        simulator.set_calendar("freeze", "OPEN", turns_at=[IN_WAVE_2, OPENS])
        run = await prepare(bulk, deadline=timedelta(hours=5))
        stages: set[str] = set()

        async def look() -> None:
            while True:
                stages.add(run.stage)
                await anyio.sleep(60)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(look)
            record, told = await carried_out(bulk, run)
            tasks.cancel_scope.cancel()
        assert (record.status, record.counts) == (RunStatus.FINISHED, {"updated": TOTAL})
        closed, opens = (at.timestamp() - STARTED_AT.timestamp() for at in (IN_WAVE_2, OPENS))
        early = [at for at in sent_at(simulator) if at < opens]
        assert len(early) == TOTAL / 2
        assert max(early) > closed  # the wave was finished
        waits = "calendar freeze is CLOSED until 2026-01-01 02:00 UTC"
        assert told == [f"note: {waits}: wave 2 is finished, and what comes after it waits"]
        assert f"wave 2 of 3 is done; soaking; {waits}; asked again" in stages


@in_virtual_time
async def test_until_the_deadline_and_continue_goes_on(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(TOTAL)) as (simulator, bulk):
        simulator.set_calendar("freeze", "OPEN", turns_at=[IN_WAVE_2, OPENS])
        run = await prepare(bulk, deadline=timedelta(hours=1))
        record, _ = await carried_out(bulk, run)
        assert (record.status, record.counts) == (RunStatus.DEADLINE, {"updated": TOTAL / 2, "not_started": TOTAL / 2})
        assert record.reason == (
            "the deadline comes before wave 3 could begin: calendar freeze is CLOSED until 2026-01-01 02:00 UTC"
        )
        assert abs((bulk.fleet.clock.now() - STARTED_AT).total_seconds() - 3600) < 2
        again = (await bulk.plan_rest(run.files)).begin(deadline=STARTED_AT + timedelta(hours=5))
        assert again.record.rollout.calendars == ("freeze",)
        record, _ = await carried_out(bulk, again)
        assert (record.status, record.counts) == (RunStatus.FINISHED, {"updated": TOTAL})
        assert max(sent_at(simulator)) > (OPENS - STARTED_AT).total_seconds()


@in_virtual_time
async def test_without_a_deadline_it_halts_after_the_wave(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(TOTAL)) as (simulator, bulk):
        simulator.set_calendar("freeze", "OPEN", turns_at=[IN_WAVE_2])
        record, _ = await carried_out(bulk, await prepare(bulk))
        assert (record.status, record.counts) == (RunStatus.HALTED, {"updated": TOTAL / 2, "not_started": TOTAL / 2})
        assert record.reason == "after wave 2, calendar freeze is CLOSED"


@in_virtual_time
async def test_in_a_window_it_waits_until_that_closes(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(TOTAL)) as (simulator, bulk):
        simulator.set_calendar("freeze", "OPEN", turns_at=[IN_WAVE_2, OPENS])
        record, _ = await carried_out(bulk, await prepare(bulk, window="00:00-01:30[UTC]"))
        assert (record.status, record.counts["not_started"]) == (RunStatus.DEADLINE, TOTAL / 2)


@in_virtual_time
async def test_one_that_closes_before_the_first_update_has_all_wait(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(5)) as (simulator, bulk):
        simulator.set_calendar("freeze", "CLOSED", turns_at=[OPENS])
        record, _ = await carried_out(bulk, await prepare(bulk, waves=(), deadline=timedelta(hours=5)))
        assert (record.status, record.counts) == (RunStatus.FINISHED, {"updated": 5})
        assert min(sent_at(simulator)) >= (OPENS - STARTED_AT).total_seconds()


@in_virtual_time
async def test_one_that_closes_in_the_last_wave_and_the_bake_hinders_nothing(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(TOTAL)) as (simulator, bulk):
        simulator.set_calendar("freeze", "OPEN", turns_at=[IN_WAVE_2])
        record, told = await carried_out(bulk, await prepare(bulk, waves=(), bake_s=600.0))
        assert (record.status, record.counts) == (RunStatus.FINISHED, {"updated": TOTAL})
        assert len(told) == 1


@in_virtual_time
async def test_one_that_cannot_be_read_for_long_halts(tmp_path: Path) -> None:
    broken = Faults(denied_actions=frozenset({"ssm:GetCalendarState"}))
    async with connected(runs_dir=tmp_path, fleet=queues(5), faults=broken) as (_, bulk):
        record, _ = await carried_out(bulk, await prepare(bulk, deadline=timedelta(hours=5)))
        assert (record.status, record.counts) == (RunStatus.HALTED, {"not_started": 5})
        assert "before the first update, the calendars cannot be read" in str(record.reason)
