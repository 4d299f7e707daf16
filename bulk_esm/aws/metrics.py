"""Values of CloudWatch's metrics by minute: GetMetricData, which costs nothing of Lambda's quota (F§0.1)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Final

from bulk_esm.aws.errors import translated
from bulk_esm.errors import ServiceError
from bulk_esm.model.measures import MOST_POINTS, MOST_QUERIES, MetricQuery

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
        by_id = {query["Id"]: found[of] for query, of in zip(asked, some, strict=True)}
        async for name, at, value in metric_points(client, asked, start=_moment(since), end=_moment(until)):
            minute = int(at.timestamp() // _MINUTE_S)
            if since <= minute < until:
                by_id[name][minute] = value
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
    points = metric_points(client, queries, start=_moment(since), end=_moment(until))
    return [value async for _, _, value in points]


async def metric_points(
    client: Any, queries: Sequence[Mapping[str, Any]], *, start: datetime, end: datetime
) -> AsyncIterator[tuple[str, datetime, float]]:
    """Ask GetMetricData, and believe only an answer that is whole: a part would be taken for no traffic, or no errors.

    Args:
        client: an aiobotocore client of CloudWatch.
        queries: MetricDataQueries.
        start: the beginning of what is asked for.
        end: its end.

    Yields:
        The Id, the time and the value of each point.

    Raises:
        AccessError: the credentials are refused.
        ServiceError: an answer that botocore's retries did not mend, or one that is not whole.
    """
    ids, status = {query["Id"] for query in queries}, {}
    with translated("cloudwatch:GetMetricData"):
        pages = client.get_paginator("get_metric_data").paginate(
            MetricDataQueries=list(queries), StartTime=start, EndTime=end
        )
        async for page in pages:
            for result in page["MetricDataResults"]:
                name, times, values = result["Id"], result["Timestamps"], result["Values"]
                status[name] = result.get("StatusCode")
                if status[name] in ("InternalError", "Forbidden"):
                    why = "; ".join(message.get("Value", "") for message in result.get("Messages") or ())
                    raise ServiceError(code=str(status[name]), message=f"of {name}: {why or 'no reason given'}")
                if name not in ids or len(times) != len(values) or not all(map(isfinite, values)):
                    raise ServiceError(code="DamagedAnswer", message=f"GetMetricData answered nonsense of {name}")
                for at, value in zip(times, values, strict=True):
                    yield name, at, float(value)
    # The rest of a part is on another page, but of an expression (CloudWatch's API reference).
    if parts := sorted(name for name, found in status.items() if found == "PartialData"):
        raise ServiceError(code="PartialData", message=f"GetMetricData told a part of {', '.join(parts)} alone")


def _moment(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * _MINUTE_S, UTC)


def _query(place: int, query: MetricQuery) -> dict[str, Any]:
    dimensions = [{"Name": name, "Value": value} for name, value in query.dimensions]
    metric = {"Namespace": query.namespace, "MetricName": query.metric, "Dimensions": dimensions}
    return {"Id": f"m{place}", "MetricStat": {"Metric": metric, "Period": _MINUTE_S, "Stat": query.stat}}
