"""The public Python API, as docs/python.md shows it."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from api_world import EVERYTHING, PAUSE, connected
from engine_world import accepted, in_virtual_time, queues

import bulk_esm
from bulk_esm import (
    AccessError,
    Action,
    Change,
    MappingEnded,
    Outcome,
    RefusedError,
    RunEvent,
    RunStatus,
    Selection,
    UsageError,
    apply,
    connect,
)
from bulk_esm.simulator import Faults, Simulator

UNKNOWN = "ffffffff-0000-4000-8000-000000000000"


@pytest.fixture
def no_aws_set_up(tmp_path: Path) -> Iterator[None]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    nothing = {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": str(tmp_path),
    }
    with patch.dict(os.environ, {**clean, **nothing}, clear=True):
        yield


@in_virtual_time
async def test_connect_plan_apply(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, mappings=30) as (simulator, bulk):
        assert bulk.region == "us-east-1"
        inventory = await bulk.list(Selection(states=("Enabled",)))
        plan = await bulk.plan(EVERYTHING, PAUSE)
        assert plan.count(Action.UPDATE) == len(inventory.mappings)
        assert not accepted(simulator)
        told: list[RunEvent] = []
        record = await bulk.apply(plan, observers=[told.append])
        assert record.status is RunStatus.FINISHED
        assert record.command == "apply"
        assert record.counts[Outcome.UPDATED] == len(inventory.mappings)
        assert sum(isinstance(event, MappingEnded) for event in told) == 30
        assert os.listdir(tmp_path) == [record.run_id]  # noqa: PTH208 - there is nothing to block
        assert (await bulk.list(Selection(states=("Enabled",)))).mappings == ()
        assert record.requests["update"] == len(inventory.mappings)


@in_virtual_time
async def test_a_plan_with_blocked_mappings_is_refused_or_carried_out_without_them(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, mappings=30) as (simulator, bulk):
        plan = await bulk.plan(EVERYTHING, Change({"ParallelizationFactor": 3}))
        blocked = plan.count(Action.BLOCKED)
        assert 0 < blocked < 30
        with pytest.raises(RefusedError, match=f"^{blocked} mappings are blocked; nothing was sent"):
            await bulk.apply(plan)
        assert not accepted(simulator)
        assert os.listdir(tmp_path) == []  # noqa: PTH208 - likewise
        record = await bulk.apply(plan, skip_blocked=True)
        assert record.counts == {"blocked": blocked, "updated": 30 - blocked}


@in_virtual_time
async def test_the_timeout_is_that_of_the_connection(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(2), timeout_s=45.0, faults=Faults(stuck_share=1.0)) as (
        _,
        bulk,
    ):
        plan = await bulk.plan(EVERYTHING, PAUSE)
        before = asyncio.get_running_loop().time()
        record = await bulk.apply(plan)
        assert record.counts == {"timed_out": 2}
        assert 45 <= asyncio.get_running_loop().time() - before < 46


@in_virtual_time
async def test_what_is_asked_is_checked_before_anything_is_sent() -> None:
    async with connected(mappings=20) as (simulator, bulk):
        with pytest.raises(UsageError, match="nothing is selected"):
            await bulk.plan(Selection(), PAUSE)
        assert simulator.report().count() == 0


async def test_connect_on_a_real_clock(no_aws_set_up: None, tmp_path: Path) -> None:
    async with Simulator(mappings=20, speed=200.0) as simulator:
        os.environ |= {"AWS_ACCESS_KEY_ID": "123456789012", "AWS_SECRET_ACCESS_KEY": "simulated"}
        async with connect(
            region="us-east-1",
            endpoint_url=simulator.endpoint_url,
            max_per_second=2400.0,
            concurrency=7,
            timeout_s=30.0,
            runs_dir=tmp_path,
        ) as bulk:
            plan = await bulk.plan(EVERYTHING, PAUSE)
            record = await bulk.apply(plan)
            assert record.counts.keys() == {"updated", "unchanged"}
        assert simulator.report().states == {"Disabled": 20}


async def test_connect_refuses(no_aws_set_up: None) -> None:
    with pytest.raises(UsageError, match="no Region"):
        async with connect():
            pass
    with pytest.raises(AccessError, match="no credentials"):
        async with connect(region="us-east-1"):
            pass
    with pytest.raises(UsageError, match="profile"):
        async with connect(region="us-east-1", profile="nobody"):
            pass
    with pytest.raises(UsageError, match="concurrency"):
        async with connect(region="us-east-1", concurrency=0):
            pass


async def test_a_script_that_is_not_asynchronous(no_aws_set_up: None, tmp_path: Path) -> None:
    async with Simulator(mappings=20, speed=200.0) as simulator:
        enabled = simulator.report().states["Enabled"]
        os.environ |= {"AWS_ACCESS_KEY_ID": "123456789012", "AWS_SECRET_ACCESS_KEY": "simulated"}
        record = await asyncio.to_thread(
            apply,
            Selection(states=("Enabled",)),
            PAUSE,
            region="us-east-1",
            endpoint_url=simulator.endpoint_url,
            max_per_second=2400.0,
            runs_dir=tmp_path,
        )
        assert record.status is RunStatus.FINISHED
        assert str(record.counts) == f"{{'updated': {enabled}}}"
        assert simulator.report().states == {"Disabled": 20}


def test_the_synchronous_apply_raises_what_the_asynchronous_one_does(no_aws_set_up: None) -> None:
    with pytest.raises(UsageError, match="no Region"):
        apply(EVERYTHING, PAUSE)
    with pytest.raises(AccessError, match="no credentials"):
        apply(EVERYTHING, PAUSE, region="us-east-1")


def test_the_whole_surface_can_be_imported() -> None:
    for name in bulk_esm.__all__:
        assert getattr(bulk_esm, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        bulk_esm.nothing  # noqa: B018
