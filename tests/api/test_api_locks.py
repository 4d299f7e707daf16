"""A run holds the lock of its accounts and Regions, whoever started it: the command line, or a program."""

import os
from pathlib import Path

import anyio
import pytest
from api_world import EVERYTHING, PAUSE, connected
from cli_harness import FAST, Cli, Simulated
from engine_world import in_virtual_time, queues, virtual_clock

from bulk_esm import Change, Intent, RefusedError, RunStatus, connect
from bulk_esm.model.shard import Shard
from bulk_esm.store.run_files import RunFiles

RESIZE = Change({"BatchSize": 7})


def folders(runs_dir: Path) -> list[str]:
    return sorted(path.name for path in runs_dir.iterdir() if not path.name.startswith("."))


def hidden(runs_dir: Path) -> list[str]:
    return [path.name for path in runs_dir.iterdir() if path.name.startswith(".")]


@in_virtual_time
async def test_two_runs_of_programs_exclude_each_other(tmp_path: Path) -> None:
    async with (
        connected(fleet=queues(3), runs_dir=tmp_path) as (simulator, bulk),
        connect(runs_dir=tmp_path, clock=virtual_clock()) as other,
    ):
        run = bulk.prepare(await bulk.plan(EVERYTHING, PAUSE), intent=Intent(command="pause"))
        plan = await other.plan(EVERYTHING, RESIZE)
        with pytest.raises(RefusedError) as refused:
            await other.apply(plan)
        said = str(refused.value)
        assert "another run holds account 123456789012, us-east-1: pause since " in said
        assert f"process {os.getpid()}, in {run.path}" in said
        assert folders(tmp_path) == [run.path.name]
        assert simulator.report().count("update") == 0

        assert (await run.carry_out()).counts == {"updated": 3}
        assert (await other.apply(plan)).status is RunStatus.FINISHED
        assert not hidden(tmp_path)  # nothing is left behind


@in_virtual_time
async def test_a_run_that_was_never_carried_out_lets_go_at_the_end(tmp_path: Path) -> None:
    async with connected(fleet=queues(3), runs_dir=tmp_path) as (_, bulk):
        async with connect(runs_dir=tmp_path, clock=virtual_clock()) as other:
            other.prepare(await other.plan(EVERYTHING, PAUSE))
        assert (await bulk.apply(await bulk.plan(EVERYTHING, PAUSE))).status is RunStatus.FINISHED


@in_virtual_time
async def test_a_run_that_is_continued_holds_it_too(tmp_path: Path) -> None:
    async with connected(fleet=queues(3), runs_dir=tmp_path) as (_, bulk):
        async with connect(runs_dir=tmp_path, clock=virtual_clock()) as other:
            path = other.prepare(await other.plan(EVERYTHING, PAUSE)).path
            rest = await bulk.plan_rest(RunFiles(path))
            with pytest.raises(RefusedError, match="another run holds"):
                rest.begin()
        run = rest.begin()
        with pytest.raises(RefusedError, match=f"in {run.path}"):
            bulk.prepare(await bulk.plan(EVERYTHING, RESIZE))
        assert (await run.carry_out()).counts == {"updated": 3}


@in_virtual_time
async def test_whoever_wants_no_lock_takes_none(tmp_path: Path) -> None:
    async with (
        connected(fleet=queues(3), runs_dir=tmp_path) as (_, bulk),
        connect(runs_dir=tmp_path, lock=False, clock=virtual_clock()) as other,
    ):
        bulk.prepare(await bulk.plan(EVERYTHING, PAUSE))
        assert (await other.apply(await other.plan(EVERYTHING, RESIZE))).counts == {"updated": 3}


def test_a_program_and_the_command_line_exclude_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Simulated(mappings=10) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        for name, value in cli.whole_environment().items():
            monkeypatch.setenv(name, value)

        async def main() -> None:
            async with connect(runs_dir=cli.runs_dir) as bulk:
                run = bulk.prepare(await bulk.plan(EVERYTHING, PAUSE), intent=Intent(command="pause"))
                done = await anyio.to_thread.run_sync(lambda: cli("resume", "--all", "--yes", *FAST))
                assert (done.code, done.stdout) == (2, "")
                assert "another run holds account 123456789012, us-east-1: pause since" in done.stderr
                assert str(run.path) in done.stderr
                await run.carry_out()
                done = await anyio.to_thread.run_sync(lambda: cli("resume", "--all", "--yes", *FAST))
                assert done.code == 0

        anyio.run(main)


@in_virtual_time
async def test_planning_can_be_within_the_lock(tmp_path: Path) -> None:
    async with (
        connected(fleet=queues(3), runs_dir=tmp_path) as (_, bulk),
        connect(runs_dir=tmp_path, clock=virtual_clock()) as other,
    ):
        async with bulk.locked("pause"):
            with pytest.raises(RefusedError, match="another run holds account 123456789012, us-east-1: pause since"):
                async with other.locked():
                    pass
            with pytest.raises(RefusedError, match="another run holds"):
                await other.apply(await other.plan(EVERYTHING, RESIZE))
            plan = await bulk.plan(EVERYTHING, PAUSE)
            async with bulk.locked():  # it is held already
                run = bulk.prepare(plan)
            with pytest.raises(RefusedError, match=f"in {run.path}"):
                async with other.locked():
                    pass
            assert (await run.carry_out()).counts == {"updated": 3}
            with pytest.raises(RefusedError):  # until the end of all that is within
                other.prepare(await other.plan(EVERYTHING, RESIZE))
        assert (await other.apply(await other.plan(EVERYTHING, RESIZE))).counts == {"updated": 3}
        assert not hidden(tmp_path)


@in_virtual_time
async def test_what_is_beside_the_lock_that_is_held_is_locked_by_its_own_run(tmp_path: Path) -> None:
    async with (
        connected(fleet=queues(3), runs_dir=tmp_path) as (_, bulk),
        connect(region="eu-west-1", runs_dir=tmp_path, clock=virtual_clock()) as elsewhere,
    ):
        shards = [Shard(account_id="123456789012", region="eu-west-1")]
        there = bulk.among(shards, is_named=True)
        async with bulk.locked():
            run = there.prepare(await there.plan(EVERYTHING, PAUSE))
            with pytest.raises(RefusedError, match="another run holds account 123456789012, eu-west-1"):
                elsewhere.prepare(await elsewhere.plan(EVERYTHING, RESIZE))
            await run.carry_out()
            elsewhere.prepare(await elsewhere.plan(EVERYTHING, RESIZE))


@in_virtual_time
async def test_without_a_lock_nothing_is_held_around_either(tmp_path: Path) -> None:
    async with connected(fleet=queues(3), runs_dir=tmp_path) as (_, bulk):
        bulk.locks.wanted = False
        async with bulk.locked(), connect(runs_dir=tmp_path, clock=virtual_clock()) as other, other.locked():
            assert (await bulk.apply(await bulk.plan(EVERYTHING, PAUSE))).counts == {"updated": 3}
