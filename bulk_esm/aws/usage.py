"""Who uses Lambda's control plane: CloudWatch's AWS/Usage, which costs nothing of Lambda's quota (F§0.1)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from bulk_esm.aws.errors import translated
from bulk_esm.aws.metrics import metric_points
from bulk_esm.model.usage import LOOKED_BACK_MINUTES, is_of_the_quota

_NAMESPACE: Final = "AWS/Usage"
_METRIC: Final = "CallCount"
_OF_LAMBDA: Final = {"Service": "Lambda", "Type": "API", "Class": "None"}  # F§0.1
_MOST_AT_ONCE: Final = 500  # GetMetricData takes no more (F§0.1)
_MINUTE: Final = timedelta(minutes=1)


async def read_usage(client: Any, *, until: datetime, minutes: int = LOOKED_BACK_MINUTES) -> dict[str, list[float]]:
    """Read how often each operation of the control plane was called by anybody, in each minute.

    Args:
        client: an aiobotocore client of CloudWatch.
        until: the end of the last minute or later.
        minutes: how many of them.

    Returns:
        By operation, the oldest minute first; one in which nothing is told of counts as none.

    Raises:
        AccessError: the credentials are refused.
        ServiceError: an answer that botocore's retries did not mend.
    """
    operations = await _operations(client)
    until = until.replace(second=0, microsecond=0)
    since = until - minutes * _MINUTE
    found: dict[str, list[float]] = {operation: [0.0] * minutes for operation in operations}
    for begin in range(0, len(operations), _MOST_AT_ONCE):
        some = operations[begin : begin + _MOST_AT_ONCE]
        asked = [_query(place, operation) for place, operation in enumerate(some)]
        by_id = {query["Id"]: found[operation] for query, operation in zip(asked, some, strict=True)}
        async for name, at, value in metric_points(client, asked, start=since, end=until):
            place = (at - since) // _MINUTE
            if 0 <= place < minutes:
                by_id[name][place] = value
    return found


async def _operations(client: Any) -> Sequence[str]:
    """Those of which calls are counted and that share the quota: which there are is not listed anywhere (F§0.1)."""
    with translated("cloudwatch:ListMetrics"):
        pages = client.get_paginator("list_metrics").paginate(
            Namespace=_NAMESPACE, MetricName=_METRIC, Dimensions=[{"Name": "Service", "Value": "Lambda"}]
        )
        dimensions = [
            {each["Name"]: each["Value"] for each in metric["Dimensions"]}
            async for page in pages
            for metric in page["Metrics"]
        ]
    return sorted(
        {
            named["Resource"]
            for named in dimensions
            if named.items() >= _OF_LAMBDA.items() and is_of_the_quota(named.get("Resource", "Invoke"))
        }
    )


def _query(place: int, operation: str) -> dict[str, Any]:
    dimensions = [{"Name": name, "Value": value} for name, value in (_OF_LAMBDA | {"Resource": operation}).items()]
    metric = {"Namespace": _NAMESPACE, "MetricName": _METRIC, "Dimensions": dimensions}
    return {"Id": f"m{place}", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}
