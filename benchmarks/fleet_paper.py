"""What 20,000 shards of 500 mappings would take, on paper, from what a few dozen were measured to take."""

from __future__ import annotations

from dataclasses import dataclass

from records import table

SHARDS = 20_000
MAPPINGS = 500
RATE_PER_S = 12.0
SHARDS_PER_WORKER = 40  # fleet/executors.py
BUSY = 0.7  # of a core: beyond it, queueing stretches every shard
ROLES_PER_S = 600.0  # STS, AssumeRole: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
REGIONS_PER_ACCOUNT = 20
MESSAGES_PER_S = 10.0  # of each worker with something to tell: fleet/seat.py
SCHEDULER_MESSAGE_MS = 0.2  # not measured here: https://distributed.dask.org/en/stable/efficiency.html
DRIVER_GIB = 16.0
MOST_FILES = 65_536  # what the command raises the limit to: cli/fleet_work.py


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What was measured, for one shard, one request or one result.

    `request_ms`, `requests_per_mapping`, `shard_s`: at Lambda's own pace, in one process. `worker_shard_mib`,
    `worker_base_mib`: memory of a process with shards at work, and with none. The driver's: `driver_result_ms` to take
    in and record a result, `driver_plan_ms` a shard's plan, `driver_shard_mib` for a shard that others work in,
    `known_shard_kib` for one that waits or is done.
    """

    request_ms: float
    requests_per_mapping: float
    shard_s: float
    worker_base_mib: float
    worker_shard_mib: float
    driver_result_ms: float
    driver_plan_ms: float
    driver_shard_mib: float
    known_shard_kib: float
    result_bytes: float
    plan_bytes_per_shard: float
    files_per_shard: float
    sockets_per_shard: float


def markdown(costs: Costs) -> str:
    """The estimate as two tables: what all shards at once would take, and what so many cores would make of it."""
    requests_per_s = SHARDS * RATE_PER_S
    results_per_s = requests_per_s / costs.requests_per_mapping
    mappings = SHARDS * MAPPINGS
    core_s = mappings * costs.requests_per_mapping * costs.request_ms / 1e3
    at_once = [
        ("mappings", f"{mappings:,}"),
        ("requests/s", f"{requests_per_s:,.0f}"),
        ("worker cores, each busy at most 70 %", f"{requests_per_s * costs.request_ms / 1e3 / BUSY:,.0f}"),
        (
            "worker memory",
            f"{SHARDS * costs.worker_shard_mib / 1024:,.0f} GiB and {costs.worker_base_mib:.0f} MiB a process",
        ),
        ("sockets of all workers", f"{SHARDS * costs.sockets_per_shard:,.0f}"),
        (
            "driver: results to record",
            f"{results_per_s:,.0f} a second, {results_per_s * costs.result_bytes / 1e6:,.0f} MB/s",
        ),
        ("driver: cores for that, and it has one", f"{results_per_s * costs.driver_result_ms / 1e3:,.1f}"),
        ("driver: memory for open shards", f"{SHARDS * costs.driver_shard_mib / 1024:,.1f} GiB"),
        ("driver: open result files", f"{SHARDS:,}, and as many locks"),
        ("wall if nothing of this broke", f"{costs.shard_s:,.0f} s"),
    ]
    whatever = [
        ("CPU of all requests", f"{core_s / 3600:,.1f} core hours"),
        ("driver: CPU to take in all plans", f"{SHARDS * costs.driver_plan_ms / 1e3:,.0f} s"),
        ("driver: CPU to record all results", f"{mappings * costs.driver_result_ms / 1e3:,.0f} s"),
        ("driver: plans on disk", f"{SHARDS * costs.plan_bytes_per_shard / 1e9:,.1f} GB"),
        ("driver: results on disk", f"{mappings * costs.result_bytes / 1e9:,.1f} GB"),
        ("driver: files", f"{SHARDS * costs.files_per_shard:,.0f}"),
        ("driver: memory for shards not at work", f"{SHARDS * costs.known_shard_kib / 1024:,.0f} MiB"),
        (
            "roles to assume, once in each worker that has a shard of the account",
            f"{SHARDS / REGIONS_PER_ACCOUNT:,.0f} to {SHARDS:,}",
        ),
        (
            "... at the 600 a second that STS gives",
            f"{SHARDS / REGIONS_PER_ACCOUNT / ROLES_PER_S:,.0f} to {SHARDS / ROLES_PER_S:,.0f} s",
        ),
    ]
    return "\n\n".join(
        [
            "All 20,000 shards x 500 mappings at once:",
            table(["", "takes"], at_once),
            "However many are at once:",
            table(["", "takes"], whatever),
            "Where it breaks, by how many shards are at once:",
            table(["the driver's", "shards at once"], breaks(costs)),
            "With so many cores for workers:",
            table(
                ["worker cores", "shards at once", "hours", "worker memory GiB", "driver memory for them GiB"],
                [with_cores(costs, cores) for cores in (2, 8, 32, 128, 512)],
            ),
        ]
    )


def with_cores(costs: Costs, cores: int) -> list[object]:
    """A row of the last table: 40 shards on each core, or as many as 70 % of it can do."""
    shards = min(cores * SHARDS_PER_WORKER, int(cores * BUSY / (RATE_PER_S * costs.request_ms / 1e3)), SHARDS)
    core_s = SHARDS * MAPPINGS * costs.requests_per_mapping * costs.request_ms / 1e3
    wall_s = max(
        core_s / (cores * BUSY),
        SHARDS / shards * costs.shard_s,
        SHARDS * MAPPINGS * costs.driver_result_ms / 1e3 / BUSY,
    )
    memory_mib = cores * costs.worker_base_mib + shards * costs.worker_shard_mib
    return [f"{cores:,}", shards, wall_s / 3600, memory_mib / 1024, shards * costs.driver_shard_mib / 1024]


def breaks(costs: Costs) -> list[tuple[str, int]]:
    """At how many shards at once each thing of the driver's gives out, the first first."""
    results_per_s = RATE_PER_S / costs.requests_per_mapping  # of one shard
    limits = {
        "event loop, recording results, at 70 % of its core": BUSY / (results_per_s * costs.driver_result_ms / 1e3),
        f"memory for open shards, of {DRIVER_GIB:g} GiB": DRIVER_GIB * 1024 / costs.driver_shard_mib,
        "open files, one a shard, less a lock for each of the 20,000": MOST_FILES - SHARDS,
        "Dask scheduler, 10 messages/s a worker at 0.2 ms (not measured)": BUSY
        / (SCHEDULER_MESSAGE_MS / 1e3 * MESSAGES_PER_S)
        * SHARDS_PER_WORKER,
    }
    return sorted(((what, int(shards)) for what, shards in limits.items()), key=lambda limit: limit[1])
