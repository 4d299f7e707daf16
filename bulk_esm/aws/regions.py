"""Regions: which there are, as botocore knows them, and which of them an account has enabled."""

from __future__ import annotations

from functools import cache
from typing import Any, Final
from urllib.parse import urlsplit

from aiobotocore.session import AioSession
from botocore.configprovider import ConfiguredEndpointProvider
from botocore.exceptions import InvalidRegionError, UnknownRegionError
from botocore.loaders import Loader
from botocore.regions import EndpointResolver
from botocore.utils import validate_region_name

from bulk_esm.aws.errors import translated
from bulk_esm.model.parameters import nearest

_COMMERCIAL: Final = "aws"


@cache
def _endpoints() -> EndpointResolver:
    """Of botocore's endpoints those of Lambda: with those of all services they take 7 MiB."""
    known: dict[str, Any] = Loader().load_data("endpoints")
    partitions = [each | {"services": {"lambda": each["services"]["lambda"]}} for each in known["partitions"]]
    return EndpointResolver(known | {"partitions": partitions})


@cache
def known_regions() -> frozenset[str]:
    """All Regions in which botocore knows Lambda, of all partitions. Newer Regions may exist."""
    endpoints = _endpoints()
    return frozenset(
        region
        for partition in endpoints.get_available_partitions()
        for region in endpoints.get_available_endpoints("lambda", partition)
    )


def unknown_region(region: str) -> str | None:
    """What to say of a Region that is not known here; None for one that is.

    Args:
        region: the Region.
    """
    if region in known_regions():
        return None
    # Two letters that changed places are as far from other names as from the right one.
    swapped = [known for known in known_regions() if sorted(known) == sorted(region)]
    hint = nearest(region, swapped or known_regions())
    return f"{region!r} is no Region that is known here{hint}; a new one may need a newer botocore"


def has_form_of_region(region: str) -> bool:
    """Whether a Region could be named so.

    Args:
        region: the Region.
    """
    try:
        validate_region_name(region)
    except InvalidRegionError:
        return False
    return True


def is_of_aws(endpoint_url: str) -> bool:
    """Whether an endpoint of Lambda is AWS's own, and not a simulator's."""
    host = urlsplit(endpoint_url).hostname or ""
    return host.startswith("lambda") or "amazonaws" in host


def configured_endpoint(session: AioSession) -> str | None:
    """The endpoint of Lambda that the environment or the profile names, or None.

    Args:
        session: the session.
    """
    if session.get_config_variable("ignore_configured_endpoint_urls"):
        return None
    found: str | None = ConfiguredEndpointProvider(
        full_config=session.full_config, scoped_config=session.get_scoped_config(), client_name="lambda"
    ).provide()
    return found


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
