"""What a person reads on stderr of a run that has ended: pure text from its records."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from bulk_esm.bulk import DEFAULT_RUNS_DIR
from bulk_esm.cli.durations import format_duration
from bulk_esm.cli.output import tail_of
from bulk_esm.cli.shards_text import afterwards, by_reason, general_reason, name_of, unplanned
from bulk_esm.model.budget import is_exceeded
from bulk_esm.model.records import RunRecord, RunStatus, puts_itself_back
from bulk_esm.model.result import TROUBLE, ErrorRecord, Outcome, Result
from bulk_esm.model.shard import Shard
from bulk_esm.store.run_files import RunFiles

_MOST_CAUSES: Final = 8
_IN_WORDS: Final = {RunStatus.DEADLINE: "stopped by its deadline"}
_PERHAPS_CHANGED: Final = (Outcome.UPDATED, Outcome.TIMED_OUT, Outcome.CONFLICT)
_EXPLAINED: Final = TROUBLE | {Outcome.BLOCKED}


def run_summary(record: RunRecord, files: RunFiles, *, has_just_ended: bool = False) -> Iterator[str]:
    """What a run came to, its trouble grouped by cause, and by shard where there are several, and how to go on.

    Args:
        record: the run's.
        files: its files.
        has_just_ended: whether it will now be put back by itself, if it is one of those.
    """
    # Of a run in S3 that is asked there, and one that has ended must not wait for the answer.
    at_work = files.at_work() if record.status is RunStatus.RUNNING else None
    yield from heading_lines(record, at_work=at_work)
    if not files.path.is_dir():
        return  # it was removed meanwhile
    if not files.has_shards:
        yield from cause_lines(files.results())
        is_left = record.status is not RunStatus.FINISHED
        yield from ending_lines(record, files, is_left=is_left, at_work=bool(at_work), has_just_ended=has_just_ended)
        yield from _how_to_resume(record, files, at_work=bool(at_work))
        return
    fleet = files.fleet()
    not_planned = unplanned(fleet.shards)
    lost = _lost(record, files)
    yield f"  {_states(record, len(fleet.shards), len(not_planned))}"
    yield from (f"  {line}" for line in by_reason([*not_planned, *lost]))
    troubles: Counter[str] = Counter()
    # Read to the end before the shards are named: it is what counts their trouble. Only counts and examples are kept.
    causes = list(cause_lines(_results(record, files, troubles), cause_of=_cause_in_shard))
    yield from _troubled(troubles, {entry.shard.name: entry.shard for entry in fleet.shards})
    yield from causes
    late = {shard.name for shard in files.unplanned()}
    is_left = record.status is not RunStatus.FINISHED or bool(lost or late)
    yield from ending_lines(record, files, is_left=is_left, at_work=bool(at_work), has_just_ended=has_just_ended)
    if others := [shard for shard, _ in not_planned if shard.name not in late]:
        yield f"  {afterwards(record, others)}"
    yield from _how_to_resume(record, files, at_work=bool(at_work))


def unplanned_lines(record: RunRecord, unplanned: Mapping[str, str | None]) -> Iterator[str]:
    """What the selection means and the plan lacks, and how to do that too."""
    for uuid, function_arn in list(unplanned.items())[:1]:
        yield (
            f"  {len(unplanned):,} mappings match the selection that were not in the plan, such as {uuid} "
            f"({tail_of(function_arn)}): they came or changed meanwhile, or List's pages moved. The same command again "
            "does them, and leaves alone what is as asked:"
        )
        yield f"    bulk-esm {shlex.join(record.argv)}"


def heading_lines(record: RunRecord, *, at_work: bool | None = None) -> Iterator[str]:
    """How a run ended, with its counts by outcome, and why."""
    counts = ", ".join(f"{record.counts[outcome]:,} {outcome}" for outcome in Outcome if record.counts.get(outcome))
    if record.status is RunStatus.RUNNING:
        so_far = counts or "results.jsonl has what ended before"
        stands = {None: "did not end: it was killed, or is still running", True: "is still running"}
        yield f"{record.command} {stands.get(at_work, 'did not end: it was killed')}; so far: {so_far}"
    else:
        ended = _IN_WORDS.get(record.status, record.status)
        yield f"{record.command} {ended}{_took(record)}: {counts or 'nothing to do'}"
    if record.reason:
        yield f"  because: {record.reason}"


def ending_lines(
    record: RunRecord, files: RunFiles, *, is_left: bool, at_work: bool = False, has_just_ended: bool = False
) -> Iterator[str]:
    """A run's requests, where it is, and how to go on; of one that is at work how it is steered."""
    requests = record.requests
    if requests:
        kinds = ", ".join(f"{requests.get(kind, 0):,} {kind}" for kind in ("list", "get", "update"))
        yield f"  requests: {kinds}; {requests.get('throttled', 0):,} throttled, {requests.get('errors', 0):,} errors"
    if record.undoes:
        yield f"  {'resumes' if record.command == 'resume' else 'puts back'}: {record.undoes}"
    yield from _by_lines(record)
    yield f"  folder: {files.shown}"
    if at_work:
        yield f"  to steer it: bulk-esm hold, go or stop {run_argument(files)}"
        return
    if is_left and not puts_itself_back(record):
        failures = sum(record.counts.get(outcome, 0) for outcome in TROUBLE)
        more = f" --max-failures {failures * 2}" if is_exceeded(record.rollout.most_failures, failures) else ""
        yield f"  to finish it: bulk-esm continue {run_argument(files)}{more}"
    if has_just_ended and puts_itself_back(record):
        return
    if record.command != "rollback" and (is_left or (_may_have_changed(record) and record.command != "pause")):
        yield f"  to put back what it changed: bulk-esm rollback {run_argument(files)}"


def who_text(user: str | None, host: str | None) -> str:
    """Who did something, such as `alice on build-7`; empty where that is not known, as of older versions."""
    return " on ".join(filter(None, (user, host)))


def _by_lines(record: RunRecord) -> Iterator[str]:
    """Who carried a run out; of a run that was continued, who did so last."""
    if by := who_text(record.user, record.host):
        yield f"  by: {by}{_as(record.principal_arn)}"
    if len(record.invocations) > 1:
        last = record.invocations[-1]
        times = "once" if len(record.invocations) == 2 else f"{len(record.invocations) - 1} times"  # noqa: PLR2004
        yield f"  continued {times}, last by: {who_text(last.user, last.host)}{_as(last.principal_arn)}"


def _as(principal_arn: str | None) -> str:
    return f", as {principal_arn}" if principal_arn else ""


def _may_have_changed(record: RunRecord) -> bool:
    return record.status is RunStatus.RUNNING or any(record.counts.get(outcome) for outcome in _PERHAPS_CHANGED)


def _how_to_resume(record: RunRecord, files: RunFiles, *, at_work: bool) -> Iterator[str]:
    """With what a pause ends, however it ended."""
    if not at_work and record.command == "pause" and _may_have_changed(record) and not puts_itself_back(record):
        yield f"  to resume: {resume_command_of(files)}"


def run_argument(files: RunFiles) -> str:
    """What names a run in a command to paste where this one was given.

    Args:
        files: the run's.
    """
    if files.replica is None:
        return str(files.path)
    place, _, run_id = files.shown.rpartition("/")
    is_found_alone = os.environ.get("BULK_ESM_RUNS_DIR", "").rstrip("/") == place
    return run_id if is_found_alone else f"{run_id} --runs-dir {shlex.quote(place)}"


def resume_command_of(files: RunFiles) -> str:
    """The command that resumes what a run paused, to paste where this one was given.

    Args:
        files: the run's.
    """
    if files.replica is not None:
        return f"bulk-esm resume --run {run_argument(files)}"
    folder = files.path
    is_found_alone = folder.parent in {DEFAULT_RUNS_DIR, Path(os.environ.get("BULK_ESM_RUNS_DIR") or DEFAULT_RUNS_DIR)}
    where = "" if is_found_alone else f" --runs-dir {shlex.quote(str(folder.parent))}"
    return f"bulk-esm resume --run {folder.name}{where}"


def cause_lines(
    results: Iterable[Result], *, cause_of: Callable[[Result, ErrorRecord], tuple[str, str]] | None = None
) -> Iterator[str]:
    """Failures grouped by cause, the most frequent first."""
    counts: Counter[tuple[Outcome, str]] = Counter()
    examples: dict[tuple[Outcome, str], str] = {}
    for result in results:
        if result.outcome in _EXPLAINED and result.error:
            cause, where = (cause_of or _cause_of)(result, result.error)
            counts[result.outcome, cause] += 1
            examples.setdefault((result.outcome, cause), f"{result.uuid} ({where})")
    for group, count in counts.most_common(_MOST_CAUSES):
        outcome, cause = group
        yield f"  {count:,} {outcome}: {cause}"
        yield f"    such as {examples[group]}"
    if len(counts) > _MOST_CAUSES:
        yield f"  and {len(counts) - _MOST_CAUSES} more causes; see results.jsonl"


def _cause_of(result: Result, error: ErrorRecord) -> tuple[str, str]:
    return _general(result, error), tail_of(result.function_arn)


def _general(result: Result, error: ErrorRecord) -> str:
    """An error in the words that it has in common with others' errors."""
    return f"{error.code}: {error.message}".replace(result.uuid, "UUID")


def _took(record: RunRecord) -> str:
    if not record.ended_at:
        return ""
    took = datetime.fromisoformat(record.ended_at) - datetime.fromisoformat(record.continued_at or record.started_at)
    return f" in {format_duration(took.total_seconds())}"


def _lost(record: RunRecord, files: RunFiles) -> list[tuple[Shard, str]]:
    """Why shards that have a plan could not be worked in to the end."""
    if record.shards and not record.shards.get(RunStatus.UNREACHABLE):
        return []
    planned = [entry.shard for entry in files.fleet().shards if entry.problem is None]
    found = ((shard, files.shard(shard).record()) for shard in planned)
    return [(shard, one.reason or "") for shard, one in found if one.status is RunStatus.UNREACHABLE]


def _states(record: RunRecord, shards: int, unplanned: int) -> str:
    if not record.shards:  # it was killed
        return f"{shards:,} shards" + (f", {unplanned:,} {RunStatus.UNREACHABLE}" if unplanned else "")
    counts = [(status, record.shards.get(status, 0)) for status in RunStatus if record.shards.get(status)]
    (status, count), *others = counts
    return ", ".join([f"{count:,} of {shards:,} shards {status}", *(f"{n:,} {other}" for other, n in others)])


def _results(record: RunRecord, files: RunFiles, troubles: Counter[str]) -> Iterator[Result]:
    if record.status is not RunStatus.RUNNING and not any(record.counts.get(outcome) for outcome in _EXPLAINED):
        return  # no need to read them: of a large fleet they are millions
    for shard in files.planned():
        for result in files.shard(shard).results():
            troubles[shard.name] += result.outcome in TROUBLE
            yield result


def _troubled(troubles: Mapping[str, int], shards: Mapping[str, Shard]) -> Iterator[str]:
    found = sorted((-count, name) for name, count in troubles.items() if count)
    if not found:
        return
    named = [f"{name_of(shards[name])} ({-count:,})" for count, name in found[:_MOST_CAUSES]]
    more = f" and {len(found) - _MOST_CAUSES:,} more" if len(found) > _MOST_CAUSES else ""
    yield f"  not well in {len(found):,} shards: {', '.join(named)}{more}"


def _cause_in_shard(result: Result, error: ErrorRecord) -> tuple[str, str]:
    account_id = result.account_id or ""
    where = f"{tail_of(result.function_arn)} in {account_id} {result.region}".replace("  ", " ")
    return general_reason(_general(result, error), account_id, result.region), where
