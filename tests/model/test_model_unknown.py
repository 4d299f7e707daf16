"""What this version does not know: carried, never sent unasked, and no reason to refuse what does not touch it."""

from typing import Any

import pytest
from model_samples import KAFKA, KEY, KINESIS, MSK, SQS, TOPIC, make_mapping, ran

from bulk_esm.errors import UsageError
from bulk_esm.model.change import Change
from bulk_esm.model.mapping import EventSourceMapping, SourceType
from bulk_esm.model.plan import Action, plan_item
from bulk_esm.model.rollback import inverse_of, rollback_item

POLLERS = {"MinimumPollers": 2, "MaximumPollers": 5}
FILTERS = {"Filters": [{"Pattern": '{"a":[1]}'}]}
OTHER_FILTERS = {"Filters": [{"Pattern": '{"a":[2]}'}]}
ACCESSES = [{"Type": "BASIC_AUTH", "URI": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:a"}]
OTHER_ACCESSES = [{"Type": "BASIC_AUTH", "URI": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:b"}]
MSK_CONFIG = "AmazonManagedKafkaEventSourceConfig"
KAFKA_CONFIG = "SelfManagedKafkaEventSourceConfig"
REGISTRY: dict[str, Any] = {
    "SchemaRegistryURI": "https://registry",
    "EventRecordFormat": "JSON",
    "AccessConfigs": ACCESSES,
    "SchemaValidationConfigs": [{"Attribute": "KEY"}],
}
DESTINATION = {"OnFailure": {"Destination": TOPIC}}
NEW = {"New": {"deep": [1]}}


def with_new(value: Any) -> Any:
    """A value as a later Lambda returns it: with a member that nobody knows yet in each structure, at every depth."""
    if isinstance(value, dict):
        return {name: with_new(member) for name, member in value.items()} | NEW
    return [with_new(item) for item in value] if isinstance(value, list) else value


# source, parameter, what it has, what is asked of it
NESTED: list[tuple[SourceType, str, Any, Any]] = [
    (SQS, "ProvisionedPollerConfig", POLLERS, {"MaximumPollers": 20}),
    (MSK, "ProvisionedPollerConfig", POLLERS | {"PollerGroupName": "night"}, {"PollerGroupName": ""}),
    (SQS, "ScalingConfig", {"MaximumConcurrency": 5}, {"MaximumConcurrency": 6}),
    (SQS, "FilterCriteria", FILTERS, OTHER_FILTERS),
    (SQS, "MetricsConfig", {"Metrics": ["EventCount"]}, {"Metrics": []}),
    (KINESIS, "DestinationConfig", DESTINATION, {"OnFailure": {"Destination": f"{TOPIC}-2"}}),
    (MSK, "SourceAccessConfigurations", ACCESSES, OTHER_ACCESSES),
    (MSK, "LoggingConfig", {"SystemLogLevel": "WARN"}, {"SystemLogLevel": "INFO"}),
    (MSK, MSK_CONFIG, {"SchemaRegistryConfig": REGISTRY}, {"SchemaRegistryConfig": {"EventRecordFormat": "SOURCE"}}),
    (
        KAFKA,
        KAFKA_CONFIG,
        {"ConsumptionMode": "Stream", "SchemaRegistryConfig": REGISTRY},
        {"SchemaRegistryConfig": {"EventRecordFormat": "SOURCE"}},
    ),
]


@pytest.mark.parametrize(("source", "name", "has", "asked"), NESTED)
def test_a_member_that_nobody_set_is_no_reason_to_refuse_and_is_not_sent(
    source: SourceType, name: str, has: Any, asked: Any
) -> None:
    plain, newer = make_mapping(source, **{name: has}), make_mapping(source, **{name: with_new(has)})
    item = ran(newer, **{name: asked})
    assert item.request == ran(plain, **{name: asked}).request
    assert "New" not in str(inverse_of(item).request)
    assert inverse_of(item).request == inverse_of(ran(plain, **{name: asked})).request


@pytest.mark.parametrize(("source", "name", "has", "asked"), NESTED)
@pytest.mark.parametrize("is_lost", [False, True])
def test_its_rollback_is_no_false_conflict_and_says_what_is_lost(
    source: SourceType,
    name: str,
    has: Any,
    asked: Any,
    is_lost: bool,  # noqa: FBT001 - a case
) -> None:
    plain = make_mapping(source, **{name: has})
    item = ran(make_mapping(source, **{name: with_new(has)}), **{name: asked})
    # What Lambda makes of it: the same structure, with or without what it was not sent.
    kept = {**has, **ran(plain, **{name: asked}).request[name]} if isinstance(has, dict) else asked
    there = make_mapping(source, **{name: kept if is_lost else with_new(kept)})
    back = rollback_item(item, there)
    assert (back.conflict, back.item.action) == (None, Action.UPDATE)
    assert (
        back.item.request
        == rollback_item(ran(plain, **{name: asked}), make_mapping(source, **{name: kept})).item.request
    )
    assert bool(back.item.problems) is is_lost
    assert set(back.item.problems) <= set(inverse_of(item).problems.values())
    whole = rollback_item(item, make_mapping(source, **{name: with_new(has)})).item
    assert (whole.action, whole.problems) == (Action.UNCHANGED, ())


@pytest.mark.parametrize(
    ("source", "name", "has"), [(SQS, "ProvisionedPollerConfig", POLLERS), (KINESIS, "DestinationConfig", DESTINATION)]
)
def test_what_is_cleared_comes_back_without_it_and_that_is_said_before(source: SourceType, name: str, has: Any) -> None:
    item = ran(make_mapping(source, **{name: with_new(has)}), name)
    inverse = inverse_of(item)
    assert inverse.request == {name: has}
    assert f"{name}.New" in inverse.problems
    assert all("may be lost: this version does not know it" in text for text in inverse.problems.values())
    back = rollback_item(item, make_mapping(source))
    assert (back.item.request, back.conflict) == ({name: has}, None)


def test_what_lambda_keeps_is_not_said_to_be_lost() -> None:
    has = {"ConsumerGroupId": "g", "SchemaRegistryConfig": {"SchemaRegistryURI": "https://a"}} | NEW
    item = ran(make_mapping(MSK, **{MSK_CONFIG: has}), **{MSK_CONFIG: {"SchemaRegistryConfig": {}}})
    assert inverse_of(item).problems == {}
    paused = ran(make_mapping(SQS, ProvisionedPollerConfig=POLLERS | NEW), Enabled=False)
    assert inverse_of(paused).problems == {}


def test_a_value_that_this_version_would_refuse_is_no_reason_if_nobody_asked_for_it() -> None:
    has = {"MinimumPollers": 2, "MaximumPollers": 50_000}  # more than the model's maximum
    assert ran(
        make_mapping(SQS, ProvisionedPollerConfig=has), ProvisionedPollerConfig={"MinimumPollers": 3}
    ).request == {"ProvisionedPollerConfig": {"MinimumPollers": 3, "MaximumPollers": 50_000}}


def test_a_member_that_lambda_fills_in_where_nothing_was_is_nobodys_change() -> None:
    item = ran(make_mapping(SQS), ProvisionedPollerConfig=POLLERS)
    back = rollback_item(item, make_mapping(SQS, ProvisionedPollerConfig=POLLERS | NEW))
    assert (back.item.request, back.conflict) == ({"ProvisionedPollerConfig": {}}, None)
    joined = ran(make_mapping(SQS, ProvisionedPollerConfig=POLLERS), ProvisionedPollerConfig={"MaximumPollers": 9})
    theirs = make_mapping(SQS, ProvisionedPollerConfig={"MinimumPollers": 2, "MaximumPollers": 9} | NEW)
    assert rollback_item(joined, theirs).conflict == 'ProvisionedPollerConfig.New: unset -> {"deep":[1]}'


def test_members_that_come_back_with_the_items_of_a_list_do_not_make_them_others() -> None:
    change = Change.parse(document={"FilterCriteria": FILTERS, "SourceAccessConfigurations": ACCESSES})
    there = make_mapping(MSK, FilterCriteria=with_new(FILTERS), SourceAccessConfigurations=with_new(ACCESSES))
    assert plan_item(change, there).action is Action.UNCHANGED


def test_consumption_mode_makes_no_conflict_of_an_unset() -> None:
    has = {"ConsumerGroupId": "g", "ConsumptionMode": "Queue"}
    item = ran(make_mapping(KAFKA, **{KAFKA_CONFIG: has | {"SchemaRegistryConfig": REGISTRY}}), KAFKA_CONFIG)
    assert item.request == {KAFKA_CONFIG: {"SchemaRegistryConfig": {}}}
    back = rollback_item(item, make_mapping(KAFKA, **{KAFKA_CONFIG: has}))
    assert (back.item.request, back.conflict) == ({KAFKA_CONFIG: {"SchemaRegistryConfig": REGISTRY}}, None)


# --allow-unknown


def allowed(mapping: EventSourceMapping, *settings: str, **document: Any) -> dict[str, Any]:
    change = Change.parse(settings, document=document, allow_unknown=True)
    item = plan_item(change, mapping)
    assert item.problems == ()
    return item.request


@pytest.mark.parametrize(
    ("source", "setting", "request_", "says"),
    [
        (SQS, "Novelty=5", {"Novelty": 5}, "unknown parameter 'Novelty'"),
        (SQS, "BatchSise=5", {"BatchSise": 5}, "did you mean BatchSize?"),
        (SQS, "Novelty.Inner=x", {"Novelty": {"Inner": "x"}}, "unknown parameter 'Novelty'"),
        (SQS, "ScalingConfig.Mode=Fast", {"ScalingConfig": {"Mode": "Fast"}}, "has no member 'Mode'"),
        (
            SQS,
            'FunctionResponseTypes=["ReportNothing"]',
            {"FunctionResponseTypes": ["ReportNothing"]},
            "is one of ReportBatchItemFailures, not 'ReportNothing'",
        ),
        (
            MSK,
            "LoggingConfig.SystemLogLevel=TRACE",
            {"LoggingConfig": {"SystemLogLevel": "TRACE"}},
            "is one of DEBUG, INFO, WARN, not 'TRACE'",
        ),
        (
            MSK,
            f'{MSK_CONFIG}.SchemaRegistryConfig.SchemaValidationConfigs=[{{"Attribute": "HEADER", "Strict": true}}]',
            {
                MSK_CONFIG: {
                    "SchemaRegistryConfig": {"SchemaValidationConfigs": [{"Attribute": "HEADER", "Strict": True}]}
                }
            },
            "is one of KEY, VALUE, not 'HEADER'",
        ),
    ],
)
def test_what_is_newer_than_this_version_goes_through_if_allowed_and_else_the_way_out_is_named(
    source: SourceType, setting: str, request_: dict[str, Any], says: str
) -> None:
    with pytest.raises(UsageError) as refused:
        Change.parse([setting])
    assert says in str(refused.value)
    assert str(refused.value).endswith("; if Lambda has it by now, --allow-unknown sends it as given")
    assert allowed(make_mapping(source), setting) == request_


def test_what_was_allowed_reads_back_and_is_put_back_as_any_other() -> None:
    change = Change.parse(["Novelty=5", "ScalingConfig.Mode=Fast"], allow_unknown=True)
    before = make_mapping(SQS, Novelty=3, ScalingConfig={"MaximumConcurrency": 7, "Mode": "Slow"})
    item = plan_item(change, before)
    assert item.request == {"Novelty": 5, "ScalingConfig": {"MaximumConcurrency": 7, "Mode": "Fast"}}
    there = make_mapping(SQS, Novelty=5, ScalingConfig={"MaximumConcurrency": 7, "Mode": "Fast"})
    assert plan_item(change, there).action is Action.UNCHANGED
    back = rollback_item(item, there)
    assert back.conflict is None
    assert back.item.request == {"Novelty": 3, "ScalingConfig": {"MaximumConcurrency": 7, "Mode": "Slow"}}
    added = plan_item(change, make_mapping(SQS))
    assert inverse_of(added).problems["Novelty"] == "Novelty cannot be put back: what it was before is not known"


@pytest.mark.parametrize(("was", "asked"), [({"Level": 1}, 5), (5, {"Level": 1}), ([1], {"Level": 1}), ("x", [1])])
def test_what_changes_its_kind_is_put_back_whole(was: Any, asked: Any) -> None:
    item = plan_item(Change.parse(document={"Novelty": asked}, allow_unknown=True), make_mapping(SQS, Novelty=was))
    back = rollback_item(item, make_mapping(SQS, Novelty=asked))
    assert (back.item.request, back.conflict) == ({"Novelty": was}, None)


def test_what_no_version_could_take_is_refused_all_the_same() -> None:
    for setting, says in (
        ("BatchSize=many", "takes a whole number"),
        ("BatchSize=0", "is from 1"),
        ("BatchSize.Inner=1", "BatchSize has no members"),
        ("UUID=x", "UUID cannot be changed"),
        (f"{KAFKA_CONFIG}.ConsumptionMode=Queue", "fixed when it is created"),
    ):
        with pytest.raises(UsageError, match=says):
            Change.parse([setting], allow_unknown=True)


def test_encrypted_filters_that_are_cleared_and_put_back_are_no_conflict_and_never_in_the_clear() -> None:
    before = make_mapping(SQS, FilterCriteria=with_new(FILTERS), KMSKeyArn=KEY)
    item = ran(before, "FilterCriteria")
    for force in (False, True):
        back = rollback_item(item, make_mapping(SQS), force=force)
        assert (back.item.request, back.conflict) == ({"FilterCriteria": FILTERS, "KMSKeyArn": KEY}, None)
