"""Who pauses N mappings soonest under Lambda's quota, and at what cost: bulk_esm against what people use today.

    python benchmarks/quota.py --sizes 500,2000,5000 --speed 20
    python benchmarks/quota.py --sizes 1000 --speed 1 --contenders bulk_esm-15,bulk_esm-12

Each contender is a process of its own, one after another, each against a fresh simulator in another process with the
same fleet (N mappings Enabled, and 18 % more that are Disabled already) and the same settle draws.

wall: from the first request served to the process's end, so without the start of its interpreter and its imports, which
is `start_s`, reported apart; `process_s` is the whole. floor and oracle: see figures.py, counted from the first request
too. oracle is for the order of updates that the contender chose. lost: mappings that the contender did not report as
Disabled, or that the simulator says are not. requests a mapping: all requests of all kinds, by mappings to pause.

Speed divides settle times and the scripts' waits and multiplies the quota and our --rate. What an SDK waits between its
own retries stays in real seconds: at speed 20 it gives boto3 20 times as long for the quota to recover, so it loses
fewer mappings than against Lambda, and adaptive mode adapts more slowly. The AWS CLI starts a process for each request
and is limited by the CPU at any speed but 1. The run at speed 1 has none of this.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from typing import Any

from chart import TIMELINE
from contending import AT_THE_SMALLEST_SIZE_ONLY, CONTENDERS, QUOTA_PER_S, Contender
from figures import Quota, cumulative, first_accepted, floor_s, oracle_s
from processes import run, simulator
from records import RESULTS, append, into_page, table


@dataclass(frozen=True, kw_only=True)
class Row:
    """One contender at one size; seconds are real ones, of this machine."""

    contender: str
    size: int
    speed: float
    seed: int
    wall_s: float
    start_s: float
    process_s: float
    cpu_s: float
    floor_s: float
    oracle_s: float
    wall_by_oracle: float
    wall_by_floor: float
    requests: dict[str, int]
    requests_per_mapping: float
    throttled_share: float
    lost: int
    twice: int
    exit_code: int | None


def measure(
    contender: Contender, command: list[str], *, size: int, speed: float, seed: int, limit_s: float
) -> tuple[Row, dict[str, Any]]:
    """Run one contender.

    Returns:
        Its figures, and its curves of accepted and settled mappings in real seconds since its first request.
    """
    with simulator("--updates", size, "--speed", speed, "--seed", seed) as served:
        targets = {mapping.uuid for mapping in served.report().mappings if mapping.state == "Enabled"}
        ended = run(command, served.environment, limit_s=limit_s)
        report = served.report()
        served.stop()
        requests = served.requests()
        started = served.virtual(ended.started_at, speed)
    if not requests:
        raise SystemExit(f"{contender.name} sent nothing:\n{ended.stderr[-3000:]}")
    first = requests[0].at
    accepted = first_accepted(report)
    disabled = {mapping.uuid for mapping in report.mappings if mapping.state == "Disabled"}
    process_s = ended.ended_at - ended.started_at
    start_s = (first - started) / speed
    wall_s = process_s - start_s
    best_s = oracle_s(accepted, Quota()) / speed
    least_s = floor_s(len(targets), Quota()) / speed
    row = Row(
        contender=contender.name,
        size=len(targets),
        speed=speed,
        seed=seed,
        wall_s=round(wall_s, 3),
        start_s=round(start_s, 3),
        process_s=round(process_s, 3),
        cpu_s=round(ended.cpu_s, 3),
        floor_s=round(least_s, 3),
        oracle_s=round(best_s, 3),
        wall_by_oracle=round(wall_s / best_s, 4) if best_s else 0.0,
        wall_by_floor=round(wall_s / least_s, 3),
        requests={str(kind): report.count(kind=kind) for kind in ("list", "get", "update")},
        requests_per_mapping=round(report.count() / len(targets), 4),
        throttled_share=round(report.count(status=429) / report.count(), 5),
        lost=len(targets - (contender.done(ended.stdout) & disabled)),
        twice=sum(mapping.accepted_count > 1 for mapping in report.mappings),
        exit_code=ended.exit_code,
    )
    curves = {
        "contender": contender.name,
        "ended": row.wall_s,
        "accepted": cumulative([(update.accepted_at - first) / speed for update in accepted]),
        "settled": cumulative([(up.settles_at - first) / speed for up in accepted if up.settles_at is not None]),
    }
    return row, curves


def markdown(rows: list[Row]) -> str:
    """The table: by size, then by wall."""
    heads = ["contender", "mappings", "wall s", "x oracle", "x floor", "requests a mapping", "throttled", "lost"]
    heads += ["accepted twice", "start s"]
    rows = sorted(rows, key=lambda row: (row.size, row.wall_s))
    lines = [
        [
            row.contender + ("" if row.exit_code is not None else " (killed: out of time)"),
            row.size,
            row.wall_s,
            row.wall_by_oracle,
            row.wall_by_floor,
            row.requests_per_mapping,
            f"{row.throttled_share:.1%}",
            row.lost,
            row.twice,
            row.start_s,
        ]
        for row in rows
    ]
    return table(heads, lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="500,2000,5000")
    parser.add_argument("--speed", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--contenders", default=",".join(CONTENDERS), help=f"of {', '.join(CONTENDERS)}")
    parser.add_argument("--limit-s", type=float, default=3600.0, help="kill a contender after so many real seconds")
    parser.add_argument("--page", metavar="MARKER", help="put the table between <!-- MARKER --> and <!-- /MARKER -->")
    parser.add_argument("--no-chart", action="store_true", help="keep the chart's data of an earlier run")
    options = parser.parse_args()
    sizes = sorted(int(size) for size in options.sizes.split(","))
    rows: list[Row] = []
    for size in sizes:
        curves = []
        for contender in (CONTENDERS[name] for name in options.contenders.split(",")):
            command = contender.command(options.speed)
            if command is None:
                print(f"{contender.name}: not installed, left out", flush=True)
                continue
            if contender.name in AT_THE_SMALLEST_SIZE_ONLY and size != sizes[0]:
                continue
            row, curve = measure(
                contender, command, size=size, speed=options.speed, seed=options.seed, limit_s=options.limit_s
            )
            print(f"{contender.name}: {row.wall_s:.2f} s for {size}, {row.wall_by_oracle:.2f} x oracle", flush=True)
            append("quota", asdict(row))
            rows.append(row)
            curves.append(curve)
        if size == sizes[-1] and not options.no_chart:
            data = {"size": size, "speed": options.speed, "quota_per_s": QUOTA_PER_S * options.speed, "curves": curves}
            (RESULTS / TIMELINE).write_text(json.dumps(data) + "\n")
    text = markdown(rows)
    print(text)
    if options.page:
        into_page(options.page, text)


if __name__ == "__main__":
    main()
