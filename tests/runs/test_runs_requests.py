"""What a run spends, in virtual time: of what planning saw, each later wave asks again by one sweep, and no more."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import IO, Any
from unittest.mock import patch

import pytest
from engine_world import MODELS, STARTED_AT, in_virtual_time, virtual_clock

from bulk_esm.api import connect
from bulk_esm.aws.pacing import Pacer
from bulk_esm.aws.session import Connection, ConnectionSettings
from bulk_esm.aws.sessions import Sessions
from bulk_esm.bulk import BulkEsm
from bulk_esm.clock import Clock
from bulk_esm.model.change import Change
from bulk_esm.model.records import Intent, RunRecord
from bulk_esm.model.rollout import RolloutSettings
from bulk_esm.model.selection import Selection
from bulk_esm.shards.settings import FleetSettings
from bulk_esm.simulator import Simulator, make_fleet

ACCOUNT = "123456789012"
REGIONS = ("us-east-1", "eu-west-1", "us-west-2")
WAVES = ("1", "10%", "50%", "100%")
MAPPINGS = 1_500


@asynccontextmanager
async def place(
    runs_dir: Path, *, mappings: int, regions: tuple[str, ...] = ()
) -> AsyncIterator[tuple[Simulator, BulkEsm]]:
    """Lambda at its real speed, and a program with the defaults: at home, or in so many Regions by name."""
    clock = virtual_clock()
    each = mappings // max(1, len(regions))
    fleets = {
        (ACCOUNT, region): make_fleet(each, account_id=ACCOUNT, region=region, disabled_share=0.0)
        for region in regions or REGIONS[:1]
    }
    async with Simulator(
        clock=clock.monotonic, epoch=STARTED_AT.timestamp(), fleets=fleets, fleet=fleets[ACCOUNT, REGIONS[0]]
    ) as there:
        with (
            patch.dict(os.environ, there.environment),
            patch("botocore.session.create_loader", lambda *_: MODELS),
        ):
            fleet = FleetSettings(regions=regions) if regions else None
            async with connect(fleet=fleet, clock=clock, runs_dir=runs_dir) as bulk:
                yield there, bulk


async def paused(bulk: BulkEsm, waves: tuple[str, ...] = WAVES) -> RunRecord:
    plan = await bulk.plan(Selection(all=True), Change({"Enabled": False}))
    run = bulk.prepare(plan, intent=Intent(command="pause", rollout=RolloutSettings(waves=waves)))
    return await run.carry_out()


def sent(simulator: Simulator) -> int:
    return sum(simulator.report().count(kind) for kind in ("list", "get", "update"))


@pytest.mark.parametrize(
    ("regions", "waves", "most"),
    [((), (), 1.10), ((), WAVES, 1.20), (REGIONS, (), 1.15), (REGIONS, WAVES, 1.25)],
    ids=["home", "home in waves", "three shards", "three shards in waves"],
)
@in_virtual_time
async def test_requests_a_mapping(
    regions: tuple[str, ...], waves: tuple[str, ...], most: float, tmp_path: Path
) -> None:
    async with place(tmp_path, mappings=MAPPINGS, regions=regions) as (there, bulk):
        record = await paused(bulk, waves)
        assert record.counts == {"updated": MAPPINGS}
        assert sent(there) == sum(record.requests[kind] for kind in ("list", "get", "update"))
        assert there.report().count(status=429) == 0
        assert sent(there) / MAPPINGS <= most


@in_virtual_time
async def test_a_shard_is_connected_to_once_and_its_plan_read_once_and_then_by_slices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected: Counter[str | None] = Counter()
    plans_read: Counter[Path] = Counter()
    connect_to, open_file = Sessions.connect, Path.open

    def counted_connect(
        self: Sessions, settings: ConnectionSettings, *, clock: Clock | None = None, pacer: Pacer | None = None
    ) -> AbstractAsyncContextManager[Connection]:
        connected[settings.region] += 1
        return connect_to(self, settings, clock=clock, pacer=pacer)

    def counted_open(path: Path, mode: str = "r", **others: Any) -> IO[Any]:
        if path.name == "plan.jsonl" and "r" in mode:
            plans_read[path] += 1
        return open_file(path, mode, **others)

    async with place(tmp_path, mappings=90, regions=REGIONS) as (_, bulk):
        monkeypatch.setattr(Sessions, "connect", counted_connect)
        monkeypatch.setattr(Path, "open", counted_open)
        record = await paused(bulk)
    assert record.counts == {"updated": 90}
    # The first is the Region of the credentials, whose connection was open already.
    assert connected == dict.fromkeys(REGIONS[1:], 1)
    assert len(plans_read) == len(REGIONS)
    assert max(plans_read.values()) <= 2 + len(WAVES)  # its digest and its index, then each wave's part of it
