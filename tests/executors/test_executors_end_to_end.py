"""The command line with its work done by processes and by a Dask cluster; workers and drivers are killed on the way."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli_harness import FAST, LONGEST_S, Cli, RunFiles, Simulated, finish, records, wait_until
from distributed import Client
from executors_cluster import scheduler, workers

from bulk_esm.simulator import Kind

ACCOUNTS = ("111111111111", "222222222222", "333333333333")
REGIONS = ("us-east-1", "eu-west-1")
FLEET = ("--accounts", ",".join(ACCOUNTS), "--regions", ",".join(REGIONS), "--role-name", "bulk-esm")
YES = ("--yes", *FAST)
EACH = 100
HALFWAY = 150


@pytest.fixture(scope="module")
def simulated() -> Iterator[Simulated]:
    with Simulated(mappings=EACH) as found:
        yield found


@pytest.fixture(scope="module")
def cluster(simulated: Simulated) -> Iterator[str]:
    """Workers find credentials in their own environment."""
    with scheduler() as address, workers(address, 2, simulated.environment):
        yield address


@pytest.fixture
def cli(tmp_path: Path, simulated: Simulated) -> Iterator[Cli]:
    """All mappings are Enabled at first, and Disabled at the end."""
    cli = Cli(tmp_path, simulated.environment)
    assert cli("resume", *FLEET, "--all", *YES, "--runs-dir", "before").code == 0
    yield cli
    for account in ACCOUNTS:
        for region in REGIONS:
            assert states_in(simulated, account, region) == {"Disabled"}


def states_in(simulated: Simulated, account: str, region: str) -> set[str]:
    return {mapping["State"] for mapping in simulated.ask(lambda: simulated.simulator.snapshot(account, region))}


def elsewhere(executor: str, request: pytest.FixtureRequest) -> tuple[str, ...]:
    scheduler = ("--scheduler", request.getfixturevalue("cluster")) if executor == "dask" else ()
    return ("--executor", executor, *scheduler)


def results_of(run: Path) -> dict[str, str]:
    """Outcomes by UUID; each shard has one line for each line of its plan."""
    found: dict[str, str] = {}
    for shard in (run / "shards").iterdir():
        found |= RunFiles(shard).outcomes
    return found


def halfway(simulated: Simulated) -> Callable[[], bool]:
    before = simulated.report().count(kind=Kind.UPDATE)
    return lambda: simulated.report().count(kind=Kind.UPDATE) > before + HALFWAY


def child_of(process: subprocess.Popen[str]) -> int:
    """A process that the command started to work."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split()
    at_work = [pid for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return int(at_work[0])


def dask_worker(address: str) -> int:
    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=LONGEST_S)
        pids: list[int] = list(client.run(os.getpid).values())
    return min(pids)


@pytest.mark.parametrize("executor", ["process", "dask"])
def test_a_worker_that_is_killed_halfway_loses_nothing(
    executor: str, cli: Cli, simulated: Simulated, request: pytest.FixtureRequest
) -> None:
    flags = elsewhere(executor, request)
    victim = dask_worker(flags[-1]) if executor == "dask" else None
    is_halfway = halfway(simulated)
    with cli.start("pause", *FLEET, "--all", *YES, *flags) as running:
        wait_until(lambda: is_halfway() or running.poll() is not None)
        os.kill(victim or child_of(running), signal.SIGKILL)
        done = finish(running)
    assert done.code == 0, done.stderr
    outcomes = results_of(cli.run_folders()[-1])
    assert len(outcomes) == len(ACCOUNTS) * len(REGIONS) * EACH
    assert set(outcomes.values()) == {"updated"}
    told = records(done.stdout)
    assert {each["uuid"]: each["outcome"] for each in told} == outcomes
    assert len(told) == len(outcomes)
    if executor == "dask":
        assert "is not encrypted" in done.stderr


@pytest.mark.parametrize("executor", ["process", "dask"])
def test_a_killed_driver_is_continued(
    executor: str, cli: Cli, simulated: Simulated, request: pytest.FixtureRequest
) -> None:
    flags = elsewhere(executor, request)
    is_halfway = halfway(simulated)
    with cli.start("pause", *FLEET, "--all", *YES, *flags) as running:
        wait_until(lambda: is_halfway() or running.poll() is not None)
        running.kill()
    done = cli("continue", "last", *YES)
    assert done.code == 0, done.stderr
    # What still works for the killed driver would send beside it.
    assert ("its Dask workers stop by themselves: waiting" in done.stderr) == (executor == "dask")
    outcomes = results_of(cli.run_folders()[-1])
    assert len(outcomes) == len(ACCOUNTS) * len(REGIONS) * EACH
    assert set(outcomes.values()) == {"updated"}


def test_an_interrupted_run_of_processes_is_continued_by_processes(cli: Cli, simulated: Simulated) -> None:
    flags = ("--executor", "process")
    is_halfway = halfway(simulated)
    with cli.start("pause", *FLEET, "--all", *YES, *flags) as running:
        wait_until(lambda: is_halfway() or running.poll() is not None)
        running.send_signal(signal.SIGINT)
        assert finish(running).code == 130
    assert cli("continue", "last", *YES, *flags).code == 0
    assert set(results_of(cli.run_folders()[-1]).values()) == {"updated"}
    verified = cli("verify", "last", *FAST, *flags)
    assert (verified.code, verified.stdout) == (0, "")
