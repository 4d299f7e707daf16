"""JMESPath over a mapping, as `--where` takes it."""

from __future__ import annotations

import re
from typing import Any, Final

import jmespath
import jmespath.exceptions
import jmespath.visitor

from bulk_esm.errors import UsageError
from bulk_esm.model.expressions import impossible

_ORDERED: Final = frozenset({"lt", "lte", "gt", "gte"})
_FAILURES: Final = (ValueError, TypeError, LookupError, ArithmeticError, RecursionError)


class _Interpreter(jmespath.visitor.TreeInterpreter):
    """The library's, but that a number and a string have no order: the specification's null, and no `TypeError`."""

    def visit_comparator(self, node: Any, value: Any) -> Any:
        left, right = (self.visit(child, value) for child in node["children"])
        if node["value"] in _ORDERED and isinstance(left, str) != isinstance(right, str):
            return None
        literals = [{"type": "literal", "children": [], "value": found} for found in (left, right)]
        compared: Any = {**node, "children": literals}  # each is evaluated once
        return super().visit_comparator(compared, value)


def check_expression(expression: str) -> None:
    """Refuse what is no expression, calls what there is not, or can be true of no mapping.

    Raises:
        UsageError: it is such a one.
    """
    try:
        _search(expression, {})
    except jmespath.exceptions.JMESPathTypeError:
        pass  # of members that are not there
    except _FAILURES as error:
        raise UsageError(f"--where {expression!r} is not a JMESPath expression: {error}") from error
    why = impossible(expression)
    if why is not None and not why.selects_nothing:
        raise UsageError(f"--where {expression!r} is true of no mapping: {why}")


def is_true_of(expression: str, configuration: dict[str, Any]) -> bool:
    """Whether an expression holds, in JMESPath's notion of truth.

    Args:
        expression: the expression.
        configuration: a mapping as Lambda returned it.

    Raises:
        UsageError: it cannot be evaluated on this mapping.
    """
    try:
        found = _search(expression, configuration)
    except _FAILURES as error:
        uuid = configuration.get("UUID")
        what = f"--where {expression!r} fails on mapping {uuid}: {error}{_way_out(expression, error)}"
        raise UsageError(what) from error
    # 0 is true; an empty string, list or object, null and false are not.
    return found is not None and found is not False and found not in ("", [], {})


def _search(expression: str, configuration: dict[str, Any]) -> Any:
    return _Interpreter().visit(jmespath.compile(expression).parsed, configuration)


def _way_out(expression: str, error: Exception) -> str:
    """How to leave out the mappings that lack what a function is called with."""
    if not isinstance(error, jmespath.exceptions.JMESPathTypeError) or error.actual_type != "null":
        return ""
    member = re.search(r"\(\s*([A-Za-z_][\w.]*)", expression)
    name = member[1] if member else "MEMBER"
    source = ", or use --source" if name == "EventSourceArn" else ""
    return f"; a mapping without it is left out by {f'{name} && {expression}'!r}{source}"
