"""CloudWatch's protocols, CBOR, as SDKs speak by now, and JSON; and DescribeAlarms, with alarms that a test sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

import msgspec

from bulk_esm.simulator import cbor
from bulk_esm.simulator.errors import ApiError

SERVICE: Final = "monitoring"  # what a request to it is signed for

_TARGET: Final = "GraniteServiceVersion20100801."
_PATH: Final = "/service/GraniteServiceVersion20100801/operation/"
_CBOR: Final = {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
_JSON: Final = {"Content-Type": "application/x-amz-json-1.0"}


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """A CloudWatch alarm, as a test sets it."""

    name: str
    arn: str
    state: str
    reason: str
    is_composite: bool

    @property
    def as_shown(self) -> dict[str, str]:
        """Its members in DescribeAlarms."""
        shown = {"AlarmName": self.name, "AlarmArn": self.arn, "StateValue": self.state}
        return {**shown, "StateReason": self.reason} if self.reason else shown


class _Request(msgspec.Struct, frozen=True, kw_only=True):
    AlarmNames: list[str] = []
    AlarmNamePrefix: str = ""
    AlarmTypes: tuple[Literal["MetricAlarm", "CompositeAlarm"], ...] = ("MetricAlarm",)
    StateValue: str = ""
    MaxRecords: int = 50
    NextToken: str = "0"


def operation_of(path: str, headers: Mapping[str, str]) -> str | None:
    """Which operation a request to CloudWatch is, such as DescribeAlarms; None for what is none.

    Args:
        path: the request's.
        headers: the request's, names in lower case.
    """
    target = headers.get("x-amz-target", "")
    if path.startswith(_PATH):
        return path.removeprefix(_PATH)
    return target.removeprefix(_TARGET) if target.startswith(_TARGET) else None


def describe_alarms(alarms: Iterable[Alarm], body: bytes) -> dict[str, Any]:
    """Answer DescribeAlarms.

    Args:
        alarms: those of the caller's account and Region.
        body: the request's, in either protocol.

    Raises:
        ApiError: the request makes no sense.
    """
    try:
        request = msgspec.convert(decoded(body), _Request)
        begin = int(request.NextToken)
    except ValueError as error:  # msgspec's errors are ValueErrors too
        code = "ValidationError"
        raise ApiError(400, code, {"__type": code, "message": str(error)}) from error
    found = [alarm for alarm in alarms if _is_meant(alarm, request)]
    end = begin + request.MaxRecords
    answer: dict[str, Any] = {"MetricAlarms": [], "CompositeAlarms": []}
    for alarm in found[begin:end]:
        answer["CompositeAlarms" if alarm.is_composite else "MetricAlarms"].append(alarm.as_shown)
    return answer | ({"NextToken": str(end)} if end < len(found) else {})


def spelt(answer: Mapping[str, Any], path: str) -> tuple[bytes, Mapping[str, str]]:
    """An answer, or an error's body, as bytes in the protocol of its request, and the headers that go with it.

    Args:
        answer: its members.
        path: the request's.
    """
    return (cbor.encode(dict(answer)), _CBOR) if path.startswith(_PATH) else (msgspec.json.encode(answer), _JSON)


def decoded(body: bytes) -> Any:
    """A request's members, in whichever protocol it is.

    Args:
        body: the request's.
    """
    is_json = body[:1] == b"{"  # which would be a long text in CBOR, and a request is a map
    return msgspec.json.decode(body) if is_json else cbor.decode(body or b"\xa0")


def _is_meant(alarm: Alarm, request: _Request) -> bool:
    kind = "CompositeAlarm" if alarm.is_composite else "MetricAlarm"
    return (
        kind in request.AlarmTypes
        and (not request.AlarmNames or alarm.name in request.AlarmNames)
        and alarm.name.startswith(request.AlarmNamePrefix)
        and request.StateValue in ("", alarm.state)
    )
