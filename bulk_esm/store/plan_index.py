"""Where the items of a shard's plan stand in its file, so that a wave reads its own and nothing else."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

import msgspec

from bulk_esm.errors import RunFolderError
from bulk_esm.model.plan import Action, PlanItem
from bulk_esm.model.slices import Slice
from bulk_esm.model.waves import waves_of
from bulk_esm.store.jsonl import LineError, LineReader
from bulk_esm.store.shard_files import PLAN, ShardFiles


class PlanIndex:
    """Read once; what it keeps is eight bytes for each item.

    Attributes:
        unsent: how many items nothing is sent to.
    """

    def __init__(self, files: ShardFiles, *, as_given: bool) -> None:
        """Read a plan.

        Args:
            files: those of the shard.
            as_given: whether the plan's order decides who goes first, and not what makes a wave representative.

        Raises:
            RunFolderError: it cannot be read, or is damaged.
        """
        files.check_plan()
        self._path = files.path / PLAN
        self._reader = LineReader(PlanItem)
        self._is_lenient = files.salvages
        items: list[PlanItem] = []
        updates: dict[str, int] = {}
        unsent: dict[str, int] = {}
        for place, item in self._read():
            if item.uuid in updates or item.uuid in unsent:
                continue  # of a damaged plan that is salvaged: the first counts
            if item.action is Action.UPDATE:
                updates[item.uuid] = place
                items.append(msgspec.structs.replace(item, before_json=msgspec.Raw(b"{}")))
            else:
                unsent[item.uuid] = place
        self._reader = LineReader(PlanItem, is_deep=False)  # each line was held at every depth by now
        self._unsent = array("Q", unsent.values())
        self._updates = array("Q", updates.values())
        ordered = (item for wave in waves_of(items, (), as_given=as_given) for item in wave)
        self._ordered = array("Q", (updates[item.uuid] for item in ordered))
        self.unsent = len(self._unsent)

    def items(self, slice_: Slice) -> list[PlanItem]:
        """The items of a slice of the updates; of all of them in the plan's order.

        Raises:
            RunFolderError: the file cannot be read, or a line is no plan item.
        """
        if len(slice_) == len(self._updates):
            return self._at(self._updates)
        return self._at(self._ordered[slice_.begin : slice_.end])

    def unsent_items(self) -> list[PlanItem]:
        """The items that nothing is sent to."""
        return self._at(self._unsent)

    def _read(self) -> Iterable[tuple[int, PlanItem]]:
        place = 0
        try:
            with self._path.open("rb") as file:
                for number, line in enumerate(file, start=1):
                    if line.strip() and (item := self._decoded(line, f"line {number}")) is not None:
                        yield place, item
                    place += len(line)
        except OSError as error:
            raise RunFolderError(f"{self._path} cannot be read: {error.strerror}") from error

    def _at(self, places: Iterable[int]) -> list[PlanItem]:
        try:
            with self._path.open("rb") as file:
                found = []
                for place in places:
                    file.seek(place)
                    if (item := self._decoded(file.readline(), f"at byte {place}")) is not None:
                        found.append(item)
                return found
        except OSError as error:
            raise RunFolderError(f"{self._path} cannot be read: {error.strerror}") from error

    def _decoded(self, line: bytes, where: str) -> PlanItem | None:
        try:
            item = self._reader.read(line)
        except LineError as error:
            if self._is_lenient:
                return None
            raise RunFolderError(f"{self._path}, {where}: {error}") from error
        # A raw member as decoded holds its whole line in memory; and what differs was for those who read the plan.
        return msgspec.structs.replace(item, before_json=item.before_json.copy(), diff=())
