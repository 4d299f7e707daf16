"""Real processes, and a real Dask cluster on loopback: what they do, and what is left when they are killed."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

import anyio
import executors_cluster
import pytest
from distributed import Client
from executors_toy import LONGEST_S, ToySource, ToyWorker, shards

from bulk_esm import __version__
from bulk_esm.engine.budget import Budget
from bulk_esm.errors import UsageError
from bulk_esm.executors import dask_cluster
from bulk_esm.executors.remote import RemoteExecutor, open_dask_executor, open_process_executor
from bulk_esm.executors.tasks import Event, Resulted
from bulk_esm.model.records import RunStatus
from bulk_esm.model.stopping import Stop

PLACES = 2
AT_ONCE = 6
PATIENCE_S = 4.0
INTERRUPTED = Stop(RunStatus.INTERRUPTED, "it was interrupted")


class OpenExecutor(Protocol):
    """Opens an executor of two workers, for so many shards at once."""

    def __call__(self, at_once: int = AT_ONCE) -> AbstractAsyncContextManager[RemoteExecutor]: ...


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    with executors_cluster.scheduler() as address, executors_cluster.workers(address, PLACES):
        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(PLACES, timeout=LONGEST_S)
        yield address


@pytest.fixture(params=["process", "dask"])
def open_executor(request: pytest.FixtureRequest) -> OpenExecutor:
    if request.param == "process":
        return lambda at_once=AT_ONCE: open_process_executor(workers=PLACES, at_once=at_once, open_worker=ToyWorker)
    address = request.getfixturevalue("scheduler")
    return lambda at_once=AT_ONCE: open_dask_executor(
        address, at_once=at_once, patience_s=PATIENCE_S, open_worker=ToyWorker
    )


async def test_results_arrive_as_they_come_and_before_their_shard_ends(
    open_executor: OpenExecutor, tmp_path: Path
) -> None:
    def on_event(_: Event) -> None:
        if len(set(source.states.values())) == PLACES:
            all_heard.touch()

    all_heard = tmp_path / "heard"  # no shard ends before something of each worker was heard
    source = ToySource(shards(20, until=str(all_heard)), on_event)
    with anyio.fail_after(LONGEST_S):
        async with open_executor() as executor:
            await executor.do(source)
            again = ToySource(shards(3))
            await executor.do(again)
    assert sorted(source.ended_shards) == sorted(source.heard_of)
    assert set(map(tuple, source.heard_of.values())) == {("0", "1", "2")}
    assert len(set(source.states.values())) == PLACES
    assert str(os.getpid()) not in source.states.values()
    assert len(again.ends) == 3


async def test_a_stop_reaches_every_worker(open_executor: OpenExecutor, tmp_path: Path) -> None:
    source = ToySource(shards(AT_ONCE, until=str(tmp_path / "never"), results="1"))
    with anyio.fail_after(LONGEST_S):
        async with open_executor() as executor, anyio.create_task_group() as tasks:
            tasks.start_soon(executor.do, source)
            while len(source.states) < AT_ONCE:  # noqa: ASYNC110 - it is polled
                await anyio.sleep(0.01)
            executor.stop(INTERRUPTED, hurry=True)
    assert Counter(end.stop for end in source.ends) == {
        Stop(RunStatus.INTERRUPTED, "it was interrupted in a hurry"): AT_ONCE
    }


async def test_one_shard_is_stopped_and_the_others_go_on(open_executor: OpenExecutor, tmp_path: Path) -> None:
    halted, done = Stop(RunStatus.HALTED, "it rings there"), tmp_path / "done"
    source = ToySource(shards(AT_ONCE, until=str(done), results="1"))
    with anyio.fail_after(LONGEST_S):
        async with open_executor() as executor, anyio.create_task_group() as tasks:
            tasks.start_soon(executor.do, source)
            while len(source.states) < AT_ONCE:  # noqa: ASYNC110 - it is polled
                await anyio.sleep(0.01)
            executor.stop_shard(min(source.states), halted)
            while not source.ends:  # noqa: ASYNC110 - likewise
                await anyio.sleep(0.01)
            assert [(end.shard, end.stop) for end in source.ends] == [(min(source.states), halted)]
            done.touch()
    assert Counter(end.stop for end in source.ends) == {halted: 1, None: AT_ONCE - 1}


async def test_what_a_killed_worker_had_is_done_by_another(open_executor: OpenExecutor, tmp_path: Path) -> None:
    killed: list[int] = []

    def kill_once(event: Event) -> None:
        assert isinstance(event, Resulted)
        if not killed and len(source.states) == AT_ONCE:
            killed.append(int(event.result.state or 0))
            os.kill(killed[0], signal.SIGKILL)
            done.touch()

    done = tmp_path / "done"
    source = ToySource(shards(2 * AT_ONCE, until=str(done)), kill_once)
    with anyio.fail_after(LONGEST_S):
        async with open_executor() as executor:
            await executor.do(source)
    assert sorted(source.ended_shards) == sorted(source.heard_of)
    lost = {name for name, _ in source.losses}
    assert len(lost) == len(source.losses) == AT_ONCE / PLACES
    assert str(killed[0]) not in {source.states[name] for name in lost}


@pytest.mark.parametrize("most", [0, 5])
async def test_the_budget_is_exceeded_by_one_at_the_most(open_executor: OpenExecutor, most: int) -> None:
    """All that is sent is refused, in six shards by two workers: one more than may fail, and not one for each."""

    def on_event(_: Event) -> None:
        if budget.is_exceeded:
            executor.stop(Stop(RunStatus.HALTED, budget.reason))

    refused = " ".join(map(str, range(9)))
    budget, source = Budget(most), ToySource(shards(AT_ONCE, sends="9", refused=refused), on_event)
    with anyio.fail_after(LONGEST_S):
        async with open_executor(at_once=PLACES) as executor:
            executor.begin(budget)
            await executor.do(source)
    assert budget.failures == sum(map(len, source.heard_of.values())) == most + 1
    assert len(source.ends) == AT_ONCE


@pytest.mark.parametrize("how", ["process", "dask"])
def test_nobody_goes_on_for_a_driver_that_was_killed(how: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    alive = tmp_path / "alive"
    opened = "open_process_executor(workers=1, open_worker=ToyWorker)"
    if how == "dask":
        opened = f"open_dask_executor({request.getfixturevalue('scheduler')!r}, patience_s=2, open_worker=ToyWorker)"
    driver = tmp_path / "driver.py"
    driver.write_text(
        textwrap.dedent(f"""
            import anyio
            from executors_toy import ToySource, ToyWorker, shards
            from bulk_esm.executors.remote import open_dask_executor, open_process_executor

            async def main():
                tags = {{"until": "/never", "alive": {str(alive)!r}, "results": "1"}}
                source = ToySource(shards(1, **tags), lambda event: print(event.result.state, flush=True))
                async with {opened} as executor:
                    await executor.do(source)

            if __name__ == "__main__":
                anyio.run(main)
        """)
    )
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    with subprocess.Popen(
        [sys.executable, str(driver)], env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        worker = int(process.stdout.readline())
        wait_until(alive.exists)
        process.kill()
    if how == "process":
        wait_until(lambda: not is_there(worker))
    else:
        wait_until(lambda: not alive.exists())
        assert is_there(worker)  # it is not ours to end


async def test_a_scheduler_that_does_not_answer_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_cluster, "_ANSWERS_WITHIN_S", 0.2)
    with pytest.raises(UsageError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1 .*start one with"):
        await open_and_leave("tcp://127.0.0.1:1")


async def test_an_address_that_is_none_is_told_of() -> None:
    with pytest.raises(UsageError, match="nonsense"):
        await open_and_leave("nonsense://x")


async def test_no_address_is_told_of() -> None:
    with pytest.raises(UsageError, match="needs --scheduler"):
        await open_and_leave("")


async def test_dask_that_is_not_installed_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bulk_esm.executors.dask_cluster", None)
    with pytest.raises(UsageError, match=r'pip install "bulk-esm\[dask\]"'):
        await open_and_leave("tcp://127.0.0.1:1")


async def test_a_scheduler_without_workers_is_told_of() -> None:
    with (
        executors_cluster.scheduler() as address,
        pytest.raises(UsageError, match=f"no workers.*dask worker {address}"),
    ):
        await open_and_leave(address)


async def test_workers_with_another_version_are_told_of(scheduler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_cluster, "__version__", "0.0.1")
    with pytest.raises(UsageError, match=f"has bulk_esm {__version__}, and this is 0.0.1"):
        await open_and_leave(scheduler)


def test_a_scheduler_without_tls_is_warned_of() -> None:
    assert "not encrypted" in (dask_cluster.warning_of("tcp://10.0.0.1:8786") or "")
    assert dask_cluster.warning_of("tls://10.0.0.1:8786") is None


async def test_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(UsageError, match="at least 1 process"):
        async with open_process_executor(workers=0):
            pass
    with pytest.raises(UsageError, match="at least 1 shard"):
        async with open_process_executor(at_once=0):
            pass


async def open_and_leave(address: str) -> None:
    with anyio.fail_after(LONGEST_S):
        async with open_dask_executor(address, open_worker=ToyWorker):
            pass


def is_there(pid: int) -> bool:
    try:
        return b"Z" not in Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2]
    except FileNotFoundError:
        return False


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + LONGEST_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)
