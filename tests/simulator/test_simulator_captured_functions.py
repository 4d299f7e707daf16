"""What an update says of functions: gone, too slow, or taken by another mapping (F§0.2)."""

from typing import Any

import pytest
from simulator_shards import ARN, LONG, QUEUE, UUID, a_mapping, function, refused, shard_of

from bulk_esm.model.mapping import SourceType
from bulk_esm.simulator import Fleet, Simulator

SQS, KINESIS = SourceType.SQS, SourceType.KINESIS
MSK, KAFKA, MQ, DOCUMENTDB = SourceType.MSK, SourceType.KAFKA, SourceType.MQ, SourceType.DOCUMENTDB


@pytest.mark.parametrize("request_", [{"BatchSize": 7}, {"Enabled": False}, {"Enabled": True}, {}])
def test_sqs_mapping_controls_every_update_is_refused_while_the_alias_is_gone(request_: dict[str, Any]) -> None:
    for gone, named in ((function("f:live"), "f:live"), (function("f"), "f:live"), (function("f"), "f")):
        shard = shard_of(a_mapping(State="Disabled", FunctionArn=function(named)))
        shard.functions.delete(gone)
        error = refused(shard, request_)  # Get still answers
        assert (error.code, error.body["message"]) == ("InvalidParameterValueException", "Function does not exist")
        assert shard.listing(0)[0][0]["UUID"] == UUID
        shard.functions.restore(gone)
        shard.update(UUID, request_, 0)


def test_a_function_name_must_not_be_gone_either() -> None:
    shard = shard_of(a_mapping(State="Disabled"))
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
