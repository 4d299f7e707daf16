"""The rate that leaves room for others, from what CloudWatch and Service Quotas tell; nothing of Lambda's quota."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

import anyio
import msgspec

from bulk_esm.errors import AccessError, BulkEsmError, ServiceError
from bulk_esm.model.usage import FALLBACK_PER_SECOND, QUOTA_PER_SECOND, RateChoice, choose_rate

_PATIENCE_S = 30.0


class AsksUsage(Protocol):
    """What is asked of a `Connection`."""

    async def usage(self, until: datetime) -> dict[str, list[float]]:
        """Calls in each minute by operation."""

    async def quota(self) -> float:
        """Requests/s."""


class FoundRate(msgspec.Struct, frozen=True, kw_only=True):
    """A rate, or why nobody can tell one.

    Attributes:
        choice: the rate; None if it is not known what others use.
        problem: why not, or None.
        quota_problem: why the quota is not known, and is taken to be as documented; or None.
    """

    choice: RateChoice | None = None
    problem: BulkEsmError | None = None
    quota_problem: BulkEsmError | None = None

    @property
    def per_second(self) -> float:
        """The rate to go at."""
        return FALLBACK_PER_SECOND if self.choice is None else self.choice.per_second

    @property
    def told(self) -> str:
        """What to say of it."""
        if self.choice is not None:
            return self.choice.reason
        return f"warning: what others use is not known, so it is {FALLBACK_PER_SECOND:g} requests/s: {self.problem}"


async def find_rate(connection: AsksUsage, *, now: datetime) -> FoundRate:
    """Find the rate that leaves room for others.

    Args:
        connection: the account and Region.
        now: the time of day.
    """
    quota, quota_problem = QUOTA_PER_SECOND, None
    try:
        with anyio.fail_after(_PATIENCE_S):
            try:
                quota = await connection.quota()
            except (AccessError, ServiceError) as error:
                quota_problem = error
            calls = await connection.usage(now)
    except (AccessError, ServiceError) as error:
        return FoundRate(problem=error, quota_problem=quota_problem)
    except TimeoutError:
        what = f"CloudWatch and Service Quotas did not answer in {_PATIENCE_S:g} s"
        return FoundRate(problem=ServiceError(code="Timeout", message=what), quota_problem=quota_problem)
    choice = choose_rate(calls, quota, is_known=quota_problem is None)
    return FoundRate(choice=choice, quota_problem=quota_problem)
