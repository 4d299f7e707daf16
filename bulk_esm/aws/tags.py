"""Tags in bulk: one paged sweep of the Resource Groups Tagging API, which has a quota of its own (F§2)."""

from __future__ import annotations

from typing import Any, Final

from bulk_esm.aws.errors import translated

RESOURCE_TYPES: Final = {"mapping": "lambda:event-source-mapping", "function": "lambda:function"}


async def read_tags(client: Any, resource_types: list[str], tags: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """Read the tags of mappings or functions.

    Args:
        client: an aiobotocore client of the Resource Groups Tagging API.
        resource_types: such as `lambda:function`.
        tags: `KEY` or `KEY=VALUE`; any of them makes a resource wanted. With one key the service filters itself.

    Returns:
        Tags by ARN, of the resources that have any of the keys.

    Raises:
        AccessError: the credentials are refused.
        ServiceError: an answer that botocore's retries, which are on for this client, did not mend.
    """
    keys = {tag.partition("=")[0] for tag in tags}
    filters: list[dict[str, Any]] = [{"Key": key} for key in keys] if len(keys) == 1 else []
    found: dict[str, dict[str, str]] = {}
    with translated("tag:GetResources"):
        pages = client.get_paginator("get_resources").paginate(ResourceTypeFilters=resource_types, TagFilters=filters)
        async for page in pages:
            for resource in page["ResourceTagMappingList"]:
                found[resource["ResourceARN"]] = {tag["Key"]: tag["Value"] for tag in resource["Tags"]}
    return found
