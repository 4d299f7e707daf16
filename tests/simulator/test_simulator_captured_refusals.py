"""Refusals as they were captured from AWS; each test is named after its capture (F§0.1, F§0.2)."""

from typing import Any

import pytest
from simulator_shards import ARN, EPOCH, LONG, QUEUE, UUID, a_mapping, function, refused, shard_of

from bulk_esm.model.mapping import SourceType
from bulk_esm.simulator import ApiError, Fleet, Simulator
from bulk_esm.simulator.bounds import check
from bulk_esm.simulator.errors import denied
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


@pytest.mark.parametrize("request_", [{"BatchSize": 7}, {"Enabled": False}, {"Enabled": True}, {}])
def test_sqs_mapping_controls_every_update_is_refused_while_the_alias_is_gone(request_: dict[str, Any]) -> None:
    for gone, named in ((function("f:live"), "f:live"), (function("f"), "f:live"), (function("f"), "f")):
        shard = disabled(SQS, FunctionArn=function(named))
        shard.functions.delete(gone)
        error = refused(shard, request_)  # Get still answers
        assert (error.code, error.body["message"]) == ("InvalidParameterValueException", "Function does not exist")
        assert shard.listing(0)[0][0]["UUID"] == UUID
        shard.functions.restore(gone)
        shard.update(UUID, request_, 0)


def test_a_function_name_must_not_be_gone_either() -> None:
    shard = disabled(SQS)
    shard.functions.delete(function("g:live"))
    assert refused(shard, {"FunctionName": "g:live"}).body["message"] == "Function does not exist"
    assert shard.update(UUID, {"FunctionName": "g"}, 0)["FunctionArn"] == function("g")


async def test_a_function_is_deleted_and_restored_from_outside() -> None:
    simulator = Simulator(fleet=[a_mapping(SQS, State="Disabled", FunctionArn=function("f:live"))], clock=lambda: 0.0)
    shard = simulator._world.of(UUID)
    for name in ("f", "f:live", function("f:live"), "123456789012:function:f"):
        simulator.delete_function_behind(name)
        assert refused(shard, {}).body["message"] == "Function does not exist"
        simulator.restore_function_behind(name)
        shard.update(UUID, {}, 0)


TOO_SLOW = "Queue visibility timeout: 30 seconds is less than Function timeout: 31 seconds"


@pytest.mark.parametrize("name", ["f", "g", "g:1"])
def test_sqs_mapping_controls_a_function_name_alone_triggers_the_visibility_check(name: str) -> None:
    timeouts = {function("f"): 31, function("g"): 31}
    shard = shard_of(a_mapping(SQS, State="Disabled"), function_timeouts=timeouts)
    assert refused(shard, {"FunctionName": name}).body["message"] == TOO_SLOW  # unchanged, too
    assert shard.update(UUID, {"BatchSize": 7}, 0)["BatchSize"] == 7  # without it, nothing is checked
    assert shard.update(UUID, {"FunctionName": "quick"}, 0)["FunctionArn"] == function("quick")


def test_a_version_keeps_its_own_timeout_and_a_queue_its_own_visibility() -> None:
    shard = shard_of(
        a_mapping(SQS, State="Disabled"),
        function_timeouts={function("f"): 31, function("f:1"): 10},
        visibility_timeouts={QUEUE: 20},
    )
    assert "20 seconds is less than Function timeout: 31" in refused(shard, {"FunctionName": "f"}).body["message"]
    assert shard.update(UUID, {"FunctionName": "f:1"}, 0)["FunctionArn"] == function("f:1")
    slow = Fleet(mappings=[], function_timeouts={function("f:1"): 21})
    shard.add(slow, 0)
    assert "21 seconds" in refused(shard, {"FunctionName": "f:1"}).body["message"]


def test_a_function_for_a_broker_takes_14_minutes_at_most() -> None:
    for source_type in (MSK, MQ, DOCUMENTDB):
        shard = shard_of(a_mapping(source_type, State="Disabled"), function_timeouts={function("g"): 841})
        assert "841 seconds" in refused(shard, {"FunctionName": "g"}).body["message"]


@pytest.mark.parametrize(
    ("source_type", "text"),
    [
        (SQS, f'An event source mapping with SQS arn (" {QUEUE} ") and function (" g:live ") already exists. Please '),
        (KINESIS, f'The event source arn (" {ARN[KINESIS]} ") and function (" g:live ") provided mapping already exis'),
        (MSK, f'An event source mapping with event source ("{ARN[MSK]}"), function ("g:live"), topics ("t") already'),
        (KAFKA, "An event source mapping with event source ("),
        (MQ, "already exists"),
    ],
)
def test_sqs_mapping_controls_a_taken_function_is_a_conflict_that_names_the_other(
    source_type: SourceType, text: str
) -> None:
    topics: dict[str, Any] = {"Topics": ["t"]} if source_type in {MSK, KAFKA} else {}
    other = a_mapping(source_type, 1, FunctionArn=function("g:live"), **topics)
    shard = shard_of(a_mapping(source_type, State="Disabled", **topics), other)
    error = refused(shard, {"FunctionName": "g:live"})
    assert (error.status, error.code) == (409, "ResourceConflictException")
    assert text in error.body["message"]
    assert error.body["message"].endswith("with UUID 00000000-0000-4000-8000-000000000001")


def test_lambda_msk_mapping_contracts_what_is_no_duplicate() -> None:
    """Another qualifier, another topic, itself, and one that is gone."""
    other = a_mapping(MSK, 1, FunctionArn=function("g:live"), Topics=["other"])
    shard = shard_of(a_mapping(MSK, State="Disabled", Topics=["t"]), other)
    for number, name in enumerate(("g:live", "g", "g:1", "g:1", "g:live")):
        shard.update(UUID, {"FunctionName": name}, number * LONG)
        assert shard.get(UUID, number * LONG + 2)["FunctionArn"] == function(name)
    pair = shard_of(a_mapping(State="Disabled"), a_mapping(number=1, FunctionArn=function("g")))
    pair.delete_behind(a_mapping(number=1)["UUID"], 0)
    pair.update(UUID, {"FunctionName": "g"}, 0)


def test_two_on_their_way_to_one_function_conflict_too() -> None:
    shard = shard_of(a_mapping(DOCUMENTDB), a_mapping(DOCUMENTDB, 1, FunctionArn=function("h")))
    shard.update(UUID, {"FunctionName": "g"}, 0)
    assert shard.get(UUID, 0)["FunctionArn"] == function("f")  # hidden until settled
    error = refused(shard, {"FunctionName": "g"}, 1, uuid=a_mapping(number=1)["UUID"])
    assert error.body["message"].endswith(UUID)
