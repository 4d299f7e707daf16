"""States, stamps and times to rest as they were captured from AWS; each test is named after its capture (F§0.2)."""

import math
from typing import Any

import pytest
from simulator_shards import EPOCH, EVERY_SOURCE, LONG, UUID, a_mapping, function, refused, shard_of

from bulk_esm.model.mapping import SourceType
from bulk_esm.simulator import ApiError
from bulk_esm.simulator.settings import Settings
from bulk_esm.simulator.settle import SETTLE_S, Transition

SQS, FIFO, KINESIS, DYNAMODB = SourceType.SQS, SourceType.SQS_FIFO, SourceType.KINESIS, SourceType.DYNAMODB
MSK, KAFKA, MQ, DOCUMENTDB = SourceType.MSK, SourceType.KAFKA, SourceType.MQ, SourceType.DOCUMENTDB
STREAMS = (KINESIS, DYNAMODB)
MINUTE = float(math.floor(EPOCH / 60) * 60)


def rest_range(source_type: SourceType, state: str, request: dict[str, Any]) -> tuple[float, float]:
    """The soonest and the latest rest after an update, over many mappings."""
    many = [a_mapping(source_type, number, State=state) for number in range(200)]
    shard = shard_of(*many)
    for mapping in many:
        shard.update(mapping["UUID"], request, 0)
    rests = [mapping.accepted[0].settles_at or 0.0 for mapping in shard]
    return min(rests), max(rests)


@pytest.mark.parametrize(
    ("state", "request_", "passing", "soonest", "latest"),
    [
        ("Disabled", {"Enabled": True}, "Enabling", 8, 10),
        ("Enabled", {"Enabled": False}, "Disabling", 5.5, 10),
        ("Enabled", {"BatchSize": 7}, "Updating", 12.7, 15.1),
    ],
)
def test_sqs_mapping_controls_times_to_rest(
    state: str, request_: dict[str, Any], passing: str, soonest: float, latest: float
) -> None:
    shard = shard_of(a_mapping(State=state))
    assert shard.update(UUID, request_, 0)["State"] == passing
    low, high = rest_range(SQS, state, request_)
    assert soonest <= low < high <= latest


def test_sqs_mapping_controls_updating_shows_new_values_at_once() -> None:
    shard = shard_of(a_mapping(BatchSize=10))
    assert shard.update(UUID, {"BatchSize": 7}, 0)["BatchSize"] == 7
    assert (shard.get(UUID, 0)["State"], shard.get(UUID, 0)["BatchSize"]) == ("Updating", 7)


@pytest.mark.parametrize("request_", [{"BatchSize": 7}, {}, {"Enabled": False}, {"Enabled": False, "BatchSize": 7}])
def test_sqs_mapping_controls_disabled_configuration_answers_disabled_at_once(request_: dict[str, Any]) -> None:
    shard = shard_of(a_mapping(State="Disabled", BatchSize=10))
    accepted = shard.update(UUID, request_, 5)
    assert (accepted["State"], accepted["BatchSize"]) == ("Disabled", request_.get("BatchSize", 10))
    assert shard.get(UUID, 5) == accepted
    assert accepted["LastModified"] == round(EPOCH + 5, 3)
    assert shard.update(UUID, request_, 5)["State"] == "Disabled"  # never in use


@pytest.mark.parametrize("request_", [{"BatchSize": 7, "Enabled": False}, {"BatchSize": 7}])
def test_lambda_mq_mapping_rabbitmq_disabled_configuration_answers_disabled_at_once(request_: dict[str, Any]) -> None:
    shard = shard_of(a_mapping(MQ, State="Disabled"))
    accepted = shard.update(UUID, request_, 3)
    assert (accepted["State"], accepted["BatchSize"]) == ("Disabled", 7)
    assert shard.get(UUID, 3) == accepted  # the stamp too, in milliseconds


@pytest.mark.parametrize("source_type", STREAMS)
@pytest.mark.parametrize(
    ("state", "enabled", "passing"), [("Disabled", True, "Enabling"), ("Enabled", False, "Disabling")]
)
def test_dynamodb_source_and_kinesis_switch_within_a_second(
    source_type: SourceType, state: str, enabled: bool, passing: str  # noqa: FBT001 - a parameter of the test
) -> None:  # fmt: skip
    shard = shard_of(a_mapping(source_type, State=state))
    assert shard.update(UUID, {"Enabled": enabled}, 0)["State"] == passing
    assert shard.get(UUID, 0)["State"] == passing
    assert shard.get(UUID, 1.1)["State"] == ("Enabled" if enabled else "Disabled")
    low, high = rest_range(source_type, state, {"Enabled": enabled})
    assert 0 < low < high <= 1.1


@pytest.mark.parametrize(
    ("source_type", "latest"), [(DYNAMODB, 1.1), (KINESIS, 1.1), (MSK, 1.8), (KAFKA, 1.8), (DOCUMENTDB, 3.8)]
)
def test_dynamodb_source_and_cloudformation_disabled_configuration(source_type: SourceType, latest: float) -> None:
    shard = shard_of(a_mapping(source_type, State="Disabled"))
    accepted = shard.update(UUID, {"BatchSize": 7}, 0)
    assert accepted["State"] == shard.get(UUID, 0)["State"] == "Updating"
    if source_type in STREAMS:
        assert accepted["BatchSize"] == 7
    settled = shard.get(UUID, latest)
    assert (settled["State"], settled["BatchSize"]) == ("Disabled", 7)


@pytest.mark.parametrize("source_type", EVERY_SOURCE)
def test_every_capture_delete_is_404_within_about_a_second(source_type: SourceType) -> None:
    shard = shard_of(a_mapping(source_type))
    assert shard.delete(UUID, 0)["State"] == "Deleting"
    assert shard.get(UUID, 0.1)["State"] == "Deleting"
    with pytest.raises(ApiError, match="ResourceNotFoundException"):
        shard.get(UUID, 1.2)


@pytest.mark.parametrize("source_type", EVERY_SOURCE)
@pytest.mark.parametrize(
    ("state", "request_"), [("Enabled", {"Enabled": False}), ("Disabled", {"Enabled": True}), ("Enabled", {})]
)
def test_sqs_mapping_controls_in_use_until_at_rest(
    source_type: SourceType, state: str, request_: dict[str, Any]
) -> None:
    shard = shard_of(a_mapping(source_type, State=state))
    shard.update(UUID, request_, 0)
    error = refused(shard, {"BatchSize": 7}, 0.1)
    assert (error.status, error.code, error.headers) == (400, "ResourceInUseException", {})
    assert error.body == {
        "Type": "User",
        "Message": "Cannot update the event source mapping because it is in use.",
    }
    assert shard.update(UUID, {"BatchSize": 7}, LONG)["UUID"] == UUID


def test_what_was_not_captured_stays_slow() -> None:
    """A wait that is long enough for these guesses is long enough for what is documented (F§3.3)."""
    for source_type in (KINESIS, MSK, KAFKA, MQ, DOCUMENTDB):
        for transition in (Transition.CONFIGURE_ENABLED, Transition.SWITCH_AND_CONFIGURE):
            assert SETTLE_S[source_type][transition][1] >= 60
    for source_type in (MSK, KAFKA, MQ, DOCUMENTDB):
        assert SETTLE_S[source_type][Transition.ENABLE][1] >= 60


@pytest.mark.parametrize("source_type", STREAMS)
def test_dynamodb_metrics_and_kinesis_stamps_are_cut_to_the_minute(source_type: SourceType) -> None:
    shard = shard_of(a_mapping(source_type))
    assert shard.get(UUID, 0)["LastModified"] == 1_699_999_980
    accepted = shard.update(UUID, {"Enabled": False}, 0.105)
    assert accepted["LastModified"] == EPOCH + 0.105  # milliseconds, in the 202 alone
    looks = [
        *(shard.get(UUID, at) for at in (0.105, 0.5, LONG)),
        *(shard.listing(at)[0][0] for at in (0.105, LONG)),
        *shard.snapshot(LONG),
        shard.delete(UUID, LONG),
    ]
    assert {look["LastModified"] for look in looks} == {MINUTE}
    assert accepted["LastModified"] > MINUTE  # it steps backwards


def test_kinesis_two_changes_in_one_minute_cannot_be_told_apart() -> None:
    shard = shard_of(a_mapping(KINESIS))
    shard.update(UUID, {"Enabled": False}, 0)
    first = shard.get(UUID, 2)["LastModified"]
    shard.update(UUID, {"Enabled": True}, 3)
    assert shard.get(UUID, 5)["LastModified"] == first


@pytest.mark.parametrize("source_type", [SQS, FIFO, MQ, DOCUMENTDB, MSK, KAFKA])
def test_sqs_mapping_controls_and_cloudformation_stamps_have_milliseconds(source_type: SourceType) -> None:
    shard = shard_of(a_mapping(source_type))
    accepted = shard.update(UUID, {"BatchSize": 7}, 1.234)
    looks = [accepted, shard.get(UUID, 1.234), shard.get(UUID, LONG), shard.listing(LONG)[0][0]]
    assert {look["LastModified"] for look in looks} == {round(EPOCH + 1.234, 3)}  # not moved by coming to rest
    assert shard.delete(UUID, LONG)["LastModified"] == round(EPOCH + 1.234, 3)


@pytest.mark.parametrize("source_type", EVERY_SOURCE)
def test_milliseconds_everywhere_are_a_setting(source_type: SourceType) -> None:
    shard = shard_of(a_mapping(source_type), settings=Settings(epoch=EPOCH, whole_stamps=True))
    accepted = shard.update(UUID, {"BatchSize": 7}, 1)
    assert accepted["LastModified"] == shard.get(UUID, LONG)["LastModified"] == EPOCH + 1


def test_sqs_mapping_controls_a_no_op_moves_the_stamp_and_a_refusal_does_not() -> None:
    shard = shard_of(a_mapping(State="Disabled"))
    refused(shard, {"BatchSize": 11}, 1)
    shard.update(UUID, {}, 2)  # the UUID alone
    assert shard.get(UUID, 2)["LastModified"] == EPOCH + 2
    refused(shard, {"BatchSize": 11}, 3)
    assert shard.get(UUID, 3)["LastModified"] == EPOCH + 2


@pytest.mark.parametrize(("source_type", "stamp"), [(SQS, EPOCH + 1), (KINESIS, MINUTE)])
def test_what_somebody_else_changes_has_a_stamp_of_the_right_form(source_type: SourceType, stamp: float) -> None:
    shard = shard_of(a_mapping(source_type))
    shard.change_behind(UUID, {"BatchSize": 7}, 1)
    assert shard.get(UUID, 1)["LastModified"] == stamp
    shard.change_behind(UUID, {"LastModified": MINUTE + 59.5}, 2)
    assert shard.get(UUID, 2)["LastModified"] == (MINUTE if source_type is KINESIS else MINUTE + 59.5)


def test_documentdb_hides_values_until_settled() -> None:
    shard = shard_of(a_mapping(DOCUMENTDB, BatchSize=100))
    shown = shard.update(UUID, {"BatchSize": 7, "FunctionName": "g"}, 0)
    assert (shown["State"], shown["BatchSize"], shown["FunctionArn"]) == ("Updating", 100, function("f"))
    settled = shard.get(UUID, LONG)
    assert (settled["BatchSize"], settled["FunctionArn"]) == (7, function("g"))
