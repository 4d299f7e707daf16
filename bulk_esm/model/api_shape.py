"""What the API itself says of each parameter: botocore's service model, read once.

The bounds, enums and patterns of UpdateEventSourceMapping stand in the model that botocore ships, so they stay true
as botocore moves. botocore checks types and minimums only (F§6.5): maxima, enums and patterns would cost a request
each to be refused, so they are checked here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import botocore.loaders
import botocore.model

_PYTHON_TYPES: Final[dict[str, tuple[type[Any], str]]] = {
    "structure": (dict, "an object"),
    "list": (list, "a list"),
    "string": (str, "a string"),
    "integer": (int, "a whole number"),
    "boolean": (bool, "true or false"),
}

# The way out where Lambda may know more than the botocore that is installed.
OR_ALLOW_UNKNOWN: Final = "; if Lambda has it by now, --allow-unknown sends it as given"

# MaximumConcurrency above the model's 1000 exists in some accounts, by request (F§6.2): Lambda decides.
_ADVISORY_MAXIMA: Final = frozenset({"ScalingConfig.MaximumConcurrency"})


@cache
def _lambda_model() -> Any:
    """Lambda's model, without what is not about mappings: a client has all of it once more, in 2 MB."""
    whole = botocore.loaders.Loader().load_service_model("lambda", "service-2")
    operations = {name: one for name, one in whole["operations"].items() if "EventSourceMapping" in name}
    shapes: dict[str, Any] = {}
    names = [one[side]["shape"] for one in operations.values() for side in ("input", "output")]
    while names:
        if (name := names.pop()) not in shapes:
            shape = shapes[name] = whole["shapes"][name]
            inner = [*shape.get("members", {}).values(), *map(shape.get, ("member", "key", "value"))]
            names += [one["shape"] for one in inner if one]
    return botocore.model.ServiceModel({**whole, "operations": operations, "shapes": shapes}, "lambda")


@cache
def update_shape() -> Any:
    """The input shape of UpdateEventSourceMapping, as botocore's StructureShape."""
    return _lambda_model().operation_model("UpdateEventSourceMapping").input_shape


@cache
def output_shape(operation: str) -> Any:
    """The output shape of one of Lambda's operations, as botocore's StructureShape."""
    return _lambda_model().operation_model(operation).output_shape


def configuration_shape() -> Any:
    """The shape of a mapping as Lambda returns it, as botocore's StructureShape."""
    return output_shape("GetEventSourceMapping")


def shape_at(path: str) -> Any | None:
    """The shape of a dotted path such as `ScalingConfig.MaximumConcurrency`, or None if the API has no such member."""
    shape = update_shape()
    for part in path.split("."):
        shape = shape.members.get(part) if shape.type_name == "structure" else None
        if shape is None:
            return None
    return shape


def members_at(path: str) -> list[str]:
    """The names that may follow a dotted path; the parameters themselves for the empty path."""
    shape = shape_at(path) if path else update_shape()
    names = list(shape.members) if shape is not None and shape.type_name == "structure" else []
    return [name for name in names if name != "UUID"]


def known(path: str, value: Any, *, like: Any = None) -> Any:
    """A value without the members that the API's model does not have, at any depth.

    Args:
        path: its dotted path; a value of a path that the model does not have stays as it is.
        value: a JSON value, such as Lambda returned it.
        like: another value of the same path: what that has of such members stays.
    """
    shape = shape_at(path)
    return value if shape is None else _known(value, shape, [like])


def _known(value: Any, shape: Any, likes: list[Any]) -> Any:
    if isinstance(value, dict) and shape.type_name == "structure":
        return {
            name: _known(member, shape.members[name], [like.get(name) for like in likes if isinstance(like, dict)])
            if name in shape.members
            else member
            for name, member in value.items()
            if name in shape.members or any(isinstance(like, dict) and name in like for like in likes)
        }
    if isinstance(value, list) and shape.type_name == "list":
        items = [item for like in likes if isinstance(like, list) for item in like]
        return [_known(item, shape.member, items) for item in value]
    return value


def violations(path: str, value: Any, shape: Any | None = None, *, allow_unknown: bool = False) -> Iterator[str]:
    """Tell what the API's own model has against a value.

    Args:
        path: the dotted path of the parameter.
        value: a JSON value.
        shape: the shape to check against; that of the path if left out.
        allow_unknown: whether Lambda is taken to know more than the model: further members and words, higher bounds.

    Yields:
        A sentence for each violation, naming the path.
    """
    shape = shape_at(path) if shape is None else shape
    if shape is None:
        return
    wanted, called = _PYTHON_TYPES[shape.type_name]
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        yield f"{path} takes {called}, not {value!r}"
        return
    if shape.type_name == "structure":
        yield from _members(path, value, shape, allow_unknown=allow_unknown)
    elif shape.type_name == "list":
        yield from _length(path, len(value), shape, "items", allow_unknown=allow_unknown)
        for index, item in enumerate(value):
            yield from violations(f"{path}[{index}]", item, shape.member, allow_unknown=allow_unknown)
    elif shape.type_name == "integer":
        yield from _range(path, value, shape, allow_unknown=allow_unknown)
    elif shape.type_name == "string":
        yield from _text(path, value, shape, allow_unknown=allow_unknown)


def _members(path: str, value: dict[str, Any], shape: Any, *, allow_unknown: bool) -> Iterator[str]:
    for name, member in value.items():
        if name in shape.members:
            yield from violations(f"{path}.{name}", member, shape.members[name], allow_unknown=allow_unknown)
        elif not allow_unknown:
            yield f"{path} has no member {name!r}; there are {', '.join(shape.members)}{OR_ALLOW_UNKNOWN}"


def _range(path: str, value: int, shape: Any, *, allow_unknown: bool) -> Iterator[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    too_high = high is not None and value > high and path not in _ADVISORY_MAXIMA and not allow_unknown
    if (low is not None and value < low) or too_high:
        yield f"{path} is from {low} to {high}, not {value}"


def _length(path: str, length: int, shape: Any, of: str, *, allow_unknown: bool) -> Iterator[str]:
    low, high = shape.metadata.get("min", 0), shape.metadata.get("max")
    if length < low or (high is not None and length > high and not allow_unknown):
        yield f"{path} takes {low} to {high} {of}, not {length}"


def _text(path: str, value: str, shape: Any, *, allow_unknown: bool) -> Iterator[str]:
    if shape.enum:
        if value not in shape.enum and not allow_unknown:
            yield f"{path} is one of {', '.join(shape.enum)}, not {value!r}{OR_ALLOW_UNKNOWN}"
        return
    yield from _length(path, len(value), shape, "characters", allow_unknown=allow_unknown)
    pattern = shape.metadata.get("pattern")
    if pattern and not allow_unknown and not re.fullmatch(pattern, value):
        yield f"{path} does not have the form that Lambda asks for: {value!r}"
