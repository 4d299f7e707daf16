"""What a plan comes to, counted as it is made: pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from typing import Final

from bulk_esm.model.losses import LEFT_OUT
from bulk_esm.model.meanings import meanings_of
from bulk_esm.model.parameters import STREAMS
from bulk_esm.model.plan import Action, PlanItem
from bulk_esm.model.rollback import inverse_of
from bulk_esm.model.values import short

_MOST_EXAMPLES: Final = 3


class PlanSummary:
    """Counts of what a plan does, in one pass over its items.

    Attributes:
        actions: items by action.
        changes: by what a member becomes, in words, updates by what it was.
        meanings: updates by what that means beyond the values, in words.
        reasons: blocked items, and those that cannot be put back wholly, by why.
        left_out: blocked items that were left out for the data that they would lose.
        lasting: examples of items of which something could not be put back later, with what and why.
        lasting_count: how many there are.
        streams: updates that enable streams (True) or disable them (False).
        remaining: examples of items of a rollback that do not become wholly what they were, with what stays.
        remaining_count: how many there are.
    """

    def __init__(self) -> None:
        self.actions: Counter[Action] = Counter()
        self.changes: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self.meanings: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.left_out = 0
        self.lasting: list[tuple[str, tuple[str, ...]]] = []
        self.lasting_count = 0
        self.streams: Counter[bool] = Counter()
        self.remaining: list[tuple[str, tuple[str, ...]]] = []
        self.remaining_count = 0

    @property
    def total(self) -> int:
        """How many items there are, less those that are left alone."""
        return self.actions.total()

    def add(self, items: Iterable[PlanItem], *, left_alone: Collection[str] = ()) -> None:
        """Count some more.

        Args:
            items: of a plan.
            left_alone: UUIDs to which nothing is sent all the same, as someone changed them since.
        """
        for item in items:
            if item.uuid not in left_alone:
                self._add(item)

    def _add(self, item: PlanItem) -> None:
        self.actions[item.action] += 1
        self.reasons.update(item.problems)
        self.left_out += any(problem.startswith(LEFT_OUT) for problem in item.problems)
        if item.action is not Action.BLOCKED and item.problems:
            self.remaining_count += 1
            if len(self.remaining) < _MOST_EXAMPLES:
                self.remaining.append((item.uuid, item.problems))
        if item.action is not Action.UPDATE:
            return
        if item.source_type in STREAMS and "Enabled" in item.request:
            self.streams[item.request["Enabled"]] += 1
        for one in item.diff:
            self.changes[one.parameter, short(one.after)][short(one.before)] += 1
        self.meanings.update(meanings_of(item))
        if problems := tuple(inverse_of(item).problems.values()):
            self.lasting_count += 1
            if len(self.lasting) < _MOST_EXAMPLES:
                self.lasting.append((item.uuid, problems))
