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


def check_answer(answer: dict[str, Any], shape: Any, *, text: bytes = b"") -> None:
    """Refuse an answer, as it came in JSON, that is not of the form that the API's model says.

    Args:
        answer: the answer.
        shape: the output shape of the operation.
        text: the JSON that it was read from, if it is at hand: most has only members that the model knows, or else too
            few brackets to be deep.

    Raises:
        ValueError: a member of another type, or nested so deep that nobody could work with it.
    """
    if text and _is_of_the_model(text, shape):
        return
    msgspec.convert(answer, _type_of_output(shape))
    if not text or text.count(b"{") + text.count(b"[") > DEEPEST:
        _refuse_deep(answer)


def check_mapping(text: bytes | msgspec.Raw) -> None:
    """Refuse what is no configuration of a mapping as Get returns it, whole or in part.

    Args:
        text: the configuration, in JSON.

    Raises:
        ValueError: as `check_answer`.
    """
    shape = output_shape("GetEventSourceMapping")
    if not _is_of_the_model(text, shape):
        check_answer(msgspec.json.decode(text), shape)


def check_request(request: dict[str, Any]) -> None:
    """Refuse what is no request of UpdateEventSourceMapping without the UUID.

    Raises:
        ValueError: a member of another type, nested too deep, or the UUID, which stands elsewhere.
    """
    msgspec.convert(request, _type_of_request())
    if "UUID" in request:
        raise ValueError("a request names another mapping")
    _refuse_deep(request)


_types: Final[dict[str, Any]] = {}
_decoders: Final[dict[str, msgspec.json.Decoder[Any]]] = {}


def _is_of_the_model(text: bytes | msgspec.Raw, shape: Any) -> bool:
    """Whether an answer is of its form and has no member that the model does not know; told at once for most."""
    decoder = _decoders.get(shape.name)
    if decoder is None:
        decoder = _decoders[shape.name] = msgspec.json.Decoder(type_of(shape, only_known=True))
    try:
        decoder.decode(text)
    except (ValueError, RecursionError):
        return False
    return True


def _type_of_output(shape: Any) -> Any:
    if shape.name not in _types:
        _types[shape.name] = type_of(shape)
    return _types[shape.name]


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
