"""Regions: which there are, as botocore knows them, and which of them an account has enabled."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from botocore.exceptions import UnknownRegionError
from botocore.loaders import Loader
from botocore.regions import EndpointResolver

from bulk_esm.aws.errors import translated

_COMMERCIAL: Final = "aws"


@cache
def _endpoints() -> EndpointResolver:
    return EndpointResolver(Loader().load_data("endpoints"))


@cache
def known_regions() -> frozenset[str]:
    """All Regions in which botocore knows Lambda, of all partitions. Newer Regions may exist."""
    endpoints = _endpoints()
    return frozenset(
        region
        for partition in endpoints.get_available_partitions()
        for region in endpoints.get_available_endpoints("lambda", partition)
    )


@cache
def partition_of(region: str) -> str:
    """The partition of a Region, such as `aws-cn` of `cn-north-1`; `aws` if nothing tells.

    Args:
        region: the Region, known or only of the form of one.
    """
    try:
        return str(_endpoints().get_partition_for_region(region))
    except UnknownRegionError:
        return _COMMERCIAL


async def enabled_regions(client: Any) -> list[str]:
    """The Regions that the account may use: those that need no opting in, and those opted in to.

    Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRegions.html

    Args:
        client: an aiobotocore client of EC2.

    Returns:
        Their names in order.

    Raises:
        AccessError: the credentials are refused.
        ServiceError: an answer that botocore's retries did not mend.
    """
    with translated("ec2:DescribeRegions"):
        answer = await client.describe_regions(AllRegions=False)
    return sorted(region["RegionName"] for region in answer["Regions"])
