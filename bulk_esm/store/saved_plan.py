"""A plan that was saved: its lines, and a last one with their count and digest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

from bulk_esm.errors import RunFolderError
from bulk_esm.model.plan import Plan, PlanItem
from bulk_esm.model.records import FileDigest
from bulk_esm.store.jsonl import LineError, LineReader, read_lines, read_salvaged, write_durably


def is_plan_file(path: Path) -> bool:
    """Whether a name that a user gave is that of a file, and so of a plan: a run is a folder."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def save_plan(path: Path, items: Iterable[PlanItem]) -> None:
    """Write a plan to a file of its own.

    Raises:
        OSError: it cannot be written.
    """
    write_durably(path, items, closing=True)


def read_plan(path: Path, *, salvage: bool = False, told: Callable[[str], None] = lambda _: None) -> Plan:
    """Read a plan that was saved.

    Args:
        path: the file.
        salvage: whether to take the lines that are whole of one that was cut or edited.
        told: called with what is wrong with one that is salvaged.

    Raises:
        RunFolderError: it cannot be read, or is not as it was saved.
    """
    try:
        return _read_whole(path)
    except RunFolderError:
        if not salvage or not path.is_file():
            raise
    plan = Plan.of_each_once(read_salvaged(path, PlanItem)[0])
    told(f"{path}: it is not as it was saved; {len(plan.items):,} mappings have lines that are whole")
    return plan


def _read_whole(path: Path) -> Plan:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RunFolderError(f"{path} cannot be read: {error.strerror}") from error
    if not content.strip():
        raise RunFolderError(f"{path}: the plan is empty; make it anew with `bulk-esm plan --save`")
    head, _, last = content.rstrip(b"\n").rpartition(b"\n")
    lines = head + b"\n" if head else b""
    try:
        closing = LineReader(FileDigest).read(last)
    except LineError:
        next(iter(read_lines(path, PlanItem)), None)  # what is no plan at all is told as such
        raise RunFolderError(
            f"{path} has no closing line: it was cut or edited, or an older version saved it; make it anew with "
            "`bulk-esm plan --save`, or take what is there with --salvage"
        ) from None
    if closing != FileDigest(lines=lines.count(b"\n"), sha256=hashlib.sha256(lines).hexdigest()):
        raise RunFolderError(
            f"{path} is not as it was saved ({closing.lines:,} lines); make it anew with `bulk-esm plan --save`, or "
            "take what is there with --salvage"
        )
    reader = LineReader(PlanItem)
    try:
        return Plan(tuple(reader.read(line) for line in lines.split(b"\n") if line))
    except LineError as error:
        raise RunFolderError(f"{path}: {error}; make it anew with `bulk-esm plan --save`") from error
