"""What resuming adds in concurrent invocations."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_samples import DOCUMENTDB, DYNAMODB, FIFO, KAFKA, KINESIS, KNOWN, MQ, MSK, SQS, UNKNOWN, make_mapping

from bulk_esm.model.change import Change
from bulk_esm.model.mapping import SourceType
from bulk_esm.model.plan import PlanItem, plan_item
from bulk_esm.model.ramp import Added, added_concurrency, ramp_lines

RESUME = Change({"Enabled": True})


def resumed(source: SourceType, /, change: Change = RESUME, **members: Any) -> PlanItem:
    return plan_item(change, make_mapping(source, **{"State": "Disabled", **members}))


def pollers(least: int | None, most: int | None) -> dict[str, Any]:
    members = {"MinimumPollers": least, "MaximumPollers": most}
    return {"ProvisionedPollerConfig": {name: value for name, value in members.items() if value is not None}}


def concurrency(most: int) -> dict[str, Any]:
    return {"ScalingConfig": {"MaximumConcurrency": most}}


@pytest.mark.parametrize(
    ("source", "members", "at_once", "at_most"),
    [
        (SQS, {}, 5, 1_250),
        (SQS, concurrency(2), 2, 2),
        (SQS, concurrency(5), 5, 5),
        (SQS, concurrency(50), 5, 50),
        (SQS, {"ScalingConfig": {}}, 5, 1_250),
        (SQS, {"ScalingConfig": None, "ProvisionedPollerConfig": None}, 5, 1_250),
        (SQS, pollers(3, 20), 30, 200),
        (SQS, pollers(None, 20), 20, 200),  # two pollers, if nobody says how many
        (SQS, pollers(3, None), 30, None),
        (FIFO, {}, None, None),
        (FIFO, concurrency(7), None, 7),
        (FIFO, pollers(2, 4), 20, 40),
        (KINESIS, {}, 1, None),
        (KINESIS, {"ParallelizationFactor": 10}, 10, None),
        (DYNAMODB, {"ParallelizationFactor": None}, 1, None),
        (MSK, {}, 1, None),
        (MSK, pollers(3, 20), 15, 100),
        (KAFKA, pollers(None, 20), 5, 100),
        (DOCUMENTDB, {}, 1, 1),
        (MQ, {}, None, None),
        (UNKNOWN, {}, None, None),
    ],
)
def test_one(source: SourceType, members: dict[str, Any], at_once: int | None, at_most: int | None) -> None:
    added = Added(source_type=source, mappings=1, at_once=at_once, at_most=at_most)
    assert added_concurrency([resumed(source, **members)]) == [added]
    assert added.by_shard is (source in {KINESIS, DYNAMODB})


@pytest.mark.parametrize(
    ("source", "values", "members", "at_once"),
    [
        (KINESIS, {"ParallelizationFactor": 7}, {"ParallelizationFactor": 2}, 7),
        (SQS, concurrency(3), concurrency(50), 3),
        (SQS, {"ScalingConfig": {}}, concurrency(2), 5),
        (MSK, {"ProvisionedPollerConfig": {}}, pollers(3, 20), 1),
        (MSK, {"ProvisionedPollerConfig": {"MinimumPollers": 4}}, pollers(3, 20), 20),
    ],
)
def test_what_is_set_along_with_it_counts(
    source: SourceType, values: dict[str, Any], members: dict[str, Any], at_once: int
) -> None:
    (added,) = added_concurrency([resumed(source, Change({"Enabled": True, **values}), **members)])
    assert added.at_once == at_once


def test_only_what_is_resumed_counts() -> None:
    assert added_concurrency([]) == []
    others = [
        resumed(SQS, State="Enabled"),
        resumed(SQS, State="Updating"),
        resumed(SQS, Change({"Enabled": False}), State="Enabled"),
        resumed(SQS, Change({"BatchSize": 7})),
        resumed(SQS, Change({"Enabled": True, "BatchSize": 7}), State="Enabled"),
    ]
    assert added_concurrency(others) == []
    (added,) = added_concurrency([*others, resumed(SQS)])
    assert added.mappings == 1


def test_one_that_nobody_knows_makes_the_sum_unknown() -> None:
    (added,) = added_concurrency([resumed(FIFO, **concurrency(7)), resumed(FIFO)])
    assert added == Added(source_type=FIFO, mappings=2, at_once=None, at_most=None)
    (added,) = added_concurrency([resumed(SQS, **pollers(3, None)), resumed(SQS)])
    assert (added.at_once, added.at_most) == (35, None)


def test_ramp_lines() -> None:
    fleet = [resumed(KINESIS)] * 2 + [resumed(MQ)] + [resumed(SQS)] * 1_000
    assert list(ramp_lines(added_concurrency(fleet))) == [
        "  1,000 sqs: about 5,000 at once, at most 1,250,000 later",
        "  2 kinesis: about 2 at once, if each stream has one shard",
        "  1 mq: Lambda does not say how many",
    ]
    fleet = [resumed(FIFO, **concurrency(7)), resumed(MSK), resumed(DOCUMENTDB)]
    assert list(ramp_lines(added_concurrency(fleet))) == [
        "  1 sqs-fifo: at most 7",
        "  1 msk: at least 1 at once",
        "  1 documentdb: about 1 at once",
    ]


settings_of = st.sampled_from([{}, concurrency(2), concurrency(9), pollers(2, 4), {"ParallelizationFactor": 3}])
fleets = st.lists(st.tuples(st.sampled_from([*KNOWN, UNKNOWN]), settings_of), max_size=12).map(
    lambda fleet: [resumed(source, **members) for source, members in fleet]
)


@settings(deadline=None)
@given(fleets, fleets)
def test_fleets_add_up(one: list[PlanItem], other: list[PlanItem]) -> None:
    both = added_concurrency(one + other)
    assert both == added_concurrency(other + one)
    assert [added.source_type for added in both] == [
        source for source in SourceType if source in {item.source_type for item in one + other}
    ]
    assert sum(added.mappings for added in both) == len(one + other)
    parts = [*added_concurrency(one), *added_concurrency(other)]
    for added in both:
        assert added.at_once is None or added.at_most is None or 0 < added.at_once <= added.at_most
        of_it = [part for part in parts if part.source_type is added.source_type]
        for total, numbers in (
            (added.at_once, [part.at_once for part in of_it]),
            (added.at_most, [part.at_most for part in of_it]),
        ):
            known = [number for number in numbers if number is not None]
            assert total == (sum(known) if len(known) == len(numbers) else None)
    assert len(list(ramp_lines(both))) == len(both)
