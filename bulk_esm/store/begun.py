"""`begun.jsonl`: to which mappings a run may have sent something, durable before it is sent.

A run that was killed is looked at with Get where something may have been sent, as List lags; this file keeps that from
being all of it. What it lacks would be taken for untouched, so its first line has the digest of the others: it is
rewritten in place once another line is durable, so that it never speaks of what a crash could lose.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from bulk_esm.errors import RunFolderError
from bulk_esm.store.jsonl import read_lines, write_durably, writing
from bulk_esm.store.line_file import LineFile

BEGUN: Final = "begun.jsonl"


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """One line: what may have been sent from now on.

    Attributes:
        wave: the wave, from 1; 0 where nobody knows.
        uuids: the mappings.
    """

    wave: int
    uuids: tuple[str, ...]


class BegunHead(Begun, frozen=True, kw_only=True):
    """The first line, which names no mapping.

    Attributes:
        run_id: the run.
        lines: how many lines follow, at least.
        sha256: of so many.
    """

    run_id: str
    lines: int
    sha256: str


def write_begun(path: Path, run_id: str, uuids: Iterable[str] = ()) -> None:
    """Begin the file anew.

    Args:
        path: the file.
        run_id: the run.
        uuids: to which something may have been sent before.

    Raises:
        OSError: it cannot be written.
    """
    before = tuple(uuids)
    lines = [msgspec.json.encode(Begun(wave=0, uuids=before))] if before else []
    digest = hashlib.sha256(b"".join(line + b"\n" for line in lines))
    write_durably(path, [msgspec.Raw(line) for line in (_head_line(run_id, len(lines), digest.hexdigest()), *lines)])


def _head_line(run_id: str, lines: int, sha256: str) -> bytes:
    """The first line, whose length does not depend on the count."""
    head = msgspec.json.encode(BegunHead(wave=0, uuids=(), run_id=run_id, lines=lines, sha256=sha256))
    return head + b" " * (10 - len(str(lines)))


class BegunTally:
    """Counts lines of the file, to tell in a first line of its own what they are: for a copy that is made in parts."""

    def __init__(self, head: bytes) -> None:
        """Begin with no line.

        Args:
            head: the file's first line.
        """
        self._head = _decoded_head(head)
        self._first = head
        self._lines = 0
        self._digest = hashlib.sha256()

    @property
    def begins_with_head(self) -> bool:
        """Whether the file begins with a line that tells of the others; an older version wrote none."""
        return self._head is not None

    def add(self, lines: bytes) -> None:
        """Count whole lines that follow."""
        self._lines += lines.count(b"\n")
        self._digest.update(lines)

    def head(self) -> bytes:
        """The first line, as it tells of those counted so far, with its line break."""
        if self._head is None:
            return self._first
        return _head_line(self._head.run_id, self._lines, self._digest.hexdigest()) + b"\n"


class BegunWriter:
    """Appends to the file; its date is that of the last update that was about to be sent.

    Attributes:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            RunFolderError: it cannot be written.
        """
        self._begun: dict[str, int] = {}  # how long the file was when the mapping was in it
        self.path = path
        self._file = LineFile(path)
        with writing(path):
            self._head, self._digest = _head_of(path)

    @property
    def size(self) -> int:
        """Of the file, in bytes."""
        return os.fstat(self._file.descriptor).st_size

    def size_with(self, uuid: str) -> int:
        """How much of the file tells of a mapping that was begun, in bytes."""
        return self._begun[uuid]

    def begin(self, uuids: Sequence[str], *, wave: int, early: bool = False) -> None:
        """Record that something may be sent to the first of these, and soon to the others.

        Args:
            uuids: the mappings.
            wave: the wave, from 1.
            early: whether to record the others while half of those that were recorded are still to be sent.

        Raises:
            RecordingError: it cannot be recorded, so it must not be sent.
        """
        if uuids and uuids[len(uuids) // 2 if early else 0] not in self._begun:
            new = tuple(uuid for uuid in uuids if uuid not in self._begun)
            line = msgspec.json.encode(Begun(wave=wave, uuids=new))
            self._file.append(line, durably=True)
            self._begun.update(dict.fromkeys(new, self.size))
            self._tell_in_head(line + b"\n")
        else:
            self._file.touch()

    def _tell_in_head(self, line: bytes) -> None:
        if self._head is None:
            return
        self._digest.update(line)
        self._head = msgspec.structs.replace(self._head, lines=self._head.lines + 1, sha256=self._digest.hexdigest())
        self._file.overwrite(_head_line(self._head.run_id, self._head.lines, self._head.sha256))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()


def _head_of(path: Path) -> tuple[BegunHead | None, hashlib._Hash]:
    """The first line, and the digest of all that follow; None where an older version began the file."""
    with path.open("rb") as file:
        head = _decoded_head(file.readline())
        if head is None:
            return None, hashlib.sha256()
        lines = file.readlines()
    return msgspec.structs.replace(head, lines=len(lines)), hashlib.sha256(b"".join(lines))


def _decoded_head(line: bytes) -> BegunHead | None:
    try:
        return msgspec.json.decode(line, type=BegunHead)
    except (ValueError, RecursionError):
        return None


def read_begun(path: Path, *, run_id: str | None = None) -> frozenset[str] | None:
    """The UUIDs to which something may have been sent; None where an older version kept no such file.

    Args:
        path: the file.
        run_id: the run whose it must be; None of an older version, whose first line is like the others.

    Raises:
        RunFolderError: it cannot be read, or is not what was written.
    """
    if run_id is None and not path.exists():
        return None
    found = frozenset(uuid for line in read_lines(path, Begun, torn_end_is_cut=True) for uuid in line.uuids)
    if run_id is None:
        return found
    first, *lines = path.read_bytes().splitlines(keepends=True) or [b""]
    try:
        head = msgspec.json.decode(first, type=BegunHead)
    except (ValueError, RecursionError) as error:
        raise RunFolderError(f"{path} is damaged: its first line is missing") from error
    what = None
    if head.run_id != run_id:
        what = f"it is that of {head.run_id}"
    elif len(lines) < head.lines:
        what = f"it has {len(lines):,} lines, and {head.lines:,} were written"
    elif hashlib.sha256(b"".join(lines[: head.lines])).hexdigest() != head.sha256:
        what = "a line is not what was written"
    if what is not None:
        raise RunFolderError(f"{path} is damaged: {what}")
    return found
