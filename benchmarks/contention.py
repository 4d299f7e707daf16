"""How much of the quota the engine uses that another caller leaves, and how often it is throttled for that.

    python benchmarks/contention.py --mappings 1000 --speed 20 --rates 15 --pacers bulk_esm.aws.pacing:Pacer

The other caller is always served first. Steady: he takes his share of the refill all the time; in bursts: for
`--burst-s` virtual seconds, and then nothing for as long.

used: requests served from the first update to the last accepted one, divided by the tokens that the other caller left
in that time, the bucket's burst among them (figures.py). throttled: share of all our requests that were refused.
`--pacers` compares controllers: whatever `engine_process.py --pacer` takes, several with commas.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass

from engine_process import DEFAULT_PACER
from figures import Quota, first_accepted, tokens_left
from processes import run_script, simulator
from records import append, table


@dataclass(frozen=True, kw_only=True)
class Row:
    """One pacer against one other caller."""

    pacer: str
    rate: float
    mappings: int
    speed: float
    other_share: float
    bursts: bool
    used: float
    throttled_share: float
    throttled_share_while_sending: float
    sending_s: float
    wall_s: float
    episodes: int
    lost: int


def measure(pacer: str, *, rate: float, mappings: int, speed: float, share: float, burst_s: float) -> Row:
    """Run the engine once; a `burst_s` of 0 is a steady other caller."""
    quota = Quota(other_share=share, other_on_s=burst_s or 1.0, other_off_s=burst_s)
    other = ("--other-share", share, "--other-on-s", quota.other_on_s, "--other-off-s", quota.other_off_s)
    with simulator("--updates", mappings, "--speed", speed, *other) as served:
        answer = run_script(
            "engine_process.py", "--rate", rate * speed, "--pacer", pacer, environment=served.environment
        )
        report = served.report()
        served.stop()
        requests = served.requests()
    first = next(request.at for request in requests if request.kind == "update")
    last = first_accepted(report)[-1].accepted_at
    sending = [request for request in requests if first <= request.at <= last]
    throttled = [request for request in sending if request.status == 429]
    left = tokens_left(first, last, quota)
    return Row(
        pacer=pacer,
        rate=rate,
        mappings=mappings,
        speed=speed,
        other_share=share,
        bursts=burst_s > 0,
        used=round((len(sending) - len(throttled)) / left, 4),
        throttled_share=round(report.count(status=429) / report.count(), 4),
        throttled_share_while_sending=round(len(throttled) / len(sending), 4),
        sending_s=round((last - first) / speed, 3),
        wall_s=round(answer["wall_s"], 3),
        episodes=answer["episodes"],
        lost=mappings - answer["counts"].get("updated", 0),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mappings", type=int, default=1000)
    parser.add_argument("--speed", type=float, default=20.0)
    parser.add_argument("--shares", default="0,0.25,0.5,0.75")
    parser.add_argument("--burst-s", type=float, default=20.0)
    parser.add_argument("--rates", default="15", help="requests a virtual second that we ask for")
    parser.add_argument("--pacers", default=DEFAULT_PACER)
    options = parser.parse_args()
    rows: list[Row] = []
    for pacer in options.pacers.split(","):
        for rate in map(float, options.rates.split(",")):
            for share in map(float, options.shares.split(",")):
                for burst_s in (0.0, options.burst_s) if share else (0.0,):
                    row = measure(
                        pacer,
                        rate=rate,
                        mappings=options.mappings,
                        speed=options.speed,
                        share=share,
                        burst_s=burst_s,
                    )
                    append("contention", asdict(row))
                    rows.append(row)
                    print(f"{pacer} {share:.0%} {'bursts' if burst_s else 'steady'}: {row.used:.1%} used", flush=True)
    heads = ["other caller", "pacer", "rate", "used", "throttled", "while sending", "episodes", "wall s", "lost"]
    lines = [
        [
            f"{row.other_share:.0%}{' in bursts' if row.bursts else ''}",
            row.pacer.rpartition(":")[2],
            f"{row.rate:g}",
            f"{row.used:.1%}",
            f"{row.throttled_share:.1%}",
            f"{row.throttled_share_while_sending:.1%}",
            row.episodes,
            row.wall_s,
            row.lost,
        ]
        for row in rows
    ]
    print(table(heads, lines))


if __name__ == "__main__":
    main()
