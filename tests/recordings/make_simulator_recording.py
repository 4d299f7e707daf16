"""Makes simulator.jsonl anew; see README.md beside this file for the command."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from probing_world import one_of_each, world

SIMULATOR = Path(__file__).with_name("simulator.jsonl")


async def make(output: Path) -> int:
    async with world(one_of_each(), settle_scale=0.015) as there:
        uuids = sorted(there.configurations())
        return await there.probe(output, uuids, "--yes-this-costs-requests")


if __name__ == "__main__":
    SIMULATOR.unlink(missing_ok=True)
    sys.exit(asyncio.run(make(SIMULATOR)))
