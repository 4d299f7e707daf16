"""The Resource Groups Tagging API's GetResources: mappings and functions by tag, outside Lambda's quota (F§2).

It is JSON 1.1 on POST /, unlike Lambda. Errors carry their code in `__type` as well.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from bulk_esm.simulator.errors import ApiError
from bulk_esm.simulator.shard import Shard

TARGET: Final = "ResourceGroupsTaggingAPI_20170126.GetResources"

_MOST_PER_PAGE: Final = 100
_USUAL_PER_PAGE: Final = 50


class _TagFilter(msgspec.Struct, frozen=True):
    Key: str
    Values: list[str] = []

    def matches(self, tags: dict[str, str]) -> bool:
        """Whether a resource has the key, with one of the values if there are any."""
        return self.Key in tags and (not self.Values or tags[self.Key] in self.Values)


class _Request(msgspec.Struct, frozen=True):
    PaginationToken: str = ""
    TagFilters: list[_TagFilter] = []
    ResourceTypeFilters: list[str] = []
    ResourcesPerPage: int = _USUAL_PER_PAGE


def get_resources(shard: Shard, body: bytes, now: float) -> dict[str, Any]:
    """Answer GetResources for tagged mappings and functions.

    Args:
        shard: the caller's account and Region.
        body: the request's JSON.
        now: virtual seconds.

    Returns:
        The answer's members; an empty PaginationToken on the last page.

    Raises:
        ApiError: the request makes no sense.
    """
    try:
        request = msgspec.json.decode(body or b"{}", type=_Request)
        position = int(request.PaginationToken or 0)
    except ValueError as error:  # msgspec's errors are ValueErrors too
        raise _invalid(str(error)) from error
    if not 1 <= request.ResourcesPerPage <= _MOST_PER_PAGE or position < 0:
        raise _invalid("ResourcesPerPage is from 1 to 100")
    found = [
        {"ResourceARN": arn, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
        for arn, tags in shard.tagged(now).items()
        if _is_of_type(arn, request.ResourceTypeFilters) and all(rule.matches(tags) for rule in request.TagFilters)
    ]
    until = position + request.ResourcesPerPage
    return {
        "PaginationToken": str(until) if until < len(found) else "",
        "ResourceTagMappingList": found[position:until],
    }


def _is_of_type(arn: str, filters: list[str]) -> bool:
    _, _, service, _, _, resource_type, *_ = arn.split(":")
    return not filters or service in filters or f"{service}:{resource_type}" in filters


def _invalid(message: str) -> ApiError:
    code = "InvalidParameterException"
    return ApiError(400, code, {"__type": code, "Message": message})
