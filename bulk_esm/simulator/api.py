"""Requests to answers: routes, identities and the wire format, without a socket in sight."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from bulk_esm.simulator import (
    alarms,
    bounds,
    calendars,
    creating,
    errors,
    identity,
    resource_tags,
    signing,
    tagging,
    usage,
)
from bulk_esm.simulator.faults import Fate, Faults
from bulk_esm.simulator.paging import PAGE
from bulk_esm.simulator.reading import on_the_wire
from bulk_esm.simulator.report import Kind
from bulk_esm.simulator.routes import Call, Request, route
from bulk_esm.simulator.shard import Shard
from bulk_esm.simulator.spoils import OF_LIST, Spoil, body_of, page_of
from bulk_esm.simulator.world import World

_CREDENTIAL: Final = re.compile(r"AWS4-[^ ]+ .*?Credential=([^/,]+)/\d{8}/([^/,]+)/([^/,]+)/aws4_request")
_ACCOUNT_ID: Final = re.compile(r"\d{12}")
_ACCEPTED: Final = 202
_OF_A_MAPPING: Final = frozenset({Kind.GET, Kind.UPDATE, Kind.DELETE})
_NO_CONTENT: Final = 204
_OF_CLOUDWATCH: Final = frozenset({Kind.ALARMS, Kind.METRICS})
_NOT_LAMBDAS: Final = _OF_CLOUDWATCH | {
    Kind.CALENDARS,
    Kind.TAGGING,
    Kind.IDENTITY,
    Kind.ROLE,
    Kind.QUOTA,
    Kind.OTHER,
}


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP answer.

    Attributes:
        cut: break the connection instead of answering.
        delay_s: hold the answer back for so many real seconds.
        drip_s: send it a byte at a time, with so many real seconds before each.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    cut: bool = False
    delay_s: float = 0.0
    drip_s: float = 0.0


def answer(world: World, request: Request, now: float) -> Answer:
    """Answer one request, and count it.

    Args:
        world: all accounts and Regions.
        request: the request.
        now: virtual seconds.
    """
    credential = _CREDENTIAL.match(request.headers.get("authorization", ""))
    if credential is None:
        return _failure(errors.unsigned(), _request_id("", 0))
    key, region, service = credential.groups()
    shard = world.shard(key if _ACCOUNT_ID.fullmatch(key) else world.settings.account_id, region)
    scope = f"{shard.account_id}/{shard.region}"
    number = shard.requests.total()  # the nth request of its shard: what its faults are drawn by
    request_id = _request_id(scope, number)
    call = route(request, service)
    fate = shard.faults.fate(world.settings.seed, scope, number)
    spoil = _spoil(shard, call, world.settings.seed, scope, number)
    try:
        done = _carry_out(shard, call, request, now, fate, request_id, spoil)
    except errors.ApiError as error:
        done = _failed(error, call, request, request_id, service)
    else:
        done = msgspec.structs.replace(done, headers={**done.headers, "x-amzn-RequestId": request_id})
    if call.kind not in _NOT_LAMBDAS:
        delay_s = shard.faults.delay_s(world.settings.seed, scope, number)
        done = msgspec.structs.replace(done, delay_s=delay_s, cut=done.cut or fate is Fate.CUT_AFTER)
    if spoil is not None:
        drip_s = shard.faults.drip_s if spoil is Spoil.DRIP else 0.0
        done = msgspec.structs.replace(done, body=body_of(spoil, done.body, number), drip_s=drip_s)
    if shard.faults.clock_off_s:
        done = msgspec.structs.replace(done, headers={**done.headers, "Date": signing.date(shard.faults.clock_off_s)})
    shard.requests[call.kind, 0 if done.cut else done.status] += 1
    return done


def _spoil(shard: Shard, call: Call, *key: object) -> Spoil | None:
    spoil = shard.faults.spoil(*key)
    return None if call.kind in _NOT_LAMBDAS or (spoil in OF_LIST and call.kind is not Kind.LIST) else spoil


def _request_id(scope: str, number: int) -> str:
    """The request's number in its account and Region, in the form of a UUID: it repeats from run to run."""
    return f"{zlib.crc32(scope.encode()):08x}-0000-4000-8000-{number:012x}"


def _carry_out(
    shard: Shard, call: Call, request: Request, now: float, fate: Fate, request_id: str, spoil: Spoil | None
) -> Answer:
    """Who may call comes before whether there is quota left, and that before what the call says."""
    faults = shard.faults
    if faults.clock_off_s:
        signing.check(request.headers.get("x-amz-date", ""), faults.clock_off_s)
    if faults.expires_after_s is not None and now >= faults.expires_after_s:
        raise errors.expired()
    if call.kind is Kind.IDENTITY:
        return _success_of_sts(identity.caller_identity(shard, request_id))
    if call.kind is Kind.ROLE:
        return _role(shard, call, identity.form(request.body), now, request_id)
    if shard.account_id in faults.denied_accounts or call.action in faults.denied_actions:
        raise errors.denied(shard.account_id, call.action)
    names = shard.names_of(call.key, now) if call.kind in _OF_A_MAPPING and faults.denials else ()
    if any(denial.denies(call.action, names, now) for denial in faults.denials):
        raise errors.denied(shard.account_id, call.action, names[0] if names else None)
    if call.kind in _NOT_LAMBDAS:
        return _of_others(shard, call, request, now)
    shard.admit(now, action=call.action)
    if shard.account_id in faults.broken_accounts:
        raise errors.server_error()
    return _instead(fate, spoil, faults) or _of_lambda(shard, call, request, now, spoil)


def _role(shard: Shard, call: Call, fields: Mapping[str, str], now: float, request_id: str) -> Answer:
    """A role, unless one is denied to whoever asks."""
    role_arn = fields.get("RoleArn", "")
    if any(denial.denies(call.action, (role_arn,), now) for denial in shard.faults.denials):
        raise errors.denied(shard.account_id, call.action, role_arn)
    return _success_of_sts(identity.assumed_role(fields, request_id))


def _of_others(shard: Shard, call: Call, request: Request, now: float) -> Answer:
    if call.kind in _OF_CLOUDWATCH:
        body, headers = alarms.spelt(_of_cloudwatch(shard, call, request.body, now), request.path)
        return Answer(status=200, headers=headers, body=body)
    if call.kind is Kind.OTHER:
        raise errors.unknown_operation(request.method, request.path)
    if call.kind is Kind.QUOTA:
        found = usage.service_quota(shard, request.body)
    elif call.kind is Kind.CALENDARS:
        found = calendars.get_calendar_state(shard.calendars, request.body, shard.epoch + now)
    else:
        found = tagging.get_resources(shard, request.body, now)
    return _success(200, found, "application/x-amz-json-1.1")


def _of_cloudwatch(shard: Shard, call: Call, body: bytes, now: float) -> dict[str, Any]:
    match call.action:
        case "cloudwatch:ListMetrics":
            return usage.list_metrics(shard, body)
        case "cloudwatch:GetMetricData":
            return usage.get_metric_data(shard, body, now)
    return alarms.describe_alarms(shard.alarms.values(), body)


def _instead(fate: Fate, spoil: Spoil | None, faults: Faults) -> Answer | None:
    """What is answered although nothing was applied; None if nothing hinders it."""
    if fate is Fate.SERVER_ERROR or spoil is Spoil.WRONG_ERROR:
        raise errors.server_error()
    if fate is Fate.CUT_BEFORE:
        return Answer(status=0, headers={}, body=b"", cut=True)
    if spoil is Spoil.REDIRECT:
        return Answer(status=307, headers={"Location": faults.redirects_to}, body=b"")
    return None


def _of_lambda(shard: Shard, call: Call, request: Request, now: float, spoil: Spoil | None) -> Answer:
    match call.kind:
        case Kind.LIST if spoil in OF_LIST:
            query = {name: value for name, value in request.query.items() if name != "Marker"}
            return _success(200, page_of(spoil, _listed(shard, query, now), shard.requests.total()))
        case Kind.LIST:
            return _success(200, _listed(shard, request.query, now))
        case Kind.GET:
            return _success(200, on_the_wire(shard.get(call.key, now)))
        case Kind.FUNCTION:
            return _success(200, _function(shard, call, request.query))
        case Kind.TAGS:
            return _tags(shard, call, request, now)
        case _:
            return _success(_ACCEPTED, on_the_wire(_changed(shard, call, request, now)))


def _changed(shard: Shard, call: Call, request: Request, now: float) -> dict[str, Any]:
    if call.kind is Kind.DELETE:
        return shard.delete(call.key, now)
    members = _members(request.body)
    if call.kind is Kind.CREATE:
        bounds.check(creating.OPERATION, members, shard.newer)
        return shard.create(members, now)
    bounds.check("UpdateEventSourceMapping", members, shard.newer)
    return shard.update(call.key, members, now)


def _function(shard: Shard, call: Call, query: Mapping[str, str]) -> dict[str, Any]:
    qualifier = query.get("Qualifier")
    arn = shard.function_arn(f"{call.key}:{qualifier}" if qualifier else call.key)
    found = shard.functions.described(arn)
    if call.action == "lambda:GetFunctionConfiguration":
        return found
    return {"Configuration": found, "Code": {}, "Tags": dict(shard.tags.get(arn, {}))}


def _tags(shard: Shard, call: Call, request: Request, now: float) -> Answer:
    if call.action == "lambda:ListTags":
        return _success(200, resource_tags.list_tags(shard, call.key, now))
    if call.action == "lambda:TagResource":
        resource_tags.tag(shard, call.key, request.body, now)
    else:
        resource_tags.untag(shard, call.key, request.tag_keys, now)
    return Answer(status=_NO_CONTENT, headers={}, body=b"")


def _listed(shard: Shard, query: Mapping[str, str], now: float) -> dict[str, Any]:
    members: dict[str, Any] = dict(query)
    if "MaxItems" in members:
        try:
            members["MaxItems"] = int(members["MaxItems"])
        except ValueError as error:
            raise errors.malformed(f"maxItems: {members['MaxItems']} can not be converted to integer") from error
    bounds.check("ListEventSourceMappings", members)
    found, marker = shard.listing(
        now,
        marker=members.get("Marker"),
        max_items=members.get("MaxItems", PAGE),
        function_name=members.get("FunctionName"),
        event_source_arn=members.get("EventSourceArn"),
    )
    return {"EventSourceMappings": [on_the_wire(mapping) for mapping in found], "NextMarker": marker}  # may be null


def _members(body: bytes) -> dict[str, Any]:
    """The request's members; a null one counts as not sent."""
    try:
        members = msgspec.json.decode(body or b"{}")
    except msgspec.DecodeError as error:
        raise errors.malformed(f"Could not parse request body into json: {error}") from error
    if not isinstance(members, dict):
        raise errors.malformed("Could not parse request body into json: not an object")
    return {name: value for name, value in members.items() if value is not None}


def _success(status: int, body: Mapping[str, Any], content_type: str = "application/json") -> Answer:
    return Answer(status=status, headers={"Content-Type": content_type}, body=msgspec.json.encode(body))


def _failed(error: errors.ApiError, call: Call, request: Request, request_id: str, service: str) -> Answer:
    """An error, spelt as its service does."""
    if service == identity.SERVICE:
        return _failure_of_sts(error, request_id)
    if call.kind in _OF_CLOUDWATCH:
        message = error.body.get("message") or error.body.get("Message")
        body, headers = alarms.spelt({"__type": error.code, "message": message}, request.path)
        return Answer(status=error.status, headers={**headers, "x-amzn-RequestId": request_id}, body=body)
    if call.kind in {Kind.CALENDARS, Kind.QUOTA, Kind.TAGGING}:  # JSON 1.1 has the code in its body
        error = errors.ApiError(error.status, error.code, {"__type": error.code, **error.body})
    return _failure(error, request_id)


def _failure(error: errors.ApiError, request_id: str) -> Answer:
    headers = {
        "Content-Type": "application/json",
        "x-amzn-ErrorType": error.code,
        "x-amzn-RequestId": request_id,
        **error.headers,
    }
    return Answer(status=error.status, headers=headers, body=msgspec.json.encode(error.body))


def _success_of_sts(body: bytes) -> Answer:
    return Answer(status=200, headers={"Content-Type": identity.CONTENT_TYPE}, body=body)


def _failure_of_sts(error: errors.ApiError, request_id: str) -> Answer:
    headers = {"Content-Type": identity.CONTENT_TYPE, "x-amzn-RequestId": request_id}
    return Answer(status=error.status, headers=headers, body=identity.failure(error, request_id))
