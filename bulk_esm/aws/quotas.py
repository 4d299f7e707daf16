"""Service Quotas: what Lambda gives an account in a Region, told outside of Lambda's own quota (F§0.1)."""

from __future__ import annotations

from math import inf
from typing import Any, Final

from bulk_esm.aws.errors import translated
from bulk_esm.errors import ServiceError
from bulk_esm.model.usage import QUOTA_CODE

# GetAccountSettings says the same, and is one of Lambda's own 15 requests/s (F§0, 1).
# Guess: this is the code of "Concurrent executions"; pages about raising it name it, F§ has none of it, and
# GetServiceQuota in any account would tell.
CONCURRENCY_QUOTA: Final = "L-B99A9384"


async def read_quota(client: Any) -> float:
    """Read the rate of Lambda's control plane, in requests/s.

    Args:
        client: an aiobotocore client of Service Quotas.

    Raises:
        AccessError: the credentials are refused.
        ServiceError: there is no such quota, or an answer that botocore's retries did not mend.
    """
    return await _read(client, QUOTA_CODE, "requests/s")


async def read_concurrency_limit(client: Any) -> float:
    """Read how many invocations an account may have at once in a Region; see `read_quota`."""
    return await _read(client, CONCURRENCY_QUOTA, "concurrent invocations")


async def _read(client: Any, code: str, unit: str) -> float:
    with translated("servicequotas:GetServiceQuota"):
        answer = await client.get_service_quota(ServiceCode="lambda", QuotaCode=code)
    value = float(answer["Quota"]["Value"])
    if not 0 < value < inf:
        raise ServiceError(code="NoQuota", message=f"Service Quotas says {value:g} {unit}")
    return value
