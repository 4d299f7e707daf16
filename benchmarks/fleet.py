"""What many shards cost in one process, over processes, and by estimate on a cluster.

    python benchmarks/fleet.py --shards 60 --speed 1
    python benchmarks/fleet.py --find

Shards side by side against one alone: each has 500 mappings and Lambda's quota of its own, so that all of them should
take as long as one. How long one takes is up to its slowest mapping, which the simulator draws by UUID. So the shard
that is run alone is the one with the slowest mapping of the fleet: no other would be as slow, and the ratio would tell
of the draws. The wall counts from the first update's run to the last result, without planning, which is reported apart.
"sending" is from a shard's first request to its last update, the part of the wall that the quota decides and that a
core too slow would stretch first; settling hides much of it.

Over processes: against a server that answers from memory (`fleet_stub.py`), the same fleet in one process and in two
workers, in turns. The rate is one that no process can keep; driver, workers and server share the cores.
"""

from __future__ import annotations

import argparse
import json
import tracemalloc
from dataclasses import asdict
from statistics import median
from typing import Any

from fleet_measure import Row, measure
from fleet_paper import MAPPINGS, SHARDS, Costs, markdown
from fleet_places import fleet_in, shards_of, slowest_settle_s
from records import RESULTS, circumstances, table

from bulk_esm.model.records import ShardEntry
from bulk_esm.runs.shard_progress import ShardProgress

RATE_PER_S = 12.0
MOST_RATIO = 1.15
UNLIMITED_PER_S = 1e6


def show(rows: list[Row]) -> str:
    heads = ["run", "shards", "plan s", "wall s", "sending s", "mappings/s", "requests a mapping", "CPU ms a request"]
    heads += ["CPU ms a mapping", "engine: share of a core", "busiest 10 s", "server: busiest 10 s"]
    heads += ["highest rate over 10 s", "throttled", "driver MiB", "largest worker MiB"]
    return table(
        heads,
        [
            [
                *(row.name, row.shards, row.plan_s, row.wall_s, row.sending_s, row.mappings_per_s),
                *(row.requests_per_mapping, row.cpu_ms_per_request, row.cpu_ms_per_mapping, row.engine_share),
                *(row.engine_busiest, row.server_busiest, row.highest_rate, row.throttled, row.driver_peak_mib),
                max(row.workers_peak_mib, default=None),
            ]
            for row in rows
        ],
    )


def beside(shards: int, mappings: int, speed: float) -> list[Row]:
    """One shard alone, the slowest, and then all of them beside each other."""
    fleets = [fleet_in(shard, mappings) for shard in shards_of(shards)]
    slowest = max(range(shards), key=lambda number: slowest_settle_s(fleets[number]))
    alone = ["--only", str(slowest)]
    return [
        measure(name, "fleet_server.py", shards, mappings, speed=speed, rate=RATE_PER_S, engine=engine)
        for name, engine in ((f"alone, speed {speed:g}", alone), (f"beside, speed {speed:g}", ["--at-once", "1000"]))
    ]


def ratio(rows: list[Row]) -> float:
    return round(rows[-1].wall_s / rows[0].wall_s, 3)


def find(mappings: int, speed: float) -> list[Row]:
    """Half as many shards more again and again, until they take too much longer than one."""
    rows: list[Row] = []
    shards = 60
    while not rows or ratio(rows[-2:]) <= MOST_RATIO:
        rows += beside(shards, mappings, speed)
        print(f"{shards} shards: {ratio(rows[-2:]):.3f} x one alone", flush=True)
        shards += 30
    return rows


def over_processes(shards: int, mappings: int, repetitions: int) -> list[Row]:
    """The same fleet in one process and in two workers, in turns."""
    engines = {"in one process": ["--executor", "local"], "in two workers": ["--executor", "process"]}
    return [
        measure(name, "fleet_stub.py", shards, mappings, speed=1.0, rate=UNLIMITED_PER_S, engine=engine)
        for _ in range(repetitions)
        for name, engine in engines.items()
    ]


def costs_of(alone: Row, together: Row, local: Row, workers: Row) -> Costs:
    """What the estimate needs, from one shard alone and many together, in one process and in workers."""
    driver = workers.answer
    more = max(1, together.shards - alone.shards)
    shard_mib = (together.driver_peak_mib - alone.driver_peak_mib) / more
    return Costs(
        request_ms=together.cpu_ms_per_request,
        requests_per_mapping=together.requests_per_mapping,
        shard_s=alone.wall_s,
        worker_base_mib=alone.driver_peak_mib - shard_mib,
        worker_shard_mib=shard_mib,
        driver_result_ms=driver["apply_driver_cpu_s"] / workers.updated * 1e3,
        driver_plan_ms=driver["plan_driver_cpu_s"] / workers.shards * 1e3,
        driver_shard_mib=(driver["peak_rss_kib"] - driver["planned_rss_kib"]) / 1024 / workers.shards,
        known_shard_kib=known_shard_kib(),
        result_bytes=driver["result_bytes"] / workers.updated,
        plan_bytes_per_shard=local.answer["plan_bytes"] / local.shards,
        files_per_shard=driver["files"] / workers.shards,
        sockets_per_shard=together.answer["most_files"] / together.shards,
    )


def known_shard_kib() -> float:
    """What the driver keeps of a shard that is not at work."""
    tracemalloc.start()
    kept = [ShardProgress(ShardEntry(shard=shard, items=MAPPINGS, updates=MAPPINGS)) for shard in shards_of(SHARDS)]
    bytes_kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return bytes_kept / len(kept) / 1024


def report(sections: dict[str, str], circumstance: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in circumstance["versions"].items())
    made = (
        f"{circumstance['date']}; {circumstance['cpu_count']} cores, {circumstance['system']}, "
        f"Python {circumstance['python']}; load {circumstance['load_average']}; {versions}. "
        f"Servers share the cores with what is measured. `{' '.join(circumstance['argv'])}`"
    )
    parts = [f"## {title}\n\n{text}" for title, text in sections.items()]
    return "\n\n".join(["# What many shards cost", made, *parts]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=int, default=60, help="beside each other, at Lambda's pace")
    parser.add_argument("--mappings", type=int, default=500, help="of each shard")
    parser.add_argument(
        "--speeds", default="1", help="of the simulator, such as 1,4; the first is what the estimate takes"
    )
    parser.add_argument(
        "--find", action="store_true", help=f"more and more shards, until they exceed {MOST_RATIO} x one"
    )
    parser.add_argument("--stub-shards", type=int, default=40, help="over processes")
    parser.add_argument("--repetitions", type=int, default=2, help="over processes")
    options = parser.parse_args()
    together = [beside(options.shards, options.mappings, speed) for speed in map(float, options.speeds.split(","))]
    for rows in together:
        print(f"{rows[-1].name}: {rows[-1].shards} shards take {ratio(rows):.3f} x one alone", flush=True)
    found = find(options.mappings, 1.0) if options.find else []
    shared = over_processes(options.stub_shards, options.mappings, options.repetitions)
    # Of the repetitions, the least CPU: whatever else the machine did only adds to it.
    local, workers = (min(shared[first::2], key=lambda row: row.engine_cpu_s) for first in (0, 1))
    gain = median(row.mappings_per_s for row in shared[1::2]) / median(row.mappings_per_s for row in shared[::2])
    alone, many = together[0]
    costs = costs_of(alone, many, local, workers)
    circumstance = circumstances()
    sections = {
        "Side by side in one process": show([row for rows in together for row in rows] + found)
        + "\n\n"
        + "; ".join(f"{rows[-1].name}: {ratio(rows):.3f} x one alone" for rows in together),
        "One process and two workers, against a server that answers from memory": show(shared)
        + f"\n\nTwo workers: {gain:.2f} x the mappings/s of one process.",
        f"On paper: {SHARDS:,} shards": markdown(costs),
    }
    text = report(sections, circumstance)
    print(text)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "fleet.md").write_text(text)
    every = [asdict(row) for row in [*(row for rows in together for row in rows), *found, *shared]]
    figures = {"rows": every, "ratios": [ratio(rows) for rows in together], "gain": gain, "costs": asdict(costs)}
    (RESULTS / "fleet.json").write_text(json.dumps({**figures, **circumstance}, indent=1) + "\n")


if __name__ == "__main__":
    main()
