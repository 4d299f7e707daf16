"""Refusals as they were captured from AWS; each test is named after its capture (F§0.1, F§0.2)."""

from typing import Any

import pytest
from simulator_shards import EPOCH, LONG, QUEUE, UUID, a_mapping, refused, shard_of

from bulk_esm.model.mapping import SourceType
from bulk_esm.simulator import ApiError
from bulk_esm.simulator.bounds import check
from bulk_esm.simulator.errors import denied
from bulk_esm.simulator.settings import Settings
from bulk_esm.simulator.shard import Shard

SQS, FIFO, KINESIS, DYNAMODB = SourceType.SQS, SourceType.SQS_FIFO, SourceType.KINESIS, SourceType.DYNAMODB
MSK, KAFKA, MQ, DOCUMENTDB = SourceType.MSK, SourceType.KAFKA, SourceType.MQ, SourceType.DOCUMENTDB
FILTERS = {"Filters": [{"Pattern": '{"a": ["b"]}'}]}
POLLERS = {"MinimumPollers": 2, "MaximumPollers": 10}
ACCESS = {"Type": "BASIC_AUTH", "URI": "arn:aws:secretsmanager:us-east-1:123456789012:secret:s"}
HOST = {"Type": "VIRTUAL_HOST", "URI": "/orders"}


def disabled(source_type: SourceType, **members: Any) -> Shard:
    return shard_of(a_mapping(source_type, State="Disabled", **members))


def after(source_type: SourceType, request: dict[str, Any], **members: Any) -> dict[str, Any]:
    """What an accepted update makes of a mapping."""
    shard = disabled(source_type, **members)
    check("UpdateEventSourceMapping", request)
    shard.update(UUID, request, 0)
    return shard.get(UUID, LONG)


BOTH_WAYS_OF_SCALING = [
    ({"ScalingConfig": {}, "ProvisionedPollerConfig": POLLERS}, {"ScalingConfig": {"MaximumConcurrency": 2}}),
    ({"ProvisionedPollerConfig": {}, "ScalingConfig": {"MaximumConcurrency": 2}}, {"ProvisionedPollerConfig": POLLERS}),
]


@pytest.mark.parametrize(("request_", "members"), BOTH_WAYS_OF_SCALING)
def test_to_switch_the_way_of_scaling_takes_two_calls(request_: dict[str, Any], members: dict[str, Any]) -> None:
    assert "in the same request" in message(SQS, request_, **members)
    shard = disabled(SQS, **members)
    for at, (name, value) in enumerate(request_.items()):  # the first clears, and the second sets
        shard.update(UUID, {name: value}, at)
    assert shard.get(UUID, LONG).items() >= {name: value for name, value in request_.items() if value}.items()


@pytest.mark.parametrize(("request_", "members"), BOTH_WAYS_OF_SCALING)
def test_to_switch_it_in_one_call_is_a_setting(request_: dict[str, Any], members: dict[str, Any]) -> None:
    shard = shard_of(a_mapping(SQS, State="Disabled", **members), settings=Settings(switches_scaling=True))
    shard.update(UUID, request_, 0)
    assert (shard.get(UUID, LONG).keys() & request_.keys()) == {name for name, value in request_.items() if value}


def message(source_type: SourceType, request: dict[str, Any], **members: Any) -> str:
    """How a service rule refuses an update."""
    error = refused(disabled(source_type, **members), request)
    assert (error.status, error.code, error.body["Type"]) == (400, "InvalidParameterValueException", "User")
    return str(error.body["message"])


WINDOW = "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"


@pytest.mark.parametrize(
    ("source_type", "request_", "members", "text"),
    [
        # sqs_mapping_controls
        (FIFO, {"BatchSize": 11}, {}, WINDOW),
        (SQS, {"BatchSize": 11}, {}, WINDOW),
        (FIFO, {"MaximumBatchingWindowInSeconds": 1}, {}, "Batching window is not supported for FIFO queues"),
        (
            SQS,
            {"ScalingConfig": {"MaximumConcurrency": 2}},
            {"ProvisionedPollerConfig": POLLERS},
            "does not support maximum concurrency feature",
        ),
        (
            FIFO,
            {"ProvisionedPollerConfig": POLLERS},
            {"ScalingConfig": {"MaximumConcurrency": 2}},
            "does not support maximum concurrency feature",
        ),
        (SQS, {"ProvisionedPollerConfig": {"MinimumPollers": 1, "MaximumPollers": 2}}, {}, "at least 2"),
        (SQS, {"ProvisionedPollerConfig": {"MinimumPollers": 3, "MaximumPollers": 2}}, {}, "MaximumPollers (2)"),
        # dynamodb_source
        (
            DYNAMODB,
            {"TumblingWindowInSeconds": 30},
            {"ParallelizationFactor": 2},
            "Parallelization factor must be equal to 1 when tumbling window period is configured",
        ),
        (
            KINESIS,
            {"ParallelizationFactor": 2},
            {"TumblingWindowInSeconds": 30},
            "Parallelization factor must be equal to 1 when tumbling window period is configured",
        ),
        (DYNAMODB, {"TumblingWindowInSeconds": 30}, {"FilterCriteria": FILTERS}, "tumbling window"),
        (DYNAMODB, {"FilterCriteria": FILTERS}, {"TumblingWindowInSeconds": 30}, "tumbling window"),
        (KINESIS, {"FilterCriteria": FILTERS}, {"TumblingWindowInSeconds": 30}, "tumbling window"),
        # lambda_mapping_controls
        (DYNAMODB, {"DestinationConfig": {"OnFailure": {"Destination": ""}}}, {}, "Destination"),
        # lambda_documentdb_mapping
        (
            DOCUMENTDB,
            {"DocumentDBEventSourceConfig": {"DatabaseName": "d", "FullDocument": "Default"}},
            {"DocumentDBEventSourceConfig": {"DatabaseName": "d"}},
            "Invalid parameters: databaseName",
        ),
        (
            DOCUMENTDB,
            {"DocumentDBEventSourceConfig": {"CollectionName": "c"}},
            {},
            "Invalid parameters: collectionName",
        ),
        # lambda_mq_mapping_rabbitmq
        (
            MQ,
            {"SourceAccessConfigurations": [ACCESS, HOST]},
            {"SourceAccessConfigurations": [ACCESS, HOST]},
            "Invalid parameters: VIRTUAL_HOST",
        ),
        (
            MQ,
            {"SourceAccessConfigurations": []},
            {"SourceAccessConfigurations": [ACCESS, HOST]},
            "Invalid parameters: sourceAccessConfigurations",
        ),
        (
            MQ,
            {"SourceAccessConfigurations": []},
            {"SourceAccessConfigurations": [ACCESS]},
            "BASIC_AUTH source access configuration was not provided",
        ),
        (DOCUMENTDB, {"SourceAccessConfigurations": []}, {"SourceAccessConfigurations": [ACCESS]}, "is missing"),
        # metrics (F§0.1)
        (MSK, {"MetricsConfig": {"Metrics": ["EventCount"]}}, {}, "is only available for Provisioned Mode"),
        (KAFKA, {"MetricsConfig": {"Metrics": ["EventCount"]}}, {}, "is only available for Provisioned Mode"),
        (MQ, {"MetricsConfig": {"Metrics": ["EventCount"]}}, {}, "Unsupported 'metricsConfig' parameter"),
        (DOCUMENTDB, {"MetricsConfig": {"Metrics": []}}, {}, "Unsupported 'metricsConfig' parameter"),
        (SQS, {"MetricsConfig": {"Metrics": ["KafkaMetrics"]}}, {}, "Unsupported metrics"),
        # what is fixed at creation (F§0.1, F§3.5)
        (
            KAFKA,
            {"SelfManagedKafkaEventSourceConfig": {"ConsumptionMode": "Stream"}},
            {},
            "Unsupported 'selfManagedKafkaEventSourceConfig.consumptionMode' parameter",
        ),
        (SQS, {"ProvisionedPollerConfig": {**POLLERS, "PollerGroupName": "g"}}, {}, "pollerGroupName"),
    ],
)
def test_service_rules(source_type: SourceType, request_: dict[str, Any], members: dict[str, Any], text: str) -> None:
    assert text in message(source_type, request_, **members)


@pytest.mark.parametrize(
    ("request_", "constraint"),
    [
        ({"BatchSize": 0}, "Value '0' at 'batchSize' failed to satisfy constraint: "),
        ({"FunctionResponseTypes": ["ReportBatchItemFailures"] * 2}, "at 'functionResponseTypes' failed"),
        ({"ScalingConfig": {"MaximumConcurrency": 1}}, "Value '1' at 'scalingConfig.maximumConcurrency' failed"),
        ({"ProvisionedPollerConfig": {"MinimumPollers": 201}}, "at 'provisionedPollerConfig.minimumPollers' failed"),
        ({"ProvisionedPollerConfig": {"MaximumPollers": 10_001}}, "at 'provisionedPollerConfig.maximumPollers' failed"),
    ],
)
def test_sqs_mapping_controls_model_limits(request_: dict[str, Any], constraint: str) -> None:
    with pytest.raises(ApiError) as caught:
        check("UpdateEventSourceMapping", request_)
    assert (caught.value.status, caught.value.code) == (400, "ValidationException")
    assert caught.value.body.keys() == {"message"}  # and no Type
    assert caught.value.body["message"].startswith("1 validation error detected: ")
    assert constraint in caught.value.body["message"]


def test_sqs_mapping_controls_access_denied_has_a_capital_message_and_no_type() -> None:
    error = denied("123456789012", "lambda:ListEventSourceMappings")
    assert (error.status, error.code, set(error.body)) == (403, "AccessDeniedException", {"Message"})


@pytest.mark.parametrize(
    ("source_type", "request_", "members", "result"),
    [
        # sqs_mapping_controls
        (FIFO, {"ScalingConfig": {"MaximumConcurrency": 2}}, {}, {"ScalingConfig": {"MaximumConcurrency": 2}}),
        (FIFO, {"ProvisionedPollerConfig": POLLERS}, {}, {"ProvisionedPollerConfig": POLLERS}),
        (
            SQS,
            {"ProvisionedPollerConfig": {"MinimumPollers": 200, "MaximumPollers": 10_000}},
            {},
            {"ProvisionedPollerConfig": {"MinimumPollers": 200, "MaximumPollers": 10_000}},
        ),
        (DYNAMODB, {"BatchSize": 101}, {}, {"BatchSize": 101, "MaximumBatchingWindowInSeconds": 0}),
        (DYNAMODB, {"DestinationConfig": {}}, {}, {"DestinationConfig": {"OnFailure": {}}}),
        (
            KINESIS,
            {"DestinationConfig": {}},
            {"DestinationConfig": {"OnFailure": {"Destination": QUEUE}}},
            {"DestinationConfig": {"OnFailure": {}}},
        ),
        # filter_kms_native (F§0.1)
        (SQS, {"FilterCriteria": {}}, {"FilterCriteria": FILTERS, "KMSKeyArn": "k"}, {"FilterCriteria": None}),
        (SQS, {"FilterCriteria": {"Filters": []}}, {"FilterCriteria": FILTERS, "KMSKeyArn": "k"}, {"KMSKeyArn": None}),
        (SQS, {"KMSKeyArn": "arn:aws:kms:us-east-1:123456789012:key/1"}, {}, {"KMSKeyArn": None}),
        (
            SQS,
            {"FilterCriteria": FILTERS, "KMSKeyArn": "arn:aws:kms:us-east-1:123456789012:key/1"},
            {},
            {"FilterCriteria": FILTERS, "KMSKeyArn": "arn:aws:kms:us-east-1:123456789012:key/1"},
        ),
        # lambda_documentdb_mapping
        (
            DOCUMENTDB,
            {"DocumentDBEventSourceConfig": {"FullDocument": "UpdateLookup"}},
            {"DocumentDBEventSourceConfig": {"DatabaseName": "d", "FullDocument": "Default"}},
            {"DocumentDBEventSourceConfig": {"DatabaseName": "d", "FullDocument": "UpdateLookup"}},
        ),
        # lambda_mq_mapping_rabbitmq
        (
            MQ,
            {"SourceAccessConfigurations": [{**ACCESS, "URI": "other"}]},
            {"SourceAccessConfigurations": [ACCESS, HOST]},
            {"SourceAccessConfigurations": [{**ACCESS, "URI": "other"}, HOST]},
        ),
        # metrics (F§0.1)
        (
            MSK,
            {"MetricsConfig": {"Metrics": ["KafkaMetrics"]}},
            {"ProvisionedPollerConfig": POLLERS},
            {"MetricsConfig": {"Metrics": ["KafkaMetrics"]}},
        ),
    ],
)
def test_accepted(
    source_type: SourceType, request_: dict[str, Any], members: dict[str, Any], result: dict[str, Any]
) -> None:
    made = after(source_type, request_, **members)
    assert {name: made.get(name) for name in result} == result


def test_sqs_mapping_controls_clear_in_one_call_and_set_in_the_next() -> None:
    shard = disabled(SQS, ScalingConfig={"MaximumConcurrency": 2})
    shard.update(UUID, {"ScalingConfig": {}}, 0)
    assert shard.update(UUID, {"ProvisionedPollerConfig": POLLERS}, 0)["ProvisionedPollerConfig"] == POLLERS


def test_lambda_mq_mapping_rabbitmq_unknown_members_are_ignored_and_move_the_stamp() -> None:
    shard = disabled(MQ, Queues=["jobs"])
    accepted = shard.update(UUID, {"Queues": ["other"], "Nonsense": 1}, 3)
    assert (accepted["Queues"], accepted["LastModified"]) == (["jobs"], EPOCH + 3)
    assert "Nonsense" not in accepted


@pytest.mark.parametrize("pattern", ["null", '"a"', "[]", '{"a": "b"}', '{"a": []}', '{"a": [[1]]}', "{", "", "{}"])
def test_sqs_and_dynamodb_invalid_event_filter(pattern: str) -> None:
    for source_type in (SQS, DYNAMODB):
        wrong = {"FilterCriteria": {"Filters": [{"Pattern": pattern}]}}
        assert message(source_type, wrong) == "Invalid filter pattern definition."


@pytest.mark.parametrize(
    "pattern",
    [
        '{ "body" : {"type":["a", 1, null, true]} }',
        '{"data": {"n": [{"numeric": [">", 1]}, {"exists": false}]}}',
        '{"$or": [{"a": ["b"]}, {"c": [{"prefix": "d"}]}]}',
    ],
)
def test_filter_patterns_come_back_verbatim(pattern: str) -> None:
    criteria = {"Filters": [{"Pattern": pattern}]}
    assert after(SQS, {"FilterCriteria": criteria})["FilterCriteria"] == criteria


def test_a_sixth_filter_is_one_too_many() -> None:
    assert "5" in message(SQS, {"FilterCriteria": {"Filters": FILTERS["Filters"] * 6}})
