"""What functions do, as the simulator's GetMetricData tells, and as SDKs and the client's own reader ask for it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from statistics import fmean
from typing import Any

import pytest
from aiobotocore.session import get_session
from botocore.exceptions import ClientError

from bulk_esm.aws.metrics import read_metrics
from bulk_esm.aws.quotas import read_concurrency_limit
from bulk_esm.errors import ServiceError
from bulk_esm.model.measures import MEASURES, MetricQuery
from bulk_esm.simulator import Simulator, Traffic, make_fleet

ACCOUNT = "123456789012"
PLACE = (ACCOUNT, "us-east-1")
EPOCH = 1_760_000_040  # a whole minute
NOW_S = 7200
LAST = (EPOCH + NOW_S) // 60
FLEET = make_fleet(40)


@asynccontextmanager
async def asking(traffic: Traffic | None, service: str = "cloudwatch") -> AsyncIterator[tuple[Simulator, Any]]:
    now = [0.0]
    async with (
        Simulator(fleet=FLEET, clock=lambda: now[0], epoch=EPOCH, quota_per_second=None) as simulator,
        get_session().create_client(
            service,
            endpoint_url=simulator.endpoint_url,
            region_name=simulator.region,
            aws_access_key_id=simulator.account_id,
            aws_secret_access_key="any",
        ) as client,
    ):
        if traffic is not None:
            simulator.set_traffic(traffic)
        await change(simulator, FLEET.mappings[0]["UUID"])
        now[0] = NOW_S
        yield simulator, client


async def change(simulator: Simulator, uuid: str) -> None:
    async with get_session().create_client(
        "lambda",
        endpoint_url=simulator.endpoint_url,
        region_name=simulator.region,
        aws_access_key_id=simulator.account_id,
        aws_secret_access_key="any",
    ) as client:
        await client.update_event_source_mapping(UUID=uuid, BatchSize=7)


def queries(name: str, mapping: dict[str, Any]) -> tuple[MetricQuery, ...]:
    of = {"function": "FunctionArn", "queue": "EventSourceArn", "mapping": "UUID", "account": "FunctionArn"}
    measure = MEASURES[name]
    return measure.queries(mapping[of[measure.of]], PLACE)


def of_type(kind: str) -> dict[str, Any]:
    return next(each for each in FLEET.mappings if f":{kind}:" in str(each.get("EventSourceArn")))


async def test_errors_rise_once_a_function_was_changed() -> None:
    traffic = Traffic(error_share=0.01, changed_error_share=0.2)
    function = FLEET.mappings[0]["FunctionArn"]
    other = next(each for each in FLEET.mappings if each["FunctionArn"].split(":")[6] != function.split(":")[6])
    asked = [*queries("errors", FLEET.mappings[0]), *queries("errors", other)]
    async with asking(traffic) as (_, client):
        found = await read_metrics(client, asked, since=LAST - 110, until=LAST - 3)
        again = await read_metrics(client, asked[:1], since=LAST - 110, until=LAST - 3)
        before = await read_metrics(client, asked[:1], since=EPOCH // 60 - 100, until=EPOCH // 60)
    errors, invocations, others, _ = (list(found[query].values()) for query in asked)
    assert set(invocations) == {100.0}
    assert fmean(errors) == pytest.approx(20, abs=3)
    assert fmean(others) < 3
    assert fmean(before[asked[0]].values()) < 3
    assert again[asked[0]] == found[asked[0]]


async def test_the_newest_minutes_are_not_whole() -> None:
    (_, invocations) = queries("errors", FLEET.mappings[0])
    async with asking(Traffic(delay_s=120)) as (_, client):
        found = await read_metrics(client, [invocations], since=LAST - 4, until=LAST + 1)
    assert found[invocations] == {LAST - 4: 100, LAST - 3: 100, LAST - 2: 50, LAST - 1: 50, LAST: 50}


@pytest.mark.parametrize(
    ("name", "kind", "about"),
    [
        ("duration-p95", "sqs", 320),
        ("iterator-age", "kinesis", 5000),
        ("queue-age", "sqs", 5),
        ("concurrency", "sqs", 10),
    ],
)
async def test_levels(name: str, kind: str, about: float) -> None:
    (query,) = queries(name, of_type(kind))
    async with asking(Traffic(age_s=5, duration_s=0.2)) as (_, client):
        found = await read_metrics(client, [query], since=LAST - 60, until=LAST - 3)
    assert fmean(found[query].values()) == pytest.approx(about, rel=0.1)


@pytest.mark.parametrize("name", ["failed-events", "iterator-age"])
async def test_what_is_not_published_has_no_points(name: str) -> None:
    asked = queries(name, of_type("sqs"))
    async with asking(Traffic()) as (_, client):
        found = await read_metrics(client, asked, since=LAST - 60, until=LAST - 3)
    assert not any(found.values())


@pytest.mark.parametrize("traffic", [None, Traffic(functions=("no-such-*",)), Traffic(per_minute=0)])
async def test_without_traffic_there_are_no_points(traffic: Traffic | None) -> None:
    asked = queries("errors", FLEET.mappings[0])
    async with asking(traffic) as (_, client):
        found = await read_metrics(client, asked, since=LAST - 60, until=LAST - 3)
    assert not any(found.values())


async def test_more_than_one_call_takes() -> None:
    asked = [MetricQuery(place=PLACE, namespace="AWS/Lambda", metric=f"M{number}") for number in range(501)]
    async with asking(Traffic()) as (simulator, client):
        assert len(await read_metrics(client, asked, since=LAST - 5, until=LAST)) == 501
        assert sum(one.count for one in simulator.report().requests if one.kind == "metrics") == 2
        with pytest.raises(ClientError, match="1 to 500"):
            await client.get_metric_data(
                MetricDataQueries=[
                    {"Id": f"m{number}", "MetricStat": {"Metric": {"MetricName": "M"}, "Period": 60, "Stat": "Sum"}}
                    for number in range(501)
                ],
                StartTime=EPOCH,
                EndTime=EPOCH + 60,
            )


async def test_an_expression_is_not_simulated_and_says_so() -> None:
    async with asking(Traffic()) as (_, client):
        with pytest.raises(ClientError, match="ValidationError"):
            await client.get_metric_data(
                MetricDataQueries=[{"Id": "e1", "Expression": "1 + 1"}], StartTime=EPOCH, EndTime=EPOCH + 60
            )


async def test_the_account_s_limit() -> None:
    async with asking(None, "service-quotas") as (_, client):
        assert await read_concurrency_limit(client) == 1000


async def test_a_damaged_answer_is_an_error_of_the_service() -> None:
    class Client:
        def get_paginator(self, _name: str) -> "Client":
            return self

        async def paginate(self, **_: Any) -> AsyncIterator[dict[str, Any]]:
            yield {"MetricDataResults": [{"Id": "m0", "StatusCode": "InternalError", "Timestamps": [], "Values": []}]}

    with pytest.raises(ServiceError, match="InternalError"):
        await read_metrics(Client(), queries("errors", FLEET.mappings[0]), since=1, until=2)
