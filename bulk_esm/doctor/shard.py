"""What a job needs in one account and Region: three requests of Lambda's quota, of which none changes anything."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Final
from uuid import uuid4

import msgspec

from bulk_esm.aws.control_plane import ControlPlane
from bulk_esm.aws.session import Connection
from bulk_esm.clock import Clock
from bulk_esm.doctor.rates import FoundRate, find_rate
from bulk_esm.errors import AccessError, BulkEsmError, DeniedError, ServiceError
from bulk_esm.model.checks import Check, Verdict, rate_check
from bulk_esm.model.denials import EXPLICIT
from bulk_esm.model.mapping import EventSourceMapping
from bulk_esm.model.measures import MetricQuery
from bulk_esm.model.permissions import GET, LIST, METRIC_DATA, QUOTA, TAGS, UPDATE, without
from bulk_esm.model.usage import FALLBACK_PER_SECOND

_NOT_FOUND: Final = "ResourceNotFoundException"
_NOT_AUTHORIZED: Final = re.compile(r"not authorized to perform: ([\w-]+:\w+)(?: on resource: (arn:\S+))?")
_SOME: Final = "a policy may allow it for some mappings, by ARN, function or tag"


class ShardNeeds(msgspec.Struct, frozen=True, kw_only=True):
    """What a job needs in each account and Region.

    Attributes:
        tags: whether it selects by tags.
        rate: at which rate it goes; None for `auto`.
        watches: whether it watches metrics.
    """

    tags: bool = False
    rate: float | None = None
    watches: bool = False


async def examine_shard(
    connection: Connection, needs: ShardNeeds, *, told: Callable[[Check], None], clock: Clock
) -> None:
    """Look whether a job can be done in one account and Region.

    Args:
        connection: the way in.
        needs: what it needs.
        told: hears each check.
        clock: the time.
    """
    seen: list[EventSourceMapping] = []
    listed = await _tried(LIST, lambda: _list(connection.control_plane, seen))
    told(listed)
    if listed.verdict is Verdict.FAILED and listed.lacks is None:
        return  # nobody answers there, or not to these credentials
    told(await _get(connection.control_plane, seen))
    told(await _update(connection.control_plane))
    if needs.tags:
        told(await _tried(TAGS, lambda: _tags(connection)))
    if needs.watches:
        told(await _tried(METRIC_DATA, lambda: _metrics(connection, clock)))
    for check in _of_rate(await find_rate(connection, now=clock.now()), needs.rate):
        told(check)


def denied(action: str, error: BulkEsmError, verdict: Verdict, *, resource: str = "*", why: str = "") -> Check:
    """What to say of a permission that is refused.

    Args:
        action: the IAM action.
        error: the refusal.
        verdict: how bad that is.
        resource: what the action is needed on.
        why: what else there is to say.
    """
    if not isinstance(error, DeniedError):
        advice = "check the credentials, the network and the Region"
        return Check(what=action, verdict=verdict, detail=f"{error}{why}", advice=advice)
    lacks, on = _named_in(error.said, action, resource)
    is_explicit = EXPLICIT in error.said
    narrow = f"a statement denies {lacks}: take it away, or make its conditions narrower"
    return Check(
        what=action,
        verdict=verdict,
        detail=f"denied: {error.said}{why}",
        advice=narrow if is_explicit else f"allow {lacks} on {on}",
        lacks=lacks,
        resource=on,
        is_explicit=is_explicit,
    )


def _named_in(said: str, action: str, resource: str) -> tuple[str, str]:
    """What is lacking in the service's own words: to write to S3 may want something of KMS."""
    found = _NOT_AUTHORIZED.search(said)
    if found is None or found[1] == action:
        return action, resource
    return found[1], found[2] or "*"


async def _tried(action: str, call: Callable[[], Awaitable[str]]) -> Check:
    """Try what can be tried for real."""
    try:
        detail = await call()
    except (AccessError, ServiceError) as error:
        return denied(action, error, Verdict.FAILED, why=f"; {without(action)}")
    return Check(what=action, verdict=Verdict.OK, detail=f"allowed: {detail}")


async def _list(control_plane: ControlPlane, seen: list[EventSourceMapping]) -> str:
    async with aclosing(control_plane.list()) as pages:
        async for page in pages:
            seen += page
            break
    return f"{len(seen)} mappings on the first page"


async def _tags(connection: Connection) -> str:
    await connection.try_tags()
    return "a resource was asked for"


async def _metrics(connection: Connection, clock: Clock) -> str:
    query = MetricQuery(place=(None, None), namespace="AWS/Lambda", metric="Invocations")
    minute = int(clock.now().timestamp() // 60)
    await connection.metrics([query], since=minute - 1, until=minute)
    return "a metric was asked for"


async def _get(control_plane: ControlPlane, seen: list[EventSourceMapping]) -> Check:
    uuid = seen[0].uuid if seen else str(uuid4())
    try:
        await control_plane.get(uuid)
    except ServiceError as error:
        if error.code != _NOT_FOUND:
            return Check(what=GET, verdict=Verdict.UNKNOWN, detail=str(error), advice="try again")
    except AccessError as error:
        return denied(GET, error, Verdict.WARNING, why=f"; {_SOME}. Without: {without(GET)}")
    return Check(what=GET, verdict=Verdict.OK, detail=f"allowed: {uuid if seen else 'of no mapping, as there is none'}")


async def _update(control_plane: ControlPlane) -> Check:
    """Name a mapping that is not there: even an update that changes nothing would move LastModified (F§0.2)."""
    # Guess: Lambda asks IAM before it looks for the mapping, so that a 404 says that it is allowed; no 403 was captured
    # of a mapping that is not there, and a role without the action would tell.
    try:
        await control_plane.update(str(uuid4()), {})
    except AccessError as error:
        advice = f"if it should be allowed for all: allow {UPDATE} on *; else try it: bulk-esm apply --uuid UUID"
        check = denied(UPDATE, error, Verdict.UNKNOWN, why=f" for a mapping that is not there; {_SOME}")
        return msgspec.structs.replace(check, advice=advice)
    except ServiceError as error:
        if error.code == _NOT_FOUND:
            what = "allowed: for a mapping that is not there, so nothing was changed"
            return Check(what=UPDATE, verdict=Verdict.OK, detail=what)
        return Check(what=UPDATE, verdict=Verdict.UNKNOWN, detail=str(error), advice="try again")
    return Check(what=UPDATE, verdict=Verdict.UNKNOWN, detail="an update of no mapping was accepted", advice=None)


def _of_rate(found: FoundRate, rate: float | None) -> list[Check]:
    checks = [] if found.choice is None else [rate_check(found.choice, rate)]
    if found.problem is not None:
        action = found.problem.action if isinstance(found.problem, DeniedError) else "cloudwatch:GetMetricData"
        at = f"--rate {FALLBACK_PER_SECOND if rate is None else rate:g} may be too fast beside others"
        checks.append(denied(action, found.problem, Verdict.WARNING, why=f"; {at}"))
    if found.quota_problem is not None:
        checks.append(denied(QUOTA, found.quota_problem, Verdict.WARNING, why="; 15 requests/s are taken for granted"))
    return checks
