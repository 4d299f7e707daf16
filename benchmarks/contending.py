"""The contenders of `quota.py`: how each is started, and which mappings it says are done."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from processes import HERE

QUOTA_PER_S = 15.0
DEFAULT_RATE = 12.0
POLL_S = 5.0
GIVE_UP_S = 900.0
_BIN = Path(sys.executable).parent


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One way to pause all Enabled mappings.

    `command` takes the simulator's speed, by which its rate is multiplied and its waits are divided; None if it is not
    installed. `done` reads the UUIDs that it saw Disabled from its stdout.
    """

    name: str
    command: Callable[[float], list[str] | None]
    done: Callable[[str], set[str]]


def _bulk_esm(rate: float) -> Contender:
    def command(speed: float) -> list[str]:
        return [str(_BIN / "bulk-esm"), "pause", "--all", "--yes", "--rate", f"{rate * speed:g}", "--output", "jsonl"]

    def done(stdout: str) -> set[str]:
        results = map(json.loads, stdout.splitlines())
        return {result["uuid"] for result in results if result["outcome"] == "updated"}

    return Contender(name=f"bulk_esm-{rate:g}", command=command, done=done)


def _boto3(threads: int, mode: str) -> Contender:
    def command(speed: float) -> list[str]:
        script = str(HERE / "contenders" / "boto3_threads.py")
        return [sys.executable, script, "--threads", str(threads), "--mode", mode, *_waits(speed)]

    return Contender(name=f"boto3-{threads}-{mode}", command=command, done=_words)


def _aiobotocore(concurrency: int) -> Contender:
    def command(speed: float) -> list[str]:
        script = str(HERE / "contenders" / "aiobotocore_gather.py")
        return [sys.executable, script, "--concurrency", str(concurrency), *_waits(speed)]

    return Contender(name=f"aiobotocore-{concurrency}", command=command, done=_words)


def _aws_cli(processes: int) -> Contender:
    def command(speed: float) -> list[str] | None:
        if not (aws := shutil.which("aws", path=str(_BIN))) or not shutil.which("xargs"):
            return None
        script = str(HERE / "contenders" / "aws_cli.sh")
        waits = [f"{POLL_S / speed:g}", f"{GIVE_UP_S / POLL_S:g}"]
        return ["env", f"PATH={Path(aws).parent}:/usr/bin:/bin", script, str(processes), *waits]

    return Contender(name=f"aws-cli-{processes}", command=command, done=_words)


def _waits(speed: float) -> list[str]:
    return ["--poll-s", f"{POLL_S / speed:g}", "--give-up-s", f"{GIVE_UP_S / speed:g}"]


def _words(stdout: str) -> set[str]:
    return set(stdout.split())


_ALL = [
    _bulk_esm(QUOTA_PER_S),
    _bulk_esm(DEFAULT_RATE),
    *(_boto3(threads, mode) for threads in (10, 32, 200) for mode in ("standard", "adaptive")),
    _aiobotocore(50),
    _aws_cli(10),
]
CONTENDERS = {contender.name: contender for contender in _ALL}
AT_THE_SMALLEST_SIZE_ONLY = frozenset({"aws-cli-10"})  # a process for each request: CPU, not the quota, limits it
