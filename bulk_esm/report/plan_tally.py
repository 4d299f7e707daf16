"""Counts of what a plan does, in one pass over its lines: pure."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import msgspec

from bulk_esm.model.api_types import check_mapping, check_request
from bulk_esm.model.differences import Difference
from bulk_esm.model.mapping import SourceType
from bulk_esm.model.meanings import meanings_of
from bulk_esm.model.plan import Action, PlanItem
from bulk_esm.model.values import short
from bulk_esm.report.records import Group, Planned
from bulk_esm.report.words import by_member, change_text, what_text

MOST_GROUPS: Final = 50
_MOST_TOLD_APART: Final = 10_000
_MOST_BEFORE: Final = 4
_OTHERS: Final = "others"
# Of values that no mapping has, as a damaged line may.
_FAILURES: Final = (ValueError, TypeError, AttributeError, LookupError, RecursionError)


class PlanLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A line of a plan as `PlanItem` has it, whose members nobody has looked at: of a large plan that takes long.

    Attributes:
        uuid: see `PlanItem`.
        function_arn: see there.
        event_source_arn: see there.
        source_type: see there.
        state: see there.
        action: see there.
        request: see there.
        diff: see there.
        problems: see there.
        before_json: see there.
    """

    uuid: str
    function_arn: str | None
    event_source_arn: str | None
    source_type: SourceType
    state: str | None
    action: Action
    request: dict[str, Any] = {}
    diff: tuple[Difference, ...] = ()
    problems: tuple[str, ...] = ()
    before_json: msgspec.Raw = msgspec.field(default=msgspec.Raw(b"{}"), name="before")

    def meanings(self) -> tuple[str, ...]:
        """What it means beyond the values, in words; nothing if its members are no mapping's."""
        try:
            check_mapping(msgspec.json.decode(self.before_json))
            check_request(self.request)
            return meanings_of(PlanItem(**msgspec.structs.asdict(self)))
        except _FAILURES:
            return ()


class _Alike:
    """Mappings of which a plan does the same."""

    def __init__(self) -> None:
        self.count = 0
        self.before: Counter[str] = Counter()
        self.source_types: Counter[str] = Counter()


class PlanTally:
    """What a plan comes to."""

    def __init__(self) -> None:
        self._actions: Counter[str] = Counter()
        self._blocked: Counter[str] = Counter()
        self._groups: dict[str, _Alike] = {}
        self._meanings: Counter[str] = Counter()
        self._known_meanings: dict[tuple[str, str], tuple[str, ...]] = {}

    def add(self, line: PlanLine) -> None:
        """Count a line."""
        self._actions[line.action] += 1
        if line.action is Action.BLOCKED:
            for problem in line.problems:
                self._blocked[problem.replace(line.uuid, "UUID")] += 1
        if line.action is not Action.UPDATE:
            return
        self._meanings.update(self._meanings_of(line))
        for member, before, after in by_member(line.diff):
            what = what_text(member, after)
            if what not in self._groups and len(self._groups) >= _MOST_TOLD_APART:
                what = f"set {member} to various values"
            group = self._groups.setdefault(what, _Alike())
            group.count += 1
            had = short(before)
            group.before[had if had in group.before or len(group.before) < _MOST_TOLD_APART else _OTHERS] += 1
            group.source_types[line.source_type] += 1

    def _meanings_of(self, line: PlanLine) -> tuple[str, ...]:
        """Its meanings; those of a line that changes the same are the same."""
        alike = (str(line.source_type), change_text(line.diff))
        if alike not in self._known_meanings:
            if len(self._known_meanings) >= _MOST_TOLD_APART:
                self._known_meanings.clear()
            self._known_meanings[alike] = line.meanings()
        return self._known_meanings[alike]

    @property
    def planned(self) -> Planned:
        """What it comes to."""
        ordered = sorted(self._groups.items(), key=lambda one: (-one[1].count, one[0]))
        return Planned(
            total=self._actions.total(),
            actions=dict(self._actions),
            groups=tuple(_group(what, alike) for what, alike in ordered[:MOST_GROUPS]),
            more_groups=max(0, len(ordered) - MOST_GROUPS),
            meanings=dict(self._meanings.most_common(MOST_GROUPS)),
            blocked=dict(self._blocked.most_common(MOST_GROUPS)),
        )


def _group(what: str, alike: _Alike) -> Group:
    first = alike.before.most_common(_MOST_BEFORE)
    before = dict(first)
    if left := alike.count - sum(before.values()):
        before[_OTHERS] = before.get(_OTHERS, 0) + left
    return Group(what=what, count=alike.count, before=before, source_types=dict(alike.source_types.most_common()))
