"""A contender: what people write with boto3 and a thread pool. Started by `quota.py`.

    python benchmarks/contenders/boto3_threads.py --threads 10 --mode standard --poll-s 5 --give-up-s 900

One shared client with a pool as large as the threads; each thread updates a mapping and polls it with Get. botocore
retries, three attempts in all; what it gives up on is lost, as in a plain script. Prints the UUIDs it saw Disabled.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
from botocore.config import Config


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--mode", choices=["standard", "adaptive"], required=True)
    parser.add_argument("--poll-s", type=float, required=True)
    parser.add_argument("--give-up-s", type=float, required=True)
    options = parser.parse_args()
    config = Config(retries={"mode": options.mode}, max_pool_connections=options.threads)
    client: Any = boto3.client("lambda", config=config)

    def pause(uuid: str) -> str | None:
        try:
            client.update_event_source_mapping(UUID=uuid, Enabled=False)
            give_up_at = time.monotonic() + options.give_up_s
            while time.monotonic() < give_up_at:
                time.sleep(options.poll_s)
                if client.get_event_source_mapping(UUID=uuid)["State"] == "Disabled":
                    return uuid
        except Exception:  # noqa: BLE001 - a plain script logs it, and goes on with the next
            return None
        return None

    pages = client.get_paginator("list_event_source_mappings").paginate()
    enabled = [
        mapping["UUID"] for page in pages for mapping in page["EventSourceMappings"] if mapping["State"] == "Enabled"
    ]
    with ThreadPoolExecutor(options.threads) as pool:
        for uuid in pool.map(pause, enabled):
            if uuid:
                print(uuid, flush=True)


if __name__ == "__main__":
    main()
