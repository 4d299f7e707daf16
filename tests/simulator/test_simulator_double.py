"""The simulator as boto3's double: its paginator, its typed exceptions, and all operations that a script may use."""

import asyncio
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from simulator_shards import ARN, LONG, function

from bulk_esm.model.mapping import SourceType
from bulk_esm.simulator import Faults, Kind, Simulator

SESSION = boto3.session.Session()  # its models are read once, and not for every client
HOME = ("123456789012", "us-east-1")
ACCESSES = [{"Type": "BASIC_AUTH", "URI": "arn:aws:secretsmanager:us-east-1:123456789012:secret:s"}]
QUEUE = "arn:aws:sqs:us-east-1:123456789012:jobs"
STREAM = ARN[SourceType.DYNAMODB]


def client_of(simulator: Simulator, service: str = "lambda", account: str = HOME[0], region: str = HOME[1]) -> Any:
    config = Config(retries={"total_max_attempts": 1})
    return SESSION.client(
        service,
        endpoint_url=simulator.endpoint_url,
        region_name=region,
        aws_access_key_id=account,
        aws_secret_access_key="simulated",
        config=config,
    )


async def ask(operation: Callable[..., Any], **arguments: Any) -> Any:
    """Call boto3, which waits for its answer, while the simulator answers."""
    return await asyncio.to_thread(operation, **arguments)


async def test_the_paginator_goes_through_all_pages() -> None:
    async with Simulator(mappings=250, quota_per_second=None) as simulator:
        paginator = client_of(simulator).get_paginator("list_event_source_mappings")
        pages = await asyncio.to_thread(list, (paginator.paginate()))
        assert [len(page["EventSourceMappings"]) for page in pages] == [100, 100, 50]
        few = await asyncio.to_thread(list, (paginator.paginate(PaginationConfig={"MaxItems": 30, "PageSize": 20})))
        assert [len(page["EventSourceMappings"]) for page in few] == [20, 10]
        found = {mapping["UUID"] for page in pages for mapping in page["EventSourceMappings"]}
        assert found == {mapping["UUID"] for mapping in simulator.snapshot()}


async def test_exceptions_are_of_their_types() -> None:
    faults = Faults(denied_accounts=frozenset({"1" * 12}))
    async with Simulator(mappings=8, clock=lambda: 0.0, burst=100, faults=faults) as simulator:
        client = client_of(simulator)
        queue = next(
            m for m in simulator.snapshot() if ":sqs:" in m.get("EventSourceArn", "") and m["State"] == "Enabled"
        )
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            await ask(client.get_event_source_mapping, UUID="0" * 36)
        with pytest.raises(client.exceptions.InvalidParameterValueException) as invalid:
            await ask(client.update_event_source_mapping, UUID=queue["UUID"], LoggingConfig={"SystemLogLevel": "INFO"})
        assert invalid.value.response["message"]
        await ask(client.update_event_source_mapping, UUID=queue["UUID"], Enabled=False)
        with pytest.raises(client.exceptions.ResourceInUseException):
            await ask(client.update_event_source_mapping, UUID=queue["UUID"], Enabled=True)
        with pytest.raises(client.exceptions.ResourceConflictException):
            await ask(
                client.create_event_source_mapping,
                EventSourceArn=queue["EventSourceArn"],
                FunctionName=queue["FunctionArn"],
            )
        denied = client_of(simulator, account="1" * 12)
        with pytest.raises(ClientError, match="AccessDenied"):
            await ask(denied.list_event_source_mappings)


@pytest.mark.parametrize(("after", "shown"), [(None, None), (7, "7")])
async def test_a_throttle_is_typed_and_says_when_to_come_again(after: int | None, shown: str | None) -> None:
    async with Simulator(mappings=8, clock=lambda: 0.0, burst=1, faults=Faults(retry_after_s=after)) as simulator:
        client = client_of(simulator)
        await ask(client.list_event_source_mappings)
        with pytest.raises(client.exceptions.TooManyRequestsException) as throttled:
            await ask(client.list_event_source_mappings)
        answer = throttled.value.response
        assert (answer["Error"]["Code"], answer["Reason"]) == ("TooManyRequestsException", "CallerRateLimitExceeded")
        assert answer.get("retryAfterSeconds") == shown
        assert answer["ResponseMetadata"]["HTTPHeaders"].get("retry-after") == shown


async def test_create_and_delete() -> None:
    clock = [0.0]
    async with Simulator(fleet=[], clock=lambda: clock[0], epoch=1_760_000_000) as simulator:
        client = client_of(simulator)
        made = await ask(
            client.create_event_source_mapping,
            EventSourceArn=QUEUE,
            FunctionName="f:live",
            BatchSize=5,
            Tags={"team": "search"},
        )
        assert (made["ResponseMetadata"]["HTTPStatusCode"], made["State"]) == (202, "Creating")
        assert (made["FunctionArn"], made["BatchSize"]) == (function("f:live"), 5)
        uuid, arn = made["UUID"], made["EventSourceMappingArn"]
        with pytest.raises(client.exceptions.ResourceInUseException):
            await ask(client.delete_event_source_mapping, UUID=uuid)
        clock[0] = LONG
        there = await ask(client.get_event_source_mapping, UUID=uuid)
        assert (there["State"], there["FunctionResponseTypes"]) == ("Enabled", [])
        assert (await ask(client.list_tags, Resource=arn))["Tags"] == {"team": "search"}
        listed = await ask(client.list_event_source_mappings, FunctionName="f:live")
        assert [mapping["UUID"] for mapping in listed["EventSourceMappings"]] == [uuid]

        assert (await ask(client.delete_event_source_mapping, UUID=uuid))["State"] == "Deleting"
        clock[0] *= 2
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            await ask(client.get_event_source_mapping, UUID=uuid)
        again = await ask(client.create_event_source_mapping, EventSourceArn=QUEUE, FunctionName="f:live")
        assert again["UUID"] != uuid
        report = simulator.report()
        assert (report.count(Kind.CREATE, 202), report.count(Kind.DELETE, 400), report.count(Kind.DELETE, 202)) == (
            2,
            1,
            1,
        )


@pytest.mark.parametrize(
    ("request_", "state"),
    [
        ({"EventSourceArn": QUEUE, "Enabled": False}, "Disabled"),  # at once (F§0.2)
        ({"EventSourceArn": STREAM, "StartingPosition": "LATEST", "Enabled": False}, "Creating"),
        ({"EventSourceArn": ARN[SourceType.MQ], "Queues": ["q"], "SourceAccessConfigurations": ACCESSES}, "Creating"),
        (
            {
                "EventSourceArn": ARN[SourceType.MSK],
                "Topics": ["topic"],
                "StartingPosition": "TRIM_HORIZON",
                "AmazonManagedKafkaEventSourceConfig": {"ConsumerGroupId": "group"},
            },
            "Creating",
        ),
        (
            {
                "EventSourceArn": ARN[SourceType.DOCUMENTDB],
                "StartingPosition": "LATEST",
                "SourceAccessConfigurations": ACCESSES,
                "DocumentDBEventSourceConfig": {"DatabaseName": "d"},
            },
            "Creating",
        ),
        (
            {
                "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["b:9092"]}},
                "Topics": ["topic"],
                "StartingPosition": "LATEST",
            },
            "Creating",
        ),
    ],
)
async def test_each_source_can_be_created_and_reads_back_as_asked(request_: dict[str, Any], state: str) -> None:
    clock = [0.0]
    async with Simulator(fleet=[], clock=lambda: clock[0]) as simulator:
        client = client_of(simulator)
        made = await ask(client.create_event_source_mapping, FunctionName="f", **request_)
        assert made["State"] == state
        clock[0] = LONG
        there = await ask(client.get_event_source_mapping, UUID=made["UUID"])
        assert there["State"] == ("Disabled" if request_.get("Enabled") is False else "Enabled")
        assert {name: there[name] for name in request_ if name != "Enabled"} == {
            name: value for name, value in request_.items() if name != "Enabled"
        }
        if "Topics" in request_ and "SelfManagedEventSource" in request_:
            assert there["SelfManagedKafkaEventSourceConfig"]["ConsumerGroupId"] == made["UUID"]


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({}, "Unrecognized event source."),
        ({"EventSourceArn": "arn:aws:s3:us-east-1:123456789012:bucket"}, "Unrecognized event source."),
        (
            {"EventSourceArn": QUEUE, "StartingPosition": "LATEST"},
            "StartingPosition is not valid for SQS event sources.",
        ),
        ({"EventSourceArn": STREAM}, "at 'startingPosition' failed to satisfy constraint"),
        (
            {"EventSourceArn": STREAM, "StartingPosition": "LATEST", "StartingPositionTimestamp": 1.0},
            "Timestamp only valid with StartingPosition AT_TIMESTAMP",
        ),
        ({"EventSourceArn": ARN[SourceType.MQ], "Queues": ["q"]}, "Required 'sourceAccessConfigurations' parameter"),
        ({"EventSourceArn": QUEUE, "BatchSize": 11}, "Maximum batch window in seconds must be greater than 0"),
        ({"EventSourceArn": QUEUE, "BatchSize": 10_001}, "at 'batchSize' failed to satisfy constraint"),
        (
            {"EventSourceArn": QUEUE, "FilterCriteria": {"Filters": [{"Pattern": '{"a": "b"}'}]}},
            "Invalid filter pattern definition.",
        ),
        ({"EventSourceArn": QUEUE, "FunctionName": "gone"}, "Function does not exist"),
    ],
)
async def test_what_cannot_be_created(request_: dict[str, Any], words: str) -> None:
    async with Simulator(fleet=[]) as simulator:
        simulator.delete_function_behind("gone")
        client = client_of(simulator)
        with pytest.raises(ClientError) as refused:
            await ask(client.create_event_source_mapping, **{"FunctionName": "f", **request_})
        assert words in refused.value.response["Error"]["Message"]
        assert simulator.snapshot() == []


async def test_tags_of_mappings_and_functions() -> None:
    async with Simulator(mappings=8, quota_per_second=None) as simulator:
        client, in_bulk = client_of(simulator), client_of(simulator, "resourcegroupstaggingapi")
        mapping = simulator.snapshot()[0]
        unqualified = ":".join(mapping["FunctionArn"].split(":")[:7])
        for arn in (mapping["EventSourceMappingArn"], unqualified):
            before = (await ask(client.list_tags, Resource=arn))["Tags"]
            await ask(client.tag_resource, Resource=arn, Tags={"a": "1", "b": "2", "c": "3"})
            await ask(client.untag_resource, Resource=arn, TagKeys=["a", "b", "none"])
            assert (await ask(client.list_tags, Resource=arn))["Tags"] == before | {"c": "3"}
        wanted = [{"Key": "c", "Values": ["3"]}]
        found = (await ask(in_bulk.get_resources, TagFilters=wanted))["ResourceTagMappingList"]
        assert {entry["ResourceARN"] for entry in found} == {mapping["EventSourceMappingArn"], unqualified}
        assert simulator.get(mapping["UUID"])["LastModified"] == mapping["LastModified"]  # tagging does not move it
        for arn in (f"{mapping['EventSourceMappingArn'][:-12]}{'0' * 12}", function("nobody")):
            with pytest.raises(client.exceptions.ResourceNotFoundException):
                await ask(client.list_tags, Resource=arn)


async def test_functions_are_told_of_outside_the_quota_of_mappings() -> None:
    async with Simulator(mappings=8, clock=lambda: 0.0, burst=1) as simulator:
        client = client_of(simulator)
        name = simulator.snapshot()[0]["FunctionArn"].split(":")[6]
        for _ in range(5):  # GetFunction has a quota of its own (F§1.1)
            found = await ask(client.get_function, FunctionName=name, Qualifier="live")
        assert found["Configuration"]["FunctionArn"] == function(f"{name}:live")
        configuration = await ask(client.get_function_configuration, FunctionName=name)
        assert (configuration["FunctionName"], configuration["State"]) == (name, "Active")
        assert configuration["Timeout"] == found["Configuration"]["Timeout"] > 0
        with pytest.raises(client.exceptions.TooManyRequestsException):
            await ask(client.get_function_configuration, FunctionName=name)
        for unknown in ("nobody", name):
            simulator.delete_function_behind(unknown)
            with pytest.raises(client.exceptions.ResourceNotFoundException):
                await ask(client.get_function, FunctionName=unknown)


async def test_alarms_are_as_a_test_sets_them() -> None:
    async with Simulator(mappings=8) as simulator:
        client = client_of(simulator, "cloudwatch")
        for number in range(60):
            simulator.set_alarm(f"a{number:02}", "OK")
        simulator.set_alarm("a07", "ALARM", reason="too high: 1 > 0 ä")
        simulator.set_alarm("all", "INSUFFICIENT_DATA", is_composite=True)
        simulator.set_alarm("elsewhere", "ALARM", region="eu-west-1")
        pages = await asyncio.to_thread(list, (client.get_paginator("describe_alarms").paginate()))
        assert [len(page["MetricAlarms"]) for page in pages] == [50, 10]
        ringing = await ask(client.describe_alarms, StateValue="ALARM")
        (alarm,) = ringing["MetricAlarms"]
        assert (alarm["AlarmName"], alarm["StateReason"]) == ("a07", "too high: 1 > 0 ä")
        both = {"AlarmNames": ["all", "a01", "none"], "AlarmTypes": ["MetricAlarm", "CompositeAlarm"]}
        named = await ask(client.describe_alarms, **both)
        assert [alarm["AlarmName"] for alarm in named["MetricAlarms"]] == ["a01"]
        assert [alarm["StateValue"] for alarm in named["CompositeAlarms"]] == ["INSUFFICIENT_DATA"]
        prefixed = await ask(client.describe_alarms, AlarmNamePrefix="a0")
        assert len(prefixed["MetricAlarms"]) == 10
        elsewhere = client_of(simulator, "cloudwatch", region="eu-west-1")
        abroad = await ask(elsewhere.describe_alarms)
        assert [alarm["AlarmName"] for alarm in abroad["MetricAlarms"]] == ["elsewhere"]
        with pytest.raises(ClientError, match="ValidationError"):
            await ask(client.describe_alarms, AlarmTypes=["Other"])
        simulator.set_alarm("a07", "OK")
        assert (await ask(client.describe_alarms, StateValue="ALARM"))["MetricAlarms"] == []


async def test_faults_by_shard_hit_no_other_shard() -> None:
    broken = ("2" * 12, "us-east-1")
    async with Simulator(
        mappings=8, quota_per_second=None, shard_faults={broken: Faults(error_share=1.0)}
    ) as simulator:
        client = client_of(simulator, account=broken[0])
        with pytest.raises(client.exceptions.ServiceException):
            await ask(client.list_event_source_mappings)
        for account, region in (HOME, (broken[0], "eu-west-1")):
            there = client_of(simulator, account=account, region=region)
            assert len((await ask(there.list_event_source_mappings))["EventSourceMappings"]) == 8
