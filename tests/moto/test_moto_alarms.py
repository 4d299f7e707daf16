"""Alarms and the caller's account, as moto's CloudWatch and STS tell them."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import boto3
import pytest
import pytest_asyncio
from moto_account import ACCOUNT_ID, REGION, MotoAccount

from bulk_esm.aws.alarms import AlarmState
from bulk_esm.aws.session import Connection, ConnectionSettings, connect
from bulk_esm.errors import UsageError
from bulk_esm.gates.alarm import AlarmGate

pytest_plugins = ("moto_fixtures",)


@pytest.fixture
def cloudwatch(moto: MotoAccount) -> Iterator[Any]:
    client = boto3.session.Session(region_name=REGION).client("cloudwatch", endpoint_url=moto.endpoint_url)
    yield client
    client.close()


@pytest_asyncio.fixture
async def connection(moto: MotoAccount) -> AsyncIterator[Connection]:
    async with connect(ConnectionSettings()) as opened:
        yield opened


def put_alarm(cloudwatch: Any, name: str, state: str | None = None, reason: str = "") -> None:
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="AWS/Lambda",
        MetricName="Errors",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    if state:
        cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason=reason)


async def test_every_state(cloudwatch: Any, connection: Connection) -> None:
    put_alarm(cloudwatch, "good", "OK", "all is well")
    put_alarm(cloudwatch, "bad", "ALARM", "5 datapoints were above 1")
    put_alarm(cloudwatch, "unsure", "INSUFFICIENT_DATA", "too early to tell")
    put_alarm(cloudwatch, "not asked for", "ALARM")
    names = ("bad", "unsure", "good")
    assert await connection.alarms(names) == [
        AlarmState("bad", "ALARM", "5 datapoints were above 1"),
        AlarmState("unsure", "INSUFFICIENT_DATA", "too early to tell"),
        AlarmState("good", "OK", "all is well"),
    ]
    cloudwatch.set_alarm_state(AlarmName="good", StateValue="ALARM", StateReason="no longer")
    assert (await connection.alarms(("good",)))[0] == AlarmState("good", "ALARM", "no longer")


async def test_an_alarm_that_was_never_evaluated(cloudwatch: Any, connection: Connection) -> None:
    put_alarm(cloudwatch, "new")
    (found,) = await connection.alarms(("new",))
    assert found.name == "new"
    assert found.reason


async def test_a_name_that_no_alarm_has(cloudwatch: Any, connection: Connection) -> None:
    put_alarm(cloudwatch, "errors")
    with pytest.raises(UsageError, match=f"--alarm error: no CloudWatch alarm of this name in {REGION}"):
        await connection.alarms(("errors", "error"))


async def test_more_alarms_than_one_call_takes(cloudwatch: Any, connection: Connection) -> None:
    names = tuple(f"alarm {number}" for number in range(101))
    for name in names:
        put_alarm(cloudwatch, name)
    assert [found.name for found in await connection.alarms(names)] == list(names)


async def test_a_gate(cloudwatch: Any, connection: Connection) -> None:
    put_alarm(cloudwatch, "errors", "OK", "all is well")
    put_alarm(cloudwatch, "age", "INSUFFICIENT_DATA", "too early to tell")
    told: list[str] = []
    gate = AlarmGate(("errors", "age"), connection.alarms, told.append)
    assert [await gate.check(None), await gate.check(None)] == [None, None]
    assert told == ["note: alarm age has INSUFFICIENT_DATA, so it says nothing either way"]
    cloudwatch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="5 datapoints were above 1")
    assert await gate.check(None) == "in ALARM: errors (5 datapoints were above 1)"
    cloudwatch.delete_alarms(AlarmNames=["errors"])
    reason = await gate.check(None)
    assert isinstance(reason, str)
    assert reason.startswith("the alarms cannot be read: --alarm errors: no CloudWatch alarm of this name")


async def test_the_account_of_the_credentials(connection: Connection) -> None:
    assert await connection.account_id() == ACCOUNT_ID
