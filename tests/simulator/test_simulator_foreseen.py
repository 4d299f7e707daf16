"""What AWS was captured to refuse the plan foresees, and what it was captured to take the plan lets through.

Each case is a change of one mapping, by the name of its capture (F§0.1, F§0.2); the simulator answers as was recorded.
"""

from typing import Any

import pytest
from simulator_shards import UUID, a_mapping, function, shard_of

from bulk_esm.errors import UsageError
from bulk_esm.model.change import Change
from bulk_esm.model.mapping import EventSourceMapping, SourceType
from bulk_esm.model.plan import Action, PlanItem, plan_item
from bulk_esm.simulator import ApiError
from bulk_esm.simulator.bounds import check

SQS, FIFO, KINESIS, DYNAMODB = SourceType.SQS, SourceType.SQS_FIFO, SourceType.KINESIS, SourceType.DYNAMODB
MSK, KAFKA, MQ, DOCUMENTDB = SourceType.MSK, SourceType.KAFKA, SourceType.MQ, SourceType.DOCUMENTDB
FILTERS = {"FilterCriteria": {"Filters": [{"Pattern": '{"a": ["b"]}'}]}}
KEY = {"KMSKeyArn": "arn:aws:kms:us-east-1:123456789012:key/14e0db71-0000-4000-8000-000000000001"}
POLLERS = {"ProvisionedPollerConfig": {"MinimumPollers": 2, "MaximumPollers": 10}}
SCALING = {"ScalingConfig": {"MaximumConcurrency": 2}}
ACCESS = {"Type": "BASIC_AUTH", "URI": "arn:aws:secretsmanager:us-east-1:123456789012:secret:s"}
ACTIVE = {"SourceAccessConfigurations": [ACCESS]}
RABBIT = {"SourceAccessConfigurations": [ACCESS, {"Type": "VIRTUAL_HOST", "URI": "/orders"}]}
NO_ACCESS: dict[str, Any] = {"SourceAccessConfigurations": []}
METRICS = {"MetricsConfig": {"Metrics": ["EventCount"]}}
NO_POLLERS: dict[str, Any] = {"ProvisionedPollerConfig": {}}
NO_METRICS: dict[str, Any] = {"MetricsConfig": {"Metrics": []}}
DATABASE = {"DocumentDBEventSourceConfig": {"DatabaseName": "d", "CollectionName": "c", "FullDocument": "Default"}}
QUEUE_MODE = {"SelfManagedKafkaEventSourceConfig": {"ConsumptionMode": "Queue"}}
STREAM_MODE = {"SelfManagedKafkaEventSourceConfig": {"ConsumptionMode": "Stream"}}
WINDOW = "MaximumBatchingWindowInSeconds"
PARALLEL = "Parallelization factor must be equal to 1 when tumbling window period is configured"
PATTERNS = ["null", '"simple string"', "[]", '{"a": "b"}', '{"a": []}']
UNSUPPORTED = "Unsupported 'metricsConfig' parameter for given event source mapping type."


def filters(pattern: str) -> dict[str, Any]:
    return {"FilterCriteria": {"Filters": [{"Pattern": pattern}]}}


# capture, source, what the mapping has, what is asked, in Lambda's words
REFUSED: list[tuple[str, SourceType, dict[str, Any], dict[str, Any], str]] = [
    *(("test_sqs_invalid_event_filter", SQS, {}, filters(p), "Invalid filter pattern definition.") for p in PATTERNS),
    *(("test_dynamodb_invalid_event_filter", DYNAMODB, {}, filters(p), "Invalid filter pattern") for p in PATTERNS),
    ("sqs_mapping_controls", SQS, {}, {"BatchSize": 11}, "Maximum batch window in seconds must be greater than 0"),
    ("sqs_mapping_controls", FIFO, {}, {WINDOW: 1}, "Batching window is not supported for FIFO queues"),
    ("sqs_mapping_controls", SQS, SCALING, POLLERS, "does not support maximum concurrency feature"),
    ("sqs_mapping_controls", FIFO, POLLERS, SCALING, "does not support maximum concurrency feature"),
    ("dynamodb_source", DYNAMODB, {"ParallelizationFactor": 2}, {"TumblingWindowInSeconds": 30}, PARALLEL),
    ("dynamodb_source", KINESIS, {"TumblingWindowInSeconds": 30}, {"ParallelizationFactor": 10}, PARALLEL),
    ("dynamodb_source", DYNAMODB, FILTERS, {"TumblingWindowInSeconds": 30}, "tumbling window"),
    ("dynamodb_source", DYNAMODB, {"TumblingWindowInSeconds": 30}, FILTERS, "tumbling window"),
    ("lambda_mq_mapping_rabbitmq", MQ, RABBIT, NO_ACCESS, "Invalid parameters: sourceAccessConfigurations"),
    ("lambda_mq_mapping_rabbitmq", MQ, RABBIT, RABBIT, "Invalid parameters: VIRTUAL_HOST"),
    ("lambda_mq_mapping_activemq", MQ, ACTIVE, NO_ACCESS, "BASIC_AUTH source access configuration was not provided"),
    ("lambda_documentdb_mapping", DOCUMENTDB, ACTIVE, NO_ACCESS, "'sourceAccessConfigurations' parameter is missing"),
    ("lambda_documentdb_mapping", DOCUMENTDB, DATABASE, DATABASE, "Invalid parameters: databaseName"),
    ("lambda_msk_mapping", MSK, {}, METRICS, "is only available for Provisioned Mode"),
    ("lambda_self_managed_kafka_mapping", KAFKA, {}, METRICS, "is only available for Provisioned Mode"),
    ("a way back to on-demand", MSK, POLLERS | METRICS, NO_POLLERS, "is only available for Provisioned Mode"),
    ("a way back to on-demand", KAFKA, POLLERS | METRICS, NO_POLLERS | METRICS, "only available for Provisioned Mode"),
    ("lambda_self_managed_kafka_mapping", KAFKA, QUEUE_MODE, STREAM_MODE, "consumptionMode"),
    ("lambda_mq_mapping", MQ, {}, METRICS, UNSUPPORTED),
    ("lambda_documentdb_mapping", DOCUMENTDB, {}, METRICS, UNSUPPORTED),
    ("lambda_mapping_controls", KINESIS, {}, {"DestinationConfig": {"OnFailure": {"Destination": ""}}}, "Destination"),
]

# capture, source, what the mapping has, what is asked
TAKEN: list[tuple[str, SourceType, dict[str, Any], dict[str, Any]]] = [
    ("sqs_mapping_controls", SQS, {}, {"BatchSize": 11, WINDOW: 1}),
    ("sqs_mapping_controls", FIFO, {}, POLLERS),
    ("sqs_mapping_controls", FIFO, {}, SCALING),
    ("sqs_mapping_controls", SQS, {}, METRICS),
    ("dynamodb_source", DYNAMODB, {}, {"BatchSize": 101}),
    (
        "dynamodb_source",
        DYNAMODB,
        {"ParallelizationFactor": 2},
        {"TumblingWindowInSeconds": 30, "ParallelizationFactor": 1},
    ),
    ("filter_kms_native", SQS, {}, FILTERS | KEY),
    ("filter_kms_native", SQS, FILTERS | KEY, {"FilterCriteria": {}}),
    ("filter_kms_native", SQS, FILTERS | KEY, filters('{"a": [{"prefix": "b"}]}')),
    (
        "lambda_mq_mapping_rabbitmq",
        MQ,
        RABBIT,
        {"SourceAccessConfigurations": [ACCESS | {"URI": f"{ACCESS['URI']}-2"}]},
    ),
    (
        "lambda_documentdb_mapping",
        DOCUMENTDB,
        DATABASE,
        {"DocumentDBEventSourceConfig": {"FullDocument": "UpdateLookup"}},
    ),
    ("lambda_msk_mapping", MSK, POLLERS, METRICS),
    ("a way back to on-demand", MSK, POLLERS, NO_POLLERS),
    ("a way back to on-demand", KAFKA, POLLERS | METRICS, NO_POLLERS | NO_METRICS),
    ("a way back to on-demand", KAFKA, POLLERS | METRICS, NO_METRICS),
    ("a way back to on-demand", SQS, POLLERS | METRICS, NO_POLLERS),  # where metrics are had on demand, too
    ("lambda_msk_mapping_contracts", MSK, {}, {"FunctionName": "f:live"}),
    ("lambda_self_managed_kafka_mapping", KAFKA, QUEUE_MODE, {"BatchSize": 7}),
    (
        "lambda_mapping_controls",
        DYNAMODB,
        {"DestinationConfig": {"OnFailure": {"Destination": "d"}}},
        {"DestinationConfig": {}},
    ),
]

# capture, source, what the mapping has, what is asked: all of it is there
THERE: list[tuple[str, SourceType, dict[str, Any], dict[str, Any]]] = [
    ("sqs_mapping_controls", FIFO, {WINDOW: 0}, {WINDOW: 0}),
    ("sqs_mapping_controls", SQS, {}, {"FunctionName": "f"}),
    ("sqs_mapping_controls", SQS, {}, {"FunctionName": "function:f"}),
    ("sqs_mapping_controls", SQS, {}, {"FunctionName": "123456789012:f"}),
    ("sqs_mapping_controls", SQS, {}, {"FunctionName": function("f")}),
    ("dynamodb_source", DYNAMODB, {"DestinationConfig": {"OnFailure": {}}}, {"DestinationConfig": {}}),
    ("filter_kms_native", SQS, {}, {"FilterCriteria": {}, "KMSKeyArn": ""}),
]


def planned(source: SourceType, has: dict[str, Any], asked: dict[str, Any]) -> PlanItem:
    return plan_item(Change.parse(document=asked), EventSourceMapping(a_mapping(source, State="Disabled", **has)))


@pytest.mark.parametrize(("capture", "source", "has", "asked", "words"), REFUSED)
def test_what_lambda_refuses_is_foreseen(
    capture: str, source: SourceType, has: dict[str, Any], asked: dict[str, Any], words: str
) -> None:
    try:
        item = planned(source, has, asked)
    except UsageError:
        pass  # no mapping at all could take it
    else:
        assert (item.action, item.request) == (Action.BLOCKED, {})
        assert item.problems
    shard = shard_of(a_mapping(source, State="Disabled", **has))
    check("UpdateEventSourceMapping", asked)
    with pytest.raises(ApiError) as refused:
        shard.update(UUID, asked, 0)
    assert refused.value.code == "InvalidParameterValueException"
    assert words in refused.value.body["message"]


@pytest.mark.parametrize(("capture", "source", "has", "asked"), TAKEN)
def test_what_lambda_takes_is_not_blocked(
    capture: str, source: SourceType, has: dict[str, Any], asked: dict[str, Any]
) -> None:
    item = planned(source, has, asked)
    assert (item.action, item.problems) == (Action.UPDATE, ())
    shard = shard_of(a_mapping(source, State="Disabled", **has))
    check("UpdateEventSourceMapping", item.request)
    shard.update(UUID, item.request, 0)
    there = EventSourceMapping(shard.get(UUID, 1000.0))
    assert plan_item(Change.parse(document=asked), there).action is Action.UNCHANGED


@pytest.mark.parametrize(("capture", "source", "has", "asked"), THERE)
def test_what_a_mapping_has_is_neither_sent_nor_blocked(
    capture: str, source: SourceType, has: dict[str, Any], asked: dict[str, Any]
) -> None:
    assert planned(source, has, asked).action is Action.UNCHANGED


def test_filter_kms_native_a_key_alone_is_taken_and_ignored_so_it_is_blocked() -> None:
    assert planned(SQS, {}, KEY).action is Action.BLOCKED
    shard = shard_of(a_mapping(SQS, State="Disabled"))
    shard.update(UUID, KEY, 0)
    assert "KMSKeyArn" not in shard.get(UUID, 1000.0)


def test_filter_kms_native_a_disabled_key_is_named_as_such_and_lets_filters_go() -> None:
    error = {"ErrorCode": "DisabledException", "Message": "arn:... is disabled."}
    has = {**KEY, "FilterCriteriaError": error}
    assert planned(SQS, has, {"FilterCriteria": {}}).request == {"FilterCriteria": {}}
    assert planned(SQS, has, FILTERS).request == FILTERS
    (problem,) = planned(SQS, has, {"KMSKeyArn": f"{KEY['KMSKeyArn']}2"}).problems
    assert "DisabledException: arn:... is disabled." in problem
    assert "kms:Decrypt" not in problem
