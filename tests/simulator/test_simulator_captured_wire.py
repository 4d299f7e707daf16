"""Bodies and listings as they were captured from AWS, read without an SDK in between (F§0.2)."""

import base64
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import quote

import aiohttp
import msgspec
import pytest
from simulator_shards import EVERY_SOURCE, QUEUE, UUID, a_mapping, function

from bulk_esm.model.mapping import SourceType
from bulk_esm.simulator import Simulator
from bulk_esm.simulator.bounds import output_shape

SQS, FIFO = SourceType.SQS, SourceType.SQS_FIFO
POLLERS = {"MinimumPollers": 2, "MaximumPollers": 10}


async def call(simulator: Simulator, method: str, path: str = "", body: dict[str, Any] | None = None) -> Any:
    """The JSON of one request's answer."""
    credential = "Credential=123456789012/20260101/us-east-1/lambda/aws4_request"
    signed = {"Authorization": f"AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0"}
    url = f"{simulator.endpoint_url}/2015-03-31/event-source-mappings/{path}"
    data = msgspec.json.encode(body) if body is not None else None
    async with aiohttp.ClientSession() as session, session.request(method, url, headers=signed, data=data) as answer:
        return msgspec.json.decode(await answer.read())


async def every_look(*mappings: dict[str, Any]) -> list[dict[str, Any]]:
    """The first mapping as Get, List and the 202s of an update and a deletion show it."""
    async with Simulator(fleet=mappings, clock=lambda: 0.0, settle_scale=0) as simulator:
        got = await call(simulator, "GET", UUID)
        [listed] = (await call(simulator, "GET"))["EventSourceMappings"]
        updated = await call(simulator, "PUT", UUID, {})
        return [got, listed, updated, await call(simulator, "DELETE", UUID)]


@pytest.mark.parametrize("source_type", [SQS, FIFO])
async def test_sqs_mapping_controls_every_member_is_present(source_type: SourceType) -> None:
    for look in await every_look(a_mapping(source_type)):
        assert look.keys() == set(output_shape("GetEventSourceMapping").members)
        set_members = {name for name, value in look.items() if value is not None}
        assert set_members == {
            *("UUID", "FunctionArn", "EventSourceArn", "State", "LastModified"),
            *("BatchSize", "MaximumBatchingWindowInSeconds", "FunctionResponseTypes"),
        }
        assert (look["FunctionResponseTypes"], look["MaximumBatchingWindowInSeconds"]) == ([], 0)


async def test_sqs_mapping_controls_pollers_without_a_group_show_null() -> None:
    for look in await every_look(a_mapping(SQS, ProvisionedPollerConfig=POLLERS)):
        assert look["ProvisionedPollerConfig"] == {**POLLERS, "PollerGroupName": None}


@pytest.mark.parametrize("source_type", [SourceType.KINESIS, SourceType.DYNAMODB])
async def test_dynamodb_source_and_kinesis_show_their_defaults(source_type: SourceType) -> None:
    for look in await every_look(a_mapping(source_type)):
        defaults = {
            "DestinationConfig": {"OnFailure": {}},
            "MaximumRecordAgeInSeconds": -1,
            "MaximumRetryAttempts": -1,
            "BisectBatchOnFunctionError": False,
            "ParallelizationFactor": 1,
            "MaximumBatchingWindowInSeconds": 0,
            "TumblingWindowInSeconds": 0,
            "FunctionResponseTypes": [],
        }
        assert look.items() >= defaults.items()


@pytest.mark.parametrize("source_type", [SourceType.MQ, SourceType.DOCUMENTDB])
async def test_cloudformation_mq_and_documentdb_show_neither_responses_nor_destination(source_type: SourceType) -> None:
    for look in await every_look(a_mapping(source_type)):
        assert not look.keys() & {
            "FunctionResponseTypes",
            "DestinationConfig",
            "MaximumBatchingWindowInSeconds",  # while it is the initial 500 ms
        }


@pytest.mark.parametrize("source_type", [SourceType.MSK, SourceType.KAFKA])
async def test_lambda_msk_mapping_and_lambda_self_managed_kafka_mapping_read_back(source_type: SourceType) -> None:
    for look in await every_look(a_mapping(source_type)):
        defaults = {
            "MaximumRecordAgeInSeconds": -1,
            "MaximumRetryAttempts": -1,
            "BisectBatchOnFunctionError": False,
            "FunctionResponseTypes": [],
        }
        assert look.items() >= defaults.items()
        assert not look.keys() & {"DestinationConfig", "MaximumBatchingWindowInSeconds"}


@pytest.mark.parametrize("source_type", EVERY_SOURCE)
async def test_what_a_mapping_has_is_not_overwritten_by_defaults(source_type: SourceType) -> None:
    for look in await every_look(a_mapping(source_type, BatchSize=3)):
        assert look["BatchSize"] == 3


async def test_an_sdk_shows_no_nulls(connect: Callable[..., AbstractAsyncContextManager[Any]]) -> None:
    simulator = Simulator(fleet=[a_mapping(SQS)], clock=lambda: 0.0)
    async with simulator, connect(simulator) as client:
        shown = await client.get_event_source_mapping(UUID=UUID)
        assert shown.keys() - {"ResponseMetadata"} == simulator.get(UUID).keys()
        assert None not in simulator.get(UUID).values()


@pytest.mark.parametrize("count", [250, 200])
async def test_list_markers_are_88_characters_and_null_on_the_last_page_also_on_a_full_one(count: int) -> None:
    async with Simulator(mappings=count, clock=lambda: 0.0) as simulator:
        seen, markers, query = [], [], ""
        while True:
            page = await call(simulator, "GET", query)
            seen += [mapping["UUID"] for mapping in page["EventSourceMappings"]]
            markers.append(page["NextMarker"])
            if page["NextMarker"] is None:
                break
            query = f"?Marker={quote(page['NextMarker'], safe='')}"
        uuids = [mapping["UUID"] for mapping in simulator.snapshot()]
    assert markers.pop() is None
    assert len(markers) == -(-count // 100) - 1
    for marker in markers:
        assert len(marker) == 88
        assert "/" in marker
        assert marker.endswith("=")
        assert len(base64.b64decode(marker, validate=True)) == 64
    assert sorted(seen) == sorted(uuids)
    assert seen != uuids  # the order is by nothing visible


async def test_the_order_of_a_listing_repeats_with_the_seed() -> None:
    fleet = [a_mapping(number=number) for number in range(50)]
    orders = []
    for seed in (1, 1, 2):
        async with Simulator(fleet=fleet, seed=seed, clock=lambda: 0.0) as simulator:
            orders.append([m["UUID"] for m in (await call(simulator, "GET"))["EventSourceMappings"]])
    assert orders[0] == orders[1] != orders[2]


async def test_list_filters_are_exact() -> None:
    names = ("f", "f:live", "f:1", "g")
    fleet = [a_mapping(number=number, FunctionArn=function(name)) for number, name in enumerate(names)]
    elsewhere = a_mapping(FIFO, 9, FunctionArn=function("f"))
    async with Simulator(fleet=[*fleet, elsewhere], clock=lambda: 0.0, burst=100) as simulator:

        async def found(query: str) -> set[tuple[str, str]]:
            mappings = (await call(simulator, "GET", f"?{query}"))["EventSourceMappings"]
            return {(m["FunctionArn"].partition("function:")[2], m["EventSourceArn"]) for m in mappings}

        assert await found("FunctionName=f") == {("f", QUEUE), ("f", f"{QUEUE}.fifo")}
        assert await found("FunctionName=f:live") == {("f:live", QUEUE)}
        assert await found(f"EventSourceArn={QUEUE}") == {(name, QUEUE) for name in names}
        assert await found(f"EventSourceArn={QUEUE}&FunctionName=f:1") == {("f:1", QUEUE)}
        assert await call(simulator, "GET", f"?EventSourceArn={QUEUE}-unknown") == {
            "EventSourceMappings": [],
            "NextMarker": None,
        }
