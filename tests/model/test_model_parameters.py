"""The table of parameters by source type, written out from the facts (6.1 to 6.3) and not from parameters.py."""

from typing import Any

import pytest
from model_samples import (
    DOCUMENTDB,
    DYNAMODB,
    FIFO,
    KAFKA,
    KEY,
    KINESIS,
    KNOWN,
    MQ,
    MSK,
    SQS,
    TOPIC,
    UNKNOWN,
    make_mapping,
)

from bulk_esm.errors import UsageError
from bulk_esm.model.api_shape import members_at, shape_at, violations
from bulk_esm.model.change import Change
from bulk_esm.model.mapping import EventSourceMapping, SourceType
from bulk_esm.model.parameters import PARAMETERS, nearest, row

REGISTRY = {"SchemaRegistryConfig": {"SchemaRegistryURI": "https://registry", "EventRecordFormat": "JSON"}}

# A value that no mapping has by default, and who takes it: "x" takes it, "-" does not.
TABLE: dict[str, tuple[Any, str]] = {
    #                                           sqs fifo kin dyn msk kaf mq doc
    "Enabled": (False, "x x x x x x x x"),
    "FunctionName": ("payments", "x x x x x x x x"),
    "BatchSize": (7, "x x x x x x x x"),
    "MaximumBatchingWindowInSeconds": (5, "x - x x x x x x"),
    "FilterCriteria": ({"Filters": [{"Pattern": '{"a":[1]}'}]}, "x x x x x x x -"),
    "KMSKeyArn": (KEY, "x x x x x x x -"),
    "FunctionResponseTypes": (["ReportBatchItemFailures"], "x x x x x x - -"),
    "ScalingConfig": ({"MaximumConcurrency": 2}, "x x - - - - - -"),
    "ProvisionedPollerConfig": ({"MinimumPollers": 2, "MaximumPollers": 3}, "x x - - x x - -"),
    "ProvisionedPollerConfig.PollerGroupName": ({"PollerGroupName": "night"}, "- - - - x x - -"),
    "DestinationConfig": ({"OnFailure": {"Destination": TOPIC}}, "- - x x x x - -"),
    "BisectBatchOnFunctionError": (True, "- - x x x x - -"),
    "MaximumRetryAttempts": (3, "- - x x x x - -"),
    "MaximumRecordAgeInSeconds": (60, "- - x x x x - -"),
    "ParallelizationFactor": (2, "- - x x - - - -"),
    "TumblingWindowInSeconds": (30, "- - x x - - - -"),
    "SourceAccessConfigurations": ([{"Type": "BASIC_AUTH", "URI": "arn:secret"}], "- - - - x x x x"),
    "AmazonManagedKafkaEventSourceConfig": (REGISTRY, "- - - - x - - -"),
    "SelfManagedKafkaEventSourceConfig": (REGISTRY, "- - - - - x - -"),
    "DocumentDBEventSourceConfig": ({"FullDocument": "UpdateLookup"}, "- - - - - - - x"),
    "LoggingConfig": ({"SystemLogLevel": "DEBUG"}, "- - - - x x - -"),
    "MetricsConfig": ({"Metrics": ["EventCount"]}, "x x x x x x - -"),
    "MetricsConfig.Metrics": ({"Metrics": ["ErrorCount", "KafkaMetrics"]}, "- - - - x x - -"),
}
# What has to be there for the parameter to mean anything.
FILTERS = {"FilterCriteria": {"Filters": [{"Pattern": "{}"}]}}
PROVISIONED = {"ProvisionedPollerConfig": {"MinimumPollers": 2, "MaximumPollers": 9}}


def with_what_it_needs(source: SourceType, name: str) -> EventSourceMapping:
    needs: dict[str, dict[str, Any]] = {"KMSKeyArn": FILTERS}
    if source in {MSK, KAFKA}:
        needs["MetricsConfig"] = PROVISIONED
    return make_mapping(source, **needs.get(name, {}))


CELLS = [
    (path, value, source, mark)
    for path, (value, marks) in TABLE.items()
    for source, mark in zip(KNOWN, marks.split(), strict=True)
]


def refusals(source: SourceType, values: dict[str, Any]) -> list[str]:
    """What speaks against setting values on a mapping of a source type that has nothing of its own."""
    try:
        change = Change.parse(document=values)
    except UsageError as error:
        return [str(error)]
    (name, *_) = values
    return list(change.compare(with_what_it_needs(source, name), allow_irreversible=True).problems)


@pytest.mark.parametrize(("path", "value", "source", "mark"), CELLS)
def test_who_takes_what(path: str, value: Any, source: SourceType, mark: str) -> None:
    name = path.partition(".")[0]
    mapping = with_what_it_needs(source, name)
    comparison = Change.parse(document={name: value}).compare(mapping, allow_irreversible=True)
    if mark == "x":
        assert comparison.request == {name: value}
        assert comparison.problems == ()
    else:
        assert comparison.request == {}
        assert any(problem.startswith(name) and f" on {source}: only " in problem for problem in comparison.problems)


def test_the_table_is_whole() -> None:
    assert {path.partition(".")[0] for path in TABLE} == set(members_at(""))
    assert {path for path in PARAMETERS if shape_at(path) is None} <= {
        "SelfManagedKafkaEventSourceConfig.ConsumptionMode"  # a newer API's
    }
    assert shape_at("BatchSize.Value") is None


def test_a_refusal_names_who_takes_it() -> None:
    assert refusals(SQS, {"ParallelizationFactor": 2}) == [
        "ParallelizationFactor cannot be set on sqs: only kinesis, dynamodb can take it"
    ]


@pytest.mark.parametrize(
    ("name", "value", "taken"),
    [
        ("Enabled", False, True),
        ("FunctionName", "payments", True),
        ("BatchSize", 7, True),
        ("MetricsConfig", {"Metrics": ["EventCount"]}, False),
        ("FilterCriteria", {"Filters": [{"Pattern": "{}"}]}, False),
        ("ScalingConfig", {"MaximumConcurrency": 2}, False),
        ("LoggingConfig", {"SystemLogLevel": "INFO"}, False),
    ],
)
def test_an_unknown_source_takes_what_all_take(name: str, value: Any, taken: bool) -> None:  # noqa: FBT001
    assert (refusals(UNKNOWN, {name: value}) == []) is taken


# The lowest and the highest value that each source type takes.
RANGES: list[tuple[str, list[SourceType], int, int]] = [
    ("BatchSize", [KINESIS, DYNAMODB, MSK, KAFKA, MQ, DOCUMENTDB], 1, 10_000),
    ("BatchSize", [FIFO], 1, 10),
    ("MaximumBatchingWindowInSeconds", [SQS, KINESIS, DYNAMODB, MSK, KAFKA, MQ, DOCUMENTDB], 0, 300),
    ("ProvisionedPollerConfig.MinimumPollers", [SQS], 2, 200),
    ("ProvisionedPollerConfig.MaximumPollers", [SQS], 2, 10_000),
    ("ProvisionedPollerConfig.MinimumPollers", [MSK, KAFKA], 1, 200),
    ("ProvisionedPollerConfig.MaximumPollers", [MSK, KAFKA], 1, 2_000),
    ("MaximumRetryAttempts", [KINESIS, DYNAMODB, MSK, KAFKA], -1, 10_000),
    ("MaximumRecordAgeInSeconds", [KINESIS, DYNAMODB, MSK, KAFKA], 60, 604_800),
    ("ParallelizationFactor", [KINESIS, DYNAMODB], 1, 10),
    ("TumblingWindowInSeconds", [KINESIS, DYNAMODB], 0, 900),
]


@pytest.mark.parametrize(
    ("path", "source", "low", "high"),
    [(path, source, low, high) for path, sources, low, high in RANGES for source in sources],
)
def test_ranges(path: str, source: SourceType, low: int, high: int) -> None:
    def refused(value: int) -> list[str]:
        name, _, member = path.partition(".")
        return refusals(source, {name: {member: value} if member else value})

    assert refused(low) == refused(high) == []
    for outside in (low - 1, high + 1):
        (problem,) = refused(outside)
        assert problem.startswith(f"{path} is ")
        assert problem.endswith(f"not {outside}")


def test_sqs_batch_size_range() -> None:
    assert refusals(SQS, {"BatchSize": 1}) == []
    assert refusals(SQS, {"BatchSize": 10_000, "MaximumBatchingWindowInSeconds": 1}) == []
    assert refusals(SQS, {"BatchSize": 0}) == ["BatchSize is from 1 to 10000, not 0"]
    assert refusals(SQS, {"BatchSize": 10_001}) == ["BatchSize is from 1 to 10000, not 10001"]


@pytest.mark.parametrize("age", [0, 1, 59])
def test_a_record_age_below_a_minute_is_refused(age: int) -> None:
    assert refusals(KINESIS, {"MaximumRecordAgeInSeconds": age}) == [
        f"MaximumRecordAgeInSeconds is -1 (no limit) or at least 60, not {age}"
    ]


def test_a_record_age_may_be_unlimited_but_not_less() -> None:
    assert refusals(KINESIS, {"MaximumRecordAgeInSeconds": -1}) == []
    assert refusals(KINESIS, {"MaximumRecordAgeInSeconds": -2}) != []


def test_more_than_the_documented_concurrency_is_left_to_lambda() -> None:
    assert refusals(SQS, {"ScalingConfig": {"MaximumConcurrency": 1_000}}) == []
    assert refusals(SQS, {"ScalingConfig": {"MaximumConcurrency": 2_500}}) == []
    assert refusals(SQS, {"ScalingConfig": {"MaximumConcurrency": 1}}) != []


@pytest.mark.parametrize(
    ("source", "name", "longest", "too_long"),
    [
        (SQS, "FunctionName", "f" * 256, "f" * 257),
        (SQS, "FilterCriteria", {"Filters": [{"Pattern": "{}" + " " * 4094}]}, {"Filters": [{"Pattern": " " * 4097}]}),
        (SQS, "FilterCriteria", {"Filters": [{"Pattern": "{}"}] * 10}, {"Filters": [{"Pattern": "{}"}] * 11}),
        (SQS, "FunctionResponseTypes", ["ReportBatchItemFailures"], ["ReportBatchItemFailures"] * 2),
        (MSK, "MetricsConfig", {"Metrics": ["EventCount"] * 3}, {"Metrics": ["EventCount"] * 4}),
        (MSK, "ProvisionedPollerConfig", {"PollerGroupName": "g" * 128}, {"PollerGroupName": "g" * 129}),
        (
            MQ,
            "SourceAccessConfigurations",
            [{"Type": "BASIC_AUTH", "URI": "u"}] * 23,
            [{"Type": "BASIC_AUTH", "URI": "u"}] * 24,
        ),
    ],
)
def test_lengths(source: SourceType, name: str, longest: Any, too_long: Any) -> None:
    assert refusals(source, {name: longest}) == []
    (problem,) = refusals(source, {name: too_long})
    assert problem.startswith(name)
    assert " takes " in problem


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("FunctionName", "no such/name", "FunctionName does not have the form"),
        ("FunctionName", "", "FunctionName takes 1 to 256 characters, not 0"),
        ("KMSKeyArn", "alias/key", "KMSKeyArn does not have the form"),
        ("LoggingConfig", {"SystemLogLevel": "TRACE"}, "LoggingConfig.SystemLogLevel is one of DEBUG, INFO, WARN"),
        ("FunctionResponseTypes", ["Report"], "FunctionResponseTypes[0] is one of ReportBatchItemFailures"),
        ("DestinationConfig", {"OnFailure": {"Destination": "a queue"}}, "DestinationConfig.OnFailure.Destination"),
        ("SourceAccessConfigurations", [{"Type": "VIRTUAL_HOST", "URI": "/"}], "must not name VIRTUAL_HOST"),
    ],
)
def test_enums_and_patterns_are_checked_here(name: str, value: Any, says: str) -> None:
    """Botocore leaves these to the service, where each mapping would cost a request to be refused."""
    with pytest.raises(UsageError) as caught:
        Change.parse(document={name: value})
    assert says in str(caught.value)


@pytest.mark.parametrize("destination", [TOPIC, "kafka://failed", "arn:aws:sqs:eu-west-1:123456789012:dlq"])
def test_destinations(destination: str) -> None:
    assert refusals(MSK, {"DestinationConfig": {"OnFailure": {"Destination": destination}}}) == []


def test_a_parameter_that_only_a_newer_botocore_knows_is_left_to_lambda() -> None:
    novelty = row("QuantumConfig.Entanglement")
    assert all(novelty.takes(source) for source in [*KNOWN, UNKNOWN])
    assert novelty.clear_for(SQS) is None
    assert list(violations("QuantumConfig", {})) == []


def test_a_member_is_taken_by_whatever_takes_its_parent() -> None:
    uri = row("AmazonManagedKafkaEventSourceConfig.SchemaRegistryConfig.SchemaRegistryURI")
    assert [source for source in KNOWN if uri.takes(source)] == [MSK]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("batchsize", "; did you mean BatchSize?"),
        ("BatchSise", "; did you mean BatchSize?"),
        ("ParalelizationFactor", "; did you mean ParallelizationFactor?"),
        ("Colour", ""),
    ],
)
def test_nearest(name: str, hint: str) -> None:
    assert nearest(name, members_at("")) == hint
