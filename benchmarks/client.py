"""What the engine costs in CPU: for each request, and for each mapping, against a bare aiobotocore loop.

    python benchmarks/client.py --mappings 2000 --repetitions 5

Engine and loop take turns, each in a process of its own, against a simulator without a quota where everything settles
at once. CPU is user and system time from the first request to the end of the work, so without the start of Python, the
imports up to there and the making of the client.

A path around botocore's request pipeline was measured and left out: URL and body filled in, then botocore's signer,
aiobotocore's HTTP session and botocore's parser take 0.52 of the bare loop's CPU a request (0.34 with json for the
parser), and what the engine does itself, answered by a client that does nothing, 0.38. So it would come to 0.9 of the
bare loop.
"""

from __future__ import annotations

import argparse
from statistics import median
from typing import Any

from processes import run_script, simulator
from records import append, table

UNLIMITED_PER_S = 1e6


def measure(script: str, *arguments: object, mappings: int) -> dict[str, float]:
    """One run: CPU by request and by mapping, in microseconds, and requests by mapping."""
    with simulator("--updates", mappings, "--instant", log_requests=False) as served:
        answer: dict[str, Any] = run_script(script, *arguments, environment=served.environment)
        requests = served.report().count()
    updated = answer["updated"] if "updated" in answer else answer["counts"].get("updated", 0)
    if updated != mappings:
        raise SystemExit(f"{script} updated {updated} of {mappings}: {answer}")
    return {
        "us_per_request": answer["cpu_s"] / requests * 1e6,
        "us_per_mapping": answer["cpu_s"] / mappings * 1e6,
        "requests_per_mapping": requests / mappings,
        "wall_s": answer["wall_s"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mappings", type=int, default=2000)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--concurrency", type=int, default=50)
    options = parser.parse_args()
    same = ("--concurrency", options.concurrency)
    runs: dict[str, list[dict[str, float]]] = {"engine": [], "bare loop": []}
    for number in range(options.repetitions):
        turns = [
            ("engine", "engine_process.py", (*same, "--rate", UNLIMITED_PER_S)),
            ("bare loop", "bare_process.py", same),
        ]
        for name, script, arguments in turns if number % 2 else reversed(turns):
            runs[name].append(measure(script, *arguments, mappings=options.mappings))
    medians = {name: {key: median(run[key] for run in of) for key in of[0]} for name, of in runs.items()}
    ratios = {key: medians["engine"][key] / medians["bare loop"][key] for key in ("us_per_request", "us_per_mapping")}
    append("client", {"mappings": options.mappings, "medians": medians, "ratios": ratios, "runs": runs})
    heads = ["client", "CPU us a request", "CPU us a mapping", "requests a mapping", "wall s"]
    print(table(heads, [[name, *of.values()] for name, of in medians.items()]))
    print(f"CPU a request: {ratios['us_per_request']:.2f} x the bare loop; a mapping: {ratios['us_per_mapping']:.2f} x")


if __name__ == "__main__":
    main()
