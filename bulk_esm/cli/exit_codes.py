"""With what a command ends: from the record of its run, and from the problems of its shards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bulk_esm.cli.signals import INTERRUPTED
from bulk_esm.errors import AccessError, RecordingError
from bulk_esm.model.records import RunRecord, RunStatus
from bulk_esm.model.result import TROUBLE
from bulk_esm.model.shard import Problem

_BY_STATUS: Final = {RunStatus.HALTED: 3, RunStatus.DEADLINE: 4, RunStatus.INTERRUPTED: INTERRUPTED}


def exit_code(record: RunRecord | None, problems: Sequence[Problem | None] = ()) -> int:
    """The exit code of a command; see docs/exit-codes.md."""
    failed = [problem for problem in problems if problem is not None]
    if any(problem.kind == RecordingError.__name__ for problem in failed):
        return RecordingError.exit_code  # it ended the others' work too
    if failed and len(failed) == len(problems):
        return _of_all(failed)
    if record is not None:
        trouble = any(record.counts.get(outcome) for outcome in TROUBLE)
        if code := _BY_STATUS.get(record.status, 1 if trouble else 0):
            return code
    return 1 if failed else 0


def _of_all(problems: Sequence[Problem]) -> int:
    """Where no shard could be worked in: that of each of them, if they agree."""
    codes = {problem.exit_code for problem in problems}
    if len(codes) == 1:
        return codes.pop()
    return AccessError.exit_code if all(problem.is_access for problem in problems) else 1
