from typing import Any

import pytest
from simulator_shards import ARN

from bulk_esm.model.mapping import SourceType, source_type_of
from bulk_esm.simulator import ApiError, make_fleet
from bulk_esm.simulator.bounds import check
from bulk_esm.simulator.combinations import check_result
from bulk_esm.simulator.merging import merged
from bulk_esm.simulator.refusals import check_request
from bulk_esm.simulator.timeline import Configuration

FILTERS = {"Filters": [{"Pattern": '{"a": ["b"]}'}]}


def after(source_type: SourceType, request: dict[str, Any], **current: Any) -> Configuration:
    """Carry a request through every check, as a shard does."""
    configuration = {"EventSourceArn": ARN[source_type], **current}
    assert source_type_of(configuration) is source_type
    check("UpdateEventSourceMapping", request)
    check_request(request, source_type)
    result = merged(configuration, request, function_arn=None)
    check_result(result)
    return result


SQS, FIFO, KINESIS, MSK, MQ = (
    SourceType.SQS,
    SourceType.SQS_FIFO,
    SourceType.KINESIS,
    SourceType.MSK,
    SourceType.MQ,
)


@pytest.mark.parametrize(
    ("source_type", "request_", "current", "message"),
    [
        (SQS, {"ParallelizationFactor": 2}, {}, "Unsupported 'parallelizationFactor' parameter for given event source"),
        (SQS, {"SourceAccessConfigurations": []}, {}, "Unsupported 'sourceAccessConfigurations' parameter"),
        (SourceType.DOCUMENTDB, {"KMSKeyArn": ""}, {}, "Unsupported 'kmsKeyArn' parameter"),
        (SQS, {"BatchSize": 11}, {}, "Maximum batch window in seconds must be greater than 0 if maximum batch size"),
        (SQS, {"MaximumBatchingWindowInSeconds": 0}, {"BatchSize": 11}, "Maximum batch window in seconds must be"),
        (
            MSK,
            {"AmazonManagedKafkaEventSourceConfig": {"ConsumerGroupId": "g"}},
            {},
            "Config.consumerGroupId' parameter",
        ),
        (KINESIS, {"DestinationConfig": {"OnSuccess": {}}}, {}, "Unsupported DestinationConfig parameter"),
        (KINESIS, {"DestinationConfig": {"OnFailure": {}}}, {}, "The Destination field is required for an OnFailure"),
        (KINESIS, {"MaximumRecordAgeInSeconds": 0}, {}, "MaximumRecordAgeInSeconds"),
        (KINESIS, {"MaximumRecordAgeInSeconds": 59}, {}, "MaximumRecordAgeInSeconds"),
        (SQS, {"FilterCriteria": {"Filters": [{"Pattern": "{"}]}}, {}, "Invalid filter pattern definition."),
        (
            SQS,
            {"ScalingConfig": {"MaximumConcurrency": 2}, "ProvisionedPollerConfig": {"MinimumPollers": 2}},
            {},
            "does not support maximum concurrency feature",
        ),
        (
            SQS,
            {"ScalingConfig": {"MaximumConcurrency": 2}},
            {"ProvisionedPollerConfig": {"MinimumPollers": 2, "MaximumPollers": 3}},
            "does not support maximum concurrency feature",
        ),
        (SQS, {"ProvisionedPollerConfig": {"MinimumPollers": 1}}, {}, "at least 2"),
        (MSK, {"ProvisionedPollerConfig": {"MaximumPollers": 2001}}, {}, "at most 2000"),
        (
            MSK,
            {"ProvisionedPollerConfig": {"MaximumPollers": 4}},
            {"ProvisionedPollerConfig": {"MinimumPollers": 5, "MaximumPollers": 9}},
            "MaximumPollers",
        ),
        (MQ, {"SourceAccessConfigurations": [{"Type": "VIRTUAL_HOST", "URI": "/"}]}, {}, "VIRTUAL_HOST"),
    ],
)
def test_refused(source_type: SourceType, request_: dict[str, Any], current: dict[str, Any], message: str) -> None:
    with pytest.raises(ApiError, match=message) as caught:
        after(source_type, request_, **current)
    assert (caught.value.status, caught.value.code) == (400, "InvalidParameterValueException")


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (
            {"BatchSize": 20000},
            (
                "1 validation error detected: Value '20000' at 'batchSize' failed to satisfy constraint: "
                "Member must have value less than or equal to 10000"
            ),
        ),
        ({"ScalingConfig": {"MaximumConcurrency": 1}}, "at 'scalingConfig.maximumConcurrency' failed"),
        ({"BatchSize": 0, "TumblingWindowInSeconds": 901}, "2 validation errors detected"),
        (
            {"FunctionResponseTypes": ["X"]},
            "at 'functionResponseTypes.1.member' failed to satisfy constraint: Member must satisfy enum",
        ),
        ({"FunctionName": "no spaces"}, "Member must satisfy regular expression pattern"),
        ({"FunctionName": ""}, "Member must have length greater than or equal to 1"),
    ],
)
def test_out_of_the_models_bounds(request_: dict[str, Any], message: str) -> None:
    with pytest.raises(ApiError, match="ValidationException") as caught:
        check("UpdateEventSourceMapping", request_)
    assert message in caught.value.body["message"]
    assert "Type" not in caught.value.body


@pytest.mark.parametrize("request_", [{"BatchSize": "7"}, {"BatchSize": True}, {"Enabled": 1}, {"ScalingConfig": []}])
def test_a_wrong_type(request_: dict[str, Any]) -> None:
    with pytest.raises(ApiError, match="SerializationException"):
        check("UpdateEventSourceMapping", request_)


POLLERS = {"MinimumPollers": 3, "MaximumPollers": 9, "PollerGroupName": "g"}
REGISTRY = {"ConsumerGroupId": "g", "SchemaRegistryConfig": {"SchemaRegistryURI": "arn"}}


@pytest.mark.parametrize(
    ("source_type", "request_", "current", "left"),
    [
        (SQS, {"FilterCriteria": {}}, {"FilterCriteria": FILTERS}, {}),
        (SQS, {"FilterCriteria": {"Filters": []}}, {"FilterCriteria": FILTERS}, {}),
        (SQS, {"ScalingConfig": {}}, {"ScalingConfig": {"MaximumConcurrency": 2}}, {}),
        (
            SQS,
            {"MetricsConfig": {}},
            {"MetricsConfig": {"Metrics": ["EventCount"]}},
            {"MetricsConfig": {"Metrics": ["EventCount"]}},
        ),
        (
            SQS,
            {"KMSKeyArn": ""},
            {"KMSKeyArn": "arn:aws:kms:x:1:key/1", "FilterCriteria": FILTERS},
            {"FilterCriteria": FILTERS},
        ),
        (SQS, {"MetricsConfig": {"Metrics": []}}, {"MetricsConfig": {"Metrics": ["EventCount"]}}, {}),
        (
            SQS,
            {"FunctionResponseTypes": []},
            {"FunctionResponseTypes": ["ReportBatchItemFailures"]},
            {"FunctionResponseTypes": []},
        ),
        (
            SQS,
            {"BatchSize": 11, "MaximumBatchingWindowInSeconds": 1},
            {"BatchSize": 10},
            {"BatchSize": 11, "MaximumBatchingWindowInSeconds": 1},
        ),
        (
            SQS,
            {"ProvisionedPollerConfig": {"MinimumPollers": 5}, "ScalingConfig": {}},
            {"ScalingConfig": {"MaximumConcurrency": 2}},
            {"ProvisionedPollerConfig": {"MinimumPollers": 5, "MaximumPollers": 200}},
        ),
        (
            MSK,
            {"ProvisionedPollerConfig": {"MaximumPollers": 4}},
            {"ProvisionedPollerConfig": POLLERS},
            {"ProvisionedPollerConfig": POLLERS | {"MaximumPollers": 4}},
        ),
        (
            MSK,
            {"ProvisionedPollerConfig": {"PollerGroupName": ""}},
            {"ProvisionedPollerConfig": POLLERS},
            {"ProvisionedPollerConfig": {"MinimumPollers": 3, "MaximumPollers": 9}},
        ),
        (MSK, {"ProvisionedPollerConfig": {}}, {"ProvisionedPollerConfig": POLLERS}, {}),
        (
            MSK,
            {"AmazonManagedKafkaEventSourceConfig": {}},
            {"AmazonManagedKafkaEventSourceConfig": REGISTRY},
            {"AmazonManagedKafkaEventSourceConfig": REGISTRY},
        ),
        (
            MSK,
            {"AmazonManagedKafkaEventSourceConfig": {"SchemaRegistryConfig": {}}},
            {"AmazonManagedKafkaEventSourceConfig": REGISTRY},
            {"AmazonManagedKafkaEventSourceConfig": {"ConsumerGroupId": "g"}},
        ),
        (MSK, {"MaximumBatchingWindowInSeconds": 1}, {}, {"MaximumBatchingWindowInSeconds": 1}),
        (
            KINESIS,
            {"DestinationConfig": {}},
            {"DestinationConfig": {"OnFailure": {"Destination": "arn"}}},
            {"DestinationConfig": {"OnFailure": {}}},
        ),
        (KINESIS, {"MaximumRecordAgeInSeconds": 60}, {}, {"MaximumRecordAgeInSeconds": 60}),
        (
            KINESIS,
            {"BatchSize": 100, "MaximumBatchingWindowInSeconds": 0},
            {},
            {"BatchSize": 100, "MaximumBatchingWindowInSeconds": 0},
        ),
        (
            MQ,
            {"SourceAccessConfigurations": [{"Type": "BASIC_AUTH", "URI": "b"}]},
            {"SourceAccessConfigurations": [{"Type": "VIRTUAL_HOST", "URI": "/"}]},
            {"SourceAccessConfigurations": [{"Type": "BASIC_AUTH", "URI": "b"}, {"Type": "VIRTUAL_HOST", "URI": "/"}]},
        ),
        (
            SourceType.DOCUMENTDB,
            {"DocumentDBEventSourceConfig": {"FullDocument": "Default"}},
            {"DocumentDBEventSourceConfig": {"DatabaseName": "d"}},
            {"DocumentDBEventSourceConfig": {"DatabaseName": "d", "FullDocument": "Default"}},
        ),
    ],
)
def test_read_back(
    source_type: SourceType, request_: dict[str, Any], current: dict[str, Any], left: dict[str, Any]
) -> None:
    assert after(source_type, request_, **current) == {"EventSourceArn": ARN[source_type], **left}


def test_merging_changes_nothing_in_place() -> None:
    for mapping in make_fleet(50).mappings:
        before = str(mapping)
        merged(mapping, {"BatchSize": 3, "FilterCriteria": {}, "ProvisionedPollerConfig": {}}, function_arn="f")
        assert str(mapping) == before
