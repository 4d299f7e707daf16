from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_samples import FUNCTION, UUID, make_mapping

from bulk_esm.model.mapping import EventSourceMapping, FunctionReference, SourceType, State, source_type_of

PARTITIONS = ["aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-eusc"]


@pytest.mark.parametrize("partition", PARTITIONS)
@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ("sqs:{}:orders", "sqs"),
        ("sqs:{}:orders.fifo", "sqs-fifo"),
        ("sqs:{}:fifo", "sqs"),
        ("kinesis:{}:stream/orders", "kinesis"),
        ("kinesis:{}:stream/orders.fifo", "kinesis"),
        ("kinesis:{}:stream/orders/consumer/fan-out:1700000000", "kinesis"),
        ("dynamodb:{}:table/orders/stream/2026-01-01T00:00:00.000", "dynamodb"),
        ("kafka:{}:cluster/orders/14e0db71-1", "msk"),
        ("kafka:{}:vpc-connection/123456789012/orders/14e0db71-1", "msk"),
        ("mq:{}:broker:orders:b-14e0db71", "mq"),
        ("rds:{}:cluster:orders", "documentdb"),
        ("quantum:{}:orders", "unknown"),
    ],
)
def test_source_type_is_told_from_the_arn(partition: str, resource: str, expected: str) -> None:
    arn = f"arn:{partition}:{resource.format('xx-test-1:123456789012')}"
    assert source_type_of({"EventSourceArn": arn}) == expected


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        ({"SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["b:9092"]}}}, "kafka"),
        ({"EventSourceArn": None, "SelfManagedEventSource": {"Endpoints": {}}}, "kafka"),
        ({}, "unknown"),
        ({"SelfManagedEventSource": {}}, "unknown"),
        ({"EventSourceArn": "arn:aws:sqs"}, "unknown"),
        ({"EventSourceArn": "orders"}, "unknown"),
    ],
)
def test_source_type_without_an_arn(configuration: dict[str, Any], expected: str) -> None:
    assert source_type_of(configuration) == expected


@settings(deadline=None)
@given(st.text())
def test_any_arn_has_a_source_type(arn: str) -> None:
    assert source_type_of({"EventSourceArn": arn}) in SourceType


@pytest.mark.parametrize(
    ("state", "at_rest", "enabled"),
    [
        ("Creating", False, None),
        ("Enabling", False, True),
        ("Enabled", True, True),
        ("Disabling", False, False),
        ("Disabled", True, False),
        ("Updating", False, None),
        ("Deleting", False, None),
        ("Hibernating", False, None),  # the API types State as a free string
        ("enabled", False, None),
    ],
)
def test_states(state: str, at_rest: bool, enabled: bool | None) -> None:  # noqa: FBT001 - expected values
    mapping = make_mapping(State=state)
    assert (mapping.state, mapping.at_rest, mapping.enabled) == (state, at_rest, enabled)


def test_seven_states_are_documented() -> None:
    names = "Creating Enabling Enabled Disabling Disabled Updating Deleting"
    assert {str(state) for state in State} == set(names.split())


@pytest.mark.parametrize("configuration", [{"UUID": UUID}, {"UUID": UUID, "State": None, "LastModified": None}])
def test_a_mapping_may_lack_nearly_everything(configuration: dict[str, Any]) -> None:
    mapping = EventSourceMapping(configuration)
    assert mapping.uuid == UUID
    assert mapping.arn is mapping.function_arn is mapping.event_source_arn is None
    assert (mapping.state, mapping.at_rest, mapping.enabled, mapping.last_modified) == ("", False, None, 0.0)


def test_a_mapping_shows_what_lambda_returned() -> None:
    mapping = make_mapping(LastModified=1700000000, Novelty={"Nested": [1]})
    assert mapping.arn == f"arn:aws:lambda:eu-west-1:123456789012:event-source-mapping:{UUID}"
    assert mapping.event_source_arn == "arn:aws:sqs:eu-west-1:123456789012:orders"
    assert mapping.function == FunctionReference.parse(f"{FUNCTION}orders")
    assert mapping.last_modified == 1700000000.0
    assert mapping.configuration["Novelty"] == {"Nested": [1]}


@pytest.mark.parametrize(
    ("members", "hidden"),
    [
        ({}, False),
        ({"FilterCriteria": {"Filters": [{"Pattern": "{}"}]}}, False),
        ({"KMSKeyArn": "arn:aws:kms:::key/1"}, True),
        ({"KMSKeyArn": "arn:aws:kms:::key/1", "FilterCriteria": None}, True),
        ({"KMSKeyArn": "arn:aws:kms:::key/1", "FilterCriteria": {"Filters": [{"Pattern": "{}"}]}}, False),
        ({"KMSKeyArn": None, "FilterCriteria": None}, False),
    ],
)
def test_hidden_filters(members: dict[str, Any], hidden: bool) -> None:  # noqa: FBT001 - an expected value
    assert make_mapping(**members).has_hidden_filters is hidden


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("orders", {"name": "orders"}),
        ("orders:PROD", {"name": "orders", "qualifier": "PROD"}),
        ("orders:$LATEST", {"name": "orders", "qualifier": "$LATEST"}),
        ("orders:", {"name": "orders"}),
        ("function:orders", {"name": "orders"}),
        ("function:orders:PROD", {"name": "orders", "qualifier": "PROD"}),
        ("function", {"name": "function"}),
        ("function:function", {"name": "function"}),
        ("123456789012", {"name": "123456789012"}),
        ("123456789012:orders", {"name": "orders", "account_id": "123456789012"}),
        ("123456789012:orders:1", {"name": "orders", "account_id": "123456789012", "qualifier": "1"}),
        ("my-function-1:PROD", {"name": "my-function-1", "qualifier": "PROD"}),
        ("no: such: function: is", {"name": "no: such: function: is"}),
        ("123456789012:function:orders", {"name": "orders", "account_id": "123456789012"}),
        (
            "123456789012:function:orders:1",
            {"name": "orders", "account_id": "123456789012", "qualifier": "1"},
        ),
        (
            "arn:aws-cn:lambda:cn-north-1:123456789012:function:orders",
            {"name": "orders", "account_id": "123456789012", "region": "cn-north-1", "partition": "aws-cn"},
        ),
        (
            "arn:aws:lambda:eu-west-1:123456789012:function:function:function",
            {
                "name": "function",
                "qualifier": "function",
                "account_id": "123456789012",
                "region": "eu-west-1",
                "partition": "aws",
            },
        ),
    ],
)
def test_function_reference_parse(text: str, expected: dict[str, str]) -> None:
    assert FunctionReference.parse(text) == FunctionReference(**expected)


names = st.from_regex(r"[a-zA-Z0-9_-]{1,64}", fullmatch=True)
qualifiers = st.none() | st.just("$LATEST") | st.from_regex(r"[a-zA-Z0-9_-]{1,128}", fullmatch=True)


@settings(deadline=None)
@given(
    partition=st.sampled_from(PARTITIONS),
    region=st.sampled_from(["eu-west-1", "us-gov-west-1", "eusc-de-east-1"]),
    account_id=st.from_regex(r"[0-9]{12}", fullmatch=True),
    name=names,
    qualifier=qualifiers,
)
def test_an_arn_is_taken_apart_whatever_it_names(
    partition: str, region: str, account_id: str, name: str, qualifier: str | None
) -> None:
    tail = f"{account_id}:function:{name}" + (f":{qualifier}" if qualifier else "")
    whole = FunctionReference.parse(f"arn:{partition}:lambda:{region}:{tail}")
    assert whole == FunctionReference(
        name=name, qualifier=qualifier, account_id=account_id, region=region, partition=partition
    )
    assert whole.is_same_function(whole)
    assert FunctionReference.parse(tail).is_same_function(whole)
    assert FunctionReference(name=name, qualifier=qualifier).is_same_function(whole)
    other = "11" if qualifier != "11" else "12"
    assert not FunctionReference(name=name, qualifier=other).is_same_function(whole)


@pytest.mark.parametrize("tail", ["orders", "orders:$LATEST", "orders:1", "orders:PROD"])
@pytest.mark.parametrize("asked", ["orders", "orders:$LATEST", "orders:1", "orders:PROD"])
def test_four_qualifiers_are_four_functions(asked: str, tail: str) -> None:
    arn = FunctionReference.parse(f"{FUNCTION}{tail}")
    forms = ("{}", "function:{}", "123456789012:{}", "123456789012:function:{}", f"{FUNCTION}{{}}")
    for text in (form.format(asked) for form in forms):
        assert FunctionReference.parse(text).is_same_function(arn) is (asked == tail)


@pytest.mark.parametrize(
    "asked",
    [
        "payments",
        "orders2",
        "210987654321:function:orders",
        "210987654321:orders",
        "arn:aws:lambda:eu-west-2:123456789012:function:orders",
        "arn:aws-cn:lambda:eu-west-1:123456789012:function:orders",
    ],
)
def test_another_function(asked: str) -> None:
    assert not FunctionReference.parse(asked).is_same_function(FunctionReference.parse(f"{FUNCTION}orders"))


def test_a_mapping_survives_json() -> None:
    mapping = make_mapping(Novelty=[{"Deep": None}])
    assert msgspec.json.decode(msgspec.json.encode(mapping), type=EventSourceMapping) == mapping
