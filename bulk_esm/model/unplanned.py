"""Mappings that a selection means and that its plan lacks: pure."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from bulk_esm.errors import UsageError
from bulk_esm.model.doubts import NO_DOUBTS, Doubts
from bulk_esm.model.mapping import EventSourceMapping
from bulk_esm.model.selection import Selection


class Unplanned:
    """Watches the pages of List after a plan was made.

    Pages are no snapshot (F§2), and mappings come and go: what the reading for the plan missed, or what came since, is
    seen by a later sweep. Tags are not in the pages, so of a selection by tags nothing is told.

    Attributes:
        found: what was seen so far, function ARNs by UUID.
    """

    def __init__(self, selection: Selection, planned: AbstractSet[str], *, doubts: Doubts = NO_DOUBTS) -> None:
        """Begin to watch.

        Args:
            selection: which mappings are meant.
            planned: the UUIDs of those that the plan has.
            doubts: about which mappings List is not believed.
        """
        self._doubts = doubts
        self.found: dict[str, str | None] = {}
        self._selection = selection
        self._planned = planned
        self._can_tell = not (selection.tags or selection.function_tags)

    def heed(self, page: Iterable[EventSourceMapping]) -> None:
        """Take note of a page.

        Args:
            page: what it shows.
        """
        if not self._can_tell:
            return
        for mapping in page:
            if mapping.uuid in self._planned or not mapping.at_rest or self._doubts.about(mapping):
                continue
            if self._means(mapping):
                self.found[mapping.uuid] = mapping.function_arn
            else:
                self.found.pop(mapping.uuid, None)  # it has become what the selection does not mean

    def _means(self, mapping: EventSourceMapping) -> bool:
        try:
            return self._selection.matches(mapping)
        except UsageError:  # a --where that cannot be evaluated on it
            return False
