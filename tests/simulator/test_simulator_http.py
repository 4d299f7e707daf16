import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any, Protocol

import aiohttp
import msgspec
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from bulk_esm.simulator import ApiError, Faults, Fleet, Kind, Report, Simulator, make_fleet

Connect = Callable[..., AbstractAsyncContextManager[Any]]
LONG = 1000.0


class Clock(Protocol):
    """The fixture's `ManualClock`."""

    now: float

    def __call__(self) -> float: ...


async def failure(call: Any) -> dict[str, Any]:
    """The response of a call that must fail."""
    with pytest.raises(ClientError) as caught:
        await call
    return dict(caught.value.response)


async def test_list_get_update(clock: Clock, connect: Connect) -> None:
    simulator = Simulator(mappings=250, clock=clock, epoch=1_760_000_000)
    async with simulator, connect(simulator) as client:
        pages = [page async for page in client.get_paginator("list_event_source_mappings").paginate()]
        assert [len(page["EventSourceMappings"]) for page in pages] == [100, 100, 50]
        uuid = pages[1]["EventSourceMappings"][0]["UUID"]
        clock.now = 1.5
        accepted = await client.update_event_source_mapping(UUID=uuid, Enabled=True, FunctionName="other:live")
        assert accepted["ResponseMetadata"]["HTTPStatusCode"] == 202
        assert accepted["LastModified"] == datetime(2025, 10, 9, 8, 53, 21, 500_000, tzinfo=UTC)
        assert accepted["ResponseMetadata"]["RequestId"]
        clock.now = LONG
        settled = await client.get_event_source_mapping(UUID=uuid)
        assert settled["State"] == "Enabled"
        assert settled["FunctionArn"] == "arn:aws:lambda:us-east-1:123456789012:function:other:live"
        deleted = await client.delete_event_source_mapping(UUID=uuid)
        assert deleted["State"] == "Deleting"

    report = simulator.report()
    assert [(entry.kind, entry.status, entry.count) for entry in report.requests] == [
        (Kind.LIST, 200, 3),
        (Kind.UPDATE, 202, 1),
        (Kind.GET, 200, 1),
        (Kind.DELETE, 202, 1),
    ]
    (updated,) = [mapping for mapping in report.mappings if mapping.accepted_count]
    assert (updated.uuid, updated.accepted[0].accepted_at) == (uuid, 1.5)
    assert sum(report.states.values()) == len(report.mappings) == 250


async def test_errors_as_lambda_spells_them(clock: Clock, connect: Connect) -> None:
    simulator = Simulator(mappings=8, clock=clock, burst=100)
    async with simulator, connect(simulator) as client:
        uuid = simulator.snapshot()[0]["UUID"]
        await client.update_event_source_mapping(UUID=uuid, Enabled=True)
        in_use = await failure(client.update_event_source_mapping(UUID=uuid, Enabled=True))
        assert in_use["Error"] == {
            "Code": "ResourceInUseException",
            "Message": "Cannot update the event source mapping because it is in use.",
        }
        unknown = await failure(client.get_event_source_mapping(UUID="0" * 36))
        assert unknown["Error"] == {
            "Code": "ResourceNotFoundException",
            "Message": "The resource you requested does not exist.",
        }
        out_of_bounds = await failure(client.update_event_source_mapping(UUID=uuid, BatchSize=20_000))
        assert out_of_bounds["Error"]["Code"] == "ValidationException"
        marker = await failure(client.list_event_source_mappings(Marker="x"))
        assert marker["Error"]["Code"] == "InvalidParameterValueException"
        other = await failure(client.list_functions())
        assert other["ResponseMetadata"]["HTTPStatusCode"] == 404


@pytest.mark.parametrize(
    ("faults", "status", "code", "retry_after"),
    [
        (Faults(), 429, "TooManyRequestsException", None),
        (Faults(retry_after_s=2), 429, "TooManyRequestsException", "2"),
        (Faults(throttle_code="ThrottlingException"), 400, "ThrottlingException", None),
    ],
)
async def test_throttled(
    clock: Clock, connect: Connect, faults: Faults, status: int, code: str, retry_after: str | None
) -> None:
    simulator = Simulator(mappings=8, clock=clock, burst=2, faults=faults)
    async with simulator, connect(simulator) as client, connect(simulator, region="eu-west-1") as elsewhere:
        await client.list_event_source_mappings()
        await client.list_event_source_mappings()
        answer = await failure(client.list_event_source_mappings())
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == status
        assert answer["Error"] == {"Code": code, "Message": "Rate exceeded"}
        assert answer.get("retryAfterSeconds") == retry_after
        assert answer.get("Reason") == ("CallerRateLimitExceeded" if status == 429 else None)
        await elsewhere.list_event_source_mappings()  # a quota of its own
        clock.now = 1 / 15
        await client.list_event_source_mappings()
    assert simulator.report().count("list", status) == 1
    assert simulator.report().count() == 5


async def test_accounts_and_regions_are_apart(clock: Clock, connect: Connect) -> None:
    simulator = Simulator(mappings=8, clock=clock)
    places = [("123456789012", "us-east-1"), ("210987654321", "us-east-1"), ("123456789012", "cn-north-1")]
    async with simulator:
        for account, region in places:
            async with connect(simulator, account=account, region=region) as client:
                found = (await client.list_event_source_mappings())["EventSourceMappings"]
                assert len(found) == 8
                assert {tuple(mapping["FunctionArn"].split(":")[3:5]) for mapping in found} == {(region, account)}
        async with connect(simulator, account="AKIAEXAMPLE") as client:
            own = (await client.list_event_source_mappings())["EventSourceMappings"]
            assert {mapping["UUID"] for mapping in own} == {mapping["UUID"] for mapping in simulator.snapshot()}


async def test_answers_that_fail(clock: Clock, connect: Connect) -> None:
    simulator = Simulator(mappings=8, clock=clock, faults=Faults(error_share=1))
    async with simulator, connect(simulator) as client:
        uuid = simulator.snapshot()[0]["UUID"]
        answer = await failure(client.update_event_source_mapping(UUID=uuid, Enabled=True))
        assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]) == (500, "ServiceException")
        assert simulator.report().states.keys() <= {"Enabled", "Disabled"}


@pytest.mark.parametrize(("faults", "applied"), [(Faults(cut_before_share=1), 0), (Faults(cut_after_share=1), 1)])
async def test_cut_connections(clock: Clock, connect: Connect, faults: Faults, applied: int) -> None:
    simulator = Simulator(mappings=8, clock=clock, faults=faults)
    async with simulator, connect(simulator) as client:
        uuid = simulator.snapshot()[0]["UUID"]
        with pytest.raises(ConnectionClosedError):
            await client.update_event_source_mapping(UUID=uuid, Enabled=True)
        report = simulator.report()
        assert sum(mapping.accepted_count for mapping in report.mappings) == applied
        assert report.count("update", 0) == 2  # aiohttp resends a PUT once, though the SDK's retries are off


async def test_a_slow_answer_was_applied_at_once(clock: Clock, connect: Connect) -> None:
    simulator = Simulator(mappings=8, clock=clock, faults=Faults(latency_s=0.05))
    async with simulator, connect(simulator) as client:
        uuid = simulator.snapshot()[0]["UUID"]
        started_at = asyncio.get_running_loop().time()
        await client.update_event_source_mapping(UUID=uuid, Enabled=True)
        assert asyncio.get_running_loop().time() - started_at >= 0.05
        assert simulator.report().count("update", 202) == 1


async def test_refused_denied_expired(clock: Clock, connect: Connect) -> None:
    faults = Faults(refused_share=1, denied_accounts=frozenset({"2" * 12}), expires_after_s=10)
    simulator = Simulator(mappings=8, clock=clock, faults=faults)
    async with simulator, connect(simulator) as client, connect(simulator, account="2" * 12) as denied:
        uuid = simulator.snapshot()[0]["UUID"]
        refused = await failure(client.update_event_source_mapping(UUID=uuid, Enabled=True))
        assert refused["Error"] == {
            "Code": "InvalidParameterValueException",
            "Message": "Queue visibility timeout: 30 seconds is less than Function timeout: 60 seconds",
        }
        answer = await failure(denied.list_event_source_mappings())
        assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]) == (403, "AccessDeniedException")
        assert "lambda:ListEventSourceMappings" in answer["Error"]["Message"]
        clock.now = 10
        answer = await failure(client.get_event_source_mapping(UUID=uuid))
        assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]) == (403, "ExpiredTokenException")


async def test_tags(clock: Clock, connect: Connect) -> None:
    simulator = Simulator(mappings=300, clock=clock, quota_per_second=0, burst=0)
    async with simulator, connect(simulator, "resourcegroupstaggingapi") as client:
        wanted = {
            "ResourceTypeFilters": ["lambda:event-source-mapping"],
            "TagFilters": [{"Key": "env", "Values": ["dev"]}],
        }
        pages = [page async for page in client.get_paginator("get_resources").paginate(**wanted, ResourcesPerPage=10)]
        found = {entry["ResourceARN"]: entry["Tags"] for page in pages for entry in page["ResourceTagMappingList"]}
        tags = make_fleet(300).tags
        assert found.keys() == {arn for arn in tags if ":event-source-mapping:" in arn and tags[arn]["env"] == "dev"}
        assert all({"Key": "env", "Value": "dev"} in tags for tags in found.values())
        assert len(pages) > 1
        uuid = next(iter(found)).rpartition(":")[2]
        simulator.delete_behind(uuid)
        left = await client.get_resources(**wanted, ResourcesPerPage=100)
        assert len(left["ResourceTagMappingList"]) == len(found) - 1
        too_many = await failure(client.get_resources(ResourcesPerPage=101))
        assert too_many["Error"]["Code"] == "InvalidParameterException"
        functions = await client.get_resources(ResourceTypeFilters=["lambda:function"], TagFilters=[{"Key": "team"}])
        assert {entry["ResourceARN"].split(":")[5] for entry in functions["ResourceTagMappingList"]} == {"function"}
        wrong = await failure(client.get_resources(PaginationToken="x"))
        assert wrong["Error"]["Code"] == "InvalidParameterException"
    assert simulator.report().count(Kind.TAGGING) == simulator.report().count()


async def test_without_a_client(clock: Clock) -> None:
    simulator = Simulator(mappings=8, clock=clock, speed=4)
    url = f"{{}}/2015-03-31/event-source-mappings/{simulator.snapshot()[0]['UUID']}"
    credential = "Credential=123456789012/20260101/us-east-1/lambda/aws4_request"
    signed = {"Authorization": f"AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0"}
    async with simulator, aiohttp.ClientSession() as session:
        async with session.get(url.format(simulator.endpoint_url)) as answer:
            assert (answer.status, answer.headers["x-amzn-ErrorType"]) == (403, "MissingAuthenticationTokenException")
        for body in (b"{", b"[]"):
            async with session.put(url.format(simulator.endpoint_url), data=body, headers=signed) as answer:
                assert (answer.status, answer.headers["x-amzn-ErrorType"]) == (400, "SerializationException")
                assert answer.headers["x-amzn-RequestId"]
        async with session.get(f"{simulator.endpoint_url}/2015-03-31/event-source-mappings/", headers=signed) as answer:
            assert isinstance((await answer.json())["EventSourceMappings"][0]["LastModified"], float)
        listing = f"{simulator.endpoint_url}/2015-03-31/event-source-mappings?MaxItems="
        for max_items, code in (("x", "SerializationException"), ("10001", "ValidationException")):
            async with session.get(f"{listing}{max_items}", headers=signed) as answer:
                assert (answer.status, answer.headers["x-amzn-ErrorType"]) == (400, code)
        clock.now = 8
        async with session.get(f"{simulator.endpoint_url}/_simulator/report") as answer:
            report = msgspec.json.decode(await answer.read(), type=Report)
        assert report == simulator.report()
        assert (report.now, report.real_s(report.now)) == (8, 2)
        assert report.count("list", 200) == 1


async def test_somebody_else(clock: Clock, connect: Connect) -> None:
    own = make_fleet(3, seed=9).mappings
    simulator = Simulator(fleet=own, clock=clock)
    async with simulator, connect(simulator) as client:
        uuid = own[1]["UUID"]
        simulator.change_behind(uuid, State="Disabled", BatchSize=2)
        changed = await client.get_event_source_mapping(UUID=uuid)
        assert (changed["State"], changed["BatchSize"]) == ("Disabled", 2)
        simulator.delete_behind(uuid)
        simulator.add(Fleet(mappings=make_fleet(2, seed=10).mappings))
        found = (await client.list_event_source_mappings())["EventSourceMappings"]
        assert len(found) == 4
        assert len(simulator.snapshot()) == 4
        with pytest.raises(ApiError):
            simulator.delete_behind("0" * 36)
        with pytest.raises(ValueError, match="give each its own"):
            simulator.add(own)


async def test_an_instant_server_and_its_environment(connect: Connect) -> None:
    simulator = Simulator(mappings=8, quota_per_second=None, settle_scale=0, region="us-gov-west-1")
    async with simulator, connect(simulator, region="us-gov-west-1") as client:
        uuid = simulator.snapshot()[0]["UUID"]
        for enabled in (True, False) * 20:
            await client.update_event_source_mapping(UUID=uuid, Enabled=enabled)
        assert simulator.get(uuid)["State"] == "Disabled"
        assert simulator.environment["AWS_ENDPOINT_URL"] == simulator.endpoint_url
        assert simulator.environment["AWS_REGION"] == "us-gov-west-1"
