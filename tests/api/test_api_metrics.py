"""A run that is watched by metrics, against the simulator's, in virtual time."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from api_world import EVERYTHING, connected
from engine_world import in_virtual_time, queues, simulated, virtual_clock

from bulk_esm import BulkEsm, Change, FleetSettings, Intent, RolloutSettings, Run, RunRecord, RunStatus, connect
from bulk_esm.runs.watched import Watched
from bulk_esm.simulator import Faults, Simulator, Traffic

SMALLER = Change({"BatchSize": 7})
WAVES = ("1", "50%", "100%")
HARM = Traffic(error_share=0.01, changed_error_share=0.04)


async def prepared(bulk: BulkEsm, **rollout: Any) -> Run:
    intent = Intent(command="apply", rollout=RolloutSettings(**rollout))
    return bulk.prepare(await bulk.plan(EVERYTHING, SMALLER), intent=intent)


async def carried_out(bulk: BulkEsm, run: Run) -> RunRecord:
    gate, observer = bulk.watching(run)
    return await run.carry_out([observer], gates=[gate])


def looks(run: Run) -> list[dict[str, Any]]:
    events = [msgspec.json.decode(line) for line in (run.path / "log.jsonl").read_bytes().splitlines()]
    return [event for event in events if event["event"] == "watch_looked"]


def changed(simulator: Simulator) -> int:
    return sum(bool(mapping.accepted) for mapping in simulator.report().mappings)


@in_virtual_time
async def test_harm_halts_in_the_first_wave(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(20)) as (simulator, bulk):
        simulator.set_traffic(HARM)
        run = await prepared(bulk, waves=WAVES, watch=("errors",))
        record = await carried_out(bulk, run)
        assert record.status is RunStatus.HALTED
        assert record.reason is not None
        assert record.reason.startswith("after wave 1, --watch errors: ")
        assert "of 1 changed function, " in record.reason
        assert "of 19 not changed yet (medians of 60 and 1" in record.reason
        assert changed(simulator) == 1
        # Neither the wait of 14 minutes nor a soak of none made it inconclusive for 10.
        assert 14 * 60 <= simulator.now < 20 * 60
        assert {look["control"] for look in looks(run)} == {19}


@in_virtual_time
async def test_a_run_that_does_no_harm_is_held_in_each_wave_and_ends(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(20)) as (simulator, bulk):
        simulator.set_traffic(Traffic())
        run = await prepared(bulk, waves=WAVES, watch=("errors", "duration-p95"), bake_s=60.0)
        record = await carried_out(bulk, run)
        assert (record.status, record.counts) == (RunStatus.FINISHED, {"updated": 20})
        assert simulator.now >= 3 * 13 * 60
        found = looks(run)
        assert {look["changed"] for look in found} == {1, 10, 20}
        assert [look["control"] for look in found if look["changed"] == 20] == [0, 0]  # of each, in the bake


@in_virtual_time
async def test_what_comes_over_all_halts_only_where_a_value_is_what_must_hold(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(20)) as (simulator, bulk):
        simulator.set_traffic(Traffic(error_share=0.2))
        run = await prepared(bulk, waves=("1", "100%"), watch=("errors", "errors<10%"))
        record = await carried_out(bulk, run)
        assert record.status is RunStatus.HALTED
        assert record.reason is not None
        assert record.reason.startswith("before the first update, --watch errors<10%: it is ")
        assert changed(simulator) == 0


@in_virtual_time
async def test_a_value_halts_in_its_wave(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(20)) as (simulator, bulk):
        simulator.set_traffic(Traffic(changed_duration_s=2.0))
        run = await prepared(bulk, waves=("2", "100%"), watch=("duration-p95<1s",))
        record = await carried_out(bulk, run)
        assert record.status is RunStatus.HALTED
        assert record.reason is not None
        assert record.reason.startswith("after wave 1, --watch duration-p95<1s: it is 3.")
        assert changed(simulator) == 2


@in_virtual_time
async def test_what_is_not_to_be_read_is_inconclusive_and_halts_after_a_while(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(20)) as (simulator, bulk):
        simulator.set_traffic(Traffic())
        run = await prepared(bulk, waves=("1", "100%"), watch=("errors",), inconclusive_for_s=120.0)
        simulator.set_faults(Faults(denied_actions=frozenset({"cloudwatch:GetMetricData"})))
        record = await carried_out(bulk, run)
        assert record.status is RunStatus.HALTED
        assert record.reason is not None
        assert "after wave 1, inconclusive for 1" in record.reason
        assert "--watch errors: its metrics cannot be read: " in record.reason


@in_virtual_time
async def test_functions_without_traffic_are_inconclusive_and_it_can_go_on_all_the_same(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(20)) as (simulator, bulk):
        simulator.set_traffic(Traffic(functions=("no-such",)))
        run = await prepared(bulk, waves=("1", "100%"), watch=("errors",), on_inconclusive="go")
        record = await carried_out(bulk, run)
        assert record.status is RunStatus.FINISHED
        # Ten minutes for points that might have come, and ten more of --inconclusive-for.
        assert simulator.now >= (14 + 10) * 60


@in_virtual_time
async def test_a_run_that_is_continued_knows_who_was_changed_when(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, fleet=queues(20)) as (simulator, bulk):
        simulator.set_traffic(HARM)
        run = await prepared(bulk, waves=WAVES, watch=("errors",), max_per_second=12.0)
        assert (await carried_out(bulk, run)).status is RunStatus.HALTED
        simulator.set_traffic(Traffic())  # as if somebody had mended it
        again = (await bulk.plan_rest(run.files)).begin()
        gate, observer = bulk.watching(again)
        assert isinstance(observer, Watched)
        (exposure,) = observer.exposures.values()
        sides = exposure.sides(1)
        assert (len(sides.changed), len(sides.control)) == (1, 19)
        record = await again.carry_out([observer], gates=[gate])
        assert (record.status, record.counts) == (RunStatus.FINISHED, {"updated": 20})
        first = [look["allowed"] for look in looks(run) if (look["look"], look["changed"]) == (1, 1)]
        assert first[1] == pytest.approx(first[0] / 4)  # the second command has less to spend


@pytest.mark.parametrize("watch", [("errors",), ("errors<50%",)])
@in_virtual_time
async def test_a_fleet_s_metrics_are_read_in_each_shard(watch: tuple[str, ...], tmp_path: Path) -> None:
    regions = ("us-east-1", "eu-west-1")
    async with (
        simulated(mappings=8) as simulator,
        connect(
            fleet=FleetSettings(accounts=("123456789012",), regions=regions),
            runs_dir=tmp_path,
            clock=virtual_clock(),
        ) as bulk,
    ):
        for region in regions:
            simulator.set_traffic(Traffic(changed_error_share=0.9), region=region)
        run = await prepared(bulk, waves=("2", "100%"), watch=watch)
        record = await carried_out(bulk, run)
        assert record.status is RunStatus.HALTED
        assert {one.region for one in simulator.report().requests if one.kind == "metrics"} == set(regions)
