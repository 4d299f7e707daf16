"""The least that aiobotocore can do: list, then update and get each mapping, 50 at once, retries off. One JSON line.

Started by `client.py`, against a simulator without a quota where everything settles at once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session


async def pause_all(concurrency: int) -> dict[str, object]:
    places = asyncio.Semaphore(concurrency)
    config = AioConfig(max_pool_connections=concurrency, retries={"total_max_attempts": 1})
    async with get_session().create_client("lambda", config=config) as untyped:
        client: Any = untyped
        sent = 0

        async def pause(uuid: str) -> str:
            nonlocal sent
            async with places:
                await client.update_event_source_mapping(UUID=uuid, Enabled=False)
                mapping = await client.get_event_source_mapping(UUID=uuid)
                sent += 2
            return str(mapping["State"])

        started_s, cpu_s = time.monotonic(), time.process_time()
        enabled: list[str] = []
        async for page in client.get_paginator("list_event_source_mappings").paginate():
            sent += 1
            enabled += [mapping["UUID"] for mapping in page["EventSourceMappings"] if mapping["State"] == "Enabled"]
        states = await asyncio.gather(*map(pause, enabled))
        return {
            "wall_s": time.monotonic() - started_s,
            "cpu_s": time.process_time() - cpu_s,
            "updated": states.count("Disabled"),
            "sent": sent,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--concurrency", type=int, default=50)
    print(json.dumps(asyncio.run(pause_all(parser.parse_args().concurrency))))


if __name__ == "__main__":
    main()
