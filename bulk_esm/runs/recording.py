"""Writes down what becomes of each mapping of a fleet, and tells it to whoever watches."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bulk_esm.engine.endings import Ending, without_sending
from bulk_esm.errors import RecordingError, RunFolderError
from bulk_esm.model.plan import Action
from bulk_esm.model.records import RunRecord
from bulk_esm.model.result import Result
from bulk_esm.model.slices import Slice
from bulk_esm.runs.open_slice import OpenSlice, open_slice
from bulk_esm.runs.shard_progress import ShardProgress
from bulk_esm.store.fleet_folder import FleetFolder


class Recording:
    """The results of a run, each written once, as long as they can be written.

    Attributes:
        on_result: called with each result, once it is on disk.
        wave: the wave that is under way, from 1.
    """

    def __init__(
        self,
        folder: FleetFolder,
        record: RunRecord,
        progress_by_shard: Mapping[str, ShardProgress],
        known: Mapping[str, Mapping[str, Ending]],
        *,
        cannot: Callable[[str], None],
    ) -> None:
        """Begin.

        Args:
            folder: where plans and results are.
            record: the run.
            progress_by_shard: how each shard status, by name.
            known: how items end to which nothing is sent, by shard and UUID.
            cannot: called with the reason, when something could not be written.
        """
        self.on_result: Callable[[Result], None] = lambda _: None
        self.wave = 1
        self._folder = folder
        self._record = record
        self._progress_by_shard = progress_by_shard
        self._known = known
        self._cannot = cannot
        self._is_full = False

    def open(self, slice_: Slice, *, others: int = 0) -> OpenSlice | None:
        """Open a slice_, if there is room for all its results.

        Args:
            slice_: which part of which shard.
            others: how many results of other slices are to be written too.

        Returns:
            The slice_; None if it cannot be read, or written.
        """
        try:
            opened = open_slice(self._folder, slice_, record=self._record)
            opened.require_room(others)
        except RunFolderError as error:
            self._give_in(error)
            return None
        return opened

    def known(self, slice_: OpenSlice) -> dict[str, Ending]:
        """How items of a slice_ end to which nothing is sent, by UUID."""
        return {uuid: end for uuid, end in self._known.get(slice_.name, {}).items() if uuid in slice_.left}

    def end(self, slice_: OpenSlice, result: Result) -> None:
        """A mapping has ended.

        Args:
            slice_: the slice_ that it belongs to.
            result: how.

        Raises:
            RecordingError: it cannot be written, so that nothing more may be sent there.
        """
        try:
            slice_.record(result)
        except RecordingError as error:
            self._give_in(error)
            raise
        self._progress_by_shard[slice_.name].end(result.outcome)
        self.on_result(result)

    def end_unsent(self, name: str) -> None:
        """End the mappings of a shard to which its plan sends nothing.

        Args:
            name: the shard's.

        Raises:
            RunFolderError: a file cannot be read or written.
        """
        slice_ = open_slice(self._folder, Slice(name, 0, 0), record=self._record, unsent=True)
        for item in list(slice_.left.values()):
            if item.action is not Action.UPDATE:
                self.end(slice_, slice_.result(item, without_sending(item), wave=1))
        self.close(slice_)

    def give_up(self, slice_: OpenSlice, ending: Ending) -> None:
        """End what a slice_ has left, and close it.

        Args:
            slice_: the slice_.
            ending: how, where nothing else is known.
        """
        known = self.known(slice_)
        try:
            for item in list(slice_.left.values()):
                if self._is_full:
                    break  # no line says just as well that nothing is known
                self.end(slice_, slice_.result(item, known.get(item.uuid, ending), wave=self.wave))
        except RecordingError:
            pass  # told already
        self.close(slice_)

    def close(self, slice_: OpenSlice) -> None:
        """Bring a slice_'s results to disk."""
        try:
            slice_.close()
        except RunFolderError as error:
            self._give_in(error)

    def _give_in(self, error: RunFolderError) -> None:
        self._is_full = True
        self._cannot(str(error))
