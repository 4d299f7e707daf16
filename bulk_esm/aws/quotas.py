"""Service Quotas: how fast Lambda's control plane may be asked in an account and Region."""

from __future__ import annotations

from math import inf
from typing import Any

from bulk_esm.aws.errors import translated
from bulk_esm.errors import ServiceError
from bulk_esm.model.usage import QUOTA_CODE


async def read_quota(client: Any) -> float:
    """Read the rate of Lambda's control plane, in requests/s.

    Args:
        client: an aiobotocore client of Service Quotas.

    Raises:
        AccessError: the credentials are refused.
        ServiceError: there is no such quota, or an answer that botocore's retries did not mend.
    """
    with translated("servicequotas:GetServiceQuota"):
        answer = await client.get_service_quota(ServiceCode="lambda", QuotaCode=QUOTA_CODE)
    value = float(answer["Quota"]["Value"])
    if not 0 < value < inf:
        raise ServiceError(code="NoQuota", message=f"Service Quotas says {value:g} requests/s")
    return value
