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

# MaximumConcurrency above the model's 1000 exists in some accounts, by request (F§6.2): Lambda decides.
_ADVISORY_MAXIMA: Final = frozenset({"ScalingConfig.MaximumConcurrency"})


@cache
def update_shape() -> Any:
    """The input shape of UpdateEventSourceMapping, as botocore's StructureShape."""
    return _operation().input_shape


@cache
def configuration_shape() -> Any:
    """The shape of a mapping as Lambda returns it, as botocore's StructureShape."""
    return _operation().output_shape


@cache
def _operation() -> Any:
    description = botocore.loaders.Loader().load_service_model("lambda", "service-2")
    return botocore.model.ServiceModel(description, "lambda").operation_model("UpdateEventSourceMapping")


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


def violations(path: str, value: Any, shape: Any | None = None) -> Iterator[str]:
    """Tell what the API's own model has against a value.

    Args:
        path: the dotted path of the parameter.
        value: a JSON value.
        shape: the shape to check against; that of the path if left out.

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
        for name, member in value.items():
            if name in shape.members:
                yield from violations(f"{path}.{name}", member, shape.members[name])
            else:
                yield f"{path} has no member {name!r}; there are {', '.join(shape.members)}"
    elif shape.type_name == "list":
        yield from _length(path, len(value), shape, "items")
        for index, item in enumerate(value):
            yield from violations(f"{path}[{index}]", item, shape.member)
    elif shape.type_name == "integer":
        yield from _range(path, value, shape)
    elif shape.type_name == "string":
        yield from _text(path, value, shape)


def _range(path: str, value: int, shape: Any) -> Iterator[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    too_high = high is not None and value > high and path not in _ADVISORY_MAXIMA
    if (low is not None and value < low) or too_high:
        yield f"{path} is from {low} to {high}, not {value}"


def _length(path: str, length: int, shape: Any, of: str) -> Iterator[str]:
    low, high = shape.metadata.get("min", 0), shape.metadata.get("max")
    if length < low or (high is not None and length > high):
        yield f"{path} takes {low} to {high} {of}, not {length}"


def _text(path: str, value: str, shape: Any) -> Iterator[str]:
    if shape.enum and value not in shape.enum:
        yield f"{path} is one of {', '.join(shape.enum)}, not {value!r}"
        return
    yield from _length(path, len(value), shape, "characters")
    pattern = shape.metadata.get("pattern")
    if pattern and not re.fullmatch(pattern, value):
        yield f"{path} does not have the form that Lambda asks for: {value!r}"
