"""Values of a selection that match no mapping at all, such as a misspelt name: pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

from bulk_esm.errors import UsageError
from bulk_esm.model.mapping import EventSourceMapping
from bulk_esm.model.selection import Selection, TagsByArn

# Members of a selection, and the flags that they come from. UUIDs that are nowhere are told of by whoever reads.
FLAGS: Final = {
    "functions": "--function",
    "exclude": "--exclude",
    "sources": "--source",
    "source_types": "--source-type",
    "states": "--state",
    "tags": "--tag",
    "function_tags": "--function-tag",
    "where": "--where",
}


class Unmatched:
    """Watches what is read, and strikes off each value that matches something by itself, whatever the others say."""

    def __init__(self, selection: Selection) -> None:
        """Begin with all values of a selection.

        Args:
            selection: which mappings.
        """
        self._alone: dict[tuple[str, str], Selection] = {}
        for name, flag in FLAGS.items():
            for value in getattr(selection, name):
                # What is left out matches what it would select.
                member: dict[str, Any] = {"functions" if name == "exclude" else name: (value,)}
                self._alone[flag, str(value)] = Selection(**member)

    @property
    def values(self) -> tuple[tuple[str, str], ...]:
        """Flags and values that have matched nothing so far."""
        return tuple(self._alone)

    def heed(self, page: Iterable[EventSourceMapping], tags_by_arn: TagsByArn) -> None:
        """Take note of some mappings.

        Args:
            page: the mappings, selected or not.
            tags_by_arn: see `Selection.matches`.
        """
        if not self._alone:
            return
        for mapping in page:
            for key in [key for key, alone in self._alone.items() if _matches(alone, mapping, tags_by_arn)]:
                del self._alone[key]


def _matches(alone: Selection, mapping: EventSourceMapping, tags_by_arn: TagsByArn) -> bool:
    with suppress(UsageError):  # an expression that cannot be evaluated on a mapping that others leave out
        return alone.matches(mapping, tags_by_arn)
    return False


def in_all(shards: Sequence[tuple[tuple[str, str], ...]]) -> tuple[tuple[str, str], ...]:
    """What matches nothing in any of some shards, in the order of the flags.

    Args:
        shards: of each what matches nothing there.
    """
    return tuple(each for each in shards[0] if all(each in shard for shard in shards)) if shards else ()
