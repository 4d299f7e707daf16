"""Lambda's own tag operations, which draw on its quota (F§1.1), over the tags that GetResources shows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from bulk_esm.simulator.errors import invalid, malformed, not_found
from bulk_esm.simulator.shard import Shard

_MOST_TAGS: Final = 50


def list_tags(shard: Shard, arn: str, now: float) -> dict[str, Any]:
    """Answer ListTags.

    Args:
        shard: the caller's account and Region.
        arn: the resource's.
        now: virtual seconds.

    Raises:
        ApiError: there is no such mapping or function.
    """
    return {"Tags": _tags(shard, arn, now)}


def tag(shard: Shard, arn: str, body: bytes, now: float) -> None:
    """Carry out TagResource; it does not move LastModified (F§0.2).

    Args:
        shard: the caller's account and Region.
        arn: the resource's.
        body: the request's JSON.
        now: virtual seconds.

    Raises:
        ApiError: there is no such mapping or function, or no such tags can be.
    """
    try:
        tags = msgspec.json.decode(body, type=dict[str, dict[str, str]])["Tags"]
    except (msgspec.DecodeError, KeyError) as error:
        raise malformed(f"Could not parse request body into json: {error}") from error
    after = _tags(shard, arn, now) | tags
    if len(after) > _MOST_TAGS:
        # Guess: the wording is ours; that a resource has 50 tags at most is documented.
        raise invalid(f"A resource can have at most {_MOST_TAGS} tags.")
    shard.tags[arn] = after


def untag(shard: Shard, arn: str, keys: Iterable[str], now: float) -> None:
    """Carry out UntagResource; a key that is not there does not matter.

    Args:
        shard: the caller's account and Region.
        arn: the resource's.
        keys: which tags go.
        now: virtual seconds.

    Raises:
        ApiError: there is no such mapping or function.
    """
    gone = set(keys)
    shard.tags[arn] = {key: value for key, value in _tags(shard, arn, now).items() if key not in gone}


def _tags(shard: Shard, arn: str, now: float) -> dict[str, str]:
    """The tags of a mapping or a function: a mapping does not inherit its function's (F§2)."""
    _, marker, uuid = arn.rpartition(":event-source-mapping:")
    if marker:
        if shard.get(uuid, now).get("EventSourceMappingArn") != arn:
            raise not_found()
    else:
        shard.functions.check_known(arn)
    return dict(shard.tags.get(arn, {}))
