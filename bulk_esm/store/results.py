"""`results.jsonl`: appended as each mapping ends, and held against the run's record and plan when it is read."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from pathlib import Path

import msgspec

from bulk_esm.errors import RunFolderError
from bulk_esm.model.records import RunRecord
from bulk_esm.store.jsonl import read_lines, refuse_damaged


class _Named(msgspec.Struct, frozen=True):
    """A result of which only the mapping and the run matter."""

    uuid: str
    run_id: str


def refuse_strange(path: Path, record: RunRecord, planned: Callable[[], AbstractSet[str]]) -> None:
    """Refuse results that are not the run's: those that it had at its end, or the first of one without an end.

    Args:
        path: the file; it need not be there.
        record: the run, or that of the shard.
        planned: tells the mappings of the plan.

    Raises:
        RunFolderError: they are not.
    """
    if record.results is not None:
        refuse_damaged(path, record.results)
        return
    seen = set[str]()
    for line in read_lines(path, _Named, torn_end_is_cut=True) if path.exists() else ():
        what = None
        if line.run_id != record.run_id:
            what = f"it has a result of {line.run_id}"
        elif line.uuid not in planned():
            what = f"it has a result of {line.uuid}, which the plan does not have"
        elif line.uuid in seen:
            what = f"it has two results of {line.uuid}"
        if what is not None:
            raise RunFolderError(f"{path} is damaged: {what}; --salvage takes the first of each of this run")
        seen.add(line.uuid)
