"""Which shards go first: groups that are worked in one after another. Pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from bulk_esm.errors import UsageError
from bulk_esm.model.parameters import nearest
from bulk_esm.model.shard import Shard
from bulk_esm.shards.spec import refuse_twice

_Key = TypeVar("_Key", bound=Hashable)


def parse_shard_order(text: str | None, shards: Sequence[Shard]) -> list[tuple[Shard, ...]]:
    """Read `--shard-order`.

    Returns:
        Groups in which each shard is exactly once; none of them is empty.

    Raises:
        UsageError: it names nothing, something twice, or what no shard has.
    """
    if not shards:
        return []
    if text is None:
        return [tuple(shards)]
    if text == "accounts":
        return _grouped(shards, lambda shard: shard.account_id)
    if text == "regions":
        return _grouped(shards, lambda shard: shard.region)
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise UsageError(f"--shard-order {text!r}: write accounts, regions, or names, such as 111111111111,eu-west-1")
    refuse_twice(names, "--shard-order")
    there = {of for shard in shards for of in _names_of(shard)}
    for name in names:
        if name not in there:
            hint = nearest(name, {*there, "accounts", "regions"})
            raise UsageError(f"--shard-order: no shard is in {name!r}{hint}")
    # A shard of several of the names goes with the first.
    return _grouped(shards, lambda shard: _place(shard, names), order=range(len(names) + 1))


def _names_of(shard: Shard) -> tuple[str, str, str]:
    return shard.account_id or "", shard.region, shard.name


def _place(shard: Shard, names: Sequence[str]) -> int:
    places = (place for place, name in enumerate(names) if name in _names_of(shard))
    return next(places, len(names))


def _grouped(
    shards: Sequence[Shard], key: Callable[[Shard], _Key], order: Sequence[_Key] = ()
) -> list[tuple[Shard, ...]]:
    groups: dict[_Key, list[Shard]] = {place: [] for place in order}
    for shard in shards:
        groups.setdefault(key(shard), []).append(shard)
    return [tuple(group) for group in groups.values() if group]
