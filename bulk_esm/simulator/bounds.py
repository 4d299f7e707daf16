"""Refuse what the API's own model forbids, as Lambda's front end does before anything else looks at a request.

The bounds are those of the service model that botocore ships. botocore itself checks types and minimums only (F§6.5),
so that values too high, unknown enum members and bad patterns do reach the service.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from functools import cache
from typing import Any, Final

import botocore.loaders
import botocore.model

from bulk_esm.simulator.errors import malformed, validation

_PYTHON_TYPES: Final[dict[str, type | tuple[type, ...]]] = {
    "structure": dict,
    "list": list,
    "string": str,
    "integer": int,
    "boolean": bool,
    "map": dict,
    "timestamp": (int, float),
}


@cache
def _model() -> Any:
    description = botocore.loaders.Loader().load_service_model("lambda", "service-2")
    return botocore.model.ServiceModel(description, "lambda")


@cache
def shape(operation: str) -> Any:
    """The input shape of an operation of Lambda, as botocore's StructureShape; reading the model takes a moment once.

    Args:
        operation: such as `UpdateEventSourceMapping`.
    """
    return _model().operation_model(operation).input_shape


@cache
def output_shape(operation: str) -> Any:
    """The output shape of an operation of Lambda, as botocore's StructureShape.

    Args:
        operation: such as `GetEventSourceMapping`.
    """
    return _model().operation_model(operation).output_shape


def known(operation: str, request: dict[str, Any], newer: AbstractSet[str] = frozenset()) -> dict[str, Any]:
    """A request without the members that the model does not know, at any depth: they are ignored (F§0.2).

    Args:
        operation: such as `UpdateEventSourceMapping`.
        request: its members, within the model's bounds; it is not changed.
        newer: dotted paths that are known all the same, with all that is below them.
    """
    pruned: dict[str, Any] = _pruned(request, shape(operation), "", newer)
    return pruned


def _pruned(value: Any, of: Any, path: str, newer: AbstractSet[str]) -> Any:
    if isinstance(value, dict) and of.type_name == "structure":
        paths = {name: f"{path}.{name}" if path else name for name in value}
        return {
            name: _pruned(member, of.members[name], paths[name], newer) if name in of.members else member
            for name, member in value.items()
            if name in of.members or paths[name] in newer
        }
    if isinstance(value, list):
        return [_pruned(item, of.member, path, newer) for item in value]
    return value


def check(operation: str, request: dict[str, Any], newer: AbstractSet[str] = frozenset()) -> None:
    """Check a request against the model.

    Args:
        operation: such as `UpdateEventSourceMapping`.
        request: its members, without null ones. Members that the model does not know are ignored.
        newer: names of those that are held to the model's types alone.

    Raises:
        ApiError: SerializationException for a wrong type, ValidationException for a value out of bounds.
    """
    by_name = {name: list(_members({name: value}, shape(operation), "")) for name, value in request.items()}
    violations = [text for name, texts in by_name.items() if name not in newer for text in texts]
    if violations:
        raise validation(violations)


def spelt(name: str) -> str:
    """A member's name as Lambda's messages spell it: `BatchSize` as batchSize, `KMSKeyArn` as kmsKeyArn."""
    acronym = re.match(r"[A-Z]+(?=[A-Z][a-z])", name)
    head = acronym.end() if acronym else 1
    return name[:head].lower() + name[head:]


def _members(value: dict[str, Any], of: Any, path: str) -> Iterator[str]:
    for name, member in value.items():
        if name in of.members:
            yield from _violations(member, of.members[name], f"{path}.{spelt(name)}" if path else spelt(name))


def _violations(value: Any, of: Any, path: str) -> Iterator[str]:
    wanted: Any = _PYTHON_TYPES[of.type_name]
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        raise malformed(f"{path}: {type(value).__name__} can not be converted to {of.type_name}")
    if of.type_name == "structure":
        yield from _members(value, of, path)
    elif isinstance(value, list):
        yield from _failed(path, value, _limits("length", len(value), of))
        for index, item in enumerate(value, start=1):
            yield from _violations(item, of.member, f"{path}.{index}.member")
    elif isinstance(value, str):
        yield from _failed(path, value, _text(value, of))
    elif of.type_name == "integer":
        yield from _failed(path, value, _limits("value", value, of))


def _failed(path: str, value: Any, constraints: Iterator[str]) -> Iterator[str]:
    for constraint in constraints:
        yield f"Value '{value}' at '{path}' failed to satisfy constraint: Member must {constraint}"


def _limits(measure: str, number: int, of: Any) -> Iterator[str]:
    low, high = of.metadata.get("min"), of.metadata.get("max")
    if low is not None and number < low:
        yield f"have {measure} greater than or equal to {low}"
    if high is not None and number > high:
        yield f"have {measure} less than or equal to {high}"


def _text(value: str, of: Any) -> Iterator[str]:
    yield from _limits("length", len(value), of)
    if of.enum and value not in of.enum:
        yield f"satisfy enum value set: [{', '.join(of.enum)}]"
    pattern = of.metadata.get("pattern")
    if pattern and not re.fullmatch(pattern, value):
        yield f"satisfy regular expression pattern: {pattern}"
