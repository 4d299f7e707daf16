"""What moto has not: pages, composite alarms, and more names than one call takes. The model checks both ways."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiobotocore.session import get_session
from aws_reach import connected
from botocore.stub import Stubber

from bulk_esm.aws.alarms import AlarmState, read_alarms
from bulk_esm.errors import UsageError
from bulk_esm.simulator import Simulator

KINDS = ["MetricAlarm", "CompositeAlarm"]


@pytest_asyncio.fixture
async def client() -> AsyncIterator[Any]:
    async with get_session().create_client(
        "cloudwatch", region_name="eu-west-1", aws_access_key_id="testing", aws_secret_access_key="testing"
    ) as made:
        yield made


def alarm(name: str, state: str = "OK", **members: str) -> dict[str, str]:
    return {"AlarmName": name, "StateValue": state, **members}


def asked(*names: str, **members: str) -> dict[str, Any]:
    return {"AlarmNames": list(names), "AlarmTypes": KINDS, **members}


async def test_metric_and_composite_alarms_over_pages_in_the_order_of_their_names(client: Any) -> None:
    with Stubber(client) as stubber:
        first = {"MetricAlarms": [alarm("a", "ALARM", StateReason="too many")], "NextToken": "more"}
        second = {"CompositeAlarms": [alarm("c", "INSUFFICIENT_DATA")], "MetricAlarms": [alarm("b")]}
        stubber.add_response("describe_alarms", first, asked("c", "b", "a"))
        stubber.add_response("describe_alarms", second, asked("c", "b", "a", NextToken="more"))
        assert await read_alarms(client, ("c", "b", "a")) == [
            AlarmState("c", "INSUFFICIENT_DATA", "no reason given"),
            AlarmState("b", "OK", "no reason given"),
            AlarmState("a", "ALARM", "too many"),
        ]
        stubber.assert_no_pending_responses()


async def test_a_hundred_names_a_call(client: Any) -> None:
    names = tuple(f"alarm-{number:03}" for number in range(201))
    with Stubber(client) as stubber:
        for batch in (names[:100], names[100:200], names[200:]):
            answer = {"MetricAlarms": [alarm(name) for name in reversed(batch)], "CompositeAlarms": []}
            stubber.add_response("describe_alarms", answer, asked(*batch))
        assert [found.name for found in await read_alarms(client, names)] == list(names)
        stubber.assert_no_pending_responses()


async def test_no_names_no_call(client: Any) -> None:
    with Stubber(client):
        assert await read_alarms(client, ()) == []


async def test_a_name_that_no_alarm_has(client: Any) -> None:
    with Stubber(client) as stubber:
        stubber.add_response("describe_alarms", {"MetricAlarms": [alarm("a")]}, asked("a", "A"))
        with pytest.raises(UsageError, match="--alarm A: no CloudWatch alarm of this name in eu-west-1"):
            await read_alarms(client, ("a", "A"))


async def test_alarms_that_a_test_has_set_in_the_simulator() -> None:
    async with Simulator(fleet=[]) as simulator, connected(simulator) as connection:
        simulator.set_alarm("lag", "ALARM", reason="it rings")
        simulator.set_alarm("all", "OK", is_composite=True)
        assert await connection.alarms(("all", "lag")) == [
            AlarmState("all", "OK", "no reason given"),
            AlarmState("lag", "ALARM", "it rings"),
        ]
        with pytest.raises(UsageError, match="no CloudWatch alarm of this name"):
            await connection.alarms(("none",))
