"""Who we are, and what time it is where we ask."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any, Final

import msgspec

from bulk_esm.clock import Clock

_HALF_A_SECOND: Final = 0.5  # the header tells whole ones


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Whose credentials they are.

    Attributes:
        account_id: the account.
        arn: the user's or the assumed role's; None where a double does not say.
    """

    account_id: str
    arn: str | None = None


class Skew(msgspec.Struct, frozen=True, kw_only=True):
    """How far this machine's clock is from a service's.

    Attributes:
        ahead_s: how far it is ahead, in seconds; behind if that is below 0.
        within_s: how exactly that is known, in seconds.
    """

    ahead_s: float
    within_s: float


async def read_identity(client: Any, clock: Clock, told: Callable[[Skew], None]) -> Identity:
    """Ask STS whose the credentials are.

    Args:
        client: an aiobotocore client of STS.
        clock: this machine's.
        told: hears how far the clock is off, by the `Date` of the answer, even one that refuses.
    """
    asked_at, since = clock.now(), clock.monotonic()

    def heard(parsed: dict[str, Any], **_: Any) -> None:
        date = parsed.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
        if date is None:
            return
        took_s = clock.monotonic() - since
        try:
            ahead_s = (asked_at - parsedate_to_datetime(date)).total_seconds() + took_s / 2 - _HALF_A_SECOND
        except (ValueError, TypeError):  # no date, or one without a zone
            return
        told(Skew(ahead_s=ahead_s, within_s=took_s / 2 + _HALF_A_SECOND))

    client.meta.events.register("after-call.sts.GetCallerIdentity", heard)
    answer = await client.get_caller_identity()
    return Identity(account_id=str(answer["Account"]), arn=answer.get("Arn"))
