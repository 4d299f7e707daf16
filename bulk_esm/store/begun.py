"""`begun.jsonl`: to which mappings a run may have sent something, durable before it is sent.

A run that was killed is looked at with Get where something may have been sent, as List lags; this file keeps that from
being all of it. It has no digest, as it grows: that it was cut is told by results of mappings that it lacks. Where
`results.jsonl` was cut at the same moment of the run, the two look as a kill at that moment leaves them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from bulk_esm.store.jsonl import read_lines
from bulk_esm.store.line_file import LineFile

BEGUN: Final = "begun.jsonl"


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """One line: what may have been sent from now on.

    Attributes:
        wave: the wave, from 1.
        uuids: the mappings.
    """

    wave: int
    uuids: tuple[str, ...]


class BegunWriter:
    """Appends to the file; its date is that of the last update that was about to be sent."""

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            RunFolderError: it cannot be written.
        """
        self._begun: set[str] = set()
        self._file = LineFile(path)

    def begin(self, uuids: Sequence[str], *, wave: int) -> None:
        """Record that something may be sent to the first of these, and soon to the others.

        Raises:
            RecordingError: it cannot be recorded, so it must not be sent.
        """
        if uuids and uuids[0] not in self._begun:
            new = tuple(uuid for uuid in uuids if uuid not in self._begun)
            self._file.append(msgspec.json.encode(Begun(wave=wave, uuids=new)), durably=True)
            self._begun.update(new)
        else:
            self._file.touch()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()


def read_begun(path: Path) -> frozenset[str] | None:
    """The UUIDs to which something may have been sent; None where an older version kept no such file.

    Raises:
        RunFolderError: it cannot be read.
    """
    if not path.exists():
        return None
    return frozenset(uuid for line in read_lines(path, Begun, torn_end_is_cut=True) for uuid in line.uuids)
