"""`begun.jsonl`: to which mappings a run may have sent something, durable before it is sent.

A run that was killed is looked at with Get where something may have been sent, as List lags; this file keeps that from
being all of it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from bulk_esm.errors import RecordingError
from bulk_esm.store.jsonl import cut_torn_end, read_lines, refuse_lost, writing

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
        self._path = path
        self._begun: set[str] = set()
        with writing(path):
            cut_torn_end(path)
            self._file = path.open("ab", buffering=0)

    def begin(self, uuids: Sequence[str], *, wave: int) -> None:
        """Record that something may be sent to the first of these, and soon to the others.

        Raises:
            RecordingError: it cannot be recorded, so it must not be sent.
        """
        refuse_lost(self._path, self._file.fileno())
        try:
            if uuids and uuids[0] not in self._begun:
                new = tuple(uuid for uuid in uuids if uuid not in self._begun)
                line = msgspec.json.encode(Begun(wave=wave, uuids=new)) + b"\n"
                if self._file.write(line) != len(line):
                    raise OSError(28, os.strerror(28))  # noqa: TRY301 - as the next write would say
                os.fsync(self._file.fileno())
                self._begun.update(new)
            else:
                os.utime(self._file.fileno())
        except OSError as error:
            what = "make room, and then finish the run with `bulk-esm continue`"
            raise RecordingError(f"{self._path} cannot be written: {error.strerror}; {what}") from error

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
