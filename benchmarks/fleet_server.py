"""The simulator with the fleets of many shards, in a process of its own.

    python benchmarks/fleet_server.py --shards 60 --mappings 500 --speed 1 --notes notes.json

Prints one JSON line once it listens: the environment for clients. On SIGTERM it writes `--notes`: when which shard was
asked, its own CPU, and ends. Fleets are made before it listens, and no garbage is collected: both would halt all shards
at once for longer than Lambda ever does.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import re
import resource
import signal
import time
from pathlib import Path

from aiohttp import web
from fleet_places import fleet_in, place_of, shards_of

from bulk_esm.simulator import Simulator

_SIGNED_FOR = re.compile(r"Credential=(\d{12})/\d+/([\w-]+)/lambda/")


class Noting(Simulator):
    """A simulator that notes when each shard was asked for anything of Lambda's, by this machine's monotonic clock."""

    asked_at: dict[str, list[float]]

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if found := _SIGNED_FOR.search(request.headers.get("Authorization", "")):
            self.asked_at.setdefault("-".join(found.groups()), []).append(round(time.monotonic(), 4))
        return await super()._handle(request)


def raise_file_limit() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def sample_cpu(samples: list[tuple[float, float]]) -> None:
    """Note this process's CPU seconds each half second, as (monotonic seconds, CPU seconds)."""
    while True:
        samples.append((round(time.monotonic(), 3), round(time.process_time(), 3)))
        await asyncio.sleep(0.5)


async def serve(options: argparse.Namespace) -> None:
    raise_file_limit()
    shards = shards_of(options.shards)
    simulator = Noting(
        fleets={place_of(shard): fleet_in(shard, options.mappings) for shard in shards},
        mappings=0,
        speed=options.speed,
    )
    simulator.asked_at = {}
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    samples: list[tuple[float, float]] = []
    async with simulator:
        gc.collect()
        gc.freeze()
        gc.disable()
        sampling = asyncio.create_task(sample_cpu(samples))
        print(json.dumps({"environment": simulator.environment}), flush=True)
        await stopped.wait()
        sampling.cancel()
    options.notes.write_text(json.dumps({"asked_at": simulator.asked_at, "cpu": samples}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=int, required=True)
    parser.add_argument("--mappings", type=int, required=True, help="of each shard")
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--notes", type=Path, required=True)
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
