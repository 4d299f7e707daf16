"""Makes the plan that puts back what a run changed, from that run's plan and results and what is there now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

from bulk_esm.aws.session import Connection
from bulk_esm.clock import Clock
from bulk_esm.engine.endings import Ending, changed, gone, gone_item, unread_item
from bulk_esm.engine.present import read_present
from bulk_esm.errors import DeniedError
from bulk_esm.model.doubts import doubts_of
from bulk_esm.model.mapping import EventSourceMapping
from bulk_esm.model.plan import Plan, PlanItem
from bulk_esm.model.result import Result
from bulk_esm.model.rollback import rollback_item, was_touched

_FILTERS: Final = frozenset({"FilterCriteria", "KMSKeyArn"})


async def make_rollback_plan(  # noqa: PLR0913 - keyword-only
    connection: Connection,
    items: Iterable[PlanItem],
    results: Iterable[Result],
    *,
    force: bool,
    begun: AbstractSet[str] | None = None,
    own: Mapping[str, Mapping[str, Any]],
    timeout_s: float,
    clock: Clock,
    waiting: Callable[[int], None] = lambda _: None,
) -> tuple[Plan, dict[str, Ending]]:
    """Decide what to send to each mapping that a run changed, or may have.

    Args:
        connection: the account and Region.
        items: the run's plan.
        results: its results.
        force: whether to put back even where someone changed the mapping since.
        begun: to which mappings something may have been sent; None where that is not known, and so may be to all.
        own: what later runs of ours set, by UUID and parameter: that is nobody else's change.
        timeout_s: how long to wait for mappings in transition, in seconds.
        clock: the time.
        waiting: called with the number of mappings in transition, before they are waited for.

    Returns:
        The plan, and a `conflict` by UUID for each mapping that someone changed or deleted since.
    """
    by_uuid = {result.uuid: result for result in results}
    touched = {item.uuid: item for item in items if was_touched(item, by_uuid.get(item.uuid), begun)}

    def needs_get(seen: EventSourceMapping) -> bool:
        return seen.has_hidden_filters and not _FILTERS.isdisjoint(touched[seen.uuid].request)

    now = await read_present(
        connection,
        touched,
        doubts=doubts_of(touched.values(), by_uuid.values(), begun),
        needs_get=needs_get,
        timeout_s=timeout_s,
        clock=clock,
        waiting=waiting,
    )
    plan: list[PlanItem] = []
    known: dict[str, Ending] = {}
    for uuid, item in touched.items():
        seen = now[uuid]
        if isinstance(seen, DeniedError):
            plan.append(unread_item(item, seen))
            continue
        if seen is None:
            plan.append(gone_item(item))
            known[uuid] = gone()
            continue
        reversal = rollback_item(item, seen, force=force, own=own.get(uuid, {}))
        plan.append(reversal.item)
        if reversal.conflict:
            known[uuid] = changed(reversal.conflict)
    return Plan(tuple(plan)), known
