"""What to do about a run, as commands to paste: pure."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Final

from bulk_esm.model.budget import is_exceeded
from bulk_esm.model.records import RunRecord, RunStatus
from bulk_esm.model.result import TROUBLE, Outcome
from bulk_esm.report.records import Command

_TO_TRY_AGAIN: Final = (Outcome.FAILED, Outcome.CONFLICT, Outcome.BLOCKED)
_MAY_HAVE_CHANGED: Final = (Outcome.UPDATED, Outcome.TIMED_OUT, Outcome.CONFLICT)


def run_commands(
    record: RunRecord, named: str, counts: dict[str, int], *, put_back_by: str | None = None
) -> Iterator[Command]:
    """How to go on with a run.

    Args:
        record: the run's.
        named: what names it in a command.
        counts: results by outcome.
        put_back_by: the later run that has put it back, if one has.
    """
    if put_back_by is not None:
        line = f"bulk-esm verify {named.replace(record.run_id, put_back_by)}"
        yield Command(why="Check that all is still as it was put back", line=line)
        return
    if record.status is not RunStatus.FINISHED:
        failures = sum(counts.get(outcome, 0) for outcome in TROUBLE)
        more = f" --max-failures {failures * 2}" if is_exceeded(record.rollout.most_failures, failures) else ""
        yield Command(why="Finish it", line=f"bulk-esm continue {named}{more}")
    if record.argv and any(counts.get(outcome) for outcome in _TO_TRY_AGAIN):
        line = f"bulk-esm {shlex.join(record.argv)}"
        yield Command(why="Try again what failed, once it is mended: what is as asked is left alone", line=line)
    yield Command(why="Check whether the mappings still have it", line=f"bulk-esm verify {named}")
    if any(counts.get(outcome) for outcome in _MAY_HAVE_CHANGED) or record.status is RunStatus.RUNNING:
        if record.command == "pause":
            yield Command(why="Resume what it paused", line=f"bulk-esm resume --run {named}")
        elif record.command != "rollback":
            yield Command(why="Put back what it changed", line=f"bulk-esm rollback {named}")


def cause_commands(record: RunRecord, named: str, outcome: str, code: str) -> Iterator[Command]:
    """What to do about mappings that did not go well for one reason.

    Args:
        record: the run's.
        named: what names it in a command.
        outcome: how they ended.
        code: of their error.
    """
    if outcome == Outcome.BLOCKED:  # the table has them, and nothing was sent
        return
    wanted = f".outcome == {json.dumps(outcome)} and .error.code == {json.dumps(code)}"
    program = shlex.quote(f"select({wanted})")
    yield Command(why="List them", line=f"bulk-esm show {named} --output jsonl | jq -c {program}")
    if outcome == Outcome.TIMED_OUT:
        yield Command(why="Look at them again", line=f"bulk-esm continue {named}")
    elif outcome == Outcome.CONFLICT and record.command == "rollback":
        line = f"bulk-esm rollback {','.join(record.undone)} --force --dry-run"
        yield Command(why="See what putting them back would overwrite", line=line)
