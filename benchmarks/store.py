"""What a store in S3 costs beside a folder: time, requests to Lambda, and memory.

    python benchmarks/store.py --mappings 2000 --delay-ms 40        at Lambda's true speed, both at once: some minutes
    python benchmarks/store.py --mappings 100000 --instant          memory: one after the other, without a quota

S3 is moto's server; a proxy before it delays each answer, as a network does.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

from client import UNLIMITED_PER_S
from processes import HERE, run_script, simulator
from records import append, table

sys.path.append(str(HERE.parent / "tests" / "s3"))
from s3_proxy import Kind, every, s3_proxy
from s3_server import BUCKET, s3_server


@contextmanager
def s3(delay_ms: float) -> Iterator[dict[str, str]]:
    """An S3 with an empty bucket; the environment that leads to it."""
    with s3_server() as server, s3_proxy(server.endpoint_url) as proxy:
        proxy.choose = every(Kind.DELAY_AFTER, seconds=delay_ms / 1000)
        yield {"AWS_ENDPOINT_URL_S3": proxy.url}


def measure(mappings: int, environment: Mapping[str, str], *, runs_dir: str | None, instant: bool) -> dict[str, Any]:
    """Pause all mappings of a fleet of its own."""
    how = ["--instant"] if instant else []
    with simulator("--updates", mappings, *how, log_requests=False) as served:
        rate = UNLIMITED_PER_S if instant else 12
        where = [] if runs_dir is None else ["--runs-dir", runs_dir]
        reached = served.environment | {"AWS_ENDPOINT_URL_LAMBDA": served.environment["AWS_ENDPOINT_URL"]}
        return run_script("engine_process.py", "--rate", rate, *where, environment=reached | dict(environment))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mappings", type=int, default=2000)
    parser.add_argument("--delay-ms", type=float, default=40.0, help="of each answer of S3")
    parser.add_argument("--instant", action="store_true", help="no quota, and everything settles at once")
    options = parser.parse_args()
    with ExitStack() as stack:
        environment = stack.enter_context(s3(options.delay_ms))
        at_once = stack.enter_context(ThreadPoolExecutor(1 if options.instant else 2))
        places = {"folder": None, "S3": f"s3://{BUCKET}/runs"}
        begun = {
            name: at_once.submit(measure, options.mappings, environment, runs_dir=place, instant=options.instant)
            for name, place in places.items()
        }
        found = {name: future.result() for name, future in begun.items()}
    rows = []
    for name, answer in found.items():
        sent = sum(answer["requests"].get(kind, 0) for kind in ("list", "get", "update"))
        rows.append([name, answer["wall_s"], sent, answer["cpu_s"], answer["peak_rss_kib"] / 1024])
        append("store", {"store": name, **vars(options), **answer})
    rows.append(["S3 / folder", *(there / here for here, there in zip(rows[0][1:], rows[1][1:], strict=True))])
    print(table(["store", "wall s", "requests to Lambda", "CPU s", "peak RSS MiB"], rows))


if __name__ == "__main__":
    main()
