"""Waves: who comes first, so that a few tell of all."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from itertools import count, pairwise, takewhile
from typing import Final

from bulk_esm.errors import UsageError
from bulk_esm.model.amounts import Amount
from bulk_esm.model.mapping import FunctionReference, SourceType
from bulk_esm.model.plan import PlanItem

_ALL: Final = 100  # per cent
_MOST_STEPS: Final = 100
# How large the n-th wave and all before it are, from 0, where the first is 1: as AWS AppConfig has them.
_GROWTH: Final[Mapping[str, Callable[[int], int]]] = {
    "linear": lambda number: number + 1,
    "exponential": lambda number: 2**number,
}


def parse_waves(text: str) -> tuple[Amount, ...]:
    """Read the sizes of waves.

    Args:
        text: cumulative sizes such as `1,5%,25%,100%`; or `linear:20%`, which is 20 %, 40 % and so on, or
            `exponential:1%`, which is 1 %, 2 %, 4 % and so on, up to 100 %.

    Raises:
        UsageError: one is no amount, is 0, does not rise, or the last is not 100 %.
    """
    return wave_sizes(text.split(","))


def wave_sizes(parts: Sequence[str]) -> tuple[Amount, ...]:
    """Read the sizes of waves, one by one; see `parse_waves`."""
    text = ",".join(parts)
    kind, colon, first = text.partition(":")
    if colon:
        return _growing(text, kind.strip(), first)
    sizes = tuple(Amount.parse(part, "--waves") for part in parts)
    if any(size.number == 0 for size in sizes):
        raise UsageError(f"--waves {text}: a wave of none; leave it out")
    for is_share in (True, False):
        numbers = [size.number for size in sizes if size.is_share is is_share]
        if any(later <= earlier for earlier, later in pairwise(numbers)):
            raise UsageError(f"--waves {text}: sizes are cumulative, so each is larger than the one before")
    if not sizes[-1].is_share or sizes[-1].number != _ALL:
        raise UsageError(f"--waves {text}: end it with 100%, else some mappings would never be updated")
    return sizes


def _growing(text: str, kind: str, first: str) -> tuple[Amount, ...]:
    """The sizes of waves that grow by a rule, from the first to all."""
    if kind not in _GROWTH:
        raise UsageError(f"--waves {text}: write 1,5%,100%, linear:20% or exponential:1%")
    if "," in first:
        raise UsageError(f"--waves {text}: {kind} goes without other sizes; it is one percentage, such as {kind}:5%")
    step = Amount.parse(first, "--waves")
    if not step.is_share:
        raise UsageError(f"--waves {text}: {kind} takes a percentage, such as {kind}:5%")
    if step.number == 0:
        raise UsageError(f"--waves {text}: a wave of none; say how large the first is")
    shares = (step.number * _GROWTH[kind](number) for number in count())
    below = [share for _, share in zip(range(_MOST_STEPS), takewhile(lambda one: one < _ALL, shares), strict=False)]
    if len(below) == _MOST_STEPS:
        raise UsageError(f"--waves {text}: more than {_MOST_STEPS} waves; begin with more")
    return tuple(Amount(f"{share:f}%") for share in (*below, Decimal(_ALL)))


def waves_of(
    items: Sequence[PlanItem], sizes: Sequence[Amount], *, as_given: bool = False
) -> list[tuple[PlanItem, ...]]:
    """Split the items to update into waves.

    Args:
        items: those whose action is `update`.
        sizes: cumulative; none for one wave of all. A count above the total is all of it.
        as_given: whether the items come in the order given; else the first few are made to tell of all, whatever the
            order.

    Returns:
        The waves, each with at least one item, and each item in exactly one.
    """
    ordered = list(items) if as_given else _representative(items)
    waves: list[tuple[PlanItem, ...]] = []
    begun = 0
    for size in sizes or (Amount("100%"),):
        end = min(len(ordered), size.of(len(ordered)))
        if end > begun:
            waves.append(tuple(ordered[begun:end]))
            begun = end
    return waves


def _representative(items: Sequence[PlanItem]) -> list[PlanItem]:
    """Order items so that however many are taken from the beginning, they are a small picture of all.

    Think of each source type's items as spread evenly along a line from 0 to 1: of n, the i-th (from 0) stands at
    (i + 1/2) / n. Walked from 0, the line shows source types in proportion at every step, the commonest first. Within a
    source type each function has its first mapping before any has its second. Ties are broken by a hash, which is the
    same every time but knows nothing of how UUIDs were given out.
    """
    by_source: dict[SourceType, list[PlanItem]] = defaultdict(list)
    for item in sorted(items, key=_hash):
        by_source[item.source_type].append(item)
    placed: list[tuple[float, bytes, PlanItem]] = []
    for group in by_source.values():
        turns: Counter[str] = Counter()
        in_turns: list[tuple[int, PlanItem]] = []
        for item in group:
            function = FunctionReference.parse(item.function_arn or "").name
            in_turns.append((turns[function], item))
            turns[function] += 1
        in_turns.sort(key=lambda turn_and_item: turn_and_item[0])
        placed += [((i + 0.5) / len(group), _hash(item), item) for i, (_, item) in enumerate(in_turns)]
    return [item for _, _, item in sorted(placed, key=lambda place: place[:2])]


def _hash(item: PlanItem) -> bytes:
    return hashlib.sha256(item.uuid.encode()).digest()
