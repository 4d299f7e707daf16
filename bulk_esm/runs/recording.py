"""Writes down what becomes of each mapping of a run, and tells it to whoever watches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet

from bulk_esm.clock import Clock
from bulk_esm.engine.endings import Ending, without_sending
from bulk_esm.errors import RecordingError, RunFolderError
from bulk_esm.model.plan import PlanItem
from bulk_esm.model.records import RunRecord
from bulk_esm.model.result import Outcome, Result
from bulk_esm.model.slices import Slice
from bulk_esm.runs.open_slice import OpenSlice
from bulk_esm.runs.shard_progress import ShardProgress
from bulk_esm.store.begun import BEGUN
from bulk_esm.store.plan_index import PlanIndex
from bulk_esm.store.run_files import RunFiles


class Recording:
    """The results of a run, each written once, as long as they can be written.

    Attributes:
        on_result: called with each result, once it is on disk.
        wave: the wave that is under way, from 1.
        failure: the first that could not be written, so that results may be missing; None if all could.
    """

    def __init__(
        self,
        files: RunFiles,
        record: RunRecord,
        progress: Mapping[str, ShardProgress],
        *,
        known: Mapping[str, Mapping[str, Ending]],
        ended: Mapping[str, AbstractSet[str]],
        cannot: Callable[[str], None],
        clock: Clock,
    ) -> None:
        """Begin."""
        self.on_result: Callable[[Result], None] = lambda _: None
        self.wave = 1
        self._files = files
        self._record = record
        self._progress = progress
        self._known = known
        self._ended = ended
        self._cannot = cannot
        self._clock = clock
        self.failure: RunFolderError | None = None
        self._indices: dict[str, PlanIndex] = {}

    def items(self, slice_: Slice) -> list[PlanItem]:
        """The items of a slice.

        Raises:
            RunFolderError: the plan cannot be read.
        """
        return self._index(slice_.shard).items(slice_)

    def unsent_items(self, name: str) -> list[PlanItem]:
        """The items of a shard to which its plan sends nothing.

        Raises:
            RunFolderError: the plan cannot be read.
        """
        return self._index(name).unsent_items()

    def open(self, slice_: Slice, *, others: int | None = None) -> OpenSlice | None:
        """Open a slice, if there is room for all its results.

        Returns:
            The slice; None if it cannot be read, or written.
        """
        opened: OpenSlice | None = None
        try:
            opened = self._opened(slice_.shard, self.items(slice_), part=len(slice_))
            if others is not None:
                opened.require_room(len(opened.left) + others)
                opened.begin(tuple(opened.left), wave=self.wave)
        except RunFolderError as error:
            self._give_in(error)
            if opened is not None:
                self.close(opened)
            return None
        return opened

    async def begin_elsewhere(self, slices: Iterable[Slice]) -> None:
        """Record where it outlives this machine that something may be sent, by whoever does not ask before each update.

        On disk alone it is recorded as each slice is handed out.
        """
        if self._files.replica is None:
            return
        for slice_ in slices:
            if (opened := self.open(slice_, others=0)) is None:
                return
            self.close(opened)
            path = self._files.shard(opened.shard).path / BEGUN
            try:
                await self._files.replica.until_written(path, path.stat().st_size)
            except RunFolderError as error:
                self._give_in(error)
                return

    async def flush(self) -> None:
        """Bring what was recorded to where it outlives this machine, as well as may be."""
        if self._files.replica is not None:
            await self._files.replica.flush()

    def known(self, slice_: OpenSlice) -> dict[str, Ending]:
        """How items of a slice end to which nothing is sent, by UUID."""
        return {uuid: end for uuid, end in self._known.get(slice_.name, {}).items() if uuid in slice_.left}

    def end(self, slice_: OpenSlice, result: Result) -> None:
        """A mapping has ended.

        Raises:
            RecordingError: it cannot be written, so that nothing more may be sent there.
        """
        try:
            slice_.record(result)
        except RecordingError as error:
            self._give_in(error)
            if result.outcome is not Outcome.NOT_STARTED:  # which is what no line is taken for
                raise
        self._progress[slice_.name].end(result)
        self.on_result(result)

    def end_unsent(self, name: str) -> None:
        """End the mappings of a shard to which its plan sends nothing."""
        slice_ = self._opened(name, self._index(name).unsent_items())
        known = self.known(slice_)
        try:
            for item in list(slice_.left.values()):
                self.end(slice_, slice_.result(item, known.get(item.uuid) or without_sending(item), wave=1))
        finally:
            self.close(slice_)

    def give_up(self, slice_: OpenSlice, ending: Ending) -> None:
        """End what a slice has left, and close it."""
        known = self.known(slice_)
        try:
            for item in list(slice_.left.values()):
                if self.failure is not None and ending.outcome is not Outcome.NOT_STARTED:
                    break  # what has no line is looked at by `continue`
                self.end(slice_, slice_.result(item, known.get(item.uuid, ending), wave=self.wave))
        except RecordingError:
            pass  # told already
        self.close(slice_)

    def close(self, slice_: OpenSlice) -> None:
        """Bring a slice's results to disk."""
        try:
            slice_.close()
        except RunFolderError as error:
            self._give_in(error)

    def _opened(self, name: str, items: list[PlanItem], *, part: int = 0) -> OpenSlice:
        progress, ended = self._progress[name], self._ended.get(name, frozenset())
        return OpenSlice(
            progress.shard,
            (item for item in items if item.uuid not in ended),
            self._files.shard(progress.shard),
            record=self._record,
            part=part / max(1, progress.updates),
            replica=self._files.replica,
            clock=self._clock,
        )

    def _index(self, name: str) -> PlanIndex:
        if name not in self._indices:
            files = self._files.shard(self._progress[name].shard)
            self._indices[name] = PlanIndex(files, as_given=self._record.rollout.as_given)
        return self._indices[name]

    def _give_in(self, error: RunFolderError) -> None:
        self.failure = self.failure or error
        self._cannot(str(error))
