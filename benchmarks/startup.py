"""How soon `bulk-esm --version` and `--help` are there, and a run's first request, against a Python that does nothing.

    python benchmarks/startup.py --repetitions 40

They take turns, so that whatever else the machine does meets them alike; medians. On a busy machine look at the CPU
time, as nothing is waited for before the first request. That is taken when it arrives at a socket on loopback.
"""

from __future__ import annotations

import argparse
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

from records import append, table

_BULK_ESM = str(Path(sys.executable).parent / "bulk-esm")
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "bulk-esm --version": [_BULK_ESM, "--version"],
    "bulk-esm --help": [_BULK_ESM, "--help"],
    "bulk-esm pause --help": [_BULK_ESM, "pause", "--help"],
}
FIRST_REQUEST = "bulk-esm pause --all --yes: first request"


def took_ms(command: list[str]) -> tuple[float, float]:
    """How long a command takes, and how much CPU."""
    started, before = time.perf_counter(), _cpu_s()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - started) * 1000, (_cpu_s() - before) * 1000


def first_request_ms() -> tuple[float, float]:
    """How long it takes until the first request arrives, and how much CPU."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    key = {"AWS_ACCESS_KEY_ID": "123456789012", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "us-east-1"}
    nothing = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    with socket.create_server(("127.0.0.1", 0)) as server, tempfile.TemporaryDirectory() as folder:
        here = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.getsockname()[1]}"}
        started, before = time.perf_counter(), _cpu_s()
        with subprocess.Popen(
            [_BULK_ESM, "pause", "--all", "--yes"],
            cwd=folder,
            env={**inherited, **key, **nothing, **here},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            connection, _ = server.accept()
            with connection:
                connection.recv(1)
                took_s = time.perf_counter() - started
                process.kill()
                process.wait()
        return took_s * 1000, (_cpu_s() - before) * 1000


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=40)
    options = parser.parse_args()
    measures: dict[str, Callable[[], tuple[float, float]]] = {
        name: partial(took_ms, command) for name, command in COMMANDS.items()
    }
    measures[FIRST_REQUEST] = first_request_ms
    for measure in measures.values():
        measure()  # so that what is compiled once is not counted
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in measures}
    for _ in range(options.repetitions):
        for name, measure in measures.items():
            times[name].append(measure())
    medians = {name: median(wall for wall, _ in of) for name, of in times.items()}
    cpu = {name: median(used for _, used in of) for name, of in times.items()}
    pairs = {name: zip(of, times["python -c pass"], strict=True) for name, of in times.items()}
    excess = {name: median(mine[0] - its[0] for mine, its in of) for name, of in pairs.items()}
    append(
        "startup",
        {"repetitions": options.repetitions, "median_ms": medians, "excess_ms": excess, "median_cpu_ms": cpu},
    )
    heads = ["command", "median ms", "excess ms", "CPU ms"]
    print(table(heads, [[name, medians[name], excess[name], cpu[name]] for name in measures]))
    print("allowed, on an idle machine: 250 ms for --help, and 600 ms for the first request")


if __name__ == "__main__":
    main()
