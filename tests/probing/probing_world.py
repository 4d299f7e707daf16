"""The probe against the simulator, in virtual time: nothing sleeps, and the same fleet gives the same recording."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import anyio.lowlevel
import msgspec
from probing.main import parser, probe

from bulk_esm.clock import Clock
from bulk_esm.model.mapping import SourceType, source_type_of
from bulk_esm.simulator import Faults, Fleet, Simulator, make_fleet

EPOCH = 1_767_225_600.0  # 2026-01-01
NOWHERE = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass
class VirtualTime:
    """Whoever sleeps has slept at once."""

    time: float = 0.0

    def __call__(self) -> float:
        return self.time

    @property
    def clock(self) -> Clock:
        return Clock(monotonic=self, now=self._now, sleep=self._sleep)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(EPOCH + self.time, UTC)

    async def _sleep(self, seconds: float) -> None:
        self.time += seconds
        await anyio.lowlevel.checkpoint()


@dataclass
class World:
    """A simulator and its time.

    Attributes:
        said: what the probe told its user.
    """

    simulator: Simulator
    time: VirtualTime
    said: list[str] = field(default_factory=list)

    async def probe(self, output: Path, uuids: Sequence[str], *flags: str) -> int:
        words = ["--region", self.simulator.region, "--output", str(output), *flags, *uuids]
        return await probe(parser().parse_args(words), clock=self.time.clock, say=self.said.append)

    def configurations(self) -> dict[str, dict[str, Any]]:
        """All mappings by UUID, without what every update moves."""
        return {
            found["UUID"]: {name: value for name, value in found.items() if name != "LastModified"}
            for found in self.simulator.snapshot()
        }


def one_of_each(*, state: str = "Enabled", seed: int = 1) -> Fleet:
    """A mapping of each source type, all in one state; two of them are of the same function, one by an alias."""
    found: dict[SourceType, dict[str, Any]] = {}
    for mapping in make_fleet(400, seed=seed).mappings:
        found.setdefault(source_type_of(mapping), {**mapping, "State": state})
    function_arn = ":".join(found[SourceType.SQS]["FunctionArn"].split(":")[:7])  # without its qualifier
    found[SourceType.SQS]["FunctionArn"] = function_arn
    found[SourceType.KINESIS]["FunctionArn"] = f"{function_arn}:live"
    return Fleet(mappings=[found[source_type] for source_type in sorted(found)])


@asynccontextmanager
async def world(
    fleet: Fleet | None = None, *, settle_scale: float = 0.1, faults: Faults | None = None
) -> AsyncIterator[World]:
    time = VirtualTime()
    simulator = Simulator(
        fleet=fleet or one_of_each(), clock=time, epoch=EPOCH, settle_scale=settle_scale, faults=faults
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    async with simulator:
        with patch.dict(os.environ, {**clean, **NOWHERE, **simulator.environment}, clear=True):
            yield World(simulator, time)


def lines_of(recording: Path) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in recording.read_bytes().splitlines()]
