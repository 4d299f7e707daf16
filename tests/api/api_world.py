"""A simulator and a program that uses the Python API, in virtual time."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from engine_world import check_what_always_holds, simulated, virtual_clock

from bulk_esm import BulkEsm, Change, Plan, Result, Run, RunPlan, Selection, connect
from bulk_esm.simulator import Simulator

PAUSE = Change({"Enabled": False})
EVERYTHING = Selection(all=True)


@asynccontextmanager
async def connected(
    *,
    max_per_second: float = 12.0,
    concurrency: int = 50,
    timeout_s: float = 900.0,
    runs_dir: Path | None = None,
    **simulator: Any,
) -> AsyncIterator[tuple[Simulator, BulkEsm]]:
    """Lambda at its real speed, and a client that is as patient and as fast as the command line's defaults."""
    async with (
        simulated(**simulator) as there,
        connect(
            max_per_second=max_per_second,
            concurrency=concurrency,
            timeout_s=timeout_s,
            runs_dir=runs_dir or Path("/nonexistent"),  # of tests that make no run
            clock=virtual_clock(),
        ) as bulk,
    ):
        bulk.home.control_plane._jitter = random.Random(1)  # noqa: S311 - jitter is no secret
        yield there, bulk


def planned(plan: RunPlan) -> Plan:
    """The plan of the home shard."""
    return Plan(tuple(plan.items()))


def check_the_files(run: Run, plan: Plan, simulator: Simulator) -> list[Result]:
    """What is on disk is what was planned and what became of it."""
    assert Plan(tuple(run.files.items())) == plan
    assert run.files.record() == run.record
    results = list(run.files.results())
    check_what_always_holds(plan, results, simulator)
    assert sum(run.record.counts.values()) == len(results)
    assert {result.run_id for result in results} == {run.record.run_id}
    return results
