"""Which operation a request is, by service, method and path."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from bulk_esm.simulator import alarms, calendars, identity, tagging, usage
from bulk_esm.simulator.report import Kind


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP request; header names in lower case.

    Attributes:
        tag_keys: `tagKeys` of the query, which may be there several times.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    tag_keys: tuple[str, ...] = ()


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """An operation.

    Attributes:
        kind: its kind, as the report counts it.
        action: what IAM calls it.
        key: what the path names: a mapping's UUID, a function or a resource's ARN.
    """

    kind: Kind
    action: str
    key: str = ""


_MAPPINGS: Final = "/2015-03-31/event-source-mappings"
_FUNCTIONS: Final = "/2015-03-31/functions"
_TAGS: Final = "/2017-03-31/tags"
_OF_LAMBDA: Final[tuple[tuple[str, str, Kind, str], ...]] = (
    ("GET", f"{_MAPPINGS}/?", Kind.LIST, "lambda:ListEventSourceMappings"),
    ("POST", f"{_MAPPINGS}/?", Kind.CREATE, "lambda:CreateEventSourceMapping"),
    ("GET", f"{_MAPPINGS}/([^/]+)/?", Kind.GET, "lambda:GetEventSourceMapping"),
    ("PUT", f"{_MAPPINGS}/([^/]+)/?", Kind.UPDATE, "lambda:UpdateEventSourceMapping"),
    ("DELETE", f"{_MAPPINGS}/([^/]+)/?", Kind.DELETE, "lambda:DeleteEventSourceMapping"),
    ("GET", f"{_TAGS}/(.+)", Kind.TAGS, "lambda:ListTags"),
    ("POST", f"{_TAGS}/(.+)", Kind.TAGS, "lambda:TagResource"),
    ("DELETE", f"{_TAGS}/(.+)", Kind.TAGS, "lambda:UntagResource"),
    ("GET", f"{_FUNCTIONS}/([^/]+)", Kind.FUNCTION, "lambda:GetFunction"),
    ("GET", f"{_FUNCTIONS}/([^/]+)/configuration", Kind.FUNCTION, "lambda:GetFunctionConfiguration"),
)
_ROUTES: Final = [(method, re.compile(path), kind, action) for method, path, kind, action in _OF_LAMBDA]
_OF_STS: Final[Mapping[str, Kind]] = {"GetCallerIdentity": Kind.IDENTITY, "AssumeRole": Kind.ROLE}
_OF_CLOUDWATCH: Final[Mapping[str | None, Kind]] = {
    "DescribeAlarms": Kind.ALARMS,
    "ListMetrics": Kind.METRICS,
    "GetMetricData": Kind.METRICS,
}
_BY_TARGET: Final[Mapping[str, Call]] = {
    tagging.TARGET: Call(kind=Kind.TAGGING, action="tag:GetResources"),
    usage.QUOTA_TARGET: Call(kind=Kind.QUOTA, action="servicequotas:GetServiceQuota"),
    calendars.TARGET: Call(kind=Kind.CALENDARS, action="ssm:GetCalendarState"),
}
_UNKNOWN: Final = Call(kind=Kind.OTHER, action="unknown")


def route(request: Request, service: str) -> Call:
    """Tell which operation a request is.

    Args:
        request: the request.
        service: what it is signed for.

    Returns:
        A call of the kind `OTHER` for what the simulator does not speak.
    """
    if request.method == "POST" and (call := _BY_TARGET.get(request.headers.get("x-amz-target", ""))) is not None:
        return call
    if service == alarms.SERVICE:
        operation = alarms.operation_of(request.path, request.headers)
        return Call(kind=_OF_CLOUDWATCH.get(operation, Kind.OTHER), action=f"cloudwatch:{operation}")
    if service == identity.SERVICE and request.method == "POST":
        action = identity.form(request.body).get("Action", "")
        return Call(kind=_OF_STS.get(action, Kind.OTHER), action=f"sts:{action}")
    if service == "lambda":
        for method, path, kind, action in _ROUTES:
            if method == request.method and (found := path.fullmatch(request.path)):
                return Call(kind=kind, action=action, key=found[1] if path.groups else "")
    return _UNKNOWN
