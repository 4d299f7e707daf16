"""When a request was signed, by a clock that the caller's may not agree with.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Final

from bulk_esm.simulator.errors import ApiError

_STAMP: Final = "%Y%m%dT%H%M%SZ"
_TAKEN: Final = timedelta(minutes=5)


def date(ahead_s: float) -> str:
    """The `Date` header of an answer.

    Args:
        ahead_s: how far the service's clock is ahead, in seconds.
    """
    return format_datetime(_now(ahead_s), usegmt=True)


def check(signed_at: str, ahead_s: float) -> None:
    """Refuse what was signed more than 5 minutes away.

    Args:
        signed_at: the request's `X-Amz-Date`.
        ahead_s: how far the service's clock is ahead, in seconds.

    Raises:
        ApiError: it was.
    """
    at, now = datetime.strptime(signed_at, _STAMP).replace(tzinfo=UTC), _now(ahead_s)
    bounds = f"{now:{_STAMP}} {{sign}} 5 min.)"
    if at < now - _TAKEN:
        what = f"Signature expired: {signed_at} is now earlier than {now - _TAKEN:{_STAMP}} ({bounds.format(sign='-')}"
    elif at > now + _TAKEN:
        what = f"Signature not yet current: {signed_at} is still later than {now + _TAKEN:{_STAMP}} "
        what += f"({bounds.format(sign='+')}"
    else:
        return
    raise ApiError(403, "InvalidSignatureException", {"message": what})


def _now(ahead_s: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=ahead_s)
