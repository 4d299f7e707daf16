"""A fleet of shards paused by the classes beneath the API, in a process of its own or with workers. One JSON line.

    python benchmarks/fleet_engine.py --shards 60 --rate 12 --executor local

Started by `fleet.py`, with the environment of a server of the same fleets. CPU and memory of workers are read from
/proc, so Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from engine_process import peak_rss_kib
from fleet_places import shards_of
from fleet_server import raise_file_limit

from bulk_esm.executors.local import LocalExecutor
from bulk_esm.executors.protocols import Executor
from bulk_esm.executors.remote import open_process_executor
from bulk_esm.executors.tasks import PlanChange, Reach, Task
from bulk_esm.executors.worker import Worker
from bulk_esm.model.change import Change
from bulk_esm.model.events import MappingEnded, RunEvent
from bulk_esm.model.records import Intent
from bulk_esm.model.rollout import RolloutSettings
from bulk_esm.model.selection import Selection
from bulk_esm.model.shard import Shard
from bulk_esm.runs.fleet import Fleet
from bulk_esm.runs.planning import PlanContext, plan_run
from bulk_esm.runs.run import Run

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def workers_cpu_s() -> float:
    """User and system time of the worker processes so far."""
    return sum(_cpu_s(child.pid) for child in multiprocessing.active_children())


def _cpu_s(pid: int | None) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def workers_peak_kib() -> list[int]:
    """The most memory that each worker process has had."""
    return [
        int(line.split()[1])
        for child in multiprocessing.active_children()
        for line in Path(f"/proc/{child.pid}/status").read_text().splitlines()
        if line.startswith("VmHWM")
    ]


class Samples:
    """What this process has used, each half second."""

    def __init__(self) -> None:
        self.cpu: list[tuple[float, float]] = []  # (monotonic seconds, CPU seconds of this process and its workers)
        self.most_files = 0

    async def take(self) -> None:
        while True:
            self.cpu.append((round(time.monotonic(), 3), round(time.process_time() + workers_cpu_s(), 3)))
            self.most_files = max(self.most_files, len(os.listdir("/proc/self/fd")))  # noqa: PTH208 - names do
            await asyncio.sleep(0.5)


@asynccontextmanager
async def open_executor(name: str, workers: int, at_once: int) -> AsyncIterator[Executor]:
    if name == "process":
        async with open_process_executor(workers=workers, at_once=at_once) as executor:
            yield executor
        return
    async with Worker() as worker:
        yield LocalExecutor(worker, at_once=at_once)


async def pause_all(options: argparse.Namespace) -> dict[str, Any]:
    """Plan and carry out."""
    shards = shards_of(options.shards)
    shards = shards[options.only : options.only + 1] if options.only is not None else shards
    samples = Samples()
    async with AsyncExitStack() as stack:
        runs_dir = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        executor = await stack.enter_async_context(open_executor(options.executor, options.workers, options.at_once))
        fleet = Fleet(shards=shards, executor=executor, reach=Reach(max_per_second=options.rate))
        intent = Intent(command="pause", rollout=RolloutSettings())
        change = PlanChange.of(Selection(all=True), Change({"Enabled": False}))

        def task_of(_: Shard) -> Task:
            return change

        base_rss_kib = peak_rss_kib()
        started_s, cpu_s = time.monotonic(), time.process_time()
        plan = stack.enter_context(
            await plan_run(fleet, task_of, runs_dir=runs_dir, context=PlanContext(intent=intent))
        )
        planned_s, planned_cpu_s = time.monotonic(), time.process_time()
        files = plan.publish(intent, [shards], None)
        run = Run(fleet, files, shards=plan.fleet_record, known=plan.known)
        gc.collect()
        gc.freeze()
        planned_rss_kib, planned_workers_s = peak_rss_kib(), workers_cpu_s()
        sampling = asyncio.create_task(samples.take())
        last_at: dict[str, float] = {}

        def note(event: RunEvent) -> None:
            if isinstance(event, MappingEnded):
                last_at[f"{event.result.account_id}-{event.result.region}"] = time.monotonic()

        applied_s, applied_cpu_s = time.monotonic(), time.process_time()
        record = await run.carry_out([note])
        ended_s = time.monotonic()
        sampling.cancel()
        written = [path for path in files.path.rglob("*") if path.is_file()]
        return {
            "plan_s": planned_s - started_s,
            "plan_driver_cpu_s": planned_cpu_s - cpu_s,
            "plan_cpu_s": planned_cpu_s - cpu_s + planned_workers_s,
            "apply_s": ended_s - applied_s,
            "apply_driver_cpu_s": time.process_time() - applied_cpu_s,
            "apply_cpu_s": time.process_time() - applied_cpu_s + workers_cpu_s() - planned_workers_s,
            "last_shard": max(last_at, key=lambda name: last_at[name]),
            "cpu": samples.cpu,
            "most_files": samples.most_files,
            "base_rss_kib": base_rss_kib,
            "planned_rss_kib": planned_rss_kib,
            "peak_rss_kib": peak_rss_kib(),
            "workers_peak_kib": workers_peak_kib(),
            "counts": record.counts,
            "shards": {str(status): count for status, count in record.shards.items()},
            "plan_requests": dict(plan.requests),
            "requests": record.requests,
            "result_bytes": sum(path.stat().st_size for path in written if path.name == "results.jsonl"),
            "plan_bytes": sum(path.stat().st_size for path in written if path.name == "plan.jsonl"),
            "files": len(written),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=int, required=True)
    parser.add_argument("--only", type=int, help="the number of the only shard of them to work in, from 0")
    parser.add_argument("--rate", type=float, required=True, help="requests a real second in each shard")
    parser.add_argument("--executor", choices=("local", "process"), default="local")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--at-once", type=int, default=100)
    options = parser.parse_args()
    raise_file_limit()
    print(json.dumps(asyncio.run(pause_all(options))))


if __name__ == "__main__":
    main()
