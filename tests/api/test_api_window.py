"""A run with a window, in virtual time: it begins when that opens, and sends nothing that could not settle in it."""

from datetime import datetime
from pathlib import Path

import anyio
import pytest
from api_world import EVERYTHING, PAUSE, connected
from engine_world import STARTED_AT, accepted, in_virtual_time, queues

from bulk_esm import BulkEsm, Intent, Outcome, RolloutSettings, Run, RunRecord, RunStatus
from bulk_esm.cli.hours import Hours
from bulk_esm.cli.job import Job
from bulk_esm.cli.options import GuardOptions, RunOptions
from bulk_esm.clock import Clock
from bulk_esm.errors import UsageError
from bulk_esm.store.run_files import RunFiles

NIGHT = "02:00-04:30[Europe/Berlin]"  # 01:00 to 03:30 UTC in winter


async def prepared(bulk: BulkEsm, window: str) -> Run:
    intent = Intent(command="pause", rollout=RolloutSettings(window=window))
    return bulk.prepare(await bulk.plan(EVERYTHING, PAUSE), intent=intent)


def began(run: Run) -> datetime:
    return min(datetime.fromisoformat(result.accepted_at) for result in run.files.results() if result.accepted_at)


@in_virtual_time
async def test_it_waits_for_the_opening(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(5)) as (_, bulk):
        run = await prepared(bulk, NIGHT)
        record = await run.carry_out()
        assert record.status is RunStatus.FINISHED
        opens = STARTED_AT.replace(hour=1)
        assert 0 <= (began(run) - opens).total_seconds() < 60
        assert run.files.record().rollout.window == NIGHT


@in_virtual_time
async def test_after_the_closing_nothing_is_sent_and_continue_goes_on_in_the_next(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(150), max_per_second=1.0) as (simulator, bulk):
        run = await prepared(bulk, "00:00-00:01[UTC]")
        record = await run.carry_out()
        assert record.status is RunStatus.DEADLINE
        sent = len(accepted(simulator))
        assert 0 < sent < 150
        assert record.counts[Outcome.NOT_STARTED] == 150 - record.counts[Outcome.UPDATED]
        assert max(result.settled_at or "" for result in run.files.results()) < "2026-01-01T00:01:05"
        rest = await bulk.plan_rest(RunFiles(run.path))
        again = rest.begin()
        first_night = began(run)
        await again.carry_out()
        later = [result.accepted_at for result in again.files.results() if (result.accepted_at or "") > "2026-01-02"]
        assert first_night < STARTED_AT.replace(minute=1)
        assert len(later) > 0
        assert min(filter(None, later)) < "2026-01-02T00:00:05"
        assert max(filter(None, later)) < "2026-01-02T00:01"
        wider = (await bulk.plan_rest(RunFiles(run.path))).begin(window="00:00-24:00[UTC]")
        assert (await wider.carry_out()).status is RunStatus.FINISHED
        assert len(accepted(simulator)) == 150


@in_virtual_time
async def test_what_is_stopped_while_it_waits_sends_nothing(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(5)) as (simulator, bulk):
        run = await prepared(bulk, NIGHT)
        records: list[RunRecord] = []

        async def carry_out() -> None:
            records.append(await run.carry_out())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(carry_out)
            await anyio.sleep(600)
            assert run.stage == "waiting for its window to open"
            run.stop()
        assert records[0].status is RunStatus.INTERRUPTED
        assert accepted(simulator) == set()
        assert bulk.fleet.clock.now() < STARTED_AT.replace(hour=1)


@in_virtual_time
async def test_a_deadline_that_is_over_when_it_begins_is_not_waited_past(tmp_path: Path) -> None:
    """A question that was answered after the closing does not make it a job of the next night."""
    async with connected(runs_dir=tmp_path, fleet=queues(5)) as (simulator, bulk):
        intent = Intent(rollout=RolloutSettings(window=NIGHT))
        run = bulk.prepare(await bulk.plan(EVERYTHING, PAUSE), intent=intent, deadline=STARTED_AT)
        assert (await run.carry_out()).status is RunStatus.DEADLINE
        assert accepted(simulator) == set()
        assert bulk.fleet.clock.now() < STARTED_AT.replace(hour=1)


async def test_the_command_waits_by_the_time_of_day(capsys: pytest.CaptureFixture[str]) -> None:
    now = [STARTED_AT]

    async def sleep(seconds: float) -> None:
        assert 0 < seconds <= 60
        now[0] = now[0].replace(hour=now[0].hour + 1)  # it was suspended meanwhile

    hours = Hours.read(None, NIGHT, now=STARTED_AT)
    await hours.wait(Clock(now=lambda: now[0], sleep=sleep))
    assert now[0].hour == 1
    said = capsys.readouterr().err
    assert said == f"waiting 1:00:00 for --window {NIGHT} to open, at 2026-01-01 01:00 UTC\n"
    await hours.wait(Clock(now=lambda: now[0], sleep=sleep))
    assert capsys.readouterr().err == ""


def test_a_deadline_beside_a_window() -> None:
    hours = Hours.read("02:00Z", NIGHT, now=STARTED_AT)
    assert hours.ends_at == STARTED_AT.replace(hour=2)
    assert Hours.read("05:00Z", NIGHT, now=STARTED_AT).ends_at == STARTED_AT.replace(hour=3, minute=30)
    assert Hours.read(None, None).ends_at is None
    with pytest.raises(UsageError, match=r"--deadline 30m comes before --window .* opens, at 2026-01-01 01:00 UTC"):
        Hours.read("30m", NIGHT, now=STARTED_AT)
    with pytest.raises(UsageError, match="--window '2-4'"):
        Job(command="pause", run=RunOptions(yes=True), guards=GuardOptions(window="2-4")).check()
