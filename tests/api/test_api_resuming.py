"""Resuming all that is paused, by a program: in one run, wherever runs of the store paused it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from api_world import EVERYTHING, PAUSE
from engine_world import in_virtual_time, simulated, virtual_clock

from bulk_esm import BulkEsm, FleetSettings, Intent, UsageError, connect
from bulk_esm.simulator import Simulator

HOME = "123456789012"
OTHER = "111111111111"
REGIONS = ("us-east-1", "eu-west-1")
FLEET = FleetSettings(accounts=(OTHER,), regions=REGIONS, role_name="bulk-esm")


@asynccontextmanager
async def at(
    runs_dir: Path, *, region: str | None = None, fleet: FleetSettings | None = None
) -> AsyncIterator[BulkEsm]:
    async with connect(region=region, fleet=fleet, runs_dir=runs_dir, clock=virtual_clock()) as bulk:
        yield bulk


def states(there: Simulator) -> dict[str, str]:
    return {
        f"{account}-{region}-{mapping['UUID']}": mapping["State"]
        for account in (HOME, OTHER)
        for region in REGIONS
        for mapping in there.snapshot(account, region)
    }


async def pause_everywhere(runs_dir: Path) -> None:
    for region, fleet in ((REGIONS[0], None), (REGIONS[1], None), (None, FLEET)):
        async with at(runs_dir, region=region, fleet=fleet) as bulk:
            plan = await bulk.plan(EVERYTHING, PAUSE)
            record = await bulk.prepare(plan, intent=Intent(command="pause")).carry_out()
            assert record.counts["updated"] > 0


@in_virtual_time
async def test_all_in_one_run_from_home_or_in_a_fleet_alone(tmp_path: Path) -> None:
    async with simulated(mappings=20) as there:
        before = states(there)
        await pause_everywhere(tmp_path)
        assert set(states(there).values()) == {"Disabled"}

        async with at(
            tmp_path, fleet=FleetSettings(accounts=(OTHER,), regions=REGIONS[1:], role_name="bulk-esm")
        ) as bulk:
            record = await bulk.apply(await bulk.plan_resuming())
            assert (record.command, record.shards) == ("resume", {"finished": 1})
            with pytest.raises(UsageError, match="in these accounts and Regions"):
                await bulk.plan_resuming()
        here = f"{OTHER}-{REGIONS[1]}"
        assert {place for place, state in states(there).items() if state != before[place]} == {
            place for place, state in before.items() if state == "Enabled" and not place.startswith(here)
        }

        async with at(tmp_path) as bulk:
            paused = bulk.all_paused()
            assert len(paused.by_place) == 3
            record = await bulk.apply(await bulk.plan_resuming(paused))
            assert record.shards == {"finished": 3}
            assert len(record.undone) == 3
            assert states(there) == before
            with pytest.raises(UsageError, match="no run here still holds a paused mapping"):
                bulk.all_paused()


@in_virtual_time
async def test_of_one_other_region_too(tmp_path: Path) -> None:
    async with simulated(mappings=20) as there:
        before = states(there)
        async with at(tmp_path, region=REGIONS[1]) as bulk:
            plan = await bulk.plan(EVERYTHING, PAUSE)
            await bulk.prepare(plan, intent=Intent(command="pause")).carry_out()
        async with at(tmp_path, region=REGIONS[0]) as bulk:
            record = await bulk.apply(await bulk.plan_resuming())
        assert record.region == REGIONS[1]
        assert states(there) == before
