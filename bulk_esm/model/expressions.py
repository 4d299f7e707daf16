"""JMESPath expressions that no mapping can ever fulfil, told by the API's own model of a mapping: pure."""

from __future__ import annotations

import difflib
import warnings
from functools import cache
from typing import Any, Final, NamedTuple

import jmespath

from bulk_esm.model.api_shape import configuration_shape, update_shape
from bulk_esm.model.mapping import State

_ORDERING: Final = frozenset({"lt", "lte", "gt", "gte"})
_LOOKS_LIKE: Final = 0.85  # a name that is as near to a known one is misspelt, and no newer member
_KINDS: Final = {
    "structure": "object",
    "map": "object",
    "list": "array",
    "string": "string",
    "boolean": "boolean",
    **dict.fromkeys(("integer", "long", "float", "double", "timestamp"), "number"),
}
_IN_WORDS: Final = {"object": "an object", "array": "a list", "number": "a number", "boolean": "true or false"}
_OF_LITERALS: Final = {dict: "object", list: "array", str: "string", bool: "boolean", int: "number", float: "number"}
# What an update calls what a mapping has.
_INSTEAD: Final = {"Enabled": "State, such as State == 'Enabled'", "FunctionName": "FunctionArn"}


class Impossible(Exception):  # noqa: N818 - it says what an expression is
    """What can never be true, and why, with what is likely meant.

    Attributes:
        selects_nothing: whether it is an expression all the same: of a number and a string the specification says what
            a comparison comes to, null or false.
    """

    def __init__(self, why: str, *, selects_nothing: bool = False) -> None:
        super().__init__(why)
        self.selects_nothing = selects_nothing


class _Value(NamedTuple):
    """What a part of an expression comes to, as far as it is known before it meets a mapping.

    Attributes:
        kind: JSON's; None where it is not known.
        shape: the API's, of which members and items are known; or None.
        name: how the user calls it.
    """

    kind: str | None = None
    shape: Any = None
    name: str = ""


_UNKNOWN: Final = _Value()


@cache
def impossible(expression: str) -> Impossible | None:
    """Why an expression can be true of no mapping, whatever it has; None if it may be of one.

    Args:
        expression: a well-formed JMESPath expression.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `Enabled` in backticks is an old form of a string, and works
        parsed: Any = jmespath.compile(expression).parsed
    try:
        _value(parsed, _of(configuration_shape(), "a mapping"))
    except Impossible as why:
        return why.with_traceback(None)
    return None


def _of(shape: Any, name: str) -> _Value:
    return _Value(_KINDS.get(shape.type_name), shape, name)


def _value(node: dict[str, Any], current: _Value) -> _Value:  # noqa: PLR0911 - one for each kind of node
    kind, children = node["type"], node["children"]
    if kind in {"identity", "current"}:
        return current
    if kind == "literal":
        return _Value(_OF_LITERALS.get(type(node["value"])), None, repr(node["value"]))
    if kind == "field":
        return _member(node["value"], current)
    if kind in {"subexpression", "index_expression", "pipe"}:
        for child in children:
            current = _value(child, current)
        return current
    if kind in {"index", "slice", "flatten", "projection", "filter_projection"}:
        return _in_list(node, current)
    if kind == "comparator":
        return _compared(node, current)
    if kind in {"or_expression", "and_expression", "not_expression", "function_expression", "multi_select_list"}:
        for child in children:  # one side of `||` that can never be true is hardly meant either
            _value(child, current)
    return _UNKNOWN


def _member(name: str, current: _Value) -> _Value:
    if current.kind not in {None, "object"}:
        raise Impossible(f"{current.name} is {_IN_WORDS.get(current.kind or '', 'a string')}, and has no {name}")
    members = current.shape.members if getattr(current.shape, "type_name", "") == "structure" else {}
    if name in members:
        return _of(members[name], name)
    is_whole = current.shape is configuration_shape()
    if is_whole and name == "EventSourceMappings":
        raise Impossible("it is asked of one mapping, not of List's answer; write what stands in [?...] alone")
    if is_whole and name in _INSTEAD:
        raise Impossible(f"a mapping has no {name}, but {_INSTEAD[name]}")
    if is_whole and name in update_shape().members:
        raise Impossible(f"a mapping has no {name}")
    by_folded = {known.casefold(): known for known in members}
    near = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=_LOOKS_LIKE)
    if near:
        raise Impossible(f"{current.name} has no {name}; did you mean {by_folded[near[0]]}?")
    return _Value(name=name)


def _in_list(node: dict[str, Any], current: _Value) -> _Value:
    """An item, or a projection: of what is no list each is null."""
    kind, children = node["type"], node["children"]
    of = _value(children[0], current) if kind not in {"index", "slice"} else current
    if of.kind not in {None, "array"}:
        alone = "; it is asked of one mapping: write what stands in [?...] alone" if of.shape is current.shape else ""
        raise Impossible(f"{of.name} is {_IN_WORDS.get(of.kind or '', 'a string')}, and no list{alone}")
    item = _of(of.shape.member, f"an item of {of.name}") if of.shape is not None and of.kind else _UNKNOWN
    if kind == "index":
        return item
    if kind in {"slice", "flatten"}:
        return of if kind == "slice" or item.kind not in {None, "array"} else _Value("array")
    if kind == "filter_projection":
        _value(children[2], item)
    _value(children[1], item)
    return _Value("array")


def _compared(node: dict[str, Any], current: _Value) -> _Value:
    _refuse_unquoted(node["children"], current)
    left, right = sides = [_value(child, current) for child in node["children"]]
    if None in (left.kind, right.kind):
        return _UNKNOWN
    wrong = next((side for side in sides if node["value"] in _ORDERING and side.kind != "number"), None)
    if wrong is not None or left.kind != right.kind:
        _refuse_kinds(left, right, wrong)
    _refuse_state(left, right, node["value"])
    return _Value("boolean", None, "a comparison")


def _refuse_unquoted(children: list[dict[str, Any]], current: _Value) -> None:
    """Double quotes are for names of members, and so are none at all."""
    for one, other in (children, children[::-1]):
        is_member = one["type"] == "field" and one["value"] in getattr(current.shape, "members", {})
        if one["type"] == "field" and not is_member and other["type"] != "literal":
            name = one["value"]
            raise Impossible(f"{name}, or \"{name}\", is the name of a member; a string is in single quotes: '{name}'")


def _refuse_kinds(left: _Value, right: _Value, wrong: _Value | None) -> None:
    for one, other in ((left, right), (right, left)):
        if one.kind == "number" and other.kind == "string" and other.shape is None:
            what = f"{one.name} is a number, and {other.name} a string; write `{other.name.strip(chr(39))}`"
            raise Impossible(what, selects_nothing=True)
        if one.kind == "string" and other.shape is None and other.kind != "string":
            what = f"{one.name} is a string, and `{other.name}` is none; write '{other.name}'"
            raise Impossible(what, selects_nothing=other.kind == "number")
        if one.kind == "boolean" and other.kind == "string" and other.shape is None:
            raise Impossible(f"{one.name} is true or false, and {other.name} a string; write `true` or `false`")
    what = f"only numbers are smaller or larger, and {wrong.name} is none" if wrong else "that is never the same"
    raise Impossible(f"{left.name} compared with {right.name}: {what}")


def _refuse_state(left: _Value, right: _Value, how: str) -> None:
    states = {str(state) for state in State}
    for one, other in ((left, right), (right, left)):
        given = other.name.strip("'")
        if one.name == "State" and one.shape is not None and other.shape is None and given not in states:
            near = next((state for state in states if state.casefold() == given.casefold()), None)
            if near is not None and how in {"eq", "ne"}:
                raise Impossible(f"no State is {given!r}; did you mean {near!r}?")
