"""Pages of a listing, and their markers.

A shard's mappings keep their positions for good, so a marker is a position and a page costs no sorting. Lambda
documents neither an order nor what happens to pages while mappings come and go (F§2).
"""

from __future__ import annotations

import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import msgspec

from bulk_esm.model.mapping import FunctionReference
from bulk_esm.simulator.errors import invalid
from bulk_esm.simulator.merging import listed
from bulk_esm.simulator.timeline import Configuration

PAGE: Final = 100  # at most, whatever MaxItems says (F§2)

T = TypeVar("T")


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What a listing lists; a marker is good for the listing that gave it only.

    Attributes:
        scope: whose listing it is.
        function_name: mappings of this function only, by name, partial ARN or ARN. Without a qualifier it finds
            unqualified mappings only; what Lambda does is not documented (F§2).
        event_source_arn: mappings of this source only.
    """

    scope: str
    function_name: str | None = None
    event_source_arn: str | None = None

    @property
    def checksum(self) -> str:
        """What a marker carries of its listing."""
        return str(zlib.crc32(msgspec.json.encode(self)))


def page(
    items: Sequence[T],
    look: Callable[[T], Configuration | None],
    query: Query,
    marker: str | None = None,
    max_items: int = PAGE,
) -> tuple[list[Configuration], str | None]:
    """Take one page of a listing.

    Args:
        items: all there are, each for ever at its place.
        look: what List shows of one; None for nothing.
        query: which to show.
        marker: where to start, as the page before said.
        max_items: how many to show; `PAGE` at most.

    Returns:
        The configurations, and the next page's marker if there is one.

    Raises:
        ApiError: the marker is not one that this listing gave.
    """
    function = FunctionReference.parse(query.function_name) if query.function_name else None
    found: list[Configuration] = []
    for position in range(_position(marker, query), len(items)):
        configuration = look(items[position])
        if configuration is None:
            continue
        if query.event_source_arn and configuration.get("EventSourceArn") != query.event_source_arn:
            continue
        if function and not _runs(configuration, function):
            continue
        if len(found) == min(max_items, PAGE):
            return found, urlsafe_b64encode(f"{position}/{query.checksum}".encode()).decode()
        found.append(listed(configuration))
    return found, None


def _runs(configuration: Configuration, function: FunctionReference) -> bool:
    arn = configuration["FunctionArn"]
    # the name first: it is cheap, and leaves few ARNs to take apart
    return function.name in arn and function.is_same_function(FunctionReference.parse(arn))


def _position(marker: str | None, query: Query) -> int:
    if marker is None:
        return 0
    try:
        index, _, checksum = urlsafe_b64decode(marker).decode().partition("/")
        position = int(index)
    except ValueError:
        position, checksum = -1, ""
    if position < 0 or checksum != query.checksum:
        raise invalid("Invalid Marker.")  # our wording
    return position
