"""Looks at what an interrupted run has left: what was applied before the end came is not sent again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from bulk_esm.aws.control_plane import ControlPlane
from bulk_esm.aws.session import Connection
from bulk_esm.clock import Clock, iso
from bulk_esm.engine.endings import Ending, changed, found_done, gone, still_on_its_way
from bulk_esm.engine.present import read_present
from bulk_esm.engine.settings import EngineSettings
from bulk_esm.engine.single_run import Run
from bulk_esm.model.continuing import Left
from bulk_esm.model.mapping import EventSourceMapping, State
from bulk_esm.model.plan import Plan, PlanItem, Standing, standing
from bulk_esm.model.records import RunStatus
from bulk_esm.store.folder import RunFolder


class Continuation:
    """An interrupted run that was looked at, and may go on; nothing has been changed yet.

    Attributes:
        record: the run as it stood.
        left: what it has left.
        known: how items end to which nothing more is sent, by UUID.
    """

    def __init__(
        self,
        control_plane: ControlPlane,
        folder: RunFolder,
        plan: Plan,
        *,
        left: Left,
        known: Mapping[str, Ending],
        settings: EngineSettings,
        clock: Clock,
    ) -> None:
        """Keep what was found.

        Args:
            control_plane: where to send.
            folder: the run's folder.
            plan: its plan.
            left: what it has left.
            known: what `look_again` told.
            settings: see `EngineSettings`.
            clock: the time.
        """
        self.record = folder.record()
        self.left = left
        self.known = known
        self._control_plane = control_plane
        self._folder = folder
        self._plan = plan
        self._settings = settings
        self._clock = clock

    @property
    def to_send(self) -> int:
        """For how many mappings an update is still to be sent."""
        return sum(item.uuid not in self.known for item in self.left.updates)

    def begin(self) -> Run:
        """Open the run again: what has no final result loses the one that it has, so that each has one at its end.

        Raises:
            RunFolderError: its files cannot be written.
        """
        again = iso(self._clock.now())
        record = msgspec.structs.replace(
            self.record, status=RunStatus.RUNNING, reason=None, ended_at=None, continued_at=again
        )
        self._folder.keep_results(self.left.kept)
        self._folder.write_record(record)
        return Run(
            self._control_plane,
            self._folder,
            record,
            self._plan,
            ended=self.left.kept,
            known=self.known,
            # List may lag: what it showed as planned may be on its way by an update of this run.
            in_doubt={item.uuid for item in self.left.updates},
            settings=self._settings,
            clock=self._clock,
        )


async def look_again(
    connection: Connection,
    updates: Sequence[PlanItem],
    *,
    timeout_s: float,
    clock: Clock | None = None,
    waiting: Callable[[int], None] = lambda _: None,
) -> dict[str, Ending]:
    """Tell how those items end to which nothing more need be sent, or may be.

    Args:
        connection: the account and Region.
        updates: what is left to update.
        timeout_s: how long to wait for mappings in transition, in seconds: the update that they are on their way by may
            be this run's.
        clock: the time.
        waiting: called with the number of mappings in transition, before they are waited for.

    Returns:
        By UUID: `updated` where the mapping has all that was asked, `conflict` where someone changed it or it is gone,
        `timed_out` where it is on its way even now. The others are as they were planned.

    Raises:
        AccessError: the credentials are refused.
        ServiceError: an answer that retrying did not mend.
    """
    items = {item.uuid: item for item in updates}
    now = await read_present(
        connection,
        items,
        needs_get=lambda seen: seen.has_hidden_filters and "FilterCriteria" in items[seen.uuid].request,
        timeout_s=timeout_s,
        clock=clock,
        waiting=waiting,
    )
    found = {uuid: _ending(items[uuid], seen) for uuid, seen in now.items()}
    return {uuid: ending for uuid, ending in found.items() if ending is not None}


def _ending(item: PlanItem, seen: EventSourceMapping | None) -> Ending | None:
    if seen is None:
        return gone()
    match standing(item, seen):
        case Standing.DONE:
            return found_done()
        case Standing.CHANGED if seen.at_rest:
            return changed()
        case _ if not seen.at_rest and seen.state != State.DELETING:
            return still_on_its_way(seen.state)
        case _:
            return None  # as it was planned
