"""What whole runs cost, against the simulator at Lambda's own speed, in virtual time."""

import asyncio
from collections import Counter

import pytest
from engine_world import Home, check_what_always_holds, engine_of, in_virtual_time, outcomes, world

from bulk_esm import Change, Outcome, Plan, Result, Selection
from bulk_esm.engine.waiter import WaiterStatistics
from bulk_esm.simulator import Faults, Simulator, make_fleet

PAUSE = Change({"Enabled": False})
EVERYTHING = Selection(all=True)


async def carried_out(home: Home, plan: Plan, simulator: Simulator) -> WaiterStatistics:
    """Carry a plan out in which every mapping is paused; returns what the looks were."""
    results: list[Result] = []
    engine = engine_of(home)
    await engine.run(plan.items, results.append)
    check_what_always_holds(plan, results, simulator)
    assert outcomes(results) == {Outcome.UPDATED: len(plan.items)}
    assert simulator.report().count("update", status=202) == len(plan.updates)
    return engine._waiter.statistics()


def requests_per_mapping(simulator: Simulator, count: int) -> float:
    """All told: inventory, updates, looks, and what was refused."""
    report = simulator.report()
    return sum(report.count(kind) for kind in ("list", "get", "update")) / count


def last_settled_at(simulator: Simulator) -> float:
    return max(mapping.accepted[0].settles_at or 0.0 for mapping in simulator.report().mappings if mapping.accepted)


@pytest.mark.parametrize("seed", range(1, 5))
@in_virtual_time
async def test_a_pause_of_five_hundred(seed: int) -> None:
    fleet = make_fleet(500, seed=seed, disabled_share=0.0)
    async with world(max_per_second=15.0, fleet=fleet, seed=seed, faults=Faults(latency_s=0.08)) as (simulator, home):
        plan = await home.plan(EVERYTHING, PAUSE)
        await carried_out(home, plan, simulator)
        assert requests_per_mapping(simulator, 500) <= 1.12
        assert asyncio.get_running_loop().time() <= 1.09 * last_settled_at(simulator)


@pytest.mark.parametrize("max_per_second", [12.0, 15.0])
@in_virtual_time
async def test_a_plain_pause(max_per_second: float) -> None:
    async with world(max_per_second=max_per_second, fleet=make_fleet(1000, disabled_share=0.0)) as (simulator, home):
        plan = await home.plan(EVERYTHING, PAUSE)
        statistics = await carried_out(home, plan, simulator)
        assert requests_per_mapping(simulator, 1000) <= 1.15
        assert simulator.report().count(status=429) == 0
        assert statistics.found == 1000
        assert statistics.list_lag_s < 1
        # The last to settle is seen soon, for how long it took.
        assert asyncio.get_running_loop().time() <= 1.2 * last_settled_at(simulator)


@in_virtual_time
async def test_what_settles_slowest_goes_first() -> None:
    async with world(fleet=make_fleet(200, disabled_share=0.0)) as (simulator, home):
        plan = await home.plan(EVERYTHING, PAUSE)
        await carried_out(home, plan, simulator)
        order = sorted(simulator.report().mappings, key=lambda mapping: mapping.accepted[0].accepted_at)
        kinds = list(dict.fromkeys(mapping.source_type for mapping in order))
        slow = {"documentdb": 0, "msk": 1, "kafka": 1, "mq": 2, "sqs": 3, "sqs-fifo": 3, "kinesis": 4, "dynamodb": 4}
        assert [slow[kind] for kind in kinds] == sorted(slow[kind] for kind in kinds)
        assert [slow[mapping.source_type] for mapping in order] == sorted(slow[m.source_type] for m in order)


@pytest.mark.parametrize(
    "faults",
    [Faults(list_lag_s=30.0), Faults(list_wrong_share=0.3, list_wrong_for_s=20.0)],
    ids=["lagging 30 s", "wrong for 20 s"],
)
@in_virtual_time
async def test_a_list_that_is_no_witness_costs_little(faults: Faults) -> None:
    async with world(fleet=make_fleet(600, disabled_share=0.0), faults=faults) as (simulator, home):
        plan = await home.plan(EVERYTHING, PAUSE)
        statistics = await carried_out(home, plan, simulator)
        assert requests_per_mapping(simulator, 600) <= 1.5
        assert statistics.list_lag_s <= 30
        # What is found settled has settled, which List shows too early or too late.
        settles_at = {mapping.uuid: mapping.accepted[0].settles_at for mapping in simulator.report().mappings}
        assert None not in settles_at.values()
        assert asyncio.get_running_loop().time() <= 1.25 * last_settled_at(simulator) + faults.list_lag_s


@in_virtual_time
async def test_a_few_by_uuid_in_a_large_account_need_no_sweep() -> None:
    fleet = make_fleet(10_000, disabled_share=0.0)
    wanted = frozenset(mapping["UUID"] for mapping in fleet.mappings[77::200])
    assert len(wanted) == 50
    async with world(fleet=fleet) as (simulator, home):
        plan = await home.plan(Selection(uuids=wanted), PAUSE)
        planned = simulator.report()
        statistics = await carried_out(home, plan, simulator)
        report = simulator.report()
        assert planned.count("list") <= 5  # of 100 pages: a tenth of what Gets cost
        assert planned.count("list") + planned.count("get") <= 55
        assert statistics.looks["sweep"] == 0
        assert report.count("list") - planned.count("list") <= statistics.looks["function"]
        # A mapping is planned with one Get, and found settled with 3.
        assert requests_per_mapping(simulator, 50) <= 1.1 + 1 + 3


@in_virtual_time
async def test_most_of_an_account_by_uuid_is_swept() -> None:
    """As when a pause of most of the account is resumed."""
    fleet = make_fleet(1000, disabled_share=0.0)
    wanted = frozenset(mapping["UUID"] for number, mapping in enumerate(fleet.mappings) if number % 10)
    async with world(fleet=fleet) as (simulator, home):
        plan = await home.plan(Selection(uuids=wanted), PAUSE)
        planned = Counter({kind: simulator.report().count(kind) for kind in ("list", "get")})
        assert planned == {"list": 10, "get": 0}
        statistics = await carried_out(home, plan, simulator)
        assert statistics.looks["sweep"] >= 1
        assert requests_per_mapping(simulator, 900) - planned.total() / 900 <= 1.15


@pytest.mark.parametrize(("share", "most"), [(0.5, 0.03), (0.75, 0.05)])
@in_virtual_time
async def test_what_another_caller_leaves_is_used_with_few_throttles(share: float, most: float) -> None:
    faults = Faults(other_caller_share=share, latency_s=0.08)
    async with world(max_per_second=15.0, fleet=make_fleet(600, disabled_share=0.0), faults=faults) as there:
        simulator, home = there
        started_s = asyncio.get_running_loop().time()
        plan = await home.plan(EVERYTHING, PAUSE)
        await carried_out(home, plan, simulator)
        report = simulator.report()
        last = max(mapping.accepted[0].accepted_at for mapping in report.mappings)
        assert report.count(status=429) <= most * report.count()
        # Every token of the bucket and of what was left went to an update, but for the inventory and some looks.
        assert 0.93 * (15 + (last - started_s) * 15 * (1 - share)) <= 600
