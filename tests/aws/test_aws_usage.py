"""What CloudWatch tells of the control plane's callers. Pages and gaps are a double's: the simulator has one page."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

from bulk_esm.aws.usage import read_usage

UNTIL = datetime(2026, 11, 26, 5, 0, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
THE_LAST = UNTIL.replace(second=0) - MINUTE


def metric(operation: str, **more: str) -> dict[str, Any]:
    dimensions = {"Service": "Lambda", "Type": "API", "Class": "None", "Resource": operation} | more
    return {"Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()]}


class Pages:
    def __init__(self, asked: list[dict[str, Any]], pages_of: Any) -> None:
        self._asked = asked
        self._pages_of = pages_of

    async def paginate(self, **request: Any) -> AsyncIterator[dict[str, Any]]:
        self._asked.append(request)
        for page in self._pages_of(request):
            yield page


class CloudWatch:
    """Answers with `calls`, newest first, in pages of two results."""

    def __init__(self, listed: list[list[dict[str, Any]]], calls: dict[str, dict[datetime, float]]) -> None:
        self.asked: list[dict[str, Any]] = []
        self._listed = listed
        self._calls = calls

    def get_paginator(self, name: str) -> Pages:
        return Pages(self.asked, {"list_metrics": self._list, "get_metric_data": self._data}[name])

    def _list(self, _request: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"Metrics": page} for page in self._listed]

    def _data(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        results = []
        for query in request["MetricDataQueries"]:
            stat = query["MetricStat"]
            assert (stat["Period"], stat["Stat"]) == (60, "Sum")
            named = {each["Name"]: each["Value"] for each in stat["Metric"]["Dimensions"]}
            found = sorted(self._calls.get(named["Resource"], {}).items(), reverse=True)
            ats, values = [at for at, _ in found], [value for _, value in found]
            results.append({"Id": query["Id"], "Timestamps": ats, "Values": values})
        return [{"MetricDataResults": results[place : place + 2]} for place in range(0, len(results), 2)]


async def test_each_minute_has_its_place_and_a_gap_is_none() -> None:
    cloudwatch = CloudWatch(
        [[metric("ListFunctions"), metric("TagResource")], [metric("UpdateAlias"), metric("ListFunctions")]],
        {"ListFunctions": {THE_LAST: 60.0, THE_LAST - 2 * MINUTE: 30.0}, "UpdateAlias": {THE_LAST - 3 * MINUTE: 5.0}},
    )
    found = await read_usage(cloudwatch, until=UNTIL, minutes=3)
    assert found == {"ListFunctions": [30, 0, 60], "TagResource": [0, 0, 0], "UpdateAlias": [0, 0, 0]}
    data = cloudwatch.asked[-1]
    assert (data["StartTime"], data["EndTime"]) == (UNTIL.replace(second=0) - 3 * MINUTE, UNTIL.replace(second=0))


async def test_what_is_no_call_of_the_control_plane_is_not_asked_for() -> None:
    listed = [metric("Invoke"), metric("GetFunction"), metric("ListFunctions", Type="Resource"), {"Dimensions": []}]
    cloudwatch = CloudWatch([listed], {})
    assert await read_usage(cloudwatch, until=UNTIL) == {}
    assert len(cloudwatch.asked) == 1  # without a metric there is nothing to ask for, and an empty query is refused


async def test_more_than_one_call_takes() -> None:
    names = [f"Operation{number:03}x" for number in range(501)]
    cloudwatch = CloudWatch([[metric(name) for name in names]], {names[-1]: {THE_LAST: 7.0}})
    found = await read_usage(cloudwatch, until=UNTIL, minutes=1)
    assert found[names[-1]] == [7.0]
    assert [len(request["MetricDataQueries"]) for request in cloudwatch.asked[1:]] == [500, 1]
