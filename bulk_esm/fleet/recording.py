"""Writes down what becomes of each mapping of a fleet, and tells it to whoever watches."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bulk_esm.engine.endings import Ending, without_sending
from bulk_esm.errors import RecordingError, RunFolderError
from bulk_esm.fleet.opened import OpenShare, open_share
from bulk_esm.fleet.standing import ShardStanding
from bulk_esm.fleet.steps import Share
from bulk_esm.model.plan import Action
from bulk_esm.model.result import Result
from bulk_esm.runs.fleet_folder import FleetFolder
from bulk_esm.runs.record import RunRecord


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
        standings: Mapping[str, ShardStanding],
        known: Mapping[str, Mapping[str, Ending]],
        *,
        cannot: Callable[[str], None],
    ) -> None:
        """Begin.

        Args:
            folder: where plans and results are.
            record: the run.
            standings: how each shard stands, by name.
            known: how items end to which nothing is sent, by shard and UUID.
            cannot: called with the reason, when something could not be written.
        """
        self.on_result: Callable[[Result], None] = lambda _: None
        self.wave = 1
        self._folder = folder
        self._record = record
        self._standings = standings
        self._known = known
        self._cannot = cannot
        self._is_full = False

    def open(self, share: Share, *, others: int = 0) -> OpenShare | None:
        """Open a share, if there is room for all its results.

        Args:
            share: which part of which shard.
            others: how many results of other shares are to be written too.

        Returns:
            The share; None if it cannot be read, or written.
        """
        try:
            opened = open_share(self._folder, share, record=self._record)
            opened.require_room(others)
        except RunFolderError as error:
            self._give_in(error)
            return None
        return opened

    def known(self, share: OpenShare) -> dict[str, Ending]:
        """How items of a share end to which nothing is sent, by UUID."""
        return {uuid: end for uuid, end in self._known.get(share.name, {}).items() if uuid in share.left}

    def end(self, share: OpenShare, result: Result) -> None:
        """A mapping has ended.

        Args:
            share: the share that it belongs to.
            result: how.

        Raises:
            RecordingError: it cannot be written, so that nothing more may be sent there.
        """
        try:
            share.record(result)
        except RecordingError as error:
            self._give_in(error)
            raise
        self._standings[share.name].end(result.outcome)
        self.on_result(result)

    def end_unsent(self, name: str) -> None:
        """End the mappings of a shard to which its plan sends nothing.

        Args:
            name: the shard's.

        Raises:
            RunFolderError: a file cannot be read or written.
        """
        share = open_share(self._folder, Share(name, 0, 0), record=self._record, unsent=True)
        for item in list(share.left.values()):
            if item.action is not Action.UPDATE:
                self.end(share, share.result(item, without_sending(item), wave=1))
        self.close(share)

    def give_up(self, share: OpenShare, ending: Ending) -> None:
        """End what a share has left, and close it.

        Args:
            share: the share.
            ending: how, where nothing else is known.
        """
        known = self.known(share)
        try:
            for item in list(share.left.values()):
                if self._is_full:
                    break  # no line says just as well that nothing is known
                self.end(share, share.result(item, known.get(item.uuid, ending), wave=self.wave))
        except RecordingError:
            pass  # told already
        self.close(share)

    def close(self, share: OpenShare) -> None:
        """Bring a share's results to disk."""
        try:
            share.close()
        except RunFolderError as error:
            self._give_in(error)

    def _give_in(self, error: RunFolderError) -> None:
        self._is_full = True
        self._cannot(str(error))
