"""A million updates through one process: whether its memory, files and tasks stay flat, and its results exact.

    python benchmarks/soak.py --updates 1000000 --mappings 5000

Against a simulator in another process, without a quota, where everything settles at once. Runs pause, resume and set
BatchSize in turn. Takes about half an hour; when it is interrupted, what was done by then is written down.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from client import UNLIMITED_PER_S
from processes import HERE, simulator
from records import append, table

Sample = dict[str, Any]


def samples_of(environment: dict[str, str], *, runs: int, mappings: int) -> Generator[Sample, None, None]:
    """Start the process that soaks, and hand on what it says after each run."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    script = [sys.executable, str(HERE / "soak_process.py")]
    options = ["--runs", str(runs), "--mappings", str(mappings), "--rate", str(UNLIMITED_PER_S)]
    with subprocess.Popen(
        [*script, *options], env={**inherited, **environment}, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            for line in process.stdout or ():
                yield json.loads(line)
        finally:
            process.terminate()
    if process.returncode != 0:
        raise SystemExit(f"the process that soaked ended with {process.returncode}")


def slope(samples: Sequence[Sample], name: str) -> float:
    """By how much something grows a run, by least squares; the first quarter is left out, as caches fill then."""
    settled = samples[len(samples) // 4 :]
    if len(settled) < 2:
        return 0.0
    return statistics.linear_regression([each["run"] for each in settled], [each[name] for each in settled]).slope


def figures(samples: Sequence[Sample], *, mappings: int) -> dict[str, Any]:
    """What a soak came to."""
    settled = samples[len(samples) // 4 :]
    return {
        "runs": len(samples),
        "updates": len(samples) * mappings,
        "mappings": mappings,
        "rss_kib": {str(each["run"]): each["rss_kib"] for each in samples[:: max(1, len(samples) // 10)]},
        "rss_kib_last": samples[-1]["rss_kib"],
        "rss_kib_a_run": round(slope(samples, "rss_kib"), 2),
        "objects_a_run": round(slope(samples, "objects"), 2),
        "blocks_a_run": round(slope(samples, "blocks"), 2),
        **{name: sorted({each[name] for each in settled}) for name in ("files", "tasks", "threads")},
        "wall_s": round(sum(each["wall_s"] for each in samples), 1),
        "cpu_s": round(sum(each["cpu_s"] for each in samples), 1),
    }


def check_server(accepted: Sequence[int], *, runs: int, is_whole: bool) -> None:
    """Each mapping was accepted once a run; in the run that was interrupted, at most once."""
    allowed = {runs} if is_whole else {runs, runs + 1}
    if not set(accepted) <= allowed:
        raise SystemExit(f"after {runs} runs mappings were accepted {sorted(set(accepted))} times")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--updates", type=int, default=1_000_000)
    parser.add_argument("--mappings", type=int, default=5000)
    parser.add_argument("--samples", type=Path, help="append a line for each run here, as it ends")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    runs = max(1, options.updates // options.mappings)
    samples: list[Sample] = []
    is_whole = False
    with simulator("--updates", options.mappings, "--disabled-share", 0, "--instant", log_requests=False) as served:
        try:
            with closing(samples_of(served.environment, runs=runs, mappings=options.mappings)) as found_so_far:
                for sample in found_so_far:
                    samples.append(sample)
                    if options.samples:
                        with options.samples.open("a") as file:
                            file.write(json.dumps(sample) + "\n")
            is_whole = True
        except KeyboardInterrupt:
            print(f"interrupted after {len(samples)} of {runs} runs")
        check_server(
            [mapping.accepted_count for mapping in served.report().mappings], runs=len(samples), is_whole=is_whole
        )
    found = figures(samples, mappings=options.mappings)
    append("soak", found)
    shown = samples[:: max(1, len(samples) // 10)] + samples[-1:]
    names = ("files", "tasks", "threads", "objects", "blocks")
    rows = [[f"{each['run'] + 1:,}", each["rss_kib"] / 1024, *(each[name] for name in names)] for each in shown]
    print(table(["runs", "RSS MiB", *names], rows))
    grows = f"{found['rss_kib_a_run']} KiB, {found['objects_a_run']} objects and {found['blocks_a_run']} blocks"
    print(f"grows by {grows} a run; results exact")


if __name__ == "__main__":
    main()
