"""Runs a fleet's engine against a server, each in processes of their own, and makes figures of what both noted."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from fleet_figures import busiest_share, cpu_between, highest_rate
from processes import HERE, run_script


@dataclass(kw_only=True)
class Server:
    """A server in a process of its own; what it noted is there once it has ended."""

    environment: dict[str, str]
    asked_at: dict[str, list[float]]
    cpu: list[tuple[float, float]]


@contextmanager
def serving(script: str, *arguments: object) -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(folder, "notes.json")
        command = [sys.executable, str(HERE / script), *map(str, arguments), "--notes", str(notes)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                ready = json.loads((process.stdout.readline() if process.stdout else "") or "null")
                if ready is None:
                    raise SystemExit(f"{script} did not start")
                server = Server(environment=ready["environment"], asked_at={}, cpu=[])
                yield server
            finally:
                process.terminate()
                process.wait(60)
        noted = json.loads(notes.read_text())
        server.asked_at, server.cpu = noted["asked_at"], noted["cpu"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One run; seconds are real ones."""

    name: str
    shards: int
    updated: int
    plan_s: float
    wall_s: float
    sending_s: float | None  # the median shard's
    mappings_per_s: float
    requests_per_mapping: float
    cpu_ms_per_request: float
    cpu_ms_per_mapping: float
    engine_cpu_s: float
    engine_share: float
    engine_busiest: float
    server_cpu_s: float
    server_busiest: float
    highest_rate: float | None  # of any shard, requests a virtual second over 10 virtual seconds
    throttled: int
    driver_peak_mib: float
    workers_peak_mib: list[float]
    answer: dict[str, Any]


def measure(name: str, script: str, shards: int, mappings: int, *, speed: float, rate: float, engine: list[str]) -> Row:
    """Run one engine against a fresh server.

    Args:
        name: of the run.
        script: the server's.
        shards: how many the server has.
        mappings: of each.
        speed: the simulator's; 1 for the stub.
        rate: requests a virtual second in each shard.
        engine: further arguments of `fleet_engine.py`.
    """
    sized: tuple[object, ...] = ("--shards", shards, "--mappings", mappings)
    speeds = ("--speed", speed) if script == "fleet_server.py" else ()
    with serving(script, *sized, *speeds) as server:
        environment = server.environment
        answer = run_script(
            "fleet_engine.py", "--shards", shards, "--rate", rate * speed, *engine, environment=environment
        )
    samples = answer.pop("cpu")
    updated = answer["counts"].get("updated", 0)
    if set(answer["counts"]) != {"updated"} or updated % mappings:
        raise SystemExit(f"{name}: not all were updated: {answer['counts']}")
    requests = sum(answer["requests"].get(kind, 0) for kind in ("list", "get", "update"))
    planning = sum(answer["plan_requests"].get(kind, 0) for kind in ("list", "get", "update"))
    asked = [times for times in server.asked_at.values() if times]
    cpu_s = answer["apply_cpu_s"]
    return Row(
        name=name,
        shards=updated // mappings,
        updated=updated,
        plan_s=round(answer["plan_s"], 2),
        wall_s=round(answer["apply_s"], 2),
        sending_s=round(median(_sending_s(times, mappings) for times in asked), 2) if asked else None,
        mappings_per_s=round(updated / answer["apply_s"], 1),
        requests_per_mapping=round(requests / updated, 3),
        cpu_ms_per_request=round(cpu_s / max(1, requests - planning) * 1e3, 3),
        cpu_ms_per_mapping=round(cpu_s / updated * 1e3, 3),
        engine_cpu_s=round(cpu_s, 2),
        engine_share=round(cpu_s / answer["apply_s"], 3),
        engine_busiest=round(busiest_share(samples), 2),
        server_cpu_s=round(cpu_between(server.cpu, samples[0][0], samples[-1][0]), 2),
        server_busiest=round(busiest_share(server.cpu), 2),
        highest_rate=round(max(highest_rate(times, 10 / speed) for times in asked) / speed, 2) if asked else None,
        throttled=answer["requests"].get("throttled", 0),
        driver_peak_mib=round(answer["peak_rss_kib"] / 1024, 1),
        workers_peak_mib=[round(kib / 1024, 1) for kib in answer["workers_peak_kib"]],
        answer=answer,
    )


def _sending_s(times: list[float], mappings: int) -> float:
    """From a shard's first request to that by which as many had been sent as there are mappings to update."""
    ordered = sorted(times)
    return ordered[min(len(ordered), mappings) - 1] - ordered[0]
