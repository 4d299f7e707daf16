"""A slice_ of a shard while it is worked at: its mappings without a result, and where results are written."""

from __future__ import annotations

from collections.abc import Mapping

from bulk_esm.engine.endings import Ending
from bulk_esm.engine.results import unsent_result
from bulk_esm.model.plan import Plan, PlanItem
from bulk_esm.model.records import RunRecord
from bulk_esm.model.result import Result
from bulk_esm.model.slices import Slice
from bulk_esm.model.waves import waves_of
from bulk_esm.store.fleet_folder import FleetFolder
from bulk_esm.store.folder import ResultWriter


class OpenSlice:
    """A slice_ that is being worked at.

    Attributes:
        name: the shard's.
        left: its items without a result, by UUID, in their order.
        part: what slice_ of the shard's updates it is, from 0 to 1.
        losses: how often a worker was lost over it.
    """

    def __init__(
        self, name: str, left: Mapping[str, PlanItem], writer: ResultWriter, *, record: RunRecord, part: float
    ) -> None:
        """Take over an open file; see `open_slice`."""
        self.name = name
        self.left = dict(left)
        self.part = part
        self.losses = 0
        self._writer = writer
        self._record = record
        self._account_id, _, self._region = name.partition("-")

    def require_room(self, others: int) -> None:
        """Make sure that all its results can be written.

        Args:
            others: how many results of other slices are to be written too.

        Raises:
            RecordingError: there is no room for them.
        """
        self._writer.require_room(len(self.left) + others)

    def record(self, result: Result) -> None:
        """Write a result.

        Raises:
            RecordingError: it cannot be written.
        """
        self._writer.append(result)
        self.left.pop(result.uuid, None)

    def result(self, item: PlanItem, ending: Ending, *, wave: int) -> Result:
        """The result of a mapping to which nothing was sent, as far as is known here.

        Args:
            item: its item.
            ending: how it ended.
            wave: the wave.
        """
        return unsent_result(
            item, ending, run_id=self._record.run_id, account_id=self._account_id, region=self._region, wave=wave
        )

    def close(self) -> None:
        """Bring the results to disk.

        Raises:
            RunFolderError: that fails.
        """
        with self._writer:
            self.left.clear()


def open_slice(folder: FleetFolder, slice_: Slice, *, record: RunRecord, unsent: bool = False) -> OpenSlice:
    """Open a slice_: from the plan, less what has a result.

    Args:
        folder: the fleet's.
        slice_: which part of which shard.
        record: the run.
        unsent: take the items to which the plan sends nothing in place of a slice of the others.

    Raises:
        RunFolderError: a file cannot be read or written.
    """
    shard = folder.shard(slice_.shard)
    plan = shard.plan()
    updates = plan.updates
    if unsent:
        sent = {item.uuid for item in updates}
        items = [item for item in plan.items if item.uuid not in sent]
    elif len(slice_) == len(updates):
        items = list(updates)
    else:
        items = in_order(plan, record)[slice_.begin : slice_.end]
    ended = {result.uuid for result in shard.results()}
    left = {item.uuid: item for item in items if item.uuid not in ended}
    part = len(slice_) / max(1, len(updates))
    return OpenSlice(slice_.shard, left, shard.open_results(), record=record, part=part)


def in_order(plan: Plan, record: RunRecord) -> list[PlanItem]:
    """A shard's updates in the order of which slices are slices.

    Args:
        plan: the shard's.
        record: the run, which says whether the plan's order counts.
    """
    return [item for wave in waves_of(plan.updates, (), as_given=record.rollout.as_given) for item in wave]
