"""Micro-benchmarks of what is done for each mapping: the diff, the plan, the choice of looks, the encoding of a result.

    pytest benchmarks/test_micro.py

The ordinary test run does not collect this: its testpaths say `tests`.
"""
# ruff: noqa: S101 - these are tests

from __future__ import annotations

import uuid

import msgspec
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bulk_esm.engine.estimates import SettleTimes
from bulk_esm.engine.looks import Pending, choose
from bulk_esm.model.census import Census
from bulk_esm.model.change import Change
from bulk_esm.model.mapping import EventSourceMapping
from bulk_esm.model.plan import plan_item
from bulk_esm.model.result import Outcome, Result
from bulk_esm.model.transitions import Transition, TransitionKind
from bulk_esm.simulator import make_fleet

FLEET = [EventSourceMapping(configuration) for configuration in make_fleet(1000, disabled_share=0.0).mappings]
CHANGES = {
    "pause": Change({"Enabled": False}),
    "configure": Change({"BatchSize": 5, "MaximumBatchingWindowInSeconds": 3, "FilterCriteria": {"Filters": []}}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_compare_1000(benchmark: BenchmarkFixture, name: str) -> None:
    change = CHANGES[name]
    benchmark(lambda: [change.compare(mapping) for mapping in FLEET])


def test_plan_item_1000(benchmark: BenchmarkFixture) -> None:
    items = benchmark(lambda: [plan_item(CHANGES["pause"], mapping) for mapping in FLEET])
    assert all(item.request for item in items)


@pytest.mark.parametrize("waited_for", [10, 300, 10_000])
@pytest.mark.parametrize("updates_wait", [True, False])
def test_choose(benchmark: BenchmarkFixture, waited_for: int, updates_wait: bool) -> None:  # noqa: FBT001 - pytest's way
    fleet = [EventSourceMapping(configuration) for configuration in make_fleet(waited_for, seed=2).mappings]
    census = Census()
    census.add(fleet)
    pending = [
        Pending(
            uuid=mapping.uuid,
            transition=Transition(mapping.source_type, TransitionKind.DISABLE),
            function_arn=mapping.function_arn,
            event_source_arn=mapping.event_source_arn,
            accepted_at=number / 15,
        )
        for number, mapping in enumerate(fleet)
    ]
    times = SettleTimes(max_per_second=15.0)
    looks = benchmark(
        lambda: choose(pending, census, times, now=waited_for / 15 + 20, list_lag_s=0.0, updates_wait=updates_wait)
    )
    assert looks or updates_wait


def test_encode_result(benchmark: BenchmarkFixture) -> None:
    mapping = FLEET[0]
    result = Result(
        run_id="20261123T031502Z-pause-5b272f",
        uuid=str(uuid.uuid4()),
        function_arn=mapping.function_arn,
        event_source_arn=mapping.event_source_arn,
        source_type=mapping.source_type,
        account_id="123456789012",
        region="us-east-1",
        wave=1,
        outcome=Outcome.UPDATED,
        state="Disabled",
        request={"Enabled": False},
        update_calls=1,
        accepted_at="2026-11-23T03:15:04.123Z",
        settled_at="2026-11-23T03:15:11.456Z",
        duration_s=7.5,
    )
    encoder = msgspec.json.Encoder()
    line = benchmark(encoder.encode, result)
    assert msgspec.json.decode(line, type=Result) == result
