"""What is believed of List: whole answers, of a listing that ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

import msgspec

from bulk_esm.errors import ServiceError
from bulk_esm.model.mapping import EventSourceMapping

# Answers of List take a fraction of a second: 1,000 pages (100,000 mappings) ten minutes if they are slow. What our own
# pace and throttles take does not count, as the service did not take it.
LONGEST_S: Final = 1800.0
MOST_PAGES: Final = 10_000  # a million mappings


class _Item(msgspec.Struct):
    UUID: Annotated[str, msgspec.Meta(min_length=1)]


class _Page(msgspec.Struct):
    """What a page must have; that all it has is of the right types was seen to when it came."""

    EventSourceMappings: list[_Item]


def checked(answer: Any) -> dict[str, Any]:
    """An answer of List that is whole.

    Args:
        answer: what came with a success, as botocore returns it.

    Raises:
        ServiceError: half an answer, which another try may mend: it is transient, as is an answer that broke off.
    """
    try:
        msgspec.convert(answer, _Page)
    except (msgspec.ValidationError, RecursionError) as error:
        raise ServiceError(code="DamagedAnswer", message=f"List answered with what is no page: {error}") from error
    whole: dict[str, Any] = answer
    return whole


class Listing:
    """Follows the pages of one listing, and ends it where it would have no end.

    Attributes:
        marker: where the next page begins; None after the last one.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """Begin.

        Args:
            clock: the time in seconds.
        """
        self.marker: str | None = None
        self._clock = clock
        self._markers: set[str] = set()
        self._answering_s = 0.0
        self._pages = 0

    def answered(self, asked_at: float) -> None:
        """Take note of how long an answer took, good or bad.

        Args:
            asked_at: when it was asked for, on the clock.
        """
        self._answering_s += self._clock() - asked_at

    def page(self, answer: dict[str, Any]) -> list[EventSourceMapping]:
        """Take the mappings of a whole answer, and go on to the next page.

        Args:
            answer: see `checked`.

        Raises:
            ServiceError: the listing comes back to where it was, or does not end.
        """
        self._pages += 1
        self.marker = answer.get("NextMarker") or None
        if self.marker is not None:
            if self.marker in self._markers:
                raise _endless(f"page {self._pages:,} leads back to an earlier one")
            if self._pages >= MOST_PAGES:
                raise _endless(f"there are more than {MOST_PAGES:,} pages")
            if self._answering_s > LONGEST_S:
                raise _endless(f"{self._pages:,} pages took {self._answering_s:,.0f} s to answer")
            self._markers.add(self.marker)
        return [EventSourceMapping(item) for item in answer["EventSourceMappings"]]


def _endless(what: str) -> ServiceError:
    # Not transient, whatever the status was: the answers came, and another try would lead the same way.
    return ServiceError(code="EndlessListing", message=f"{what}; see --endpoint-url", status=200)
