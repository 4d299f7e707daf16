"""What a run that did not end well has left to do: pure, from its plan and its results."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from bulk_esm.model.plan import Action, PlanItem
from bulk_esm.model.result import Outcome, Result

# What was not sent is sent; what was accepted and not seen settled is looked at again.
_LEFT: Final = frozenset({Outcome.NOT_STARTED, Outcome.TIMED_OUT})


class Left(msgspec.Struct, frozen=True):
    """What is left of a run.

    Attributes:
        items: the items without a final result, in the plan's order.
        kept: the results that stay, in the plan's order: exactly one of each other item.
    """

    items: tuple[PlanItem, ...]
    kept: tuple[Result, ...]

    @property
    def updates(self) -> tuple[PlanItem, ...]:
        """The items for which something may have to be sent."""
        return tuple(item for item in self.items if item.action is Action.UPDATE)


def left_of(items: Iterable[PlanItem], results: Iterable[Result]) -> Left:
    """Tell what a run has left to do.

    A mapping without a result (the run was killed), one that was not started and one that had not settled in time are
    left. What failed, or was changed by someone else, has had its answer: plan it anew.

    Args:
        items: the run's plan.
        results: the run's results so far.
    """
    ended = {result.uuid: result for result in results if result.outcome not in _LEFT}
    left: list[PlanItem] = []
    kept: list[Result] = []
    for item in items:
        if item.uuid in ended:
            kept.append(ended[item.uuid])
        else:
            left.append(item)
    # What the plan lacks, as one that was damaged may, keeps its result too.
    planned = {item.uuid for item in left} | {result.uuid for result in kept}
    kept += [result for uuid, result in ended.items() if uuid not in planned]
    return Left(tuple(left), tuple(kept))
