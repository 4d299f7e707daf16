"""What a pause can cost in data."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_samples import DOCUMENTDB, DYNAMODB, FIFO, KAFKA, KINESIS, KNOWN, MQ, MSK, SQS, UNKNOWN, make_mapping

from bulk_esm.model.change import Change
from bulk_esm.model.losses import Loss, loss_lines, loss_of, losses, pauses, within
from bulk_esm.model.mapping import SourceType
from bulk_esm.model.plan import PlanItem, plan_item

HOUR_S = 3600.0
PAUSE = Change({"Enabled": False})
AGE = "MaximumRecordAgeInSeconds"


def aged(age: int | None) -> dict[str, Any]:
    return {AGE: age}


def paused(source: SourceType, uuid: str = "a", /, change: Change = PAUSE, **members: Any) -> PlanItem:
    return plan_item(change, make_mapping(source, UUID=uuid, **members))


@pytest.mark.parametrize(
    ("source", "members", "after_s"),
    [
        (DYNAMODB, {}, 24 * HOUR_S),
        (DYNAMODB, {AGE: -1}, 24 * HOUR_S),
        (DYNAMODB, {AGE: 604_800}, 24 * HOUR_S),
        (DYNAMODB, {AGE: 60}, 60.0),
        (DOCUMENTDB, {}, 3 * HOUR_S),
        (KINESIS, {AGE: 3600}, HOUR_S),
        (MSK, {AGE: 90}, 90.0),
        (KAFKA, {AGE: 604_800}, 168 * HOUR_S),
        (KINESIS, {}, None),
        (KINESIS, {AGE: -1}, None),
        (KINESIS, {AGE: None}, None),
        (KAFKA, {}, None),
        (SQS, {}, None),
        (SQS, {AGE: 60}, None),  # it means nothing there
        (FIFO, {}, None),
        (MQ, {}, None),
        (UNKNOWN, {}, None),
    ],
)
def test_loss_of(source: SourceType, members: dict[str, Any], after_s: float | None) -> None:
    loss = loss_of(paused(source, **members))
    assert (loss and loss.after_s) == after_s
    if loss is not None and members.get(AGE) == after_s:
        assert loss.reason == f"{AGE} is {members[AGE]}, so older records are dropped"


def test_what_is_set_along_with_the_pause_counts() -> None:
    shorter = Change({"Enabled": False, AGE: 120})
    assert loss_of(paused(KINESIS, change=shorter)) == loss_of(paused(KINESIS, **aged(120)))
    longer = Change({"Enabled": False}, (AGE,))
    assert loss_of(paused(KINESIS, change=longer, **aged(120))) is None


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (paused(SQS), True),
        (paused(SQS, State="Disabled"), False),  # unchanged
        (paused(SQS, State="Updating"), False),  # blocked
        (paused(SQS, change=Change({"BatchSize": 7, "Enabled": False})), True),
        (paused(SQS, change=Change({"BatchSize": 7, "Enabled": False}), State="Disabled"), False),
        (paused(SQS, change=Change({"Enabled": True}), State="Disabled"), False),
        (paused(SQS, change=Change({"BatchSize": 7})), False),
    ],
)
def test_pauses(item: PlanItem, expected: bool) -> None:  # noqa: FBT001 - an expected value
    assert pauses(item) is expected


FLEET = [
    paused(DYNAMODB, "d"),
    paused(DOCUMENTDB, "c"),
    paused(SQS, "q"),
    paused(KINESIS, "b", **aged(90)),
    paused(KINESIS, "a", **aged(90)),
    paused(KINESIS, "x", State="Disabled", **aged(60)),
]


def test_the_soonest_loss_comes_first() -> None:
    assert [(item.uuid, loss.after_s) for item, loss in losses(FLEET)] == [
        ("a", 90),
        ("b", 90),
        ("c", 3 * HOUR_S),
        ("d", 24 * HOUR_S),
    ]


@pytest.mark.parametrize(("paused_s", "lost"), [(0, ""), (89.9, ""), (90, "ab"), (3 * HOUR_S, "abc"), (1e9, "abcd")])
def test_within(paused_s: float, lost: str) -> None:
    assert "".join(item.uuid for item, _ in within(losses(FLEET), paused_s)) == lost


def test_loss_lines() -> None:
    assert list(loss_lines(losses(FLEET))) == [
        f"  2 x after 90 s: {AGE} is 90, so older records are dropped",
        "  1 x after 3 h: a DocumentDB change stream keeps 3 h, if nobody set it otherwise",
        "  1 x after 24 h: a DynamoDB stream keeps 24 h",
    ]
    assert list(loss_lines(losses(FLEET), most=1))[1:] == ["  and 2 later"]
    assert list(loss_lines([])) == []


ages = st.none() | st.sampled_from([-1, 60, 90, 3600, 86_400, 604_800])
fleets = st.lists(st.tuples(st.sampled_from([*KNOWN, UNKNOWN]), ages, st.booleans()), max_size=12).map(
    lambda fleet: [
        paused(source, str(number), State="Enabled" if enabled else "Disabled", **aged(age))
        for number, (source, age, enabled) in enumerate(fleet)
    ]
)


@settings(deadline=None)
@given(fleets, st.floats(0, 1e6), st.integers(1, 5))
def test_each_loss_is_told_once(fleet: list[PlanItem], paused_s: float, most: int) -> None:
    found = losses(fleet)
    assert [loss for _, loss in found] == sorted(loss for _, loss in found)
    assert {item.uuid for item, _ in found} == {item.uuid for item in fleet if pauses(item) and loss_of(item)}
    assert losses(fleet[::-1]) == found
    lost = within(found, paused_s)
    assert lost == found[: len(lost)]
    assert all(loss.after_s > paused_s for _, loss in found[len(lost) :])
    lines = list(loss_lines(found, most=most))
    assert sum(int(line.split()[1 if "later" in line.split()[-1] else 0]) for line in lines) == len(found)
    assert len(lines) <= most + 1


def test_losses_are_ordered_by_time() -> None:
    assert Loss(1.0, "z") < Loss(2.0, "a") < Loss(2.0, "b")
