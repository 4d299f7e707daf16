"""What a person reads on stderr before and after a run: pure text from records."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from bulk_esm.cli.durations import format_duration
from bulk_esm.cli.output import Row, tail_of
from bulk_esm.model.plan import Action, PlanItem
from bulk_esm.model.records import RunRecord, RunStatus
from bulk_esm.model.result import TROUBLE, ErrorRecord, Outcome, Result

PLAN_COLUMNS: Final = ("uuid", "function", "source", "type", "state", "action", "what")
RESULT_COLUMNS: Final = ("uuid", "function", "source", "type", "outcome", "state", "why")
_MOST_CAUSES: Final = 8
_IN_WORDS: Final = {RunStatus.DEADLINE: "stopped by its deadline"}
_EXPLAINED: Final = TROUBLE | {Outcome.BLOCKED}
LIKELY_LOOKS: Final = 0.1  # for each update; a few more where there are few updates


def plan_row(item: PlanItem) -> Row:
    """A line of a plan's table."""
    differences = [
        f"{difference.parameter}: {short(difference.before)} -> {short(difference.after)}"
        + (" (irreversible)" if difference.irreversible else "")
        for difference in item.diff
    ]
    return (
        item.uuid,
        tail_of(item.function_arn),
        tail_of(item.event_source_arn),
        item.source_type,
        item.state or "-",
        item.action,
        "; ".join(item.problems or differences),
    )


def result_row(result: Result) -> Row:
    """A line of a results' table."""
    return (
        result.uuid,
        tail_of(result.function_arn),
        tail_of(result.event_source_arn),
        result.source_type,
        result.outcome,
        result.state or "-",
        f"{result.error.code}: {result.error.message}" if result.error else "",
    )


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How fast a plan can be carried out.

    Attributes:
        least_s: the least time that its updates take, in seconds.
        rate: at which rate, in words.
    """

    least_s: float
    rate: str

    @classmethod
    def of(cls, updates: int, max_per_second: float) -> Pace:
        """That of one account and Region.

        Args:
            updates: how many.
            max_per_second: requests/s.
        """
        return cls(least_s=updates / max_per_second, rate=f"{max_per_second:g} requests/s")


def plan_summary(items: Iterable[PlanItem], *, pace: Pace, left_alone: Collection[str] = ()) -> Iterator[str]:
    """What a plan comes to: how many of what, its requests, and the least time they take.

    Args:
        items: the plan's.
        pace: how fast it can go.
        left_alone: UUIDs to which nothing is sent all the same, as someone changed them since.
    """
    actions: Counter[Action] = Counter()
    changes: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for item in items:
        if item.uuid in left_alone:
            continue
        actions[item.action] += 1
        reasons.update(item.problems)
        if item.action is Action.UPDATE:
            changes.update(f"{one.parameter}: {short(one.before)} -> {short(one.after)}" for one in item.diff)
    updates = actions[Action.UPDATE]
    yield (
        f"{actions.total():,} mappings selected: {updates:,} to update, {actions[Action.UNCHANGED]:,} already as "
        f"asked, {actions[Action.BLOCKED]:,} blocked"
    )
    yield from _most(changes)
    if updates:
        least = format_duration(pace.least_s * (1 + LIKELY_LOOKS))
        looks = math.ceil(updates * LIKELY_LOOKS)
        yield f"{updates:,} updates and about {looks:,} looks take at least {least} at {pace.rate}"
    if reasons:
        yield "blocked:"
        yield from _most(reasons)


def run_summary(record: RunRecord, results: Iterable[Result], *, folder: Path) -> Iterator[str]:
    """What a run came to, with its failures grouped by cause, and how to go on.

    Args:
        record: the run.
        results: its results.
        folder: where it is.
    """
    yield from heading_lines(record)
    yield from cause_lines(results)
    yield from ending_lines(record, folder=folder, is_left=record.status is not RunStatus.FINISHED)


def heading_lines(record: RunRecord) -> Iterator[str]:
    """How a run ended, with its counts by outcome, and why.

    Args:
        record: the run.
    """
    counts = ", ".join(f"{record.counts[outcome]:,} {outcome}" for outcome in Outcome if record.counts.get(outcome))
    if record.status is RunStatus.RUNNING:
        so_far = counts or "results.jsonl has what ended before"
        yield f"{record.command} did not end: it was killed, or is still running; so far: {so_far}"
    else:
        ended = _IN_WORDS.get(record.status, record.status)
        yield f"{record.command} {ended}{_took(record)}: {counts or 'nothing to do'}"
    if record.reason:
        yield f"  because: {record.reason}"


def ending_lines(record: RunRecord, *, folder: Path, is_left: bool) -> Iterator[str]:
    """A run's requests, where it is, and how to go on.

    Args:
        record: the run.
        folder: where it is.
        is_left: whether something is left for `continue` to do.
    """
    requests = record.requests
    if requests:
        kinds = ", ".join(f"{requests.get(kind, 0):,} {kind}" for kind in ("list", "get", "update"))
        yield f"  requests: {kinds}; {requests.get('throttled', 0):,} throttled, {requests.get('errors', 0):,} errors"
    if record.undoes:
        yield f"  puts back: {record.undoes}"
    yield f"  folder: {folder}"
    if is_left:
        if record.status is not RunStatus.HALTED or record.rollout.on_halt != "rollback":
            yield f"  to finish it: bulk-esm continue {folder}"
        if record.command != "rollback":
            yield f"  to put back what it changed: bulk-esm rollback {folder}"


def cause_lines(
    results: Iterable[Result], *, cause_of: Callable[[Result, ErrorRecord], tuple[str, str]] | None = None
) -> Iterator[str]:
    """Failures grouped by cause, the most frequent first.

    Args:
        results: of a run; looked at one by one, and not kept.
        cause_of: tells a failure's cause and an example's place, where those of one mapping do not do.
    """
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
    return f"{error.code}: {error.message}", tail_of(result.function_arn)


def _took(record: RunRecord) -> str:
    if not record.ended_at:
        return ""
    took = datetime.fromisoformat(record.ended_at) - datetime.fromisoformat(record.continued_at or record.started_at)
    return f" in {format_duration(took.total_seconds())}"


def _most(counted: dict[str, int]) -> Iterator[str]:
    ordered = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    for text, count in ordered[:_MOST_CAUSES]:
        yield f"  {count:,} x {text}"
    if len(ordered) > _MOST_CAUSES:
        yield f"  and {len(ordered) - _MOST_CAUSES} more"


def short(value: object) -> str:
    """A value in a line's worth of JSON."""
    text = "unset" if value is None else msgspec.json.encode(value).decode()
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004 - a line's worth
