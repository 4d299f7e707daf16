"""Whether a mapping still has what a run set: pure."""

from __future__ import annotations

from typing import Any

import msgspec

from bulk_esm.model.filters import is_unreadable, why_unreadable
from bulk_esm.model.mapping import EventSourceMapping, SourceType
from bulk_esm.model.plan import PlanItem
from bulk_esm.model.values import current_value, holds


class Departure(msgspec.Struct, frozen=True):
    """One parameter that a mapping no longer has as set.

    Attributes:
        parameter: its name.
        expected: what the run sent.
        found: what the mapping has, in the form in which an update would send it; None if nothing.
    """

    parameter: str
    expected: Any
    found: Any


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """One line of `bulk-esm verify`.

    Attributes:
        uuid: the mapping.
        function_arn: its function.
        event_source_arn: its source.
        source_type: the kind of source.
        state: as found; None if the mapping is gone.
        differences: what it no longer has as set.
        problem: why it cannot be told, or None.
    """

    uuid: str
    function_arn: str | None
    event_source_arn: str | None
    source_type: SourceType
    state: str | None
    differences: tuple[Departure, ...] = ()
    problem: str | None = None


def needs_get(item: PlanItem, now: EventSourceMapping) -> bool:
    """Whether List does not show what the run set: it returns encrypted filters as null (F§2)."""
    return "FilterCriteria" in item.request and now.has_hidden_filters


def unread_drift(item: PlanItem, why: str) -> Drift:
    """What is said of a mapping that may not be read.

    Args:
        item: the item of the run's plan.
        why: why not.
    """
    return Drift(
        uuid=item.uuid,
        function_arn=item.function_arn,
        event_source_arn=item.event_source_arn,
        source_type=item.source_type,
        state=None,
        problem=f"only Get tells whether it has it still: {why}",
    )


def drift_of(item: PlanItem, now: EventSourceMapping | None) -> Drift | None:
    """Compare one mapping with what a run set.

    Args:
        item: the item of the run's plan.
        now: the mapping as it is now; None if it does not exist.

    Returns:
        None if it has all of it.
    """
    differences: tuple[Departure, ...] = ()
    problem = None
    if now is None:
        problem = "the mapping does not exist any more"
    elif not now.at_rest:
        problem = f"the mapping is {now.state}, so its values may be old or new; verify again when it is at rest"
    else:
        unreadable = needs_get(item, now) and is_unreadable(now)
        if unreadable:
            problem = f"its filters cannot be read ({why_unreadable(now)}), so they may be others"
        differences = tuple(
            Departure(name, value, current_value(now, name))
            for name, value in item.request.items()
            if not holds(name, value, now) and not (unreadable and name == "FilterCriteria")
        )
    if not differences and problem is None:
        return None
    return Drift(
        uuid=item.uuid,
        function_arn=item.function_arn,
        event_source_arn=item.event_source_arn,
        source_type=item.source_type,
        state=now.state if now else None,
        differences=differences,
        problem=problem,
    )
