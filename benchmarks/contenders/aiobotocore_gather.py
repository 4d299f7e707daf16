"""A contender: what people write with aiobotocore, `gather` and a semaphore. Started by `quota.py`.

    python benchmarks/contenders/aiobotocore_gather.py --concurrency 50 --poll-s 5 --give-up-s 900

The same loop as the threads', with aiobotocore's default retries: legacy mode, five attempts in all.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session


async def work(options: argparse.Namespace) -> None:
    places = asyncio.Semaphore(options.concurrency)
    config = AioConfig(max_pool_connections=options.concurrency)
    async with get_session().create_client("lambda", config=config) as untyped:
        client: Any = untyped

        async def pause(uuid: str) -> str | None:
            async with places:
                try:
                    await client.update_event_source_mapping(UUID=uuid, Enabled=False)
                    give_up_at = time.monotonic() + options.give_up_s
                    while time.monotonic() < give_up_at:
                        await asyncio.sleep(options.poll_s)
                        if (await client.get_event_source_mapping(UUID=uuid))["State"] == "Disabled":
                            return uuid
                except Exception:  # noqa: BLE001 - a plain script logs it, and goes on with the next
                    return None
            return None

        pages = client.get_paginator("list_event_source_mappings").paginate()
        enabled = [
            mapping["UUID"]
            async for page in pages
            for mapping in page["EventSourceMappings"]
            if mapping["State"] == "Enabled"
        ]
        for uuid in await asyncio.gather(*map(pause, enabled)):
            if uuid:
                print(uuid, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--concurrency", type=int, required=True)
    parser.add_argument("--poll-s", type=float, required=True)
    parser.add_argument("--give-up-s", type=float, required=True)
    asyncio.run(work(parser.parse_args()))


if __name__ == "__main__":
    main()
