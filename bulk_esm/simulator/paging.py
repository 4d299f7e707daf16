"""Pages of a listing, and their markers: base64 of 88 characters, `null` on the last page, full or not (F§0.2).

A shard's mappings keep their positions for good, so a marker is a position and a page costs no sorting.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Final, TypeVar

import msgspec

from bulk_esm.model.mapping import FunctionReference
from bulk_esm.simulator.errors import invalid
from bulk_esm.simulator.merging import listed
from bulk_esm.simulator.timeline import Configuration

PAGE: Final = 100  # at most, whatever MaxItems says (F§2)
_MARKER: Final = 64  # bytes
_HEAD: Final = 9  # of them, a salt and the position

T = TypeVar("T")


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What a listing lists; a marker is good for the listing that gave it only.

    Attributes:
        scope: whose listing it is.
        function_name: mappings of this function only, by name, partial ARN or ARN. It is exact: without a qualifier it
            finds unqualified mappings only (F§0.2).
        event_source_arn: mappings of this source only, whatever the qualifier; none if nobody knows it (F§0.2).
    """

    scope: str
    function_name: str | None = None
    event_source_arn: str | None = None

    def marker(self, position: int) -> str:
        """The marker of a position, which contains a `/` and ends in `=`, as those of Lambda do (F§0.2)."""
        return next(text for salt in range(256) if "/" in (text := self._marker(position, salt)))

    def position(self, marker: str) -> int:
        """The position that a marker of this listing stands for.

        Raises:
            ApiError: the marker is not one that this listing gave.
        """
        try:
            raw = b64decode(marker, validate=True)
        except ValueError:
            raw = b""
        position = int.from_bytes(raw[1:_HEAD])
        if not raw or marker != self._marker(position, raw[0]):
            # Guess: the wording is ours; nobody sent a wrong marker, and one would tell.
            raise invalid("Invalid Marker.")
        return position

    def _marker(self, position: int, salt: int) -> str:
        head = bytes([salt]) + position.to_bytes(_HEAD - 1)
        proof = blake2b(head + msgspec.json.encode(self), digest_size=_MARKER - _HEAD)
        return b64encode(head + proof.digest()).decode()


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
    for position in range(0 if marker is None else query.position(marker), len(items)):
        configuration = look(items[position])
        if configuration is None:
            continue
        if query.event_source_arn and configuration.get("EventSourceArn") != query.event_source_arn:
            continue
        if function and not _runs(configuration, function):
            continue
        if len(found) == min(max_items, PAGE):
            return found, query.marker(position)
        found.append(listed(configuration))
    return found, None


def _runs(configuration: Configuration, function: FunctionReference) -> bool:
    arn = configuration["FunctionArn"]
    # the name first: it is cheap, and leaves few ARNs to take apart
    return function.name in arn and function.is_same_function(FunctionReference.parse(arn))
