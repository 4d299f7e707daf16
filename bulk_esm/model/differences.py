"""What an update changes, member by member: pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from bulk_esm.model.api_shape import shape_at
from bulk_esm.model.mapping import SourceType
from bulk_esm.model.parameters import row
from bulk_esm.model.values import has


class Difference(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One value that a mapping does not have as asked.

    Attributes:
        parameter: the dotted path of the innermost member that differs, such as
            `ProvisionedPollerConfig.MaximumPollers`; of a parameter without members its name. Versions before 1.0
            wrote the parameter, with all its members in the values.
        before: what the mapping has, in the form in which an update would send it; None if nothing.
        after: what it will have; None if nothing.
        irreversible: whether the value before can never be restored.
    """

    parameter: str
    before: Any
    after: Any
    irreversible: bool = False


def differences_of(
    name: str, before: Any, after: Any, source_type: SourceType, *, irreversible: bool = False
) -> tuple[Difference, ...]:
    """What a parameter of an update changes.

    Args:
        name: the parameter.
        before: what the mapping has, from `current_value`.
        after: what is sent.
        source_type: the mapping's, on which defaults depend.
        irreversible: whether the value before can never be restored.

    Returns:
        One for each member that changes, in the order of their names, as no spelling of a mapping is to matter. The
        parameter as a whole where no member is seen to, as of filters that this reading does not show.
    """
    found = tuple(
        Difference(path, was, becomes, irreversible)
        for path, was, becomes in _members(name, before, after)
        if was != becomes and not (becomes is not None and has(path, becomes, was, source_type))
    )
    return found or (Difference(name, before, after, irreversible),)


def _members(path: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    """The innermost members of two values, side by side."""
    if not isinstance(before, dict) and not isinstance(after, dict):
        yield path, before, after
        return
    was = before if isinstance(before, dict) else {}
    becomes = after if isinstance(after, dict) else {}
    for name in sorted({*was, *becomes}):
        inner = f"{path}.{name}"
        # What is left out stays where Lambda keeps it, and of what the API's model does not have nobody knows.
        if name in becomes or not (row(path).merges or shape_at(inner) is None):
            yield from _members(inner, was.get(name), becomes.get(name))
