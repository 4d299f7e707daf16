"""What AWS was captured to accept, refuse and keep (F§0.2, F§0.1), as the rules have it; each test names it."""

from typing import Any

import pytest
from model_samples import (
    DOCUMENTDB,
    DYNAMODB,
    FIFO,
    FUNCTION,
    KAFKA,
    KEY,
    KINESIS,
    MQ,
    MSK,
    SQS,
    TOPIC,
    applied,
    make_mapping,
)

from bulk_esm.errors import UsageError
from bulk_esm.model.change import Change, Comparison
from bulk_esm.model.mapping import EventSourceMapping, SourceType
from bulk_esm.model.plan import Action, PlanItem, Standing, plan_item, standing
from bulk_esm.model.rollback import inverse_of, rollback_item

NOTHING = Comparison(request={}, differences=(), problems=())
FILTERS = {"Filters": [{"Pattern": '{"a":[1]}'}]}
OTHER_FILTERS = {"Filters": [{"Pattern": '{"a":[2]}'}]}
POLLERS = {"MinimumPollers": 5, "MaximumPollers": 9}
SCALING = {"MaximumConcurrency": 5}
WINDOW = "MaximumBatchingWindowInSeconds"
DOCUMENTDB_CONFIG = "DocumentDBEventSourceConfig"
KAFKA_CONFIG = "SelfManagedKafkaEventSourceConfig"
DATABASE = {"DatabaseName": "orders", "CollectionName": "new", "FullDocument": "Default"}


def sent(mapping: EventSourceMapping, *unset: str, **values: Any) -> dict[str, Any]:
    """What a change sends to a mapping that takes it."""
    comparison = Change.parse(document=values, unset=unset).compare(mapping)
    assert comparison.problems == ()
    return comparison.request


def refused(mapping: EventSourceMapping, *unset: str, **values: Any) -> str:
    """The one thing that speaks against a change to a mapping."""
    comparison = Change.parse(document=values, unset=unset).compare(mapping)
    assert comparison.request == {}
    (problem,) = comparison.problems
    return problem


def ran(mapping: EventSourceMapping, *unset: str, **values: Any) -> PlanItem:
    item = plan_item(Change.parse(document=values, unset=unset), mapping)
    assert item.action is Action.UPDATE
    return item


# sqs_mapping_controls


@pytest.mark.parametrize("source", [SQS, FIFO])
def test_sqs_mapping_controls_both_ways_of_scaling(source: SourceType) -> None:
    assert sent(make_mapping(source), ProvisionedPollerConfig=POLLERS) == {"ProvisionedPollerConfig": POLLERS}
    assert sent(make_mapping(source), ScalingConfig=SCALING) == {"ScalingConfig": SCALING}


def test_sqs_mapping_controls_fifo_batch_size() -> None:
    assert refused(make_mapping(FIFO), BatchSize=11) == "BatchSize is from 1 to 10 on sqs-fifo, not 11"


def test_sqs_mapping_controls_one_response_type_at_most() -> None:
    with pytest.raises(UsageError, match="takes 0 to 1 items, not 2"):
        Change.parse(document={"FunctionResponseTypes": ["ReportBatchItemFailures"] * 2})


SWITCHES = [
    ({"ScalingConfig": SCALING}, "ProvisionedPollerConfig", POLLERS, "ScalingConfig"),
    ({"ProvisionedPollerConfig": POLLERS}, "ScalingConfig", SCALING, "ProvisionedPollerConfig"),
]


@pytest.mark.parametrize("source", [SQS, FIFO])
@pytest.mark.parametrize(("has", "name", "value", "other"), SWITCHES)
def test_sqs_mapping_controls_switching_takes_two_calls(
    source: SourceType, has: dict[str, Any], name: str, value: Any, other: str
) -> None:
    mapping = make_mapping(source, **has)
    for problem in (refused(mapping, **{name: value}), refused(mapping, other, **{name: value})):
        assert problem.startswith("ScalingConfig and ProvisionedPollerConfig exclude each other")
        assert f"`--unset {other}` first, then `--set '{name}=" in problem
        assert "both in one call was never seen to work" in problem
    between = applied(mapping, sent(mapping, other))
    assert sent(between, other, **{name: value}) == {name: value}


def test_sqs_mapping_controls_the_inverse_of_a_switch_takes_two_calls() -> None:
    mapping = make_mapping(ScalingConfig=SCALING)
    item = ran(mapping, "ScalingConfig")
    theirs = make_mapping(ProvisionedPollerConfig=POLLERS)
    back = rollback_item(item, theirs, force=True).item
    assert (back.action, back.request) == (Action.BLOCKED, {})
    assert "`--unset ProvisionedPollerConfig` first, then `--set 'ScalingConfig=" in back.problems[0]


def test_sqs_mapping_controls_an_inverse_with_both_is_blocked() -> None:
    """As of a run that was made before both in one call was refused."""
    mapping = make_mapping(ScalingConfig=SCALING)
    request = {"ScalingConfig": {}, "ProvisionedPollerConfig": POLLERS}
    one = ran(mapping, "ScalingConfig")
    item = PlanItem(**{name: getattr(one, name) for name in one.__struct_fields__} | {"request": request})
    back = rollback_item(item, applied(mapping, request)).item
    assert back.action is Action.BLOCKED
    assert "`--unset ProvisionedPollerConfig` first" in back.problems[0]


FORMS = ["orders:PROD", "123456789012:function:orders:PROD", f"{FUNCTION}orders:PROD"]


@pytest.mark.parametrize("form", FORMS)
def test_sqs_mapping_controls_an_unchanged_function_name_is_never_sent(form: str) -> None:
    mapping = make_mapping(FunctionArn=f"{FUNCTION}orders:PROD", BatchSize=10)
    assert Change.parse([f"FunctionName={form}"]).compare(mapping) == NOTHING
    assert sent(mapping, FunctionName=form, BatchSize=7) == {"BatchSize": 7}


@pytest.mark.parametrize("form", ["orders:NEXT", "123456789012:function:orders:NEXT", f"{FUNCTION}orders:NEXT"])
@pytest.mark.parametrize("force", [False, True])
def test_sqs_mapping_controls_a_function_that_is_back_is_not_put_back(form: str, force: bool) -> None:  # noqa: FBT001
    mapping = make_mapping(FunctionArn=f"{FUNCTION}orders:PROD", BatchSize=10)
    item = ran(mapping, FunctionName=form, BatchSize=7)
    assert item.request == {"FunctionName": form, "BatchSize": 7}
    there = make_mapping(FunctionArn=f"{FUNCTION}orders:NEXT", BatchSize=7)
    assert rollback_item(item, there, force=force).item.request == {
        "FunctionName": f"{FUNCTION}orders:PROD",
        "BatchSize": 10,
    }
    back = make_mapping(FunctionArn=f"{FUNCTION}orders:PROD", BatchSize=7)
    assert rollback_item(item, back, force=force).item.request == {"BatchSize": 10}


# dynamodb_source


def test_dynamodb_source_filters_exclude_a_tumbling_window() -> None:
    both = {"FilterCriteria": FILTERS, "TumblingWindowInSeconds": 30}
    assert "filters and a tumbling window exclude each other" in refused(make_mapping(DYNAMODB), **both)
    assert "exclude" in refused(make_mapping(DYNAMODB, TumblingWindowInSeconds=30), FilterCriteria=FILTERS)
    assert "exclude" in refused(make_mapping(DYNAMODB, FilterCriteria=FILTERS), TumblingWindowInSeconds=30)
    windowed = make_mapping(DYNAMODB, TumblingWindowInSeconds=30)
    assert sent(windowed, "TumblingWindowInSeconds", FilterCriteria=FILTERS).keys() == both.keys()
    assert sent(make_mapping(DYNAMODB, **both), BatchSize=7) == {"BatchSize": 7}


def test_filters_with_a_tumbling_window_on_kinesis_are_left_to_lambda() -> None:
    both = {"FilterCriteria": FILTERS, "TumblingWindowInSeconds": 30}
    assert sent(make_mapping(KINESIS), **both) == both


@pytest.mark.parametrize("source", [DYNAMODB, KINESIS])
def test_dynamodb_source_a_tumbling_window_needs_one_batch_at_a_time(source: SourceType) -> None:
    says = "TumblingWindowInSeconds 30 needs ParallelizationFactor 1, not 2"
    assert says in refused(make_mapping(source), TumblingWindowInSeconds=30, ParallelizationFactor=2)
    assert says in refused(make_mapping(source, ParallelizationFactor=2), TumblingWindowInSeconds=30)
    assert says in refused(make_mapping(source, TumblingWindowInSeconds=30), ParallelizationFactor=2)
    assert sent(make_mapping(source), TumblingWindowInSeconds=30) == {"TumblingWindowInSeconds": 30}
    parallel = make_mapping(source, ParallelizationFactor=2)
    assert sent(parallel, "ParallelizationFactor", TumblingWindowInSeconds=30)["ParallelizationFactor"] == 1


def test_dynamodb_source_a_large_batch_needs_no_window() -> None:
    assert sent(make_mapping(DYNAMODB), BatchSize=101) == {"BatchSize": 101}


# lambda_documentdb_mapping


def test_documentdb_mapping_full_document_goes_alone() -> None:
    mapping = make_mapping(DOCUMENTDB, DocumentDBEventSourceConfig=DATABASE)
    request = sent(mapping, DocumentDBEventSourceConfig={"FullDocument": "UpdateLookup"})
    assert request == {DOCUMENTDB_CONFIG: {"FullDocument": "UpdateLookup"}}

    item = ran(mapping, DocumentDBEventSourceConfig={"FullDocument": "UpdateLookup"})
    there = applied(mapping, request)
    assert there.configuration[DOCUMENTDB_CONFIG] == DATABASE | {"FullDocument": "UpdateLookup"}
    back = rollback_item(item, there)
    assert (back.item.request, back.conflict) == ({DOCUMENTDB_CONFIG: {"FullDocument": "Default"}}, None)
    assert applied(there, back.item.request) == mapping


def test_documentdb_mapping_full_document_is_unset_alone() -> None:
    mapping = make_mapping(DOCUMENTDB, DocumentDBEventSourceConfig=DATABASE | {"FullDocument": "UpdateLookup"})
    assert sent(mapping, f"{DOCUMENTDB_CONFIG}.FullDocument") == {DOCUMENTDB_CONFIG: {"FullDocument": "Default"}}


@pytest.mark.parametrize("member", ["DatabaseName", "CollectionName"])
def test_documentdb_mapping_names_cannot_be_changed(member: str) -> None:
    for settings, document in (
        ([f"{DOCUMENTDB_CONFIG}.{member}=x"], None),
        ([], {DOCUMENTDB_CONFIG: {member: "orders", "FullDocument": "UpdateLookup"}}),
    ):
        with pytest.raises(UsageError, match=rf"{member} cannot be changed: .* fixed when it is created"):
            Change.parse(settings, document=document)


# lambda_msk_mapping, lambda_self_managed_kafka_mapping, lambda_mq_mapping_rabbitmq: members that are kept


def test_kafka_members_that_were_not_asked_for_are_not_sent() -> None:
    has = {"ConsumerGroupId": "group", "SchemaRegistryConfig": {"SchemaRegistryURI": "https://a"}}
    mapping = make_mapping(MSK, AmazonManagedKafkaEventSourceConfig=has)
    asked = {"SchemaRegistryConfig": {"EventRecordFormat": "JSON"}}
    assert sent(mapping, AmazonManagedKafkaEventSourceConfig=asked) == {
        "AmazonManagedKafkaEventSourceConfig": {
            "SchemaRegistryConfig": {"SchemaRegistryURI": "https://a", "EventRecordFormat": "JSON"}
        }
    }


@pytest.mark.parametrize(
    ("source", "name", "has", "asked"),
    [
        (MSK, "ProvisionedPollerConfig", POLLERS | {"Novelty": 1}, {"MinimumPollers": 6}),
        (MSK, "AmazonManagedKafkaEventSourceConfig", {"Novelty": 1}, {"SchemaRegistryConfig": {}}),
        (KAFKA, "LoggingConfig", {"SystemLogLevel": "INFO", "Novelty": 1}, {"SystemLogLevel": "DEBUG"}),
    ],
)
def test_members_that_this_version_does_not_know_are_never_sent(
    source: SourceType, name: str, has: dict[str, Any], asked: dict[str, Any]
) -> None:
    mapping = make_mapping(source, **{name: has})
    comparison = Change.parse(document={name: asked}).compare(mapping)
    assert comparison.problems == ()
    assert "Novelty" not in comparison.request.get(name, {})
    if comparison.request:
        item = ran(mapping, **{name: asked})
        assert "Novelty" not in inverse_of(item).request[name]


def test_consumption_mode_is_never_sent() -> None:
    has = {"ConsumerGroupId": "group", "ConsumptionMode": "Stream"}
    mapping = make_mapping(KAFKA, SelfManagedKafkaEventSourceConfig=has)
    registry = {"SchemaRegistryConfig": {"SchemaRegistryURI": "https://a", "EventRecordFormat": "JSON"}}
    item = ran(mapping, SelfManagedKafkaEventSourceConfig=registry)
    assert item.request == {KAFKA_CONFIG: registry}
    assert inverse_of(item).request == {KAFKA_CONFIG: {"SchemaRegistryConfig": {}}}
    with pytest.raises(UsageError, match=r"ConsumptionMode cannot be changed: .* fixed when it is created"):
        Change.parse([f"{KAFKA_CONFIG}.ConsumptionMode=Queue"])


@pytest.mark.parametrize("before", [{}, {KAFKA_CONFIG: {"ConsumerGroupId": "group"}}])
def test_consumption_mode_is_no_conflict(before: dict[str, Any]) -> None:
    """A newer SDK shows it, an older one does not."""
    item = ran(make_mapping(KAFKA, **before), Enabled=False)
    shown = {KAFKA_CONFIG: {**before.get(KAFKA_CONFIG, {}), "ConsumptionMode": "Stream"}}
    assert standing(item, make_mapping(KAFKA, **shown)) is Standing.AS_PLANNED
    assert rollback_item(item, make_mapping(KAFKA, State="Disabled", **shown)).conflict is None


QUEUE_MODE = {KAFKA_CONFIG: {"ConsumptionMode": "Queue"}}


def test_queue_mode_has_no_window_and_a_limit_of_retries() -> None:
    queue = make_mapping(KAFKA, MaximumRetryAttempts=3, **QUEUE_MODE)
    window = Change.parse([f"{WINDOW}=5"]).compare(queue, allow_irreversible=True)
    assert (window.request, window.problems) == ({}, (f"{WINDOW} is not supported in Queue mode",))
    for problem in (refused(queue, "MaximumRetryAttempts"), refused(queue, MaximumRetryAttempts=-1)):
        assert problem == "MaximumRetryAttempts -1 is refused in Queue mode: its default there is 0"
    assert sent(queue, MaximumRetryAttempts=0) == {"MaximumRetryAttempts": 0}
    stream = make_mapping(KAFKA, MaximumRetryAttempts=3, **{KAFKA_CONFIG: {"ConsumptionMode": "Stream"}})
    assert sent(stream, "MaximumRetryAttempts") == {"MaximumRetryAttempts": -1}


ACCESS = [{"Type": "BASIC_AUTH", "URI": "arn:1"}]


@pytest.mark.parametrize("source", [MQ, DOCUMENTDB])
def test_source_access_configurations_of_mq_and_documentdb_cannot_be_emptied(source: SourceType) -> None:
    mapping = make_mapping(source, SourceAccessConfigurations=ACCESS)
    for problem in (
        refused(mapping, "SourceAccessConfigurations"),
        refused(mapping, SourceAccessConfigurations=[]),
    ):
        assert problem.startswith(f"SourceAccessConfigurations cannot be unset on {source}: ")
    assert sent(make_mapping(MSK, SourceAccessConfigurations=ACCESS), "SourceAccessConfigurations") == {
        "SourceAccessConfigurations": []
    }
    added = ran(make_mapping(source), SourceAccessConfigurations=ACCESS)
    assert "SourceAccessConfigurations" in inverse_of(added).problems


# lambda_mapping_controls


DESTINATION = {"OnFailure": {"Destination": TOPIC}}


@pytest.mark.parametrize("path", ["", ".OnFailure", ".OnFailure.Destination"])
@pytest.mark.parametrize("source", [KINESIS, DYNAMODB, MSK, KAFKA])
def test_lambda_mapping_controls_a_destination_is_cleared_whole(source: SourceType, path: str) -> None:
    mapping = make_mapping(source, DestinationConfig=DESTINATION)
    assert sent(mapping, f"DestinationConfig{path}") == {"DestinationConfig": {}}
    nothings: list[Any] = [None, {}, {"OnFailure": {}}]
    for nothing in nothings:
        without = make_mapping(source, DestinationConfig=nothing)
        assert Change.parse(unset=[f"DestinationConfig{path}"]).compare(without) == NOTHING


@pytest.mark.parametrize("was", [{}, {"DestinationConfig": {"OnFailure": {}}}])
def test_lambda_mapping_controls_an_added_destination_is_cleared_whole(was: dict[str, Any]) -> None:
    item = ran(make_mapping(DYNAMODB, **was), DestinationConfig=DESTINATION)
    back = rollback_item(item, make_mapping(DYNAMODB, DestinationConfig=DESTINATION)).item
    assert back.request == {"DestinationConfig": {}}


def test_lambda_mapping_controls_an_empty_destination_is_refused() -> None:
    with pytest.raises(UsageError, match="Destination must not be empty: use --unset DestinationConfig"):
        Change.parse(["DestinationConfig.OnFailure.Destination="])


# filter_kms_native


ENCRYPTED = {"FilterCriteria": FILTERS, "KMSKeyArn": KEY}


@pytest.mark.parametrize("change", [Change({}, ("FilterCriteria",)), Change({"FilterCriteria": OTHER_FILTERS})])
def test_filter_kms_native_filters_are_put_back_with_their_key(change: Change) -> None:
    mapping = make_mapping(**ENCRYPTED)
    item = plan_item(change, mapping)
    assert item.request.keys() == {"FilterCriteria"}
    assert inverse_of(item).request == ENCRYPTED
    there = applied(mapping, item.request)
    back = rollback_item(item, there)
    assert (back.item.request, back.conflict) == (ENCRYPTED, None)
    assert applied(there, back.item.request) == mapping


def test_filter_kms_native_a_key_that_went_with_the_filters_is_our_own_doing() -> None:
    mapping = make_mapping(**ENCRYPTED)
    item = ran(mapping, "FilterCriteria")
    assert rollback_item(item, make_mapping()).conflict is None
    replaced = ran(mapping, FilterCriteria=OTHER_FILTERS)
    without_key = make_mapping(FilterCriteria=OTHER_FILTERS)
    assert rollback_item(replaced, without_key).conflict == "KMSKeyArn changed since that run"


def test_filter_kms_native_a_key_without_filters_would_be_ignored() -> None:
    says = "KMSKeyArn means nothing without filters"
    assert refused(make_mapping(), KMSKeyArn=KEY).startswith(says)
    assert refused(make_mapping(), KMSKeyArn=KEY, FilterCriteria={}).startswith(says)
    assert refused(make_mapping(**ENCRYPTED), "FilterCriteria", KMSKeyArn=KEY).startswith(says)
    assert refused(make_mapping(FilterCriteria=FILTERS), "FilterCriteria", KMSKeyArn=KEY).startswith(says)
    assert sent(make_mapping(FilterCriteria=FILTERS), KMSKeyArn=KEY) == {"KMSKeyArn": KEY}
    assert sent(make_mapping(), **ENCRYPTED) == ENCRYPTED
    assert Change.parse(unset=["KMSKeyArn"]).compare(make_mapping()) == NOTHING


def unreadable(code: str) -> EventSourceMapping:
    return make_mapping(KMSKeyArn=KEY, FilterCriteriaError={"ErrorCode": code, "Message": "it is so"})


def test_filter_kms_native_a_disabled_key_lets_filters_be_cleared_and_replaced() -> None:
    assert sent(unreadable("DisabledException"), "FilterCriteria") == {"FilterCriteria": {}}
    assert sent(unreadable("DisabledException"), FilterCriteria=FILTERS) == {"FilterCriteria": FILTERS}
    item = ran(unreadable("DisabledException"), "FilterCriteria")
    assert "FilterCriteria" in inverse_of(item).problems


@pytest.mark.parametrize("code", ["AccessDeniedException", "SomethingNew"])
def test_filters_that_cannot_be_read_say_why(code: str) -> None:
    assert refused(unreadable(code), "FilterCriteria") == (
        f"FilterCriteria: the filters cannot be read ({code}: it is so), so they would be lost"
    )


# MetricsConfig


METRICS = {"Metrics": ["EventCount"]}


@pytest.mark.parametrize("source", [SQS, FIFO, KINESIS, DYNAMODB])
def test_metrics_of_queues_and_streams(source: SourceType) -> None:
    assert sent(make_mapping(source), MetricsConfig=METRICS) == {"MetricsConfig": METRICS}


@pytest.mark.parametrize("source", [MQ, DOCUMENTDB])
def test_mq_and_documentdb_have_no_metrics(source: SourceType) -> None:
    assert f"MetricsConfig cannot be set on {source}: only sqs," in refused(make_mapping(source), MetricsConfig=METRICS)


@pytest.mark.parametrize("source", [MSK, KAFKA])
def test_metrics_of_kafka_are_only_available_for_provisioned_mode(source: SourceType) -> None:
    says = f"MetricsConfig is only available for Provisioned Mode on {source}: set ProvisionedPollerConfig"
    assert refused(make_mapping(source), MetricsConfig=METRICS) == says
    provisioned = make_mapping(source, ProvisionedPollerConfig=POLLERS, MetricsConfig=METRICS)
    assert sent(provisioned, MetricsConfig={"Metrics": ["ErrorCount"]}) == {
        "MetricsConfig": {"Metrics": ["ErrorCount"]}
    }
    assert sent(make_mapping(source, MetricsConfig=METRICS), "MetricsConfig") == {"MetricsConfig": {"Metrics": []}}


# FIFO queues and the window


def test_a_fifo_mapping_has_a_window_of_zero_and_takes_no_other() -> None:
    for has in ({}, {WINDOW: 0}):
        assert Change.parse([f"{WINDOW}=0"]).compare(make_mapping(FIFO, **has)) == NOTHING
        assert refused(make_mapping(FIFO, **has), **{WINDOW: 5}).startswith(f"{WINDOW} cannot be set on sqs-fifo")
    assert sent(make_mapping(FIFO), BatchSize=7, **{WINDOW: 0}) == {"BatchSize": 7}


# Windows of half a second are not shown


@pytest.mark.parametrize("source", [MQ, DOCUMENTDB, MSK, KAFKA])
def test_a_window_that_is_shown_as_zero_was_set_so_and_can_be_set_again(source: SourceType) -> None:
    item = ran(make_mapping(source, **{WINDOW: 0}), **{WINDOW: 5})
    assert inverse_of(item).problems == {}
    assert inverse_of(item).request == {WINDOW: 0}


# test_sqs_invalid_event_filter, test_dynamodb_invalid_event_filter


@pytest.mark.parametrize(
    "pattern",
    [
        "null",
        '"simple string"',
        "simple string",
        "[]",
        '[{"a":[1]}]',
        "1",
        '{"a":"b"}',
        '{"a":[]}',
        '{"a":null}',
        '{"a":{"b":"c"}}',
        '{"a":{"b":[]},"c":[1]}',
    ],
)
def test_invalid_event_filter(pattern: str) -> None:
    with pytest.raises(UsageError, match=r"FilterCriteria.Filters\[1\].Pattern .* not a filter pattern"):
        Change.parse(document={"FilterCriteria": {"Filters": [*FILTERS["Filters"], {"Pattern": pattern}]}})


@pytest.mark.parametrize(
    "pattern",
    [
        '{"a":["b"]}',
        '{ "a" : [1, null, true, {"prefix":"x"}, {"anything-but":["y"]}] }',
        '{"a":{"b":[{"numeric":[">",0]}]},"c":[{"exists":false}]}',
        '{"$or":[{"a":["b"]},{"c":["d"]}]}',
        "{}",
    ],
)
def test_valid_event_filter(pattern: str) -> None:
    filters = {"Filters": [{"Pattern": pattern}]}
    assert sent(make_mapping(), FilterCriteria=filters) == {"FilterCriteria": filters}
