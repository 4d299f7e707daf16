"""What a mapping costs in memory: the peak RSS of planning and carrying out, beyond that of a base size.

    python benchmarks/memory.py --base 1000 --sizes 10000,100000

Each size in a fresh process, against a simulator in another one without a quota where everything settles at once.
100,000 mappings take some minutes.
"""

from __future__ import annotations

import argparse
from typing import Any

from client import UNLIMITED_PER_S
from processes import run_script, simulator
from records import append, table


def measure(mappings: int) -> dict[str, Any]:
    with simulator("--updates", mappings, "--instant", log_requests=False) as served:
        answer = run_script("engine_process.py", "--rate", UNLIMITED_PER_S, environment=served.environment)
    if answer["counts"].get("updated") != mappings:
        raise SystemExit(f"not all of {mappings} were updated: {answer['counts']}")
    return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=int, default=1000)
    parser.add_argument("--sizes", default="10000,100000")
    options = parser.parse_args()
    base = measure(options.base)
    rows = [[f"{options.base:,}", base["peak_rss_kib"] / 1024, None, base["wall_s"]]]
    for size in map(int, options.sizes.split(",")):
        answer = measure(size)
        per_mapping = (answer["peak_rss_kib"] - base["peak_rss_kib"]) / (size - options.base)
        rows.append([f"{size:,}", answer["peak_rss_kib"] / 1024, per_mapping, answer["wall_s"]])
        figures = {"base": options.base, "base_rss_kib": base["peak_rss_kib"], "mappings": size}
        append("memory", {**figures, "kib_per_mapping": round(per_mapping, 3), **answer})
    print(table(["mappings", "peak RSS MiB", "KiB a mapping beyond the base", "wall s"], rows))


if __name__ == "__main__":
    main()
