"""What a person reads on stderr before a run: pure text from records; and the rows of tables."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from bulk_esm.cli.durations import format_duration
from bulk_esm.cli.hours import Hours
from bulk_esm.cli.job import Job
from bulk_esm.cli.output import Row, tail_of
from bulk_esm.model.budget import budget_line
from bulk_esm.model.gating import least_s
from bulk_esm.model.plan import Action, PlanItem
from bulk_esm.model.plan_summary import PlanSummary
from bulk_esm.model.ramp import ACCOUNT_CONCURRENCY, added_concurrency, ramp_lines
from bulk_esm.model.result import Result
from bulk_esm.model.shard import Shard
from bulk_esm.model.values import short
from bulk_esm.model.watching import Watch, least_wait_s
from bulk_esm.runs.fleet import Fleet
from bulk_esm.runs.planning import RunPlan

PLAN_COLUMNS: Final = ("uuid", "function", "source", "type", "state", "action", "what")
RESULT_COLUMNS: Final = ("uuid", "function", "source", "type", "outcome", "state", "why")
_MOST_LINES: Final = 8
_MOST_BEFORE: Final = 4
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


def pace_of(fleet: Fleet, plan: RunPlan, groups: Sequence[Sequence[Shard]]) -> Pace:
    """How fast a plan can be carried out: each group as fast as the slowest of its shards, side by side."""
    rates = {shard.name: fleet.rate(shard) for shard in plan.shards}
    updates = {shard.name: entry.updates for shard, entry in zip(plan.shards, plan.entries, strict=True)}
    least_s = {name: updates[name] / rate for name, rate in rates.items()}
    slowest_s = sum(max((least_s.get(shard.name, 0.0) for shard in group), default=0.0) for group in groups)
    lowest, highest = min(rates.values(), default=0.0), max(rates.values(), default=0.0)
    rate = f"{lowest:g} requests/s" if lowest == highest else f"{lowest:g} to {highest:g} requests/s"
    return Pace(least_s=slowest_s, rate=f"{rate} in each shard" if fleet.is_named else rate)


def plan_summary(summary: PlanSummary, *, pace: Pace) -> Iterator[str]:
    """What a plan comes to: how many of what, its requests, and the least time they take."""
    updates = summary.actions[Action.UPDATE]
    yield (
        f"{summary.total:,} mappings selected: {updates:,} to update, {summary.actions[Action.UNCHANGED]:,} already as "
        f"asked, {summary.actions[Action.BLOCKED]:,} blocked"
    )
    yield from _most({_change(*what, before): before.total() for what, before in summary.changes.items()})
    if summary.meanings:
        yield "what that means:"
        yield from _most(summary.meanings)
    if updates:
        least = format_duration(pace.least_s * (1 + LIKELY_LOOKS))
        looks = math.ceil(updates * LIKELY_LOOKS)
        yield f"{updates:,} updates and about {looks:,} looks take at least {least} at {pace.rate}"
    if summary.reasons:
        yield "blocked:"
        yield from _most(summary.reasons)


def _change(member: str, after: str, before: Counter[str]) -> str:
    """What one member becomes, of whatever it was; the most frequent first."""
    if len(before) == 1:
        return f"{member}: {next(iter(before))} -> {after}"
    ordered = sorted(before.items(), key=lambda one: (-one[1], one[0]))
    shown = [f"{value} ({count:,} x)" for value, count in ordered[:_MOST_BEFORE]]
    rest = before.total() - sum(count for _, count in ordered[:_MOST_BEFORE])
    others = f" and others ({rest:,} x)" if rest else ""
    return f"{member}: {', '.join(shown)}{others} -> {after}"


def _stream_lines(summary: PlanSummary) -> Iterator[str]:
    """State runs far ahead of polling on streams (F§0.2; of a disable, F§3.3)."""
    if summary.streams[True]:
        yield (
            f"{summary.streams[True]:,} Kinesis and DynamoDB streams will be Enabled within seconds, but polled "
            "only 40 to 75 s later: their state is no sign of traffic"
        )
    if summary.streams[False]:
        yield (
            f"{summary.streams[False]:,} Kinesis and DynamoDB streams will be Disabled in seconds, but may be "
            "polled for about a minute more"
        )


def lasting_lines(summary: PlanSummary) -> Iterator[str]:
    """What no rollback can put back."""
    for uuid, problems in summary.lasting:
        yield f"warning: it cannot be undone wholly: {uuid}: {'; '.join(problems)}"
    if summary.lasting_count > len(summary.lasting):
        yield f"warning: and {summary.lasting_count - len(summary.lasting):,} more that no rollback can put back wholly"


def _rollout_lines(job: Job, waves: Sequence[int]) -> Iterator[str]:
    """Waves, who is asked when, and what comes beside sending."""
    if waves:
        sizes = " + ".join(f"{size:,}" for size in waves)
        soaks = job.waves.soak and len(waves) > 1
        soak = f", with a soak of {format_duration(job.waves.soak)} between them" if soaks else ""
        yield f"in {len(waves)} waves: {sizes}{soak}"
        if job.waves.confirm_waves:
            yield "asked between waves: you"
        if job.waves.approve_waves:
            yield "each wave but the first waits for: bulk-esm approve RUN"
    asked = [f"alarm {name}" for name in job.waves.alarm]
    asked += [f"alarm {name} of each shard" for name in job.waves.shard_alarm]
    asked += [f"calendar {name}" for name in job.waves.calendar]
    asked += [f"gate {command!r}" for command in job.waves.gate]
    if asked:
        interval = format_duration(job.waves.gate_interval)
        yield f"asked before the first update, and each {interval} from then on: {', '.join(asked)}"
    if job.waves.ramp:
        yield f"spread over {format_duration(job.waves.ramp)}"
    if job.waves.bake:
        yield f"watched for {format_duration(job.waves.bake)} more when all is done"
    if job.waves.on_halt == "rollback":
        yield "what it changed is put back if it halts"


def how_it_goes(plan: RunPlan, job: Job, hours: Hours, *, waves: Sequence[int], pace: Pace) -> Iterator[str]:
    """Waves, budget and what there is to know before one says yes."""
    yield from _rollout_lines(job, waves)
    if plan.updates:
        yield from _least_lines(job, hours, sending_s=pace.least_s * (1 + LIKELY_LOOKS), soaks=max(0, len(waves) - 1))
        yield budget_line(job.most_failures(updates=plan.updates))
    yield from hours.lines
    summary = plan.summary
    yield from _stream_lines(summary)
    yield from lasting_lines(summary)
    added = added_concurrency(plan.items())
    if added:
        yield f"concurrent invocations that resuming adds (an account has {ACCOUNT_CONCURRENCY:,} by default):"
        yield from ramp_lines(added)


def _least_lines(job: Job, hours: Hours, *, sending_s: float, soaks: int) -> Iterator[str]:
    """How long all of it takes at least, if that is not only what sending does; and what comes before that."""
    now = datetime.now(UTC)
    opens_in_s = hours.opens_in_s(now)
    watched_s = least_wait_s([Watch.parse(text) for text in job.waves.watch])
    all_s = least_s(
        sending_s=sending_s,
        ramp_s=job.waves.ramp,
        soaks=soaks,
        soak_s=max(job.waves.soak, watched_s),
        bake_s=max(job.waves.bake, watched_s) if job.waves.bake else 0.0,
        opens_in_s=opens_in_s,
    )
    parts = {
        "the window's opening": opens_in_s > 0,
        "soaks": soaks and (job.waves.soak or watched_s),
        "the ramp": job.waves.ramp,
        "the bake": job.waves.bake,
    }
    beside = ", ".join(what for what, has in parts.items() if has)
    if all_s > sending_s:
        yield f"all of it takes at least {format_duration(all_s)}, with {beside}"
    yield from hours.too_short_lines(all_s, now)


def _most(counted: Mapping[str, int]) -> Iterator[str]:
    ordered = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    for text, count in ordered[:_MOST_LINES]:
        yield f"  {count:,} x {text}"
    if len(ordered) > _MOST_LINES:
        yield f"  and {len(ordered) - _MOST_LINES} more"
