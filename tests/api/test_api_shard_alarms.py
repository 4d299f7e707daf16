"""Alarms of single shards in a run over several, against the simulator, in virtual time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from api_world import EVERYTHING, PAUSE
from engine_world import in_virtual_time, simulated, virtual_clock

from bulk_esm import AccessError, BulkEsm, FleetSettings, Intent, RolloutSettings, Run, RunStatus, UsageError, connect
from bulk_esm.gates.shard_alarm import ShardAlarmGate
from bulk_esm.simulator import Faults, Kind, Simulator

ACCOUNTS = ("111111111111", "222222222222", "333333333333")
REGION = "eu-west-1"
FLEET = FleetSettings(accounts=ACCOUNTS, regions=(REGION,), role_name="bulk-esm")
RINGS = f"{ACCOUNTS[1]}-{REGION}"
EACH = 150  # 12 s at the default rate
RINGS_AFTER_S = 4.0
INTERVAL_S = 2.0


@asynccontextmanager
async def fleet(runs_dir: Path, **simulator: Any) -> AsyncIterator[tuple[Simulator, BulkEsm]]:
    async with simulated(mappings=EACH, settle_scale=0.05, **simulator) as there:
        for account in ACCOUNTS:
            there.set_alarm("lag", "OK", account_id=account, region=REGION)
        async with connect(fleet=FLEET, runs_dir=runs_dir, clock=virtual_clock()) as bulk:
            yield there, bulk


async def prepare(bulk: BulkEsm, **rollout: Any) -> Run:
    settings = RolloutSettings(shard_alarms=("lag",), **rollout)
    return bulk.prepare(await bulk.plan(EVERYTHING, PAUSE), intent=Intent(command="pause", rollout=settings))


def gate(bulk: BulkEsm, run: Run, *, alone: bool = True) -> ShardAlarmGate:
    return ShardAlarmGate(
        ("lag",),
        lambda names: bulk.shard_alarms(names, run.shards_at_work),
        lambda _: None,
        run.halt_shard if alone else None,
    )


def accepted(simulator: Simulator, account: str) -> list[float]:
    mappings = [mapping for mapping in simulator.report().mappings if mapping.account_id == account]
    return [update.accepted_at for mapping in mappings for update in mapping.accepted]


def states(simulator: Simulator, account: str) -> dict[str, str]:
    return {each["UUID"]: each["State"] for each in simulator.snapshot(account, REGION)}


async def ring(simulator: Simulator, after_s: float) -> None:
    await anyio.sleep(after_s)
    simulator.set_alarm("lag", "ALARM", reason="too old", account_id=ACCOUNTS[1], region=REGION)


@pytest.mark.parametrize("waves", [(), ("90%", "100%")])
@in_virtual_time
async def test_the_shard_that_it_rings_in_is_halted_alone(tmp_path: Path, waves: tuple[str, ...]) -> None:
    async with fleet(tmp_path) as (simulator, bulk):
        before = states(simulator, ACCOUNTS[1])
        run = await prepare(bulk, gate_interval_s=INTERVAL_S, waves=waves)
        updates = {one.name: one.updates for one in run.progress}
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ring, simulator, RINGS_AFTER_S)
            record = await run.carry_out(gates=[gate(bulk, run)])
        assert record.status is RunStatus.HALTED
        assert record.reason == f"halted in 1 of 3 shards: {RINGS}: in wave 1, in ALARM: lag (too old)"
        assert record.shards == {"finished": 2, "halted": 1}
        sent = accepted(simulator, ACCOUNTS[1])
        assert 0 < len(sent) < updates[RINGS]
        assert max(sent) <= RINGS_AFTER_S + INTERVAL_S + 1  # and what was on its way
        own = run.files.shard(next(one.shard for one in run.progress if one.name == RINGS)).record()
        assert (own.status, own.reason) == (RunStatus.HALTED, "in wave 1, in ALARM: lag (too old)")
        assert own.counts["not_started"] == updates[RINGS] - len(sent)
        for account in (ACCOUNTS[0], ACCOUNTS[2]):
            assert set(states(simulator, account).values()) == {"Disabled"}
        assert run.halted_shards == {RINGS}
        # Only what was halted is put back, or it is finished.
        back = await bulk.apply(await bulk.plan_rollback(run.files, shards=run.halted_shards))
        assert (back.status, back.shards) == (RunStatus.FINISHED, {"finished": 1})
        assert states(simulator, ACCOUNTS[1]) == before
        assert set(states(simulator, ACCOUNTS[0]).values()) == {"Disabled"}


@in_virtual_time
async def test_or_all_of_them(tmp_path: Path) -> None:
    async with fleet(tmp_path) as (simulator, bulk):
        run = await prepare(bulk, gate_interval_s=INTERVAL_S)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ring, simulator, RINGS_AFTER_S)
            record = await run.carry_out(gates=[gate(bulk, run, alone=False)])
        assert record.status is RunStatus.HALTED
        assert record.reason == f"in wave 1, in 1 of 3 shards: {RINGS}: in ALARM: lag (too old)"
        assert record.shards == {"halted": 3}
        assert run.halted_shards == frozenset()
        for account in ACCOUNTS:
            assert max(accepted(simulator, account)) <= RINGS_AFTER_S + INTERVAL_S + 1


@in_virtual_time
async def test_where_it_rings_before_the_first_update_nothing_is_sent_and_continue_does_it(tmp_path: Path) -> None:
    async with fleet(tmp_path) as (simulator, bulk):
        await ring(simulator, 0)
        run = await prepare(bulk, waves=("50%", "100%"))
        record = await run.carry_out(gates=[gate(bulk, run)])
        assert record.shards == {"finished": 2, "halted": 1}
        assert accepted(simulator, ACCOUNTS[1]) == []
        simulator.set_alarm("lag", "OK", account_id=ACCOUNTS[1], region=REGION)
        again = (await bulk.plan_rest(run.files)).begin()
        record = await again.carry_out(gates=[gate(bulk, again)])
        assert (record.status, record.shards) == (RunStatus.FINISHED, {"finished": 3})
        assert set(states(simulator, ACCOUNTS[1]).values()) == {"Disabled"}


@in_virtual_time
async def test_where_it_rings_in_all_of_them_nobody_is_soaked_or_baked_for(tmp_path: Path) -> None:
    async with fleet(tmp_path) as (simulator, bulk):
        for account in ACCOUNTS:
            simulator.set_alarm("lag", "ALARM", reason="too old", account_id=account, region=REGION)
        run = await prepare(bulk, waves=("50%", "100%"), soak_s=3600.0, bake_s=3600.0)
        began_at = anyio.current_time()
        record = await run.carry_out(gates=[gate(bulk, run)])
        assert (record.status, record.shards) == (RunStatus.HALTED, {"halted": 3})
        assert str(record.reason).startswith("in 3 of 3 shards: ")
        assert anyio.current_time() - began_at < 60
        assert simulator.report().count(Kind.UPDATE) == 0


@in_virtual_time
async def test_where_it_rings_in_all_of_them_the_bake_is_over(tmp_path: Path) -> None:
    async with fleet(tmp_path) as (simulator, bulk):
        run = await prepare(bulk, bake_s=3600.0)

        async def ring_everywhere() -> None:
            await anyio.sleep(100.0)
            for account in ACCOUNTS:
                simulator.set_alarm("lag", "ALARM", reason="too old", account_id=account, region=REGION)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ring_everywhere)
            record = await run.carry_out(gates=[gate(bulk, run)])
        assert (record.status, record.shards) == (RunStatus.HALTED, {"halted": 3})
        assert 100 <= anyio.current_time() <= 131


@in_virtual_time
async def test_one_that_rings_in_the_bake_halts_its_shard(tmp_path: Path) -> None:
    async with fleet(tmp_path) as (simulator, bulk):
        run = await prepare(bulk, bake_s=600.0)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ring, simulator, 100.0)
            record = await run.carry_out(gates=[gate(bulk, run)])
        assert (record.status, record.shards) == (RunStatus.HALTED, {"finished": 2, "halted": 1})
        assert "in the bake, in ALARM" in str(record.reason)
        assert anyio.current_time() > 600  # the others were watched to the end


@in_virtual_time
async def test_how_they_are_read(tmp_path: Path) -> None:
    nobody = Faults(denied_actions=frozenset({"cloudwatch:DescribeAlarms"}))
    async with fleet(tmp_path, shard_faults={(ACCOUNTS[2], REGION): nobody}) as (simulator, bulk):
        simulator.set_alarm("more", "ALARM", reason="too old", account_id=ACCOUNTS[0], region=REGION)
        found = await bulk.shard_alarms(("lag", "more"), bulk.shards)
        assert list(found) == [f"{account}-{REGION}" for account in ACCOUNTS]
        first, second, third = found.values()
        assert not isinstance(first, Exception)
        assert [(alarm.name, alarm.state) for alarm in first] == [("lag", "OK"), ("more", "ALARM")]
        assert isinstance(second, UsageError)
        assert "--shard-alarm more: no CloudWatch alarm of this name in eu-west-1" in str(second)
        assert isinstance(third, AccessError)
        # What is refused there ends no work, and nothing of Lambda's quota is taken.
        assert simulator.report().count(Kind.LIST) == 0
        assert len((await bulk.list(EVERYTHING)).mappings) == 3 * EACH
        assert simulator.report().count(Kind.ALARMS) == 3
