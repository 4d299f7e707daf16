"""`run.json`: a record with the digest of its own members, so that a damaged one is told."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Final

import msgspec

from bulk_esm.errors import RunFolderError
from bulk_esm.model.records import RunRecord
from bulk_esm.store.jsonl import read_lines, write_durably

_DIGEST: Final = "sha256"


def write_sealed(path: Path, record: RunRecord) -> None:
    """Replace the record.

    Raises:
        OSError: it cannot be written.
    """
    members = msgspec.to_builtins(record)
    write_durably(path, [members | {_DIGEST: _digest(members)}])


def sealed_without_plan(path: Path) -> bytes:
    """A record as it would be written before its plan is known.

    Raises:
        RunFolderError: it is missing or is no such record.
    """
    members = msgspec.to_builtins(msgspec.structs.replace(read_sealed(path)[0], plan=None))
    return msgspec.json.encode(members | {_DIGEST: _digest(members)}) + b"\n"


def read_sealed(path: Path) -> tuple[RunRecord, str | None]:
    """Read the record.

    Returns:
        The record, and what is wrong with it although it can be read, or None. One of an older version has no digest,
        and is taken.

    Raises:
        RunFolderError: it is missing or is no such record.
    """
    found = list(read_lines(path, RunRecord))
    if len(found) != 1:
        raise RunFolderError(f"{path} is empty" if not found else f"{path} is damaged: it has several records")
    members: dict[str, Any] = next(iter(read_lines(path, dict[str, Any])))
    is_whole = _DIGEST not in members or members[_DIGEST] == _digest(members)
    return found[0], None if is_whole else f"{path} is damaged: it is not what was written"


def is_sealed(path: Path) -> bool:
    """Whether it has a digest, which older versions did not write; then it need not be whole.

    Raises:
        RunFolderError: it is missing or is no record.
    """
    return any(_DIGEST in members for members in read_lines(path, dict[str, Any]))


def _digest(members: dict[str, Any]) -> str:
    """The SHA-256 of all members but itself, whatever their order, and whichever version wrote them."""
    content = msgspec.json.encode({name: value for name, value in members.items() if name != _DIGEST}, order="sorted")
    return hashlib.sha256(content).hexdigest()
