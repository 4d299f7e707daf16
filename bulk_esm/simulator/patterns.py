"""Filter patterns, as Lambda checks them before it stores them verbatim (F§0.1, F§0.2)."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from bulk_esm.simulator.errors import invalid

# Guess: an account has the default quota of 5 filters a mapping; up to 10 are given by request (F§6.1), in words that
# are ours, as no refusal was captured. A sixth filter in a fresh account would tell.
_MOST_FILTERS: Final = 5
_OPERATORS: Final = frozenset({"prefix", "suffix", "anything-but", "numeric", "exists", "equals-ignore-case"})


def check_filters(criteria: dict[str, Any] | None) -> None:
    """Refuse filters that are none.

    Args:
        criteria: FilterCriteria as it was sent, if it was.

    Raises:
        ApiError: InvalidParameterValueException.
    """
    filters = (criteria or {}).get("Filters", [])
    if len(filters) > _MOST_FILTERS:
        raise invalid(f"Number of filters cannot be greater than {_MOST_FILTERS}.")
    for rule in filters:
        if not is_pattern(_decoded(rule.get("Pattern", ""))):
            raise invalid("Invalid filter pattern definition.")


def _decoded(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None


def is_pattern(value: Any) -> bool:
    """Whether a value is an object whose leaves are non-empty arrays of values or of operator objects (F§0.1).

    Args:
        value: a pattern, decoded.
    """
    # Guess: an empty object is refused, here and further inside, as it has no leaves; `null`, a string, a list,
    # `{"a": "b"}` and `{"a": []}` were refused for sure (F§0.1), and sending `{}` would tell.
    if not isinstance(value, dict) or not value:
        return False
    return all(_is_branch(name, member) for name, member in value.items())


def _is_branch(name: str, member: Any) -> bool:
    if name == "$or":
        return isinstance(member, list) and bool(member) and all(map(is_pattern, member))
    if isinstance(member, list):
        return bool(member) and all(map(_is_rule, member))
    return is_pattern(member)


def _is_rule(value: Any) -> bool:
    # Guess: an operator object has one of the documented operators and nothing else, and its operand is not checked;
    # no pattern with a wrong operator was sent, and one with `{"prefixx": "a"}` would tell.
    if isinstance(value, dict):
        return len(value) == 1 and value.keys() <= _OPERATORS
    return not isinstance(value, list)
