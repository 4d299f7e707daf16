"""Where the items of a shard's plan stand in its file, so that a wave reads its own and nothing else."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from pathlib import Path

import msgspec

from bulk_esm.errors import RunFolderError
from bulk_esm.model.plan import Action, PlanItem
from bulk_esm.model.slices import Slice
from bulk_esm.model.waves import waves_of


class PlanIndex:
    """Read once; what it keeps is eight bytes for each item.

    Attributes:
        unsent: how many items nothing is sent to.
    """

    def __init__(self, path: Path, *, as_given: bool) -> None:
        """Read a plan.

        Raises:
            RunFolderError: it cannot be read, or a line is no plan item.
        """
        self._path = path
        self._decoder = msgspec.json.Decoder(PlanItem)
        items: list[PlanItem] = []
        places: dict[str, int] = {}
        self._unsent = array("Q")
        for place, item in self._read():
            if item.action is Action.UPDATE:
                places[item.uuid] = place
                items.append(msgspec.structs.replace(item, before_json=msgspec.Raw(b"{}"), diff=()))
            else:
                self._unsent.append(place)
        self._updates = array("Q", places.values())
        ordered = (item for wave in waves_of(items, (), as_given=as_given) for item in wave)
        self._ordered = array("Q", (places[item.uuid] for item in ordered))
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
                    if line.strip():
                        yield place, self._decoded(line, f"line {number}")
                    place += len(line)
        except OSError as error:
            raise RunFolderError(f"{self._path} cannot be read: {error.strerror}") from error

    def _at(self, places: Iterable[int]) -> list[PlanItem]:
        try:
            with self._path.open("rb") as file:
                found = []
                for place in places:
                    file.seek(place)
                    found.append(self._decoded(file.readline(), f"at byte {place}"))
                return found
        except OSError as error:
            raise RunFolderError(f"{self._path} cannot be read: {error.strerror}") from error

    def _decoded(self, line: bytes, where: str) -> PlanItem:
        try:
            return self._decoder.decode(line)
        except msgspec.MsgspecError as error:
            raise RunFolderError(f"{self._path}, {where}: {error}") from error
