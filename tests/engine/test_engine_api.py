"""The public Python API, as the README shows it."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from engine_world import accepted, in_virtual_time, queues, world

import bulk_esm
from bulk_esm import (
    AccessError,
    Action,
    Change,
    Outcome,
    RefusedError,
    Result,
    RunStatus,
    Selection,
    UsageError,
    apply,
    connect,
)
from bulk_esm.simulator import Faults, Simulator

PAUSE = Change({"Enabled": False})
EVERYTHING = Selection(all=True)


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
    async with world(mappings=30) as (simulator, bulk):
        assert bulk.region == "us-east-1"
        inventory = await bulk.list(Selection(states=("Enabled",)))
        plan = await bulk.plan(EVERYTHING, PAUSE)
        assert plan.count(Action.UPDATE) == len(inventory.mappings)
        assert not accepted(simulator)
        told: list[Result] = []
        record = await bulk.apply(plan, runs_dir=tmp_path, on_result=told.append)
        assert record.status is RunStatus.FINISHED
        assert record.command == "apply"
        assert record.counts[Outcome.UPDATED] == len(inventory.mappings)
        assert len(told) == 30
        assert os.listdir(tmp_path) == [record.run_id]  # noqa: PTH208 - there is nothing to block
        assert (await bulk.list(Selection(states=("Enabled",)))).mappings == ()
        assert bulk.control_plane.request_counts()["update"] == len(inventory.mappings)


@in_virtual_time
async def test_a_plan_with_blocked_mappings_is_refused_or_carried_out_without_them(tmp_path: Path) -> None:
    async with world(mappings=30) as (simulator, bulk):
        plan = await bulk.plan(EVERYTHING, Change({"ParallelizationFactor": 3}))
        blocked = plan.count(Action.BLOCKED)
        assert 0 < blocked < 30
        with pytest.raises(RefusedError, match=f"^{blocked} mappings are blocked; nothing was sent"):
            await bulk.apply(plan, runs_dir=tmp_path)
        assert not accepted(simulator)
        assert os.listdir(tmp_path) == []  # noqa: PTH208 - likewise
        record = await bulk.apply(plan, runs_dir=tmp_path, skip_blocked=True)
        assert record.counts == {"blocked": blocked, "updated": 30 - blocked}


@in_virtual_time
async def test_the_timeout_is_that_of_the_connection(tmp_path: Path) -> None:
    async with world(fleet=queues(2), timeout_s=45.0, faults=Faults(stuck_share=1.0)) as (_, bulk):
        plan = await bulk.plan(EVERYTHING, PAUSE)
        before = asyncio.get_running_loop().time()
        record = await bulk.apply(plan, runs_dir=tmp_path)
        assert record.counts == {"timed_out": 2}
        assert 45 <= asyncio.get_running_loop().time() - before < 46


async def test_connect_on_a_real_clock(no_aws_set_up: None, tmp_path: Path) -> None:
    async with Simulator(mappings=20, speed=200.0) as simulator:
        os.environ |= {"AWS_ACCESS_KEY_ID": "123456789012", "AWS_SECRET_ACCESS_KEY": "simulated"}
        async with connect(
            region="us-east-1",
            endpoint_url=simulator.endpoint_url,
            max_per_second=2400.0,
            concurrency=7,
            timeout_s=30.0,
        ) as bulk:
            plan = await bulk.plan(EVERYTHING, PAUSE)
            record = await bulk.apply(plan, runs_dir=tmp_path)
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
