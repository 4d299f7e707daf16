"""Whether a job can be done here: checks and their verdicts, and what they come to. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import msgspec

from bulk_esm.model.usage import RateChoice

# Of a signature's time: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
SIGNATURES_HOLD_S: Final = 300.0
_ALIKE_S: Final = 5.0

OK_CODE: Final = 0
WARNING_CODE: Final = 1
FAILED_CODE: Final = 5


class Verdict(StrEnum):
    """What a check comes to, the best first."""

    OK = "ok"
    WARNING = "warning"
    UNKNOWN = "unknown"
    FAILED = "failed"


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a job needs.

    Attributes:
        what: what was looked at, such as `clock` or an IAM action.
        verdict: see there.
        detail: what was found.
        advice: what to do about it; None where nothing need be done.
        shard: in which account and Region; None for what holds for all.
        lacks: the IAM action that is not allowed, or not known to be; None for what is no matter of that.
        resource: the ARN that it is needed on.
        is_explicit: whether a statement denies it, so that none that allows would help.
    """

    what: str
    verdict: Verdict
    detail: str
    advice: str | None = None
    shard: str | None = None
    lacks: str | None = None
    resource: str = "*"
    is_explicit: bool = False


def exit_code_of(checks: Iterable[Check], *, most_failed_shards: int | None = None) -> int:
    """With what `bulk-esm doctor` ends.

    Args:
        checks: all of them.
        most_failed_shards: how many shards may be out of reach, if that was said.

    Returns:
        0 where all is well, 1 where it will work, with warnings, and 5 where it cannot: something that all shards need
        has failed, or something in each of them, or in more than may fail.
    """
    found = list(checks)
    shards = {check.shard for check in found if check.shard is not None}
    failed = {check.shard for check in found if check.verdict is Verdict.FAILED}
    failed_shards = failed - {None}
    too_many = most_failed_shards is not None and len(failed_shards) > most_failed_shards
    if None in failed or too_many or (failed_shards and failed_shards >= shards):
        return FAILED_CODE
    return OK_CODE if all(check.verdict is Verdict.OK for check in found) else WARNING_CODE


def clock_check(ahead_s: float, within_s: float) -> Check:
    """What to say of this machine's clock.

    Args:
        ahead_s: how far it is ahead of the service's, in seconds; behind it if that is below 0.
        within_s: how exactly that is known, in seconds.
    """
    off_s = abs(ahead_s)
    if off_s <= _ALIKE_S + within_s:
        return Check(what="clock", verdict=Verdict.OK, detail=f"agrees with the service's within {_ALIKE_S:g} s")
    what = f"this machine's clock is {_in_words(off_s)} {'ahead of' if ahead_s > 0 else 'behind'} the service's"
    if off_s > SIGNATURES_HOLD_S:
        return Check(
            what="clock",
            verdict=Verdict.FAILED,
            detail=f"{what}: AWS refuses signatures that are more than 5 minutes off (RequestTimeTooSkewed, "
            "SignatureDoesNotMatch, InvalidSignatureException), and credentials seem to have expired",
            advice="set the clock: chronyc makestep, timedatectl set-ntp true, or that of the host of this container",
        )
    return Check(
        what="clock",
        verdict=Verdict.WARNING,
        detail=f"{what}: --deadline, --window and the times in records go by it; locks and settling do not",
        advice="set the clock, or leave that much room in --deadline and --window",
    )


def rate_check(choice: RateChoice, rate: float | None, *, shard: str | None = None) -> Check:
    """What to say of a rate, beside what others use.

    Args:
        choice: the rate that leaves room, and why.
        rate: what was asked for; None for `auto`.
        shard: where.
    """
    fits = rate is None or rate + choice.others_per_second <= choice.quota_per_second
    verdict = Verdict.OK if fits and not choice.is_used_up else Verdict.WARNING
    advice = None
    if verdict is not Verdict.OK:
        advice = f"use --rate {choice.per_second:g}, or --rate auto"
        if choice.is_used_up:
            advice += "; or see who calls (the operations here, CloudTrail), and come when they have ended"
    return Check(what="quota", verdict=verdict, detail=choice.reason, advice=advice, shard=shard)


def lacking(checks: Iterable[Check]) -> list[tuple[str, str]]:
    """The IAM actions that are missing, or may be, with the resources that each is needed on.

    Args:
        checks: all of them.
    """
    return sorted(
        {(check.lacks, check.resource) for check in checks if check.lacks is not None and not check.is_explicit}
    )


def _in_words(seconds: float) -> str:
    if seconds < 120:  # noqa: PLR2004 - of seconds and minutes the one that is easier to read
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"  # noqa: PLR2004 - likewise
