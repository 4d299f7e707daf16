"""Run after run in one process, through the public API; one JSON line after each, with what the process holds then.

    python benchmarks/soak_process.py --runs 200 --mappings 5000 --rate 1000000

Started by `soak.py`, with the environment of a simulator. Two runs are kept at a time, as one who tidies up does.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

import msgspec

import bulk_esm
from bulk_esm import BulkEsm, Change, Result, Selection

CHANGES = (
    Change({"Enabled": False}),
    Change({"Enabled": True}),
    Change({"BatchSize": 7}),
    Change({"BatchSize": 8}),
)
RUNS_OF_A_CONNECTION = 10
RUNS_KEPT = 2


def held() -> dict[str, int]:
    """What this process holds."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "rss_kib": pages * os.sysconf("SC_PAGE_SIZE") // 1024,
        "files": len(os.listdir("/proc/self/fd")) - 1,  # but for the one that lists them  # noqa: PTH208
        "tasks": len(asyncio.all_tasks()),
        "threads": threading.active_count(),
        "objects": len(gc.get_objects()),
        "blocks": sys.getallocatedblocks(),  # of Python's allocator: they tell a leak from memory in pieces
    }


def check_results(run: Path, mappings: int) -> None:
    """Each mapping has one result, and was updated."""
    results = [msgspec.json.decode(line, type=Result) for line in (run / "results.jsonl").read_bytes().splitlines()]
    updated = {result.uuid for result in results if result.outcome == "updated"}
    if not len(results) == len(updated) == mappings:
        raise SystemExit(f"{run.name}: {len(results)} results, {len(updated)} mappings updated of {mappings}")


def tidy_up(runs_dir: Path) -> None:
    """Take the oldest runs away."""
    for old in sorted(path for path in runs_dir.iterdir() if not path.name.startswith("."))[:-RUNS_KEPT]:
        shutil.rmtree(old)


async def one_run(bulk: BulkEsm, number: int, runs_dir: Path, mappings: int) -> None:
    """Change all mappings, check that it is so, and tidy up."""
    plan = await bulk.plan(Selection(all=True), CHANGES[number % len(CHANGES)])
    record = await bulk.apply(plan)
    check_results(runs_dir / record.run_id, mappings)
    tidy_up(runs_dir)


async def soak(*, runs: int, mappings: int, rate: float) -> None:
    """Make runs, one after another, with a new connection now and then."""
    with tempfile.TemporaryDirectory() as name:
        runs_dir = Path(name)
        for first in range(0, runs, RUNS_OF_A_CONNECTION):
            async with bulk_esm.connect(max_per_second=rate, runs_dir=runs_dir) as bulk:
                for number in range(first, min(runs, first + RUNS_OF_A_CONNECTION)):
                    started_s, cpu_s = time.monotonic(), time.process_time()
                    await one_run(bulk, number, runs_dir, mappings)
                    took = {"wall_s": time.monotonic() - started_s, "cpu_s": time.process_time() - cpu_s}
                    print(json.dumps({"run": number, **held(), **took}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, required=True)
    parser.add_argument("--mappings", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True)
    asyncio.run(soak(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
