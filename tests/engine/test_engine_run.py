"""A run from its plan on disk to its record, in virtual time."""

import asyncio
import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from engine_world import (
    a_mapping,
    accepted,
    an_item,
    check_what_always_holds,
    in_virtual_time,
    queues,
    virtual_clock,
    world,
)

from bulk_esm import (
    AccessError,
    BulkEsm,
    Change,
    Intent,
    Outcome,
    Plan,
    Result,
    Run,
    RunFolderError,
    RunStatus,
    Selection,
)
from bulk_esm.model.plan import unknown_item
from bulk_esm.simulator import Faults, Simulator
from bulk_esm.store.folder import RunFolder

PAUSE = Change({"Enabled": False})
EVERYTHING = Selection(all=True)


def make_run(bulk: BulkEsm, plan: Plan, runs_dir: Path, **settings: Any) -> Run:
    return Run.prepare(
        bulk.control_plane,
        plan,
        runs_dir=runs_dir,
        intent=Intent(command="pause", argv=("pause", "--all")),
        clock=virtual_clock(),
        **settings,
    )


def check_the_folder(run: Run, plan: Plan, simulator: Simulator) -> list[Result]:
    """What is on disk is what was planned and what became of it."""
    assert run.folder.plan() == plan
    assert run.folder.record() == run.record
    results = list(run.folder.results())
    check_what_always_holds(plan, results, simulator)
    assert sum(run.record.counts.values()) == len(results)
    assert {result.run_id for result in results} == {run.record.run_id}
    assert all(json.loads(line) for line in (run.folder.path / "log.jsonl").read_text().splitlines())
    return results


@in_virtual_time
async def test_a_run_that_goes_well(tmp_path: Path) -> None:
    async with world(mappings=30) as (simulator, bulk):
        plan = await bulk.plan(EVERYTHING, PAUSE)
        run = make_run(bulk, plan, tmp_path / "runs")
        assert simulator.report().count("update") == 0
        assert (run.record.status, run.record.ended_at) == (RunStatus.RUNNING, None)
        assert run.folder.plan() == plan
        assert run.folder.record() == run.record
        assert stat.S_IMODE(run.folder.path.stat().st_mode) == 0o700

        told: list[Result] = []
        record = await run.carry_out(told.append)
        assert record == run.record
        results = check_the_folder(run, plan, simulator)
        assert results == told
        assert (record.status, record.reason) == (RunStatus.FINISHED, None)
        updates = len(plan.updates)
        assert record.counts == {"updated": updates, "unchanged": 30 - updates}
        assert record.requests == bulk.control_plane.request_counts()
        assert record.requests["update"] == updates
        assert (record.command, record.argv, record.region) == ("pause", ("pause", "--all"), "us-east-1")
        assert record.account_id == "123456789012"
        assert record.run_id.startswith("20260101T0000")
        assert record.started_at < (record.ended_at or "")
        assert run.statistics().outcomes == {"updated": updates, "unchanged": 30 - updates}


@in_virtual_time
async def test_the_plan_is_on_disk_before_the_first_update(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[str, int]] = []
    fsync = os.fsync
    async with world(fleet=queues(3)) as (simulator, bulk):

        def watched(descriptor: int) -> None:
            name = Path(f"/proc/self/fd/{descriptor}").readlink().name
            synced.append((name, simulator.report().count("update")))
            fsync(descriptor)

        monkeypatch.setattr(os, "fsync", watched)
        plan = await bulk.plan(EVERYTHING, PAUSE)
        await make_run(bulk, plan, tmp_path).carry_out()
        assert ("plan.jsonl.tmp", 0) in synced
        assert ("results.jsonl", 3) in synced


@in_virtual_time
async def test_each_result_is_on_disk_before_anyone_is_told(tmp_path: Path) -> None:
    async with world(fleet=queues(5)) as (_, bulk):
        plan = await bulk.plan(EVERYTHING, PAUSE)
        run = make_run(bulk, plan, tmp_path)
        told: list[str] = []

        def tell(result: Result) -> None:
            told.append(result.uuid)
            assert [written.uuid for written in run.folder.results()] == told

        await run.carry_out(tell)
        assert len(told) == 5


@in_virtual_time
async def test_a_run_that_is_told_to_stop(tmp_path: Path) -> None:
    async with world(fleet=queues(40)) as (simulator, bulk):
        plan = await bulk.plan(EVERYTHING, PAUSE)
        run = make_run(bulk, plan, tmp_path)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run.carry_out)
            await anyio.sleep(1)
            run.stop()
        results = check_the_folder(run, plan, simulator)
        assert run.record.status is RunStatus.INTERRUPTED
        assert run.record.counts["updated"] == len(accepted(simulator)) < 40
        assert len(results) == 40


@in_virtual_time
async def test_a_run_that_is_cancelled(tmp_path: Path) -> None:
    async with world(fleet=queues(40)) as (simulator, bulk):
        plan = await bulk.plan(EVERYTHING, PAUSE)
        run = make_run(bulk, plan, tmp_path)
        with anyio.move_on_after(1):
            await run.carry_out()
        check_the_folder(run, plan, simulator)
        assert (run.record.status, run.record.reason) == (RunStatus.INTERRUPTED, None)
        assert run.record.counts.keys() == {"timed_out", "not_started"}


@in_virtual_time
async def test_a_run_whose_credentials_expire(tmp_path: Path) -> None:
    async with world(fleet=queues(40), faults=Faults(expires_after_s=2.0)) as (simulator, bulk):
        plan = await bulk.plan(EVERYTHING, PAUSE)
        run = make_run(bulk, plan, tmp_path)
        with pytest.raises(AccessError, match="ExpiredTokenException"):
            await run.carry_out()
        check_the_folder(run, plan, simulator)
        assert run.record.status is RunStatus.HALTED
        assert "ExpiredTokenException" in (run.record.reason or "")
        assert run.record.ended_at


@in_virtual_time
async def test_a_run_whose_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even the record can be written: it still says `running`, as after a crash."""
    async with world(fleet=queues(40)) as (simulator, bulk):
        plan = await bulk.plan(EVERYTHING, PAUSE)
        run = make_run(bulk, plan, tmp_path)
        told: list[Result] = []

        def full(_: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def tell(result: Result) -> None:
            told.append(result)
            if len(told) == 3:
                monkeypatch.setattr(os, "fsync", full)
                raise RunFolderError("results.jsonl cannot be written: No space left on device")

        with pytest.raises(RunFolderError, match="cannot be written: No space left on device"):
            await run.carry_out(tell)
        sent = simulator.report().count("update")
        assert sent < 40 or len(told) == 3
        await anyio.sleep(30)
        assert simulator.report().count("update") == sent
        assert list(run.folder.results()) == told
        assert run.folder.record().status is RunStatus.RUNNING


@in_virtual_time
async def test_a_result_that_cannot_be_told_ends_the_run_with_that_error(tmp_path: Path) -> None:
    async with world(fleet=queues(60)) as (simulator, bulk):
        plan = await bulk.plan(EVERYTHING, PAUSE)
        run = make_run(bulk, plan, tmp_path)

        def closed(_: Result) -> None:
            raise BrokenPipeError

        with pytest.raises(BrokenPipeError):
            await run.carry_out(closed)
        assert run.folder.record().status is RunStatus.INTERRUPTED
        assert len(list(run.folder.results())) == 1
        assert simulator.report().count("update") > 0


@in_virtual_time
async def test_mappings_known_a_saved_plan_are_left_alone(tmp_path: Path) -> None:
    async with world(fleet=queues(4)) as (simulator, bulk):
        saved = await bulk.plan(EVERYTHING, PAUSE)
        simulator.change_behind(a_mapping(1)["UUID"], BatchSize=7)
        plan, changed = await bulk.renew(saved)
        run = bulk.prepare(plan, runs_dir=tmp_path, intent=Intent(command="pause"), known=changed)
        record = await run.carry_out()
        check_the_folder(run, plan, simulator)
        assert record.counts == {"conflict": 1, "updated": 3}
        assert a_mapping(1)["UUID"] not in accepted(simulator)


@in_virtual_time
async def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("in the way")
    async with world(fleet=queues(3)) as (simulator, bulk):
        plan = await bulk.plan(EVERYTHING, PAUSE)
        with pytest.raises(RunFolderError, match="--runs-dir"):
            make_run(bulk, plan, tmp_path / "runs")
        assert simulator.report().count("update") == 0


@in_virtual_time
async def test_a_killed_run_leaves_what_is_needed_to_go_on(tmp_path: Path) -> None:
    """As after kill -9: nothing is tidied up."""
    async with world(fleet=queues(20)) as (simulator, bulk):
        plan = await bulk.plan(EVERYTHING, PAUSE)
        run = make_run(bulk, plan, tmp_path)
        seen: list[Any] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run.carry_out)
            await anyio.sleep(10)
            folder = RunFolder(run.folder.path)
            seen = [folder.record(), folder.plan(), list(folder.results()), accepted(simulator)]
            tasks.cancel_scope.cancel()
        record, planned, results, accepted_then = seen
        assert record.status is RunStatus.RUNNING
        assert planned == plan
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
