"""Looks whether a fleet still has what a run set."""

from __future__ import annotations

from collections.abc import Iterable

from bulk_esm.aws.session import Connection
from bulk_esm.engine.present import read_present
from bulk_esm.errors import DeniedError
from bulk_esm.model.denials import missing_statement
from bulk_esm.model.doubts import doubts_of
from bulk_esm.model.drift import Drift, drift_of, needs_get, unread_drift
from bulk_esm.model.mapping import EventSourceMapping
from bulk_esm.model.plan import PlanItem
from bulk_esm.model.result import Result
from bulk_esm.model.rollback import was_touched


async def read_drift(connection: Connection, items: Iterable[PlanItem], results: Iterable[Result]) -> list[Drift]:
    """Compare what is there now with what a run set. It takes a sweep at most, and a Get where filters are encrypted.

    Args:
        connection: the account and Region.
        items: the run's plan.
        results: its results.

    Returns:
        One for each mapping that the run changed, or may have, and that does not have it any more.
    """
    by_uuid = {result.uuid: result for result in results}
    # A run that was killed has not set what has no result: `continue` tells what became of that.
    touched = {item.uuid: item for item in items if item.uuid in by_uuid and was_touched(item, by_uuid[item.uuid])}
    now = await read_present(
        connection,
        touched,
        doubts=doubts_of(touched.values(), by_uuid.values(), None),
        needs_get=lambda seen: needs_get(touched[seen.uuid], seen),
    )
    found = (_drift_of(item, now[uuid]) for uuid, item in touched.items())
    return [drift for drift in found if drift is not None]


def _drift_of(item: PlanItem, now: EventSourceMapping | DeniedError | None) -> Drift | None:
    if isinstance(now, DeniedError):
        return unread_drift(item, missing_statement(now.action, item.before.arn_in_policies, said=now.said))
    return drift_of(item, now)
