"""Values of CloudWatch's metrics by minute: GetMetricData, which costs nothing of Lambda's quota (F§0.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from bulk_esm.aws.errors import translated
from bulk_esm.errors import ServiceError
from bulk_esm.model.measures import MOST_POINTS, MOST_QUERIES, MetricQuery

# Of Service Quotas, which Lambda's own quota knows nothing of; GetAccountSettings, which says the same, is one of its
# 15 requests/s (F§0, 1).
# Guess: this is the code of "Concurrent executions"; pages about raising it name it, F§ has none of it, and
# GetServiceQuota in any account would tell.
CONCURRENCY_QUOTA: Final = "L-B99A9384"
_MINUTE_S: Final = 60


async def read_metrics(
    client: Any, queries: Sequence[MetricQuery], *, since: int, until: int
) -> dict[MetricQuery, dict[int, float]]:
    """Read metrics.

    Args:
        client: an aiobotocore client of CloudWatch.
        queries: which.
        since: the first minute, from the epoch.
        until: the minute after the last.

    Returns:
        Values by minute for each; a minute of which nothing is told is not there.

    Raises:
        AccessError: the credentials are refused.
        ServiceError: an answer that botocore's retries did not mend, or one that is not whole.
    """
    found: dict[MetricQuery, dict[int, float]] = {query: {} for query in queries}
    at_once = max(1, min(MOST_QUERIES, MOST_POINTS // max(1, until - since)))
    for begin in range(0, len(queries), at_once):
        some = queries[begin : begin + at_once]
        asked = [_query(place, query) for place, query in enumerate(some)]
        async for result in _results(client, asked, since=since, until=until):
            values = found[some[int(result["Id"].removeprefix("m"))]]
            for at, value in zip(result["Timestamps"], result["Values"], strict=True):
                minute = int(at.timestamp() // _MINUTE_S)
                if since <= minute < until:
                    values[minute] = float(value)
    return found


async def read_expression(client: Any, queries: Sequence[Mapping[str, Any]], *, since: int, until: int) -> list[float]:
    """Read what the one query that returns data says.

    Args:
        client: an aiobotocore client of CloudWatch.
        queries: MetricDataQueries.
        since: the first minute, from the epoch.
        until: the minute after the last.

    Raises:
        AccessError: the credentials are refused.
        ServiceError: an answer that botocore's retries did not mend; an expression that CloudWatch refuses too.
    """
    values: list[float] = []
    async for result in _results(client, queries, since=since, until=until):
        values += map(float, result["Values"])
    return values


async def read_concurrency_limit(client: Any) -> float:
    """Read how many invocations an account may have at once in a Region.

    Args:
        client: an aiobotocore client of Service Quotas.

    Raises:
        AccessError: the credentials are refused.
        ServiceError: there is no such quota, or an answer that botocore's retries did not mend.
    """
    with translated("servicequotas:GetServiceQuota"):
        answer = await client.get_service_quota(ServiceCode="lambda", QuotaCode=CONCURRENCY_QUOTA)
    value = float(answer["Quota"]["Value"])
    if value <= 0:
        raise ServiceError(code="NoQuota", message=f"Service Quotas says {value:g} concurrent invocations")
    return value


async def _results(client: Any, queries: Sequence[Mapping[str, Any]], *, since: int, until: int) -> Any:
    start, end = (datetime.fromtimestamp(minute * _MINUTE_S, UTC) for minute in (since, until))
    with translated("cloudwatch:GetMetricData"):
        pages = client.get_paginator("get_metric_data").paginate(
            MetricDataQueries=list(queries), StartTime=start, EndTime=end
        )
        async for page in pages:
            for result in page["MetricDataResults"]:
                if result.get("StatusCode") in ("InternalError", "Forbidden"):
                    why = "; ".join(message.get("Value", "") for message in result.get("Messages") or ())
                    code = str(result["StatusCode"])
                    raise ServiceError(code=code, message=f"of {result['Id']}: {why or 'no reason given'}")
                yield result


def _query(place: int, query: MetricQuery) -> dict[str, Any]:
    dimensions = [{"Name": name, "Value": value} for name, value in query.dimensions]
    metric = {"Namespace": query.namespace, "MetricName": query.metric, "Dimensions": dimensions}
    return {"Id": f"m{place}", "MetricStat": {"Metric": metric, "Period": _MINUTE_S, "Stat": query.stat}}
