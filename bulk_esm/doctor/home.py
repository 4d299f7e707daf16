"""What holds for all accounts and Regions of a job: who we are, the way there, the clock, and alarms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import anyio
import msgspec

from bulk_esm.aws.barriers import PAGE, PROXIED, UNTRUSTED
from bulk_esm.aws.identity import Identity, Skew
from bulk_esm.aws.session import Connection
from bulk_esm.aws.way import Way
from bulk_esm.clock import Clock
from bulk_esm.doctor.shard import denied
from bulk_esm.errors import AccessError, BulkEsmError, ServiceError, UsageError
from bulk_esm.model.checks import Check, Verdict, clock_check
from bulk_esm.model.permissions import ALARMS, CALENDARS

_PATIENCE_S: Final = 30.0
_CREDENTIALS: Final = "credentials"
_RINGS: Final = "ALARM"
_BARRIERS: Final = frozenset({PAGE, PROXIED, UNTRUSTED, "SSLError", "ProxyConnectionError"})


class Who(msgspec.Struct, frozen=True, kw_only=True):
    """Whose credentials they are.

    Attributes:
        account_id: the account; None if it is not known.
        is_refused: whether they are refused, so that there is nothing more to find out.
    """

    account_id: str | None
    is_refused: bool


async def examine_home(
    home: Connection, *, expected_account: str | None, told: Callable[[Check], None], clock: Clock
) -> Who:
    """Look who we are, and how we get there.

    Args:
        home: the way in.
        expected_account: the account that the credentials must be of, or None.
        told: hears each check.
        clock: the time.

    Returns:
        Who we are, as far as that can be told.
    """
    skews: list[Skew] = []
    identity: Identity | None = None
    problem: BulkEsmError | None = None
    try:
        with anyio.fail_after(_PATIENCE_S):
            identity = await home.identity(clock, skews.append, attempts=3)
    except (AccessError, ServiceError) as error:
        problem = error
    except TimeoutError:
        problem = ServiceError(code="Timeout", message=f"STS did not answer in {_PATIENCE_S:g} s", sent=False)
    told(way_check(home.way, problem))
    if skews:
        told(clock_check(skews[-1].ahead_s, skews[-1].within_s))
    else:
        what = "nothing was answered that would say what time it is"
        told(Check(what="clock", verdict=Verdict.UNKNOWN, detail=what, advice="see that it is set by NTP"))
    told(_of_credentials(home, identity, problem, expected_account))
    return Who(
        account_id=None if identity is None else identity.account_id, is_refused=isinstance(problem, AccessError)
    )


def way_check(way: Way, problem: BulkEsmError | None) -> Check:
    """What to say of how requests travel.

    Args:
        way: how they do.
        problem: how the first one failed, or None.
    """
    past = "" if way.proxy is None else f" past the proxy {way.proxy}"
    if isinstance(problem, ServiceError) and problem.code in _BARRIERS:
        advice = "see HTTPS_PROXY, NO_PROXY and AWS_CA_BUNDLE"
        return Check(what="TLS and proxy", verdict=Verdict.FAILED, detail=f"{problem}{past}", advice=advice)
    if way.is_encrypted:
        whose = f"those of {way.authorities}" if way.authorities else "botocore's own"
        detail = f"{way.url}{past}; authorities: {whose}"
        return Check(what="TLS and proxy", verdict=Verdict.OK, detail=detail)
    if way.stays_here:
        detail = f"{way.url} is on this machine, and not AWS"
        return Check(what="TLS and proxy", verdict=Verdict.OK, detail=detail)
    return Check(
        what="TLS and proxy",
        verdict=Verdict.WARNING,
        detail=f"{way.url}{past} is not encrypted: whoever is on the way reads along, and may answer",
        advice="use an endpoint that begins with https://: see --endpoint-url and AWS_ENDPOINT_URL",
    )


async def examine_alarms(
    there: Connection, names: tuple[str, ...], *, told: Callable[[Check], None], flag: str = "--alarm"
) -> None:
    """Look at the alarms that would halt the run.

    Args:
        there: the way in.
        names: the alarms.
        told: hears each check.
        flag: which flag named them.
    """
    try:
        states = await there.alarms(names, flag=flag)
    except UsageError as error:
        told(Check(what="alarms", verdict=Verdict.FAILED, detail=str(error), advice="name one that is there"))
        return
    except (AccessError, ServiceError) as error:
        told(denied(ALARMS, error, Verdict.FAILED))
        return
    told(Check(what=ALARMS, verdict=Verdict.OK, detail=f"allowed: {', '.join(names)}"))
    for alarm in states:
        if alarm.state == _RINGS:
            detail = f"{alarm.name} rings: {alarm.reason}"
            told(Check(what="alarms", verdict=Verdict.WARNING, detail=detail, advice="a run would be refused now"))


async def examine_calendars(home: Connection, names: tuple[str, ...], *, told: Callable[[Check], None]) -> None:
    """Look at the calendars that must be open.

    Args:
        home: the way in.
        names: the calendars.
        told: hears each check.
    """
    try:
        states = await home.calendars(names)
    except UsageError as error:
        told(Check(what="calendars", verdict=Verdict.FAILED, detail=str(error), advice="name one that is there"))
        return
    except (AccessError, ServiceError) as error:
        told(denied(CALENDARS, error, Verdict.FAILED))
        return
    told(Check(what=CALENDARS, verdict=Verdict.OK, detail=f"allowed: {', '.join(names)}"))
    for state in states:
        if not state.is_open:
            told(
                Check(what="calendars", verdict=Verdict.WARNING, detail=state.text, advice="a run would be refused now")
            )


def _of_credentials(
    home: Connection, identity: Identity | None, problem: BulkEsmError | None, expected_account: str | None
) -> Check:
    if identity is None:
        is_refused = isinstance(problem, AccessError)
        return Check(
            what=_CREDENTIALS,
            verdict=Verdict.FAILED if is_refused else Verdict.UNKNOWN,
            detail=str(problem),
            advice="renew them, as for the AWS CLI, and see the clock" if is_refused else "see that STS can be reached",
        )
    source = "" if home.source is None else f", from {home.source}"
    who = f"{identity.arn}, account {identity.account_id}{source}"
    if expected_account not in (None, identity.account_id):
        advice = "use other credentials: --profile, AWS_PROFILE"
        detail = f"{who}, and not of {expected_account}, as --expect-account says"
        return Check(what=_CREDENTIALS, verdict=Verdict.FAILED, detail=detail, advice=advice)
    return Check(what=_CREDENTIALS, verdict=Verdict.OK, detail=who)
