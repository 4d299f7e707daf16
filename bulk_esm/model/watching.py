"""`--watch NAME[OP VALUE]`: what is watched, and what must hold of it. Pure."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from bulk_esm.errors import UsageError
from bulk_esm.model.comparing import LEAST_POINTS
from bulk_esm.model.measures import DELAY_S, MEASURES, MOST_QUERIES, Measure, Unit
from bulk_esm.model.parameters import nearest

VALUE_POINTS: Final = 5  # the last minutes that a value is held against
MOST_SIDE: Final = 250  # functions on either side of which metrics are read: what they cost has a bound
_MINUTE_S: Final = 60.0

_OPERATORS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_WATCH: Final = re.compile(r"(?P<name>[^<>=]+?)\s*(?:(?P<op><=|>=|<|>)\s*(?P<value>.*))?", re.DOTALL)
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
_PER_CENT: Final = re.compile(r"(\d+(?:\.\d+)?)%")
_TIME: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_EXAMPLES: Final[Mapping[Unit, str]] = {"share": "5%", "seconds": "60s"}
_FILE_SUFFIX: Final = ".json"


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is watched.

    Attributes:
        text: as it was written.
        measure: what; None for what a file says.
        file: the file of a metric-math expression, or None.
        op: how it must stand to the value; None where it is compared with what was not changed.
        value: a share, seconds, or of a file any number.
    """

    text: str
    measure: Measure | None = None
    file: str | None = None
    op: str | None = None
    value: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Watch:
        """Read what was written: `errors`, `errors<5%`, `iterator-age<60s` or `FILE.json>5`.

        Raises:
            UsageError: there is nothing of this name, or it cannot be held against that.
        """
        found = _WATCH.fullmatch(text.strip())
        if found is None:
            raise UsageError(f"--watch {text!r}: write it like errors, 'errors<5%' or './gate.json>5'")
        name, op, value = found["name"], found["op"], (found["value"] or "").strip()
        if name.endswith(_FILE_SUFFIX):
            return cls._of_file(text, name, op, value)
        measure = MEASURES.get(name)
        if measure is None:
            known = ", ".join(MEASURES)
            hint = nearest(name, MEASURES) or f"; there are {known}, and FILE.json"
            raise UsageError(f"--watch {text!r}: there is no {name!r}{hint}")
        if op is None:
            if measure.of == "account":
                example = f"{name}<{_EXAMPLES[measure.unit]}"
                raise UsageError(
                    f"--watch {text}: it is of the whole account, so nothing is left to compare it with; "
                    f"say what must hold, such as '{example}'"
                )
            return cls(text=text.strip(), measure=measure)
        if op.startswith(">"):
            right = f"{name}<{value}"
            raise UsageError(f"--watch {text!r} says what must hold, and more of it is worse: write '{right}'")
        return cls(text=text.strip(), measure=measure, op=op, value=_value(text, measure, value))

    @classmethod
    def _of_file(cls, text: str, file: str, op: str | None, value: str) -> Watch:
        if op is None:
            raise UsageError(
                f"--watch {text}: nobody knows what such an expression was of, so it cannot be compared; say what must "
                f"hold, such as '{file}<5'"
            )
        if not _NUMBER.fullmatch(value):
            raise UsageError(f"--watch {text!r}: {value!r} is no number")
        return cls(text=text.strip(), file=file, op=op, value=float(value))

    @property
    def compares(self) -> bool:
        """Whether it is compared with what was not changed yet, and with what was before."""
        return self.op is None

    @property
    def is_of_all(self) -> bool:
        """Whether it tells of a whole account, or of whatever a file says, and not of what was changed alone."""
        return self.measure is None or self.measure.of == "account"

    @property
    def least_points(self) -> int:
        """How many minutes after a change there must be before it can tell."""
        return LEAST_POINTS if self.compares else VALUE_POINTS

    def holds(self, found: float) -> bool:
        """Whether a value is as it must be.

        Args:
            found: in the unit of `value`.
        """
        return self.op is None or _OPERATORS[self.op](found, self.value)

    def shown(self, value: float) -> str:
        """A value as a person reads it."""
        unit = None if self.measure is None else self.measure.unit
        return f"{value:.3g}" if unit is None else (f"{value:.2%}" if unit == "share" else f"{value:.3g} s")

    def metrics(self, *, changed: int, control: int) -> int:
        """How many metrics are asked for at one look, at most.

        Args:
            changed: of how many it is published that are changed.
            control: of how many that are not yet; none are asked for where a value is what must hold.
        """
        if self.measure is None:
            return 1
        sides = min(changed, MOST_SIDE) + (min(control, MOST_SIDE) if self.compares else 0)
        return len(self.measure.metrics) * sides


def least_wait_s(watches: Sequence[Watch]) -> float:
    """How long after a change it takes in any case before all watches can tell, in seconds.

    A minute that has begun is no whole one, and CloudWatch is late.
    """
    return max(((watch.least_points + 1) * _MINUTE_S + DELAY_S for watch in watches), default=0.0)


def check_expression(queries: Any) -> list[dict[str, Any]]:
    """Refuse what GetMetricData would not take, or what says more than one thing.

    Args:
        queries: what stands in a file: MetricDataQueries, or an object that has them.

    Returns:
        The queries.

    Raises:
        UsageError: they make no sense, without the file's name.
    """
    found = queries.get("MetricDataQueries") if isinstance(queries, dict) else queries
    if not isinstance(found, list) or not found or not all(isinstance(query, dict) for query in found):
        raise UsageError("it has no MetricDataQueries: a JSON array of objects, as GetMetricData takes them")
    if len(found) > MOST_QUERIES:
        raise UsageError(f"it has {len(found)} queries, and GetMetricData takes {MOST_QUERIES} at most")
    ids = [query.get("Id") for query in found]
    for query in found:
        _check_query(query, ids)
    returned = [query["Id"] for query in found if query.get("ReturnData", True)]
    if len(returned) != 1:
        what = ", ".join(returned) or "none"
        raise UsageError(f'one query must return data, and {what} do: say "ReturnData": false of the others')
    return found


def longest_period(queries: Sequence[Mapping[str, Any]]) -> int:
    """The longest period of queries, in whole minutes; 1 where none is said.

    Args:
        queries: MetricDataQueries.
    """
    found = [query.get("Period") or (query.get("MetricStat") or {}).get("Period") for query in queries]
    return max((-(-period // int(_MINUTE_S)) for period in found if isinstance(period, int)), default=1)


def _check_query(query: Mapping[str, Any], ids: Sequence[Any]) -> None:
    name = query.get("Id")
    if not isinstance(name, str) or not re.fullmatch(r"[a-z][A-Za-z0-9_]{0,254}", name):
        raise UsageError(f"the Id {name!r} is none: a lower-case letter, then letters, digits and _")
    if ids.count(name) > 1:
        raise UsageError(f"the Id {name!r} is there twice")
    if ("Expression" in query) == ("MetricStat" in query):
        raise UsageError(f"{name!r} must have an Expression or a MetricStat, and not both")
    if not isinstance(query.get("ReturnData", True), bool):
        raise UsageError(f"ReturnData of {name!r} is neither true nor false")


def _value(text: str, measure: Measure, value: str) -> float:
    example = _EXAMPLES[measure.unit]
    if measure.unit == "share":
        if found := _PER_CENT.fullmatch(value):
            return float(found[1]) / 100
        if _NUMBER.fullmatch(value) and 0 <= float(value) <= 1:
            return float(value)
        raise UsageError(f"--watch {text!r}: {value!r} is no share; write it like {example} or 0.05")
    if found := _TIME.fullmatch(value):
        return float(found[1]) * _SECONDS[found[2]]
    raise UsageError(f"--watch {text!r}: {value!r} is no time; write it like {example}, 500ms or 2m")
