"""Filters: the patterns that Lambda takes, and what it does with filters that are encrypted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from bulk_esm.model.mapping import EventSourceMapping

FILTERS: Final = "FilterCriteria"
KEY: Final = "KMSKeyArn"

# 5, or 10 by request (F§6.1).
# Guess: an account may have 10, as which have is not shown by any API; more than 5 are left to Lambda.
MOST_FILTERS: Final = 10

# While the key is disabled Lambda takes that filters are cleared, or replaced without kms:Decrypt (F§0.1).
_KEY_DISABLED: Final = "DisabledException"


def filter_problems(path: str, filters: list[Any]) -> Iterator[str]:
    """What Lambda has against a list of filters (F§0.1).

    Args:
        path: of the list.
        filters: its items, in the shape that the API's model has.

    Yields:
        A sentence for each problem.
    """
    if len(filters) > MOST_FILTERS:
        yield f"{path} takes at most {MOST_FILTERS} filters, not {len(filters)}"
    for index, item in enumerate(filters):
        if "Pattern" in item and not _is_pattern(item["Pattern"]):
            yield (
                f"{path}[{index}].Pattern {item['Pattern']!r} is not a filter pattern: "
                'that is a JSON object whose leaves are lists that are not empty, such as {"kind": ["order"]}'
            )


def _is_pattern(text: str) -> bool:
    try:
        pattern = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return False
    return isinstance(pattern, dict) and _has_lists_for_leaves(pattern)


def _has_lists_for_leaves(pattern: dict[str, Any]) -> bool:
    # Guess: an empty object is taken, as a pattern or within one, and so is whatever an operator or $or holds: none was
    # captured as refused. To check: create a mapping with each, and see what Lambda answers.
    return all(
        _has_lists_for_leaves(member) if isinstance(member, dict) else isinstance(member, list) and _is_leaf(member)
        for member in pattern.values()
    )


def _is_leaf(items: list[Any]) -> bool:
    """Whether a list has values or operator objects, and nothing but those."""
    return bool(items) and all(item != {} and not isinstance(item, list) for item in items)


def is_unreadable(mapping: EventSourceMapping) -> bool:
    """Whether Lambda says that it could not decrypt the filters (F§2)."""
    return bool(mapping.configuration.get("FilterCriteriaError"))


def why_unreadable(mapping: EventSourceMapping) -> str:
    """Why the filters could not be decrypted, in Lambda's own words."""
    error = mapping.configuration["FilterCriteriaError"]
    return ": ".join(filter(None, (error.get("ErrorCode"), error.get("Message")))) or "kms:Decrypt may be missing"


def unreadable_text(name: str, mapping: EventSourceMapping) -> str:
    """Why a parameter is not touched while the filters cannot be read."""
    return f"{name}: the filters cannot be read ({why_unreadable(mapping)}), so they would be lost"


def unreadable_problems(mapping: EventSourceMapping, request: dict[str, Any]) -> Iterator[str]:
    """What would be lost by a request to a mapping whose filters cannot be read.

    Args:
        mapping: the mapping as it is.
        request: the parameters that would be sent.

    Yields:
        A sentence for each parameter.
    """
    if not is_unreadable(mapping):
        return
    # Guess: another key alone is refused or loses the filters while the old key is disabled, as they would have to be
    # decrypted first; captured is only that they can be cleared and replaced. To check: send KMSKeyArn alone.
    lets_go = mapping.configuration["FilterCriteriaError"].get("ErrorCode") == _KEY_DISABLED and FILTERS in request
    if not lets_go:
        yield from (unreadable_text(name, mapping) for name in (FILTERS, KEY) if name in request)
