"""The simulator as a process of its own, with the knobs that `bulk-esm simulate` does not have.

    python benchmarks/simulator_server.py --updates 500 --speed 20

Prints one JSON line once it listens: the environment for clients, and its clock against the machine's. On SIGTERM it
writes `--requests-file`: a JSON list of [virtual second, kind, status] of every request served, and ends.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import math
import signal
import time
from pathlib import Path

from bulk_esm.simulator import Faults, Fleet, Simulator, make_fleet

DISABLED_SHARE = 0.18


def fleet_of(updates: int, seed: int, disabled_share: float) -> Fleet:
    """A fleet in which just so many mappings are Enabled, and a share of bystanders is Disabled."""
    fleet = make_fleet(math.ceil(updates / (1 - disabled_share) * 1.1) + 40, seed=seed, disabled_share=disabled_share)
    mappings = []
    for mapping in fleet.mappings:
        if updates == 0:
            break
        mappings.append(mapping)
        updates -= mapping["State"] == "Enabled"
    if updates:
        raise SystemExit("the fleet came out too small: widen the margin above")
    return Fleet(mappings=mappings, tags=fleet.tags)


class RequestLog(logging.Handler):
    """Notes each request from aiohttp's own access log, which tells method, path and status."""

    def __init__(self, simulator: Simulator) -> None:
        super().__init__()
        self.requests: list[tuple[float, str, int]] = []
        self._simulator = simulator

    def emit(self, record: logging.LogRecord) -> None:
        method, path, *_ = vars(record)["first_request_line"].split()
        if not path.startswith("/_simulator/"):
            has_uuid = not path.partition("?")[0].endswith("event-source-mappings/")
            kind = "update" if method == "PUT" else "get" if has_uuid else "list"
            self.requests.append((round(self._simulator.now, 4), kind, vars(record)["response_status"]))


async def serve(options: argparse.Namespace) -> None:
    simulator = Simulator(
        fleet=fleet_of(options.updates, options.seed, options.disabled_share),
        seed=options.seed,
        speed=options.speed,
        quota_per_second=None if options.instant else 15.0,
        settle_scale=0.0 if options.instant else 1.0,
        faults=Faults(
            other_caller_share=options.other_share,
            other_caller_on_s=options.other_on_s,
            other_caller_off_s=options.other_off_s,
        ),
    )
    requests = RequestLog(simulator)
    if options.requests_file:
        access = logging.getLogger("aiohttp.access")
        access.addHandler(requests)
        access.propagate = False
        access.setLevel(logging.INFO)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with simulator:
        clock = {"monotonic": time.monotonic(), "now": simulator.now}
        print(json.dumps({"environment": simulator.environment, "clock": clock}), flush=True)
        await stopped.wait()
    if options.requests_file:
        options.requests_file.write_text(json.dumps(requests.requests))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--updates", type=int, required=True, help="mappings that are Enabled at the start")
    parser.add_argument("--disabled-share", type=float, default=DISABLED_SHARE, help="of bystanders")
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--instant", action="store_true", help="no quota, and everything settles at once")
    parser.add_argument("--other-share", type=float, default=0.0)
    parser.add_argument("--other-on-s", type=float, default=1.0, help="virtual seconds")
    parser.add_argument("--other-off-s", type=float, default=0.0, help="virtual seconds; 0 is steady")
    parser.add_argument("--requests-file", type=Path)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
