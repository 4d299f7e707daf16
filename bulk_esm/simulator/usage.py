"""How much of the quota is used: CloudWatch's AWS/Usage (ListMetrics, GetMetricData), and GetServiceQuota.

GetMetricData tells of functions too: see `traffic`.

Only the other caller of the faults is counted, steadily and as far back as anybody asks; our own requests are not.
CloudWatch is spoken in CBOR and JSON, as `alarms` does; Service Quotas in JSON 1.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from bulk_esm.simulator.alarms import decoded
from bulk_esm.simulator.errors import ApiError
from bulk_esm.simulator.shard import Shard
from bulk_esm.simulator.traffic import Series

QUOTA_TARGET: Final = "ServiceQuotasV20190624.GetServiceQuota"
RATE_QUOTA: Final = "L-B2AA0F47"  # F§0.1
CONCURRENCY_QUOTA: Final = "L-B99A9384"

_NAMESPACE: Final = "AWS/Usage"
_METRIC: Final = "CallCount"
_LAMBDAS: Final = 15.0  # F§1.1
_MOST_QUERIES: Final = 500  # F§0.1
_CONCURRENCY: Final = 1000.0  # an account's by default
_MINUTE_S: Final = 60

# Guess: AWS/Usage has these operations by these names; which Lambda publishes is not listed (F§0.1), and ListMetrics in
# any account would tell.

# The shares are of what the other caller takes of the quota, of which calls of the last two are no part (F§1.1).
_SHARES: Final[Mapping[str, float]] = {
    "UpdateFunctionConfiguration": 0.75,
    "ListFunctions": 0.25,
    "GetFunction": 2.0,
    "Invoke": 40.0,
}


class _Query(msgspec.Struct, frozen=True, kw_only=True):
    class Stat(msgspec.Struct, frozen=True):
        Metric: dict[str, Any]
        Period: int
        Stat: str

    Id: str
    MetricStat: Stat


class _Request(msgspec.Struct, frozen=True, kw_only=True):
    MetricDataQueries: list[_Query]
    StartTime: datetime | float
    EndTime: datetime | float


def list_metrics(shard: Shard, body: bytes) -> dict[str, Any]:
    """Answer ListMetrics: those of AWS/Usage for Lambda's calls, if there is another caller.

    Args:
        shard: the caller's account and Region.
        body: the request's, in either protocol.
    """
    request: dict[str, Any] = decoded(body)
    is_meant = request.get("Namespace") == _NAMESPACE and request.get("MetricName") in (None, _METRIC)
    names = _SHARES if is_meant and shard.faults.other_caller_share else ()
    wanted = {each["Name"]: each.get("Value") for each in request.get("Dimensions", ())}
    found = [_metric(name) for name in names]
    return {"Metrics": [metric for metric in found if _has(metric, wanted)]}


def get_metric_data(shard: Shard, body: bytes, now: float) -> dict[str, Any]:
    """Answer GetMetricData for those metrics, and for what functions do, the newest minute first, as CloudWatch has it.

    Args:
        shard: the caller's account and Region.
        body: the request's, in either protocol.
        now: virtual seconds.

    Raises:
        ApiError: it asks for something else.
    """
    try:
        request = msgspec.convert(decoded(body), _Request)
    except ValueError as error:
        raise _invalid(str(error)) from error
    until, since = (_minute(at) for at in (request.EndTime, request.StartTime))
    minutes = range(until - _MINUTE_S, since - 1, -_MINUTE_S)
    if not 0 < len(request.MetricDataQueries) <= _MOST_QUERIES:
        raise _invalid(f"MetricDataQueries must have 1 to {_MOST_QUERIES}")
    series, results = shard.series(), []
    for query in request.MetricDataQueries:
        stat = query.MetricStat
        is_usage = stat.Metric.get("Namespace") == _NAMESPACE
        if stat.Period != _MINUTE_S or (is_usage and stat.Stat != "Sum"):
            raise _invalid("the simulator has minutes alone, and sums of AWS/Usage")
        values = _calls(shard, stat.Metric, minutes) if is_usage else _done(shard, series, stat, minutes, now)
        at = [float(minute) for minute in values]
        results.append(
            {"Id": query.Id, "StatusCode": "Complete", "Timestamps": at, "Values": [*map(float, values.values())]}
        )
    return {"MetricDataResults": results}


def _calls(shard: Shard, metric: Mapping[str, Any], minutes: range) -> dict[int, float]:
    operation = {each["Name"]: each["Value"] for each in metric["Dimensions"]}["Resource"]
    per_second = (shard.quota_per_second or _LAMBDAS) * shard.faults.other_caller_share
    calls = per_second * _MINUTE_S * _SHARES.get(operation, 0.0)
    return dict.fromkeys(minutes, calls) if calls else {}


def _done(shard: Shard, series: Series | None, stat: _Query.Stat, minutes: range, now: float) -> dict[int, float]:
    """What functions do; nothing where no test has said so."""
    found: dict[int, float] = {}
    for at in minutes if series is not None else ():
        minute = at // _MINUTE_S
        value = series.value(stat.Metric, stat.Stat, minute) if series is not None else None
        shown = None if value is None or series is None else series.shown(value, minute, shard.epoch + now)
        if shown is not None:
            found[at] = shown
    return found


def service_quota(shard: Shard, body: bytes) -> dict[str, Any]:
    """Answer GetServiceQuota for the rate of the control plane, and for concurrent executions.

    Args:
        shard: the caller's account and Region.
        body: the request's JSON.

    Raises:
        ApiError: another quota is asked for, or there is none.
    """
    request: dict[str, Any] = msgspec.json.decode(body)
    asked = request.get("ServiceCode"), request.get("QuotaCode")
    if asked == ("lambda", CONCURRENCY_QUOTA):
        told = {"ServiceCode": asked[0], "QuotaCode": asked[1], "QuotaName": "Concurrent executions"}
        return {"Quota": {**told, "Value": _CONCURRENCY, "Adjustable": True, "Unit": "None"}}
    if asked != ("lambda", RATE_QUOTA) or shard.quota_per_second is None:
        code = "NoSuchResourceException"
        raise ApiError(400, code, {"__type": code, "Message": f"no such quota: {asked}"})
    name = "Rate of control plane API requests"  # F§0.1
    return {"Quota": {"ServiceCode": asked[0], "QuotaCode": asked[1], "QuotaName": name} | _value(shard)}


def _value(shard: Shard) -> dict[str, Any]:
    return {"Value": shard.quota_per_second, "Adjustable": False, "Unit": "None"}


def _metric(operation: str) -> dict[str, Any]:
    dimensions = {"Service": "Lambda", "Type": "API", "Class": "None", "Resource": operation}  # F§0.1
    pairs = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    return {"Namespace": _NAMESPACE, "MetricName": _METRIC, "Dimensions": pairs}


def _has(metric: Mapping[str, Any], wanted: Mapping[str, str | None]) -> bool:
    there = {each["Name"]: each["Value"] for each in metric["Dimensions"]}
    return all(name in there and value in (None, there[name]) for name, value in wanted.items())


def _minute(at: datetime | float) -> int:
    seconds = at.replace(tzinfo=at.tzinfo or UTC).timestamp() if isinstance(at, datetime) else at
    return int(seconds // _MINUTE_S) * _MINUTE_S


def _invalid(message: str) -> ApiError:
    code = "ValidationError"
    return ApiError(400, code, {"__type": code, "message": message})
