"""A run from its plan on disk to its record, in virtual time."""

import asyncio
import errno
import os
import stat
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from api_world import EVERYTHING, PAUSE, check_the_files, connected, planned
from engine_world import a_mapping, accepted, an_item, in_virtual_time, queues

from bulk_esm import (
    AccessError,
    BulkEsm,
    Intent,
    MappingEnded,
    Outcome,
    Plan,
    Result,
    Run,
    RunBegan,
    RunEnded,
    RunEvent,
    RunFiles,
    RunFolderError,
    RunStatus,
    WaveBegan,
)
from bulk_esm.errors import RecordingError
from bulk_esm.model.plan import unknown_item
from bulk_esm.simulator import Faults
from bulk_esm.store.results import ResultWriter


async def make_run(bulk: BulkEsm) -> tuple[Plan, Run]:
    found = await bulk.plan(EVERYTHING, PAUSE)
    plan = planned(found)
    return plan, bulk.prepare(found, intent=Intent(command="pause", argv=("pause", "--all")))


class Told:
    """An observer that remembers what it was told."""

    def __init__(self) -> None:
        self.events: list[RunEvent] = []

    def __call__(self, event: RunEvent) -> None:
        self.events.append(event)

    @property
    def results(self) -> list[Result]:
        return [event.result for event in self.events if isinstance(event, MappingEnded)]


@in_virtual_time
async def test_a_run_that_goes_well(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, mappings=30) as (simulator, bulk):
        plan, run = await make_run(bulk)
        assert simulator.report().count("update") == 0
        assert (run.record.status, run.record.ended_at) == (RunStatus.RUNNING, None)
        assert Plan(tuple(run.files.items())) == plan
        assert run.files.record() == run.record
        assert stat.S_IMODE(run.path.stat().st_mode) == 0o700

        told = Told()
        record = await run.carry_out([told])
        assert record == run.record
        results = check_the_files(run, plan, simulator)
        assert results == told.results
        began, *others, ended = told.events
        assert isinstance(began, RunBegan)
        assert began.record.status is RunStatus.RUNNING
        assert ended == RunEnded(record)
        waves = [event for event in others if not isinstance(event, MappingEnded)]
        assert waves == [WaveBegan(wave=1, waves=1, updates=len(plan.updates))]
        assert (record.status, record.reason) == (RunStatus.FINISHED, None)
        updates = len(plan.updates)
        assert record.counts == {"updated": updates, "unchanged": 30 - updates}
        assert record.requests == bulk.home.control_plane.request_counts()
        assert record.requests["update"] == updates
        assert (record.command, record.argv, record.region) == ("pause", ("pause", "--all"), "us-east-1")
        assert record.account_id == "123456789012"
        assert record.run_id.startswith("20260101T0000")
        assert record.started_at < (record.ended_at or "")
        (progress,) = run.progress
        assert progress.outcomes == {"updated": updates, "unchanged": 30 - updates}


@in_virtual_time
async def test_the_plan_is_on_disk_before_the_first_update(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[str, int]] = []
    fsync = os.fsync
    async with connected(runs_dir=tmp_path, fleet=queues(3)) as (simulator, bulk):

        def watched(descriptor: int) -> None:
            name = Path(f"/proc/self/fd/{descriptor}").readlink().name
            synced.append((name, simulator.report().count("update")))
            fsync(descriptor)

        monkeypatch.setattr(os, "fsync", watched)
        _, run = await make_run(bulk)
        await run.carry_out()
        assert ("plan.jsonl.tmp", 0) in synced
        assert ("results.jsonl", 3) in synced


@in_virtual_time
async def test_each_result_is_on_disk_before_anyone_is_told(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(5)) as (_, bulk):
        _, run = await make_run(bulk)
        told = Told()
        on_disk: list[list[Result]] = []

        def look(event: RunEvent) -> None:
            if isinstance(event, MappingEnded):
                on_disk.append(list(run.files.results()))

        await run.carry_out([told, look])
        assert on_disk == [told.results[:count] for count in range(1, 6)]


@in_virtual_time
async def test_a_run_that_is_told_to_stop(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(40)) as (simulator, bulk):
        plan, run = await make_run(bulk)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run.carry_out)
            await anyio.sleep(1)
            run.stop()
        results = check_the_files(run, plan, simulator)
        assert run.record.status is RunStatus.INTERRUPTED
        assert run.record.counts["updated"] == len(accepted(simulator)) < 40
        assert len(results) == 40


@in_virtual_time
async def test_a_run_that_is_cancelled(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(40)) as (simulator, bulk):
        plan, run = await make_run(bulk)
        with anyio.move_on_after(1):
            await run.carry_out()
        check_the_files(run, plan, simulator)
        assert (run.record.status, run.record.reason) == (RunStatus.INTERRUPTED, None)
        assert run.record.counts.keys() == {"timed_out", "not_started"}


@in_virtual_time
async def test_a_run_whose_credentials_expire(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(40), faults=Faults(expires_after_s=2.0)) as (simulator, bulk):
        plan, run = await make_run(bulk)
        with pytest.raises(AccessError, match="ExpiredTokenException"):
            await run.carry_out()
        check_the_files(run, plan, simulator)
        assert run.record.status is RunStatus.HALTED
        assert "ExpiredTokenException" in (run.record.reason or "")
        assert run.record.ended_at


@in_virtual_time
async def test_a_run_whose_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even the record can be written: it still says `running`, as after a crash."""
    async with connected(runs_dir=tmp_path, fleet=queues(200)) as (simulator, bulk):
        _, run = await make_run(bulk)
        told = Told()
        append = ResultWriter.append

        def full(_: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def append_while_there_is_room(self: ResultWriter, result: Result) -> None:
            if len(told.results) >= 3:
                monkeypatch.setattr(os, "fsync", full)
                raise RecordingError("results.jsonl cannot be written: No space left on device")
            append(self, result)

        monkeypatch.setattr(ResultWriter, "append", append_while_there_is_room)
        with pytest.raises(RecordingError, match="cannot be written: No space left on device"):
            await run.carry_out([told])
        assert run.record.status is RunStatus.HALTED
        assert run.record.reason == "results.jsonl cannot be written: No space left on device"
        sent = simulator.report().count("update")
        assert sent < 200
        await anyio.sleep(30)
        assert simulator.report().count("update") == sent
        assert list(run.files.results()) == told.results[:3]  # what has no line was not started
        assert run.files.record().status is RunStatus.RUNNING


@in_virtual_time
async def test_an_observer_that_fails_is_told_nothing_more_and_changes_nothing(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(60)) as (simulator, bulk):
        plan, run = await make_run(bulk)
        first, last = Told(), Told()

        def closed(event: RunEvent) -> None:
            first(event)
            if isinstance(event, MappingEnded):
                raise BrokenPipeError

        record = await run.carry_out([closed, last])
        assert (record.status, record.counts) == (RunStatus.FINISHED, {"updated": 60})
        assert check_the_files(run, plan, simulator) == last.results
        assert len(first.results) == 1
        log = (run.path / "log.jsonl").read_text(encoding="utf-8")
        assert log.count("observer_failed") == 1
        assert "BrokenPipeError" in log


@in_virtual_time
async def test_mappings_known_a_saved_plan_are_left_alone(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(4)) as (simulator, bulk):
        saved = planned(await bulk.plan(EVERYTHING, PAUSE))
        simulator.change_behind(a_mapping(1)["UUID"], BatchSize=7)
        found = await bulk.renew(saved)
        plan = planned(found)
        run = bulk.prepare(found, intent=Intent(command="pause"))
        record = await run.carry_out()
        check_the_files(run, plan, simulator)
        assert record.counts == {"conflict": 1, "updated": 3}
        assert a_mapping(1)["UUID"] not in accepted(simulator)


@in_virtual_time
async def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("in the way")
    async with connected(runs_dir=tmp_path / "runs", fleet=queues(3)) as (simulator, bulk):
        with pytest.raises(RunFolderError, match="--runs-dir"):
            await make_run(bulk)
        assert simulator.report().count("update") == 0


@in_virtual_time
async def test_a_killed_run_leaves_what_is_needed_to_go_on(tmp_path: Path) -> None:
    """As after kill -9: nothing is tidied up."""
    async with connected(runs_dir=tmp_path, fleet=queues(20)) as (simulator, bulk):
        plan, run = await make_run(bulk)
        seen: list[Any] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run.carry_out)
            await anyio.sleep(10)
            files = RunFiles(run.path)
            seen = [files.record(), Plan(tuple(files.items())), list(files.results()), accepted(simulator)]
            tasks.cancel_scope.cancel()
        record, on_disk, results, accepted_then = seen
        assert record.status is RunStatus.RUNNING
        assert on_disk == plan
        assert 0 < len(results) < len(accepted_then) == 20
        assert {result.outcome for result in results} == {Outcome.UPDATED}


def test_the_account_is_that_of_the_mappings() -> None:
    assert Plan(()).account_id is None
    assert Plan((unknown_item("0" * 36),)).account_id is None
    assert Plan((unknown_item("0" * 36), an_item())).account_id == "123456789012"


@in_virtual_time
async def test_virtual_time_is_what_these_tests_run_in() -> None:
    loop = asyncio.get_running_loop()
    before = loop.time()
    await anyio.sleep(80_000)
    assert loop.time() - before == pytest.approx(80_000)
    assert msgspec.json.decode(b"1") == await anyio.to_thread.run_sync(lambda: 1)
