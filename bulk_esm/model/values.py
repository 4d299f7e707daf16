"""Compare what a mapping has with what was asked for, in the terms of UpdateEventSourceMapping.

Reads and updates differ (F§6.4): `FunctionArn` is read and `FunctionName` written, `Enabled` is not returned, members
come back that may not be sent, and a default may come back or be absent. All of that is told here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from bulk_esm.model.api_shape import known, shape_at
from bulk_esm.model.mapping import EventSourceMapping, FunctionReference, SourceType
from bulk_esm.model.parameters import PARAMETERS, row

# VIRTUAL_HOST comes back in SourceAccessConfigurations, is refused in an update, and kept where left out (F§0.2).
VIRTUAL_HOST = "VIRTUAL_HOST"


def current_value(mapping: EventSourceMapping, name: str) -> Any:
    """A parameter as the mapping has it now, in the form in which an update would send it.

    Args:
        mapping: the mapping as Lambda returned it.
        name: a parameter of UpdateEventSourceMapping, not a dotted path.

    Returns:
        A JSON value without read-only members and without empty ones; None where the mapping has none.
    """
    if name == "Enabled":
        return mapping.enabled
    if name == "FunctionName":
        return mapping.function_arn
    return changeable(name, mapping.configuration.get(name))


def changeable(path: str, value: Any) -> Any:
    """A value as a mapping has it, without what no update can change, and without what comes to nothing.

    Args:
        path: its dotted path.
        value: as Lambda returned it.
    """
    if isinstance(value, dict):
        members = {
            name: changeable(f"{path}.{name}", member)
            for name, member in value.items()
            if not row(f"{path}.{name}").read_only
        }
        return {name: member for name, member in members.items() if member not in (None, {}, [])} or None
    if path == "SourceAccessConfigurations" and value:
        return [item for item in value if item.get("Type") != VIRTUAL_HOST]
    return value


def merged(path: str, current: Any, asked: Any) -> Any:
    """What to send for `asked` to hold: members that were not asked for keep the value that they have.

    They are sent along only where Lambda is not known to keep what is left out.

    Args:
        path: the dotted path of the value.
        current: what the mapping has, from `current_value`.
        asked: what is wanted. An empty object or list where the table has a clear form is that clear form.
    """
    if not isinstance(asked, dict):
        return asked
    if is_empty(asked):
        clear = row(path).clear
        return asked if clear is None else clear
    if not isinstance(current, dict):
        return asked
    return sent_along(path, current) | {
        name: merged(f"{path}.{name}", current.get(name), member) for name, member in asked.items()
    }


def sent_along(path: str, current: dict[str, Any]) -> dict[str, Any]:
    """The members of a structure that go with those that are changed.

    Args:
        path: its dotted path.
        current: its members, from `current_value`.

    Returns:
        None where Lambda keeps what is left out. What the API's model does not have is not sent unasked, at any depth.
    """
    return {} if row(path).merges else known_members(path, current)


def known_members(path: str, current: dict[str, Any]) -> dict[str, Any]:
    """The members of a structure that the API's model has, each with nothing but such members.

    Args:
        path: its dotted path.
        current: its members.
    """
    paths = {name: f"{path}.{name}" for name in current}
    return {name: known(paths[name], member) for name, member in current.items() if shape_at(paths[name]) is not None}


def left_behind(path: str, before: Any, asked: Any) -> Iterator[str]:
    """The members that the API's model does not have, and that an update may take away, as it goes without them.

    Args:
        path: the dotted path of a value.
        before: what the mapping had.
        asked: what is sent.

    Yields:
        The dotted path of each. What Lambda keeps that was left out is not among them, nor what was asked for.
    """
    if isinstance(before, list):
        for item in before:
            yield from left_behind(path, item, None)
    if not isinstance(before, dict):
        return
    sent = asked if isinstance(asked, dict) else {}
    for name, member in before.items():
        inner = f"{path}.{name}"
        if name not in sent and row(path).merges:
            continue
        if _is_unknown(inner, path):
            if name not in sent and member not in (None, {}, []):
                yield inner
        else:
            yield from left_behind(inner, member, sent.get(name))


def _is_unknown(path: str, parent: str) -> bool:
    shape = shape_at(parent)
    members = getattr(shape.member if shape is not None and shape.type_name == "list" else shape, "members", {})
    return path.rpartition(".")[2] not in members


def is_empty(value: Any) -> bool:
    """Whether a value comes to nothing: `{}`, `{"Filters": []}`, `{"SchemaRegistryConfig": {}}`, absent."""
    if isinstance(value, dict):
        return all(is_empty(member) for member in value.values())
    return value is None or value == []


def holds(path: str, asked: Any, mapping: EventSourceMapping) -> bool:
    """Whether a mapping has what was asked for, so that nothing need be sent, or the update has arrived.

    Args:
        path: a parameter of UpdateEventSourceMapping.
        asked: the value that an update would send, or sent.
        mapping: the mapping as Lambda returned it.

    Returns:
        True if each member that was asked for has that value. A default counts as equal to absent, an order that
        means nothing is ignored, and a function matches by what it names.
    """
    current = current_value(mapping, path)
    if path == "FunctionName":
        return isinstance(asked, str) and FunctionReference.parse(asked).is_same_function(mapping.function)
    return has(path, asked, current, mapping.source_type)


def has(path: str, asked: Any, current: Any, source_type: SourceType) -> bool:
    """Whether a value holds what was asked for; see `holds`.

    Args:
        path: its dotted path.
        asked: the value that an update would send, or sent.
        current: what the mapping has, from `current_value`.
        source_type: the mapping's, on which defaults depend.
    """
    if isinstance(asked, dict):
        if is_empty(asked):
            return is_empty(known(path, current, like=asked))
        members = current if isinstance(current, dict) else {}
        return all(has(f"{path}.{name}", member, members.get(name), source_type) for name, member in asked.items())
    if isinstance(asked, list):
        found = known(path, current or [], like=asked)
        return _comparable_list(path, asked) == _comparable_list(path, found)
    default = row(path).default_for(source_type)
    return bool(asked == (default if current is None else current))


def _comparable_list(path: str, items: list[Any]) -> list[bytes]:
    encoded = [msgspec.json.encode(_comparable_item(item), order="sorted") for item in items]
    return sorted(encoded) if row(path).unordered else encoded


def _comparable_item(item: Any) -> Any:
    """A filter's pattern is JSON in a string: white space and the order of its keys mean nothing.

    It comes back verbatim (F§0.2), so that what differs only in that is how two people wrote the same.
    """
    if isinstance(item, dict) and isinstance(item.get("Pattern"), str):
        try:
            return item | {"Pattern": msgspec.json.decode(item["Pattern"])}
        except msgspec.DecodeError:
            return item
    return item


def says_the_same(name: str, before: EventSourceMapping, now: EventSourceMapping) -> bool:
    """Whether two readings differ only in form: a default may be shown, or be absent (F§6.4)."""
    if name not in PARAMETERS or name in {"Enabled", "FunctionName"}:
        return False
    clear = row(name).clear_for(now.source_type)
    was, found = (
        clear if value is None else value for value in (current_value(before, name), current_value(now, name))
    )
    return was is not None and found is not None and holds(name, was, now) and holds(name, found, before)


def short(value: object) -> str:
    """A value in a line's worth of JSON."""
    text = "unset" if value is None else msgspec.json.encode(value).decode()
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004 - a line's worth
