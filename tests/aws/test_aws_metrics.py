"""Metrics that moto does not have, as botocore's stubber takes the requests: percentiles and expressions."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from aiobotocore.session import get_session
from aiobotocore.stub import AioStubber

from bulk_esm.aws.metrics import read_expression, read_metrics
from bulk_esm.aws.quotas import read_concurrency_limit, read_quota
from bulk_esm.errors import AccessError, ServiceError
from bulk_esm.model.measures import MEASURES

PLACE = ("123456789012", "us-east-1")
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:orders:live"
SINCE, UNTIL = 29_600_000, 29_600_010
WINDOW = {"StartTime": datetime.fromtimestamp(SINCE * 60, UTC), "EndTime": datetime.fromtimestamp(UNTIL * 60, UTC)}


def at(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * 60, UTC)


@asynccontextmanager
async def stubbed(service: str = "cloudwatch") -> AsyncIterator[tuple[Any, Any]]:
    async with get_session().create_client(
        service, region_name="us-east-1", aws_access_key_id="any", aws_secret_access_key="any"
    ) as client:
        with AioStubber(client) as stubber:
            yield client, stubber
            stubber.assert_no_pending_responses()


async def test_a_percentile_of_an_alias() -> None:
    (query,) = MEASURES["duration-p95"].queries(FUNCTION, PLACE)
    dimensions = [{"Name": "FunctionName", "Value": "orders"}, {"Name": "Resource", "Value": "orders:live"}]
    metric = {"Namespace": "AWS/Lambda", "MetricName": "Duration", "Dimensions": dimensions}
    asked = [{"Id": "m0", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "p95"}}]
    async with stubbed() as (client, stubber):
        for token, minutes in ((None, (UNTIL - 1, UNTIL - 2)), ("more", (SINCE, SINCE - 1))):
            result = {"Id": "m0", "Timestamps": [at(minute) for minute in minutes], "Values": [200.5, 190.0]}
            following = {} if token else {"NextToken": "more"}
            stubber.add_response(
                "get_metric_data",
                {"MetricDataResults": [result], **following},
                {"MetricDataQueries": asked, **WINDOW, **({"NextToken": token} if token else {})},
            )
        found = await read_metrics(client, [query], since=SINCE, until=UNTIL)
    assert found == {query: {UNTIL - 1: 200.5, UNTIL - 2: 190.0, SINCE: 200.5}}  # and none of before


async def test_an_expression() -> None:
    asked = [{"Id": "e1", "Expression": "SUM(METRICS())"}]
    async with stubbed() as (client, stubber):
        result = {"Id": "e1", "Timestamps": [at(SINCE)], "Values": [7.0], "StatusCode": "Complete"}
        stubber.add_response("get_metric_data", {"MetricDataResults": [result]}, {"MetricDataQueries": asked, **WINDOW})
        assert await read_expression(client, asked, since=SINCE, until=UNTIL) == [7.0]


async def test_an_expression_that_cloudwatch_refuses() -> None:
    async with stubbed() as (client, stubber):
        stubber.add_client_error("get_metric_data", "ValidationError", "Error in expression 'e1'", 400)
        with pytest.raises(ServiceError, match="Error in expression"):
            await read_expression(client, [{"Id": "e1", "Expression": "?"}], since=SINCE, until=UNTIL)


async def test_what_may_not_be_read() -> None:
    async with stubbed() as (client, stubber):
        stubber.add_client_error("get_metric_data", "AccessDenied", "not authorized", 403)
        with pytest.raises(AccessError):
            await read_metrics(client, MEASURES["errors"].queries(FUNCTION, PLACE), since=SINCE, until=UNTIL)


async def test_the_limit_of_an_account() -> None:
    asked = {"ServiceCode": "lambda", "QuotaCode": "L-B99A9384"}
    async with stubbed("service-quotas") as (client, stubber):
        stubber.add_response("get_service_quota", {"Quota": {"Value": 3000.0}}, asked)
        assert await read_concurrency_limit(client) == 3000
        stubber.add_response("get_service_quota", {"Quota": {"Value": 0.0}}, asked)
        with pytest.raises(ServiceError, match="says 0 concurrent"):
            await read_concurrency_limit(client)


@pytest.mark.parametrize(
    "answer",
    [
        {"MetricDataResults": [{"Id": "m7", "Timestamps": [], "Values": []}]},
        {"MetricDataResults": [{"Id": "other", "Timestamps": [], "Values": []}]},
        {"MetricDataResults": [{"Id": "m0", "Timestamps": [at(SINCE)], "Values": []}]},
        {"MetricDataResults": [{"Id": "m0", "Timestamps": [at(SINCE)], "Values": [float("nan")]}]},
        {"MetricDataResults": [{"Id": "m0", "Timestamps": [at(SINCE)], "Values": [float("inf")]}]},
        {"MetricDataResults": [{"Id": "m0", "Timestamps": [], "Values": [], "StatusCode": "PartialData"}]},
    ],
    ids=str,
)
async def test_an_answer_that_makes_no_sense_or_is_not_whole(answer: dict[str, Any]) -> None:
    async with stubbed() as (client, stubber):
        stubber.add_response("get_metric_data", answer)
        with pytest.raises(ServiceError, match=r"GetMetricData"):
            await read_metrics(client, MEASURES["errors"].queries(FUNCTION, PLACE), since=SINCE, until=UNTIL)


async def test_a_part_that_is_followed_by_the_rest() -> None:
    (query,) = MEASURES["duration-p95"].queries(FUNCTION, PLACE)
    async with stubbed() as (client, stubber):
        part = {"Id": "m0", "Timestamps": [at(SINCE)], "Values": [1.0], "StatusCode": "PartialData"}
        rest = {"Id": "m0", "Timestamps": [at(SINCE + 1)], "Values": [2.0], "StatusCode": "Complete"}
        stubber.add_response("get_metric_data", {"MetricDataResults": [part], "NextToken": "more"})
        stubber.add_response("get_metric_data", {"MetricDataResults": [rest]})
        found = await read_metrics(client, [query], since=SINCE, until=UNTIL)
    assert found == {query: {SINCE: 1.0, SINCE + 1: 2.0}}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
async def test_an_expression_without_a_number(value: float) -> None:
    async with stubbed() as (client, stubber):
        result = {"Id": "e1", "Timestamps": [at(SINCE)], "Values": [value]}
        stubber.add_response("get_metric_data", {"MetricDataResults": [result]})
        with pytest.raises(ServiceError, match=r"GetMetricData"):
            await read_expression(client, [{"Id": "e1", "Expression": "1"}], since=SINCE, until=UNTIL)


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
@pytest.mark.parametrize("read", [read_concurrency_limit, read_quota])
async def test_a_limit_that_is_none(value: float, read: Callable[[Any], Awaitable[float]]) -> None:
    async with stubbed("service-quotas") as (client, stubber):
        stubber.add_response("get_service_quota", {"Quota": {"Value": value}})
        with pytest.raises(ServiceError, match="NoQuota"):
            await read(client)
