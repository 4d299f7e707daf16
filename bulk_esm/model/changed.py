"""What someone changed about a mapping, in words: `BatchSize: 100 -> 77`. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from bulk_esm.model.api_shape import shape_at
from bulk_esm.model.filters import FILTERS, KEY
from bulk_esm.model.mapping import EventSourceMapping
from bulk_esm.model.plan import READ_AS, PlanItem, changed_members
from bulk_esm.model.values import changeable, is_empty, short


def what_changed(before: EventSourceMapping, now: EventSourceMapping, names: Iterable[str] | None = None) -> str:
    """What differs between two readings of a mapping, in words; empty if nothing does.

    Args:
        before: the earlier one.
        now: the later one.
        names: which members to tell of; those that someone changed if left out.
    """
    told = changed_members(before, now) if names is None else names
    was, found = before.configuration, now.configuration
    return "; ".join(
        text
        for name in told
        for text in change_of(name, changeable(name, was.get(name)), changeable(name, found.get(name)))
    )


def others_hand(item: PlanItem, seen: EventSourceMapping) -> list[str]:
    """The members that are not as planned although an item's request neither sets nor takes them along.

    Those that this version does not know are not among them: Lambda may change them by itself.

    Args:
        item: an item whose action is `update`.
        seen: the mapping, after the update or before.
    """
    ours = {READ_AS.get(name, name) for name in item.request} | {"State"}
    if FILTERS in item.request and is_empty(item.request[FILTERS]):
        ours.add(KEY)  # it goes with the filters (F§0.1)
    return [name for name in changed_members(item.before, seen, besides=ours) if is_known(name)]


def is_known(name: str) -> bool:
    """Whether this version knows a member of a mapping.

    Args:
        name: as it is read.
    """
    return shape_at(name) is not None or name in READ_AS.values()


def change_of(path: str, was: Any, found: Any) -> Iterator[str]:
    """How one value became another, by dotted members where they are structures.

    Args:
        path: its dotted path.
        was: what it was; None if it was not there.
        found: what it is.
    """
    if isinstance(was, dict) and isinstance(found, dict):
        for name in sorted(was.keys() | found.keys()):
            if was.get(name) != found.get(name):
                yield from change_of(f"{path}.{name}", was.get(name), found.get(name))
    else:
        yield f"{path}: {short(was)} -> {short(found)}"
