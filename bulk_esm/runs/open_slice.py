"""A slice of a shard while it is worked at: its mappings without a result, and where results are written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack

from bulk_esm.clock import Clock
from bulk_esm.engine.endings import Ending
from bulk_esm.engine.results import unsent_result
from bulk_esm.model.plan import PlanItem
from bulk_esm.model.records import RunRecord
from bulk_esm.model.result import Result
from bulk_esm.model.shard import Shard
from bulk_esm.store.replica import Replica
from bulk_esm.store.shard_files import ShardFiles


class OpenSlice:
    """A slice that is being worked at.

    Attributes:
        shard: the shard.
        left: its items without a result, by UUID, in their order.
        part: what share of the shard's updates it is, from 0 to 1.
        losses: how often a worker was lost over it.
    """

    def __init__(
        self,
        shard: Shard,
        left: Iterable[PlanItem],
        files: ShardFiles,
        *,
        record: RunRecord,
        part: float,
        replica: Replica | None = None,
        clock: Clock,
    ) -> None:
        """Open its files."""
        self.shard = shard
        self.left = {item.uuid: item for item in left}
        self.part = part
        self.losses = 0
        self._record = record
        self._replica = replica
        self._clock = clock
        with ExitStack() as opened:
            self._writer = opened.enter_context(files.open_results())
            self._begun = opened.enter_context(files.open_begun())
            self._files = opened.pop_all()

    @property
    def name(self) -> str:
        """The shard's name."""
        return self.shard.name

    def require_room(self, results: int) -> None:
        """Make sure that so many results can be written.

        Raises:
            RecordingError: there is no room for them.
        """
        self._writer.require_room(results)

    def begin(self, uuids: Sequence[str], *, wave: int) -> None:
        """Record that something may be sent to the first of these, and soon to the others.

        Raises:
            RecordingError: it cannot be recorded, so it must not be sent.
        """
        self._begun.begin(uuids, wave=wave)

    async def begin_safely(self, uuids: Sequence[str], *, wave: int) -> None:
        """Record that something may be sent to the first of these, where it outlives this machine too.

        Raises:
            RecordingError: it cannot be recorded, so it must not be sent.
        """
        if self._replica is None:
            self.begin(uuids, wave=wave)
            return
        self._begun.begin(uuids, wave=wave, early=True)
        needed = self._begun.size_with(uuids[0])
        if self._begun.size > needed:  # those that follow are written there while these are sent
            self._replica.write_soon(self._begun.path)
        await self._replica.until_written(self._begun.path, needed)

    def record(self, result: Result) -> None:
        """Write a result."""
        self._writer.append(result)
        self.left.pop(result.uuid, None)

    def result(self, item: PlanItem, ending: Ending, *, wave: int) -> Result:
        """The result of a mapping to which nothing was sent, as far as is known here."""
        return unsent_result(
            item,
            ending,
            run_id=self._record.run_id,
            account_id=self.shard.account_id,
            region=self.shard.region,
            wave=wave,
            at=self._clock.now(),
        )

    def close(self) -> None:
        """Bring the results to disk."""
        with self._files:
            self.left.clear()
