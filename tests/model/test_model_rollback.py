"""What puts back what a run changed: with a small Lambda, a run and its rollback come to nothing."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_samples import (
    FUNCTION,
    KAFKA,
    KEY,
    KINESIS,
    KNOWN,
    MQ,
    MSK,
    SQS,
    TOPIC,
    UNKNOWN,
    UUID,
    ReadBack,
    applied,
    make_mapping,
)
from test_model_compare import REGISTRY, changes, mappings, read_backs

from bulk_esm.model.change import Change
from bulk_esm.model.differences import Difference
from bulk_esm.model.mapping import EventSourceMapping, SourceType
from bulk_esm.model.parameters import row
from bulk_esm.model.plan import Action, PlanItem, PlanMatch, match_plan, plan_for, plan_item, unknown_item
from bulk_esm.model.result import Outcome, Result
from bulk_esm.model.rollback import Reversal, inverse_of, irreversible, rollback_item, was_touched
from bulk_esm.model.values import current_value, holds, is_empty

FILTERS = {"Filters": [{"Pattern": '{"a":[1]}'}]}
POLLERS = {"MinimumPollers": 2, "MaximumPollers": 9}
WINDOW = "MaximumBatchingWindowInSeconds"


def planned(mapping: EventSourceMapping, *unset: str, **values: Any) -> PlanItem:
    item = plan_item(Change(values, unset), mapping, allow_irreversible=True)
    assert item.action is Action.UPDATE
    return item


BEFORE = make_mapping(BatchSize=10, MaximumBatchingWindowInSeconds=0)
ITEM = planned(BEFORE, BatchSize=7)


def now(**members: Any) -> EventSourceMapping:
    return EventSourceMapping(applied(BEFORE, ITEM.request).configuration | members)


TOUCHED: dict[Outcome | None, bool] = {
    Outcome.UPDATED: True,
    Outcome.TIMED_OUT: True,  # accepted, or perhaps so
    None: True,  # the run was killed: likewise
    Outcome.UNCHANGED: False,
    Outcome.BLOCKED: False,
    Outcome.FAILED: False,
    Outcome.CONFLICT: False,
    Outcome.NOT_STARTED: False,
}


def ended(outcome: Outcome | None, accepted_at: str | None = None) -> Result | None:
    if outcome is None:
        return None
    return Result(
        run_id="run",
        uuid=UUID,
        function_arn=None,
        event_source_arn=None,
        source_type=SQS,
        account_id=None,
        region="eu-west-1",
        wave=1,
        outcome=outcome,
        state=None,
        request=ITEM.request,
        accepted_at=accepted_at,
    )


@pytest.mark.parametrize("outcome", [*Outcome, None])
def test_was_touched(outcome: Outcome | None) -> None:
    assert was_touched(ITEM, ended(outcome)) is TOUCHED[outcome]
    for item in (unknown_item(UUID), plan_for(BEFORE, Action.UNCHANGED)):
        assert not was_touched(item, ended(outcome))


def test_an_accepted_update_may_be_there_whatever_came_of_it() -> None:
    assert was_touched(ITEM, ended(Outcome.CONFLICT, "2026-01-01T00:00:00Z"))


@pytest.mark.parametrize("source", [*KNOWN, UNKNOWN])
def test_it_is_a_plan_item_like_any_other(source: SourceType) -> None:
    item = planned(make_mapping(source), Enabled=False)
    there = make_mapping(source, State="Disabled", Novelty=1, FunctionArn=f"{FUNCTION}payments")
    reversal = rollback_item(item, there, force=True)
    assert reversal == Reversal(
        PlanItem(
            uuid=UUID,
            function_arn=f"{FUNCTION}payments",
            event_source_arn=there.event_source_arn,
            source_type=source,
            state="Disabled",
            action=Action.UPDATE,
            request={"Enabled": True},
            diff=(Difference("Enabled", before=False, after=True),),
            before_json=msgspec.Raw(msgspec.json.encode(there.configuration)),
        )
    )


@pytest.mark.parametrize(
    ("members", "conflict"),
    [
        ({}, None),
        ({"LastModified": 9.0, "LastProcessingResult": "OK", "StateTransitionReason": "USER"}, None),
        ({"BatchSize": 8}, "BatchSize: 7 -> 8"),
        ({"State": "Disabled"}, 'State: "Enabled" -> "Disabled"'),
        ({"FunctionArn": f"{FUNCTION}x"}, f'FunctionArn: "{FUNCTION}orders" -> "{FUNCTION}x"'),
        ({"ScalingConfig": {"MaximumConcurrency": 5}}, 'ScalingConfig: unset -> {"MaximumConcurrency":5}'),
        ({"Novelty": 1}, "Novelty: unset -> 1"),
        ({"BatchSize": 8, "Novelty": 1}, "BatchSize: 7 -> 8; Novelty: unset -> 1"),
    ],
)
def test_what_someone_changed_is_a_conflict_and_force_leaves_it(members: dict[str, Any], conflict: str | None) -> None:
    reversal = rollback_item(ITEM, now(**members))
    assert reversal.conflict == conflict
    forced = rollback_item(ITEM, now(**members), force=True)
    assert forced.conflict is None
    assert (forced.item.action, forced.item.request) == (Action.UPDATE, {"BatchSize": 10})


def test_all_as_before_is_nothing_to_do_whoever_did_it() -> None:
    for there in (BEFORE, now(BatchSize=10, State="Disabled", Novelty=1)):
        reversal = rollback_item(ITEM, there)
        assert (reversal.item.action, reversal.item.request, reversal.item.problems) == ("unchanged", {}, ())
        assert reversal.conflict is None


def test_only_what_differs_now_is_sent() -> None:
    item = planned(BEFORE, BatchSize=7, FilterCriteria=FILTERS)
    assert rollback_item(item, now(), force=True).item.request == {"BatchSize": 10}


def test_not_at_rest_is_blocked() -> None:
    for force in (False, True):
        reversal = rollback_item(ITEM, now(State="Updating", Novelty=1), force=force)
        assert (reversal.item.action, reversal.item.request, reversal.conflict) == (Action.BLOCKED, {}, None)


def test_what_lambda_would_refuse_is_blocked() -> None:
    item = planned(make_mapping(BatchSize=100, MaximumBatchingWindowInSeconds=5), BatchSize=7)
    there = make_mapping(BatchSize=7, MaximumBatchingWindowInSeconds=0)
    blocked = rollback_item(item, there, force=True).item
    assert (blocked.action, blocked.request) == (Action.BLOCKED, {})
    assert blocked.problems == (f"BatchSize 100 needs {WINDOW} of at least 1 on sqs: change both in one go",)


ACCESS = {"Type": "BASIC_AUTH", "URI": "arn:1"}
OTHER_ACCESS = {"Type": "BASIC_AUTH", "URI": "arn:2"}
HOST = {"Type": "VIRTUAL_HOST", "URI": "/"}
MSK_CONFIG = "AmazonManagedKafkaEventSourceConfig"


@pytest.mark.parametrize(
    ("source", "name", "before", "set_to", "sent"),
    [
        (SQS, "FunctionName", None, "payments", f"{FUNCTION}orders"),
        (SQS, "BatchSize", None, 7, 10),
        (KINESIS, "BatchSize", None, 7, 100),
        (SQS, WINDOW, None, 5, 0),
        (SQS, "FilterCriteria", FILTERS, {}, FILTERS),
        (SQS, "FilterCriteria", None, FILTERS, {}),
        (SQS, "ScalingConfig", None, {"MaximumConcurrency": 5}, {}),
        (SQS, "FunctionResponseTypes", None, ["ReportBatchItemFailures"], []),
        (SQS, "MetricsConfig", None, {"Metrics": ["EventCount"]}, {"Metrics": []}),
        (KINESIS, "DestinationConfig", {"OnFailure": {}}, {"OnFailure": {"Destination": TOPIC}}, {}),
        (MSK, "DestinationConfig", None, {"OnFailure": {"Destination": TOPIC}}, {}),
        (MSK, "ProvisionedPollerConfig", None, POLLERS, {}),
        (MSK, "ProvisionedPollerConfig", POLLERS, {}, POLLERS),
        (MSK, "ProvisionedPollerConfig", POLLERS, {"PollerGroupName": "x"}, POLLERS | {"PollerGroupName": ""}),
        (MSK, MSK_CONFIG, {"ConsumerGroupId": "g"}, {"SchemaRegistryConfig": REGISTRY}, {"SchemaRegistryConfig": {}}),
        (
            MSK,
            MSK_CONFIG,
            {"ConsumerGroupId": "g", "SchemaRegistryConfig": REGISTRY},
            {"SchemaRegistryConfig": {}},
            {"SchemaRegistryConfig": REGISTRY},
        ),
        (MQ, "SourceAccessConfigurations", [HOST, ACCESS], [OTHER_ACCESS], [ACCESS]),
        (MSK, "SourceAccessConfigurations", [ACCESS], [], [ACCESS]),
        (MSK, "SourceAccessConfigurations", None, [ACCESS], []),
        (KAFKA, "LoggingConfig", {"SystemLogLevel": "INFO"}, {"SystemLogLevel": "DEBUG"}, {"SystemLogLevel": "INFO"}),
        (MSK, WINDOW, 3, 5, 3),
    ],
)
def test_the_inverse(source: SourceType, name: str, before: Any, set_to: Any, sent: Any) -> None:
    mapping = make_mapping(source, **({} if before is None else {name: before}))
    item = planned(mapping, **{name: set_to})
    assert irreversible([item]) == []
    there = applied(mapping, item.request)
    back = rollback_item(item, there)
    assert (back.item.request, back.item.problems, back.conflict) == ({name: sent}, (), None)
    assert same(name, applied(there, back.item.request), mapping)


@pytest.mark.parametrize(
    ("source", "members", "values", "says"),
    [
        (MSK, {}, {WINDOW: 5}, "the 500 ms window of Kafka, MQ and DocumentDB cannot be restored"),
        (KAFKA, {}, {"LoggingConfig": {"SystemLogLevel": "INFO"}}, "Lambda documents no way to reset the log level"),
        (
            SQS,
            {"KMSKeyArn": KEY, "FilterCriteria": None},
            {"FilterCriteria": FILTERS},
            "what it was before is not known",
        ),
    ],
)
def test_what_cannot_be_put_back_is_left_and_said(
    source: SourceType, members: dict[str, Any], values: dict[str, Any], says: str
) -> None:
    (name,) = values
    mapping = make_mapping(source, BatchSize=10, **members)
    item = planned(mapping, **values)
    ((found, problems),) = irreversible([item, planned(mapping, BatchSize=7)])
    assert found is item
    assert problems[0].startswith(f"{name} cannot be put back: {says}")

    alone = rollback_item(item, applied(mapping, item.request))
    assert (alone.item.action, alone.item.request, alone.item.problems) == (Action.UNCHANGED, {}, problems)
    assert alone.conflict is None

    both = planned(mapping, BatchSize=7, **values)
    mixed = rollback_item(both, applied(mapping, both.request))
    assert (mixed.item.action, mixed.item.request, mixed.item.problems) == (Action.UPDATE, {"BatchSize": 10}, problems)
    assert mixed.conflict is None


@pytest.mark.parametrize("merges_members", [False, True])
def test_an_added_member_without_a_clear_form_goes_with_the_structure_or_may_stay(
    merges_members: bool,  # noqa: FBT001 - a case
) -> None:
    mapping = make_mapping(MSK, ProvisionedPollerConfig={"MinimumPollers": 2})
    item = planned(mapping, ProvisionedPollerConfig={"MaximumPollers": 9})
    there = applied(mapping, item.request, merges_members=merges_members)
    back = rollback_item(item, there).item
    # Nothing else differs, and yet it is sent: that what a structure leaves out goes is all there is to rely on.
    assert (back.action, back.request) == (Action.UPDATE, {"ProvisionedPollerConfig": {"MinimumPollers": 2}})
    path = "ProvisionedPollerConfig.MaximumPollers"
    assert back.problems == (f"{path} may stay: Lambda documents no way to take it away",)
    again = rollback_item(item, applied(there, back.request, merges_members=merges_members)).item
    assert again.action is (Action.UPDATE if merges_members else Action.UNCHANGED)


def test_an_update_that_never_arrived_leaves_nothing_to_say() -> None:
    mapping = make_mapping(MSK)
    item = planned(mapping, LoggingConfig={"SystemLogLevel": "INFO"}, **{WINDOW: 5})
    reversal = rollback_item(item, mapping)
    assert (reversal.item.action, reversal.item.problems, reversal.conflict) == (Action.UNCHANGED, (), None)


def test_a_group_that_someone_joined_is_theirs() -> None:
    mapping = make_mapping(MSK, ProvisionedPollerConfig=POLLERS)
    item = planned(mapping, ProvisionedPollerConfig={"MaximumPollers": 20})
    grouped = {"MinimumPollers": 2, "MaximumPollers": 20, "PollerGroupName": "x"}
    reversal = rollback_item(item, make_mapping(MSK, ProvisionedPollerConfig=grouped))
    assert reversal.conflict == 'ProvisionedPollerConfig.PollerGroupName: unset -> "x"'


def test_pollers_that_lambda_filled_in_are_nobodys_change() -> None:
    item = planned(make_mapping(MSK), ProvisionedPollerConfig={"MinimumPollers": 5})
    filled = make_mapping(MSK, ProvisionedPollerConfig={"MinimumPollers": 5, "MaximumPollers": 200})
    reversal = rollback_item(item, filled)
    assert (reversal.item.request, reversal.conflict) == ({"ProvisionedPollerConfig": {}}, None)


def test_a_key_that_the_run_set_is_taken_away_and_the_filters_stay() -> None:
    mapping = make_mapping(FilterCriteria=FILTERS)
    item = planned(mapping, KMSKeyArn=KEY)
    reversal = rollback_item(item, make_mapping(FilterCriteria=FILTERS, KMSKeyArn=KEY))
    assert (reversal.item.request, reversal.conflict) == ({"KMSKeyArn": ""}, None)


def test_filters_that_cannot_be_read_are_cleared_only_by_force() -> None:
    item = planned(BEFORE, FilterCriteria=FILTERS, KMSKeyArn=KEY)
    unreadable = EventSourceMapping(
        BEFORE.configuration | {"KMSKeyArn": KEY, "FilterCriteriaError": {"ErrorCode": "X"}}
    )
    blocked = rollback_item(item, unreadable).item
    assert (blocked.action, blocked.request) == (Action.BLOCKED, {})
    assert "the filters cannot be read" in blocked.problems[0]
    assert rollback_item(item, unreadable, force=True).item.request == {"FilterCriteria": {}, "KMSKeyArn": ""}


@pytest.mark.parametrize("source", [SQS, KINESIS])
def test_a_default_that_comes_back_after_the_update_is_nobodys_change(source: SourceType) -> None:
    default: dict[str, Any] = {"BatchSize": 10 if source is SQS else 100, "FunctionResponseTypes": []}
    for before, after in (({}, default), (default, {})):
        item = planned(make_mapping(source, **before), Enabled=False)
        assert rollback_item(item, make_mapping(source, State="Disabled", **after)).conflict is None
    filled = make_mapping(source, State="Disabled", FunctionResponseTypes=["ReportBatchItemFailures"])
    item = planned(make_mapping(source), Enabled=False)
    says = 'FunctionResponseTypes: unset -> ["ReportBatchItemFailures"]'
    assert rollback_item(item, filled).conflict == says


@pytest.mark.parametrize(
    ("members", "own", "conflict"),
    [
        ({"ScalingConfig": {"MaximumConcurrency": 5}}, {"ScalingConfig": {"MaximumConcurrency": 5}}, None),
        ({"ScalingConfig": {"MaximumConcurrency": 6}}, {"ScalingConfig": {"MaximumConcurrency": 5}}, "ScalingConfig"),
        ({"State": "Disabled"}, {"Enabled": False}, None),
        ({"State": "Disabled"}, {"Enabled": True}, "State"),
        ({"FunctionArn": f"{FUNCTION}payments"}, {"FunctionName": "payments"}, None),
        ({"BatchSize": 8}, {"BatchSize": 8}, "BatchSize"),  # what the run has set too
        ({"Novelty": 1}, {"BatchSize": 8}, "Novelty"),
    ],
)
def test_what_a_later_run_of_ours_set_is_no_conflict(
    members: dict[str, Any], own: dict[str, Any], conflict: str | None
) -> None:
    found = rollback_item(ITEM, now(**members), own=own)
    assert (found.conflict or "").partition(":")[0] == (conflict or "")
    matched = match_plan(ITEM, EventSourceMapping(BEFORE.configuration | members), own=own)
    assert matched is (PlanMatch.CHANGED if conflict else PlanMatch.AS_PLANNED)


def test_a_key_that_went_with_filters_that_a_later_run_cleared_is_its_doing() -> None:
    encrypted = make_mapping(BatchSize=10, FilterCriteria=FILTERS, KMSKeyArn=KEY)
    item = planned(encrypted, BatchSize=7)
    there = make_mapping(BatchSize=7)
    assert rollback_item(item, there, own={"FilterCriteria": {}}).conflict is None
    assert rollback_item(item, there).conflict is not None


HIDDEN = {"KMSKeyArn": KEY, "FilterCriteria": None}


@pytest.mark.parametrize("there", [HIDDEN, {}])
@pytest.mark.parametrize("asked", [FILTERS, {}])
def test_hidden_filters_that_a_run_replaced_are_said_to_stay_whatever_is_shown_now(
    asked: dict[str, Any], there: dict[str, Any]
) -> None:
    mapping = make_mapping(**HIDDEN)
    request: dict[str, Any] = {"FilterCriteria": asked}
    item = plan_for(mapping, Action.UPDATE, request=request)
    back = rollback_item(item, make_mapping(**there), force=True).item
    assert back.problems == ("FilterCriteria cannot be put back: what it was before is not known",)


def test_hidden_filters_say_nothing_of_other_parameters() -> None:
    mapping = make_mapping(MSK, **HIDDEN)
    item = planned(mapping, **{WINDOW: 5})
    assert rollback_item(item, mapping).item.problems == ()


def test_a_rollback_can_itself_be_rolled_back() -> None:
    there = now()
    back = rollback_item(ITEM, there).item
    assert rollback_item(back, applied(there, back.request)).item.request == {"BatchSize": 7}


def same(name: str, one: EventSourceMapping, other: EventSourceMapping) -> bool:
    """Whether two mappings have the same of a parameter, both ways; a default is as good as nothing."""

    def has(mapping: EventSourceMapping, of: EventSourceMapping) -> bool:
        value = current_value(of, name)
        value = row(name).default_for(of.source_type) if value is None else value
        return is_empty(current_value(mapping, name)) if value is None else holds(name, value, mapping)

    return has(one, other) and has(other, one)


@settings(deadline=None)
@given(data=st.data(), mapping=mappings(), merges_members=st.booleans(), read_back=read_backs)
def test_a_run_and_its_rollback_come_to_nothing(
    data: st.DataObject,
    mapping: EventSourceMapping,
    merges_members: bool,  # noqa: FBT001 - drawn
    read_back: ReadBack,
) -> None:
    item = plan_item(data.draw(changes(mapping.source_type)), mapping, allow_irreversible=True)
    there = applied(mapping, item.request, merges_members=merges_members, read_back=read_back)
    back = rollback_item(item, there)
    assert back.conflict is None
    assert back.item.action is not Action.BLOCKED
    along = {"KMSKeyArn"} if "FilterCriteria" in item.request else set()
    assert back.item.request.keys() <= item.request.keys() | along
    assert set(back.item.problems) <= {text for _, texts in irreversible([item]) for text in texts}

    # With the rules that the small Lambda has: nothing that an update may not hold.
    final = applied(there, back.item.request, merges_members=merges_members, read_back=read_back)
    if back.item.request:
        assert match_plan(back.item, final) is PlanMatch.DONE or final.has_hidden_filters
    impossible = {path.partition(".")[0] for path in inverse_of(item).problems}
    for name in item.request.keys() - impossible:
        assert same(name, final, mapping), name
    for name in impossible & item.request.keys():
        assert same(name, final, mapping) or any(text.startswith(name) for text in back.item.problems)


@settings(deadline=None)
@given(data=st.data(), mapping=mappings())
def test_any_other_change_is_a_conflict_and_survives_force(data: st.DataObject, mapping: EventSourceMapping) -> None:
    item = plan_item(data.draw(changes(mapping.source_type)), mapping, allow_irreversible=True)
    after = applied(mapping, item.request)
    theirs = plan_item(data.draw(changes(mapping.source_type)), after, allow_irreversible=True)
    others = {name: value for name, value in theirs.request.items() if name not in item.request}
    there = applied(after, others)
    reversal = rollback_item(item, there)
    read_as = {"FunctionName": "FunctionArn", "Enabled": "State"}
    changed = {read_as.get(name, name) for name in others if not same(name, there, after)}
    # Filters that one of the two readings may hide are not known to have changed.
    unseen = {"FilterCriteria"} if mapping.has_hidden_filters or there.has_hidden_filters else set()
    if reversal.item.request:
        texts = (reversal.conflict or "").split("; ")
        named = {text.partition(": ")[0].partition(".")[0] for text in texts} - {""}
        gone_along = {"KMSKeyArn"} if "FilterCriteria" in changed else set()  # with filters that were cleared (F§0.1)
        assert changed - unseen <= named <= changed | gone_along

    forced = rollback_item(item, there, force=True)
    assert forced.conflict is None
    along = {"KMSKeyArn"} if "FilterCriteria" in item.request else set()
    assert forced.item.request.keys() <= item.request.keys() | along
    final = applied(there, forced.item.request)
    gone = {"KMSKeyArn"} if is_empty(current_value(final, "FilterCriteria")) else set()  # it goes with the filters
    assert all(same(name, final, there) for name in others.keys() - gone)
