"""What the API's own model says an answer or a request is, as types that msgspec checks: at every depth, and in C.

Members that the model does not know pass, as Lambda may be newer than it; what the model knows is of its type, or
absent, or null, which on the wire is the same.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import msgspec

from bulk_esm.model.api_shape import output_shape, update_shape

DEEPEST: Final = 64  # of what the model does not know; Lambda's own answers are five deep
_SCALARS: Final[dict[str, Any]] = {
    "string": str,
    "character": str,
    "integer": int,
    "long": int,
    "float": float,
    "double": float,
    "boolean": bool,
    "timestamp": float,  # seconds since the epoch, as on the wire
}


def type_of(shape: Any, *, is_parsed: bool = False, only_known: bool = False) -> Any:
    """The type of a shape of botocore's; no shape that is asked for here contains itself.

    Args:
        shape: the shape.
        is_parsed: whether botocore has parsed the answer, so that times and binary data are of its own types.
        only_known: whether to refuse members that the model does not know.
    """

    def inner(shape: Any) -> Any:
        return type_of(shape, is_parsed=is_parsed, only_known=only_known)

    if shape.type_name == "structure":
        members = [(name, inner(member) | None, None) for name, member in shape.members.items()]
        # They live no longer than a check, and for the collector of garbage a page of them would be hundreds.
        return msgspec.defstruct(shape.name, members, forbid_unknown_fields=only_known, gc=False)
    if shape.type_name == "list":
        return list[inner(shape.member)]  # type: ignore[misc]  # made at run time
    if shape.type_name == "map":
        return dict[str, inner(shape.value)]  # type: ignore[misc]  # likewise
    return Any if is_parsed and shape.type_name == "timestamp" else _SCALARS.get(shape.type_name, Any)


def check_answer(answer: Any, shape: Any) -> None:
    """Refuse an answer, as it came in JSON, that is not of the form that the API's model says.

    Args:
        answer: the answer.
        shape: the output shape of the operation.

    Raises:
        ValueError: a member of another type, or nested so deep that nobody could work with it.
    """
    try:
        # Most has only members that the model knows, and is so no deeper than the model: told in one pass.
        msgspec.convert(answer, _type_of_output(shape, only_known=True))
    except (ValueError, RecursionError):
        msgspec.convert(answer, _type_of_output(shape))
        _refuse_deep(answer)


def check_mapping(configuration: Any) -> None:
    """Refuse what is no configuration of a mapping as Get returns it, whole or in part.

    Raises:
        ValueError: as `check_answer`.
    """
    check_answer(configuration, output_shape("GetEventSourceMapping"))


def check_request(request: dict[str, Any]) -> None:
    """Refuse what is no request of UpdateEventSourceMapping without the UUID.

    Raises:
        ValueError: a member of another type, nested too deep, or the UUID, which stands elsewhere.
    """
    msgspec.convert(request, _type_of_request())
    if "UUID" in request:
        raise ValueError("a request names another mapping")
    _refuse_deep(request)


_types: Final[dict[tuple[str, bool], Any]] = {}


def _type_of_output(shape: Any, *, only_known: bool = False) -> Any:
    key = shape.name, only_known
    if key not in _types:
        _types[key] = type_of(shape, only_known=only_known)
    return _types[key]


@cache
def _type_of_request() -> Any:
    return type_of(update_shape())


def _refuse_deep(answer: Any) -> None:
    level = [answer]
    for _ in range(DEEPEST):
        level = [
            member
            for value in level
            for member in (value.values() if type(value) is dict else value)
            if type(member) is dict or type(member) is list
        ]
        if not level:
            return
    raise ValueError(f"it is nested more than {DEEPEST} deep")
