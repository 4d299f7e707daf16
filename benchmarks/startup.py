"""How soon `bulk-esm --version` and `--help` are there, against a Python that does nothing.

    python benchmarks/startup.py --repetitions 40

The three take turns, so that whatever else the machine does meets them alike; medians.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from records import append, table

_BULK_ESM = str(Path(sys.executable).parent / "bulk-esm")
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "bulk-esm --version": [_BULK_ESM, "--version"],
    "bulk-esm --help": [_BULK_ESM, "--help"],
}


def took_ms(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - started) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=40)
    options = parser.parse_args()
    for command in COMMANDS.values():
        took_ms(command)  # so that what is compiled once is not counted
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(options.repetitions):
        for name, command in COMMANDS.items():
            times[name].append(took_ms(command))
    medians = {name: median(of) for name, of in times.items()}
    bare = medians["python -c pass"]
    excess = {
        name: median(mine - its for mine, its in zip(times[name], times["python -c pass"], strict=True))
        for name in COMMANDS
    }
    allowed = 2 * bare + 100
    append("startup", {"repetitions": options.repetitions, "median_ms": medians, "excess_ms": excess})
    print(table(["command", "median ms", "excess ms"], [[name, medians[name], excess[name]] for name in COMMANDS]))
    print(f"--version may take 2 x python + 100 ms = {allowed:.0f} ms")


if __name__ == "__main__":
    main()
