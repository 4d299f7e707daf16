"""The whole engine in a process of its own, through the public API: pauses all Enabled mappings. One JSON line.

    python benchmarks/engine_process.py --rate 300 --pacer bulk_esm.aws.pacing:Pacer

Started by `client.py`, `memory.py` and `contention.py`, with the environment of a simulator. `--pacer` names what makes
the pacer: a class, or any callable that takes `max_per_second`.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable

import bulk_esm
from bulk_esm.aws.pacing import Pacer

DEFAULT_PACER = "bulk_esm.aws.pacing:Pacer"


def pacer_maker(spec: str) -> Callable[..., Pacer]:
    """Find what makes a pacer, by `module:name`."""
    module, _, name = spec.partition(":")
    maker: Callable[..., Pacer] = getattr(importlib.import_module(module), name)
    return maker


async def pause_all(
    *, rate: float, pacer: str, concurrency: int, timeout_s: float, runs_dir: str | None
) -> dict[str, object]:
    """Plan and apply."""
    make_pacer = pacer_maker(pacer)
    with tempfile.TemporaryDirectory() as folder:
        async with bulk_esm.connect(
            max_per_second=rate, concurrency=concurrency, timeout_s=timeout_s, runs_dir=runs_dir or folder
        ) as bulk:
            control_plane = bulk.home.control_plane
            control_plane.pacer = make_pacer(max_per_second=rate)
            started_s, cpu_s = time.monotonic(), time.process_time()
            plan = await bulk.plan(bulk_esm.Selection(states=("Enabled",)), bulk_esm.Change({"Enabled": False}))
            planned_s, planned_cpu_s = time.monotonic(), time.process_time()
            record = await bulk.apply(plan)
            return {
                "plan_s": planned_s - started_s,
                "plan_cpu_s": planned_cpu_s - cpu_s,
                "wall_s": time.monotonic() - started_s,
                "cpu_s": time.process_time() - cpu_s,
                "peak_rss_kib": peak_rss_kib(),
                "counts": record.counts,
                "requests": record.requests,
                "episodes": control_plane.pacer.statistics().episodes,
            }


def peak_rss_kib() -> float:
    """The most memory that this process has had, in KiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 if sys.platform == "darwin" else peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--pacer", default=DEFAULT_PACER)
    parser.add_argument("--concurrency", type=int, default=50)
    parser.add_argument("--timeout-s", type=float, default=900.0)
    parser.add_argument("--runs-dir", help="where the run is kept; a temporary folder if left out")
    options = parser.parse_args()
    print(json.dumps(asyncio.run(pause_all(**vars(options)))))


if __name__ == "__main__":
    main()
