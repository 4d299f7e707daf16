from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_samples import FUNCTION, KEY, KNOWN, MSK, SQS, UNKNOWN, UUID, make_mapping

from bulk_esm.errors import UsageError
from bulk_esm.model.change import Change
from bulk_esm.model.differences import Difference
from bulk_esm.model.mapping import EventSourceMapping
from bulk_esm.model.plan import (
    Action,
    Plan,
    PlanItem,
    PlanMatch,
    changed_members,
    match_plan,
    plan_item,
    unknown_item,
)
from bulk_esm.model.result import TROUBLE, ErrorRecord, Outcome, Result

PAUSE = Change({"Enabled": False})
FILTERS = {"Filters": [{"Pattern": '{"a":[1]}'}]}


@pytest.mark.parametrize("source", [*KNOWN, UNKNOWN])
def test_update(source: Any) -> None:
    mapping = make_mapping(source, Novelty=1)
    item = plan_item(PAUSE, mapping)
    assert item == PlanItem(
        uuid=UUID,
        function_arn=f"{FUNCTION}orders",
        event_source_arn=mapping.event_source_arn,
        source_type=source,
        state="Enabled",
        action=Action.UPDATE,
        request={"Enabled": False},
        diff=(Difference("Enabled", before=True, after=False),),
        before_json=msgspec.Raw(msgspec.json.encode(mapping.configuration)),
    )


def test_unchanged() -> None:
    item = plan_item(PAUSE, make_mapping(State="Disabled"))
    assert (item.action, item.state, item.request, item.diff, item.problems) == ("unchanged", "Disabled", {}, (), ())


def test_blocked() -> None:
    change = Change({"Enabled": False, "ParallelizationFactor": 2})
    item = plan_item(change, make_mapping(SQS))
    assert (item.action, item.request) == (Action.BLOCKED, {})
    assert item.diff == (Difference("Enabled", before=True, after=False),)
    assert item.problems == ("ParallelizationFactor cannot be set on sqs: only kinesis, dynamodb can take it",)


def test_irreversible_only_with_permission() -> None:
    change = Change({"MaximumBatchingWindowInSeconds": 5})
    assert plan_item(change, make_mapping(MSK)).action is Action.BLOCKED
    item = plan_item(change, make_mapping(MSK), allow_irreversible=True)
    assert item.action is Action.UPDATE
    assert item.diff[0].irreversible


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ("Creating", "the mapping is Creating and did not come to rest"),
        ("Enabling", "the mapping is Enabling"),
        ("Disabling", "the mapping is Disabling"),
        ("Updating", "the mapping is Updating"),
        ("Deleting", "the mapping is being deleted"),
        ("Hibernating", "the mapping is Hibernating"),
        (None, "the mapping is in no state"),
    ],
)
def test_in_transition_is_blocked(state: str | None, says: str) -> None:
    item = plan_item(PAUSE, make_mapping(State=state))
    assert (item.action, item.request, item.diff) == (Action.BLOCKED, {}, ())
    assert item.problems[0].startswith(says)


def test_unknown_uuid_is_blocked() -> None:
    item = unknown_item(UUID)
    assert (item.uuid, item.action, item.before.configuration, item.state) == (UUID, Action.BLOCKED, {}, None)
    assert item.problems == ("no event source mapping has this UUID in this account and Region",)


def test_plan_counts() -> None:
    update, unchanged = plan_item(PAUSE, make_mapping()), plan_item(PAUSE, make_mapping(State="Disabled"))
    plan = Plan((update, unchanged, unknown_item("other"), update))
    assert {action: plan.count(action) for action in Action} == {"update": 2, "unchanged": 1, "blocked": 1}
    assert plan.updates == (update, update)


def test_a_plan_has_items_and_each_mapping_once() -> None:
    Plan((unknown_item("a"), unknown_item("b"))).check()
    with pytest.raises(UsageError, match="empty"):
        Plan(()).check()
    with pytest.raises(UsageError, match="names mapping a twice"):
        Plan((unknown_item("a"), unknown_item("b"), unknown_item("a"))).check()


BEFORE = make_mapping(BatchSize=10, LastProcessingResult="OK")
ITEM = plan_item(Change({"BatchSize": 7}), BEFORE)


def now(**members: Any) -> EventSourceMapping:
    return EventSourceMapping(BEFORE.configuration | members)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({}, "as planned"),
        ({"LastModified": 2.0}, "as planned"),
        ({"LastProcessingResult": "PROBLEM: Function call failed", "StateTransitionReason": "USER"}, "as planned"),
        ({"FilterCriteriaError": {"ErrorCode": "KMS"}}, "as planned"),
        ({"BatchSize": 7}, "done"),
        ({"BatchSize": 7, "LastModified": 2.0}, "done"),
        ({"BatchSize": 7, "MaximumBatchingWindowInSeconds": 5}, "done"),  # what was not asked for is not ours
        ({"BatchSize": 7, "State": "Disabled"}, "done"),
        ({"BatchSize": 7, "State": "Updating"}, "changed"),  # not at rest, so not for sure
        ({"BatchSize": 8}, "changed"),
        ({"State": "Disabled"}, "changed"),
        ({"FunctionArn": f"{FUNCTION}orders:PROD"}, "changed"),
        ({"ScalingConfig": {"MaximumConcurrency": 5}}, "changed"),
        ({"Novelty": 1}, "changed"),
    ],
)
def test_standing(members: dict[str, Any], expected: str) -> None:
    assert match_plan(ITEM, now(**members)) is PlanMatch(expected)


def test_standing_is_done_only_with_all_that_was_asked() -> None:
    item = plan_item(Change({"BatchSize": 7, "Enabled": False}), BEFORE)
    assert match_plan(item, now(BatchSize=7)) is PlanMatch.CHANGED
    assert match_plan(item, now(BatchSize=7, State="Disabled")) is PlanMatch.DONE


def test_encrypted_filters_are_null_in_list() -> None:
    read_with_get = make_mapping(KMSKeyArn=KEY, FilterCriteria=FILTERS)
    listed = make_mapping(KMSKeyArn=KEY, FilterCriteria=None)
    without = make_mapping(KMSKeyArn=KEY)
    for change in (PAUSE, Change({}, ("FilterCriteria",)), Change({"FilterCriteria": {"Filters": []}})):
        item = plan_item(change, read_with_get)
        assert item.action is Action.UPDATE
        for reading in (read_with_get, listed, without):
            assert match_plan(item, reading) is PlanMatch.AS_PLANNED
    for reading in (read_with_get, listed):
        assert match_plan(plan_item(PAUSE, listed), reading) is PlanMatch.AS_PLANNED
    cleared = plan_item(Change({}, ("FilterCriteria", "KMSKeyArn")), read_with_get)
    assert match_plan(cleared, make_mapping()) is PlanMatch.DONE
    assert match_plan(plan_item(PAUSE, listed), make_mapping(KMSKeyArn=KEY, State="Disabled")) is PlanMatch.DONE


@pytest.mark.parametrize(
    ("before", "later", "expected"),
    [
        ({}, {}, []),
        ({"A": 1, "B": {"C": [1]}}, {"B": {"C": [1]}, "A": 1}, []),
        ({"B": 1, "A": 1}, {"B": 2, "A": 2}, ["A", "B"]),
        ({"A": None}, {}, []),
        ({"A": 1}, {}, ["A"]),
        ({"KMSKeyArn": KEY, "FilterCriteria": FILTERS}, {"KMSKeyArn": KEY, "FilterCriteria": None}, []),
        ({"KMSKeyArn": KEY}, {"KMSKeyArn": KEY, "FilterCriteria": FILTERS}, []),
        ({"KMSKeyArn": KEY, "FilterCriteria": FILTERS}, {"KMSKeyArn": KEY, "FilterCriteria": {}}, ["FilterCriteria"]),
        ({"FilterCriteria": FILTERS}, {"FilterCriteria": None}, ["FilterCriteria"]),
        ({"KMSKeyArn": KEY, "FilterCriteria": None}, {"FilterCriteria": FILTERS}, ["FilterCriteria", "KMSKeyArn"]),
    ],
)
def test_changed_members(before: dict[str, Any], later: dict[str, Any], expected: list[str]) -> None:
    one, other = EventSourceMapping(before), EventSourceMapping(later)
    assert changed_members(one, other) == changed_members(other, one) == expected


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
objects = st.dictionaries(st.text(), json_values, max_size=3)
texts = st.none() | st.text()
items = st.builds(
    PlanItem,
    uuid=st.text(),
    function_arn=texts,
    event_source_arn=texts,
    source_type=st.sampled_from([*KNOWN, UNKNOWN]),
    state=texts,
    action=st.sampled_from(Action),
    request=objects,
    diff=st.lists(st.builds(Difference, st.text(), json_values, json_values, st.booleans()), max_size=2).map(tuple),
    problems=st.lists(st.text(), max_size=2).map(tuple),
    before_json=objects.map(msgspec.json.encode).map(msgspec.Raw),
)
seconds = st.floats(min_value=0, max_value=1e9)
results = st.builds(
    Result,
    run_id=st.text(),
    uuid=st.text(),
    function_arn=texts,
    event_source_arn=texts,
    source_type=st.sampled_from([*KNOWN, UNKNOWN]),
    account_id=texts,
    region=st.text(),
    wave=st.integers(1, 9),
    outcome=st.sampled_from(Outcome),
    state=texts,
    request=objects,
    error=st.none() | st.builds(ErrorRecord, code=st.text(), message=st.text(), request_id=texts),
    update_calls=st.integers(0, 9),
    accepted_at=texts,
    settled_at=texts,
    ended_at=texts,
    duration_s=seconds,
)


@settings(deadline=None)
@given(items, results)
def test_records_survive_a_line_of_json(item: PlanItem, result: Result) -> None:
    for record in (item, result):
        line = msgspec.json.encode(record)
        assert b"\n" not in line
        assert msgspec.json.decode(line, type=type(record)) == record


def test_the_members_of_a_line_are_those_of_the_contract() -> None:
    """People's scripts lean on these names, and on all of them being there."""
    planned = msgspec.json.decode(msgspec.json.encode(ITEM))
    names = "uuid function_arn event_source_arn source_type state action request diff problems before"
    assert list(planned) == names.split()
    assert planned["diff"] == [{"parameter": "BatchSize", "before": 10, "after": 7}]
    result = Result(
        run_id="run",
        uuid=UUID,
        function_arn=None,
        event_source_arn=None,
        source_type=SQS,
        account_id=None,
        region="eu-west-1",
        wave=1,
        outcome=Outcome.UPDATED,
        state=None,
        request={},
    )
    names = (
        "run_id uuid function_arn event_source_arn source_type account_id region wave outcome state request error "
        "update_calls accepted_at settled_at ended_at duration_s"
    )
    assert list(msgspec.to_builtins(result)) == names.split()
    assert list(msgspec.to_builtins(ErrorRecord(code="c", message="m"))) == ["code", "message", "request_id"]


def test_the_outcomes_of_the_contract() -> None:
    names = "updated unchanged blocked failed timed_out conflict not_started"
    assert [str(outcome) for outcome in Outcome] == names.split()
    assert {str(outcome) for outcome in TROUBLE} == {"failed", "timed_out", "conflict"}


def test_a_plan_knows_its_account_and_region_by_the_first_mapping_that_tells() -> None:
    known = plan_item(Change({"Enabled": False}), make_mapping())
    plan = Plan((unknown_item("14e0db71-0000-4000-8000-00000000000f"), known))
    assert (plan.account_id, plan.region) == ("123456789012", "eu-west-1")
    assert (Plan(()).account_id, Plan(()).region) == (None, None)
