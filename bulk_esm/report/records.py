"""What a report holds: plain records, and what `--json` writes."""

from __future__ import annotations

from typing import Literal

import msgspec

from bulk_esm.model.records import Invocation
from bulk_esm.model.rollout import RolloutSettings

Lane = Literal["run", "gate", "control", "trouble"]
Tone = Literal["plain", "good", "wait", "bad"]


class Happening(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that happened in a run at one moment.

    Attributes:
        at: ISO 8601 in UTC.
        kind: the event's name in `log.jsonl`.
        text: what happened, in words.
        lane: what it is about.
        tone: what it means for the run.
        wave: the wave, where the event names one.
        lines: the last lines that a gate wrote.
    """

    at: str
    kind: str
    text: str
    lane: Lane = "run"
    tone: Tone = "plain"
    wave: int | None = None
    lines: tuple[str, ...] = ()


class Span(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that took its time.

    Attributes:
        kind: `wave`, `soak`, `bake`, or whatever else the log says began.
        label: such as `wave 2`.
        began_at: ISO 8601 in UTC.
        ended_at: likewise; of what did not end, that of the last event before it was cut off.
        wave: the wave, where the event names one.
    """

    kind: str
    label: str
    began_at: str
    ended_at: str
    wave: int | None = None


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """What a gate answered in all.

    Attributes:
        gate: its name; of an older version's run its class.
        answers: how often it let the run go on, had it wait, or halted it.
        last_reason: why it did not let it go on, the last time; or None.
    """

    gate: str
    answers: dict[str, int]
    last_reason: str | None = None


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """How a run went over time. Points are seconds since `starts_at`, and how many there were by then.

    Attributes:
        starts_at: ISO 8601 in UTC.
        ends_at: likewise.
        accepted: updates that Lambda had accepted.
        settled: of these, those that were seen at rest as asked.
        floor: updates that its rate allowed from the beginning of each wave; empty where it is not known.
        rate: requests/s in each shard, or None.
        spans: waves, soaks, and what else took its time.
        happenings: what happened at one moment, the first one first.
        left_out: how many of these there were beside.
    """

    starts_at: str
    ends_at: str
    accepted: tuple[tuple[float, int], ...] = ()
    settled: tuple[tuple[float, int], ...] = ()
    floor: tuple[tuple[float, int], ...] = ()
    rate: float | None = None
    spans: tuple[Span, ...] = ()
    happenings: tuple[Happening, ...] = ()
    left_out: int = 0


class Wave(msgspec.Struct, frozen=True, kw_only=True):
    """A wave.

    Attributes:
        number: from 1.
        counts: results by outcome.
        began_at: ISO 8601 in UTC; where the log does not tell, when its first update was accepted; or None.
        settled_at: when its last update had settled, or None.
    """

    number: int
    counts: dict[str, int]
    began_at: str | None = None
    settled_at: str | None = None


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan does to many mappings alike.

    Attributes:
        what: in words, such as `set BatchSize to 100`.
        count: to how many.
        before: how many had which value before, the most frequent first.
        source_types: how many of each.
    """

    what: str
    count: int
    before: dict[str, int]
    source_types: dict[str, int]


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """A plan.

    Attributes:
        total: how many mappings it has.
        actions: how many are updated, unchanged, blocked.
        groups: what it does, the most frequent first.
        more_groups: how many more there are.
        meanings: what that means beyond the values, such as `turns on provisioned mode`, with how many.
        blocked: why mappings are blocked, with how many.
    """

    total: int
    actions: dict[str, int]
    groups: tuple[Group, ...] = ()
    more_groups: int = 0
    meanings: dict[str, int] = {}
    blocked: dict[str, int] = {}


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """A command to paste.

    Attributes:
        why: what it is good for.
        line: the command line.
    """

    why: str
    line: str


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """What did not go well for the same reason.

    Attributes:
        outcome: how the mappings ended.
        code: of the error.
        message: of the error, without what differs from one mapping to another.
        count: how many mappings.
        examples: a few of them: UUID and function.
        shards: in how many shards.
        commands: what to do about them.
    """

    outcome: str
    code: str
    message: str
    count: int
    examples: tuple[tuple[str, str], ...]
    shards: int
    commands: tuple[Command, ...] = ()


class Row(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A mapping.

    Attributes:
        uuid: the mapping.
        function: its function's name, with alias or version.
        source: what it reads from.
        source_type: the kind of source.
        shard: the account and Region.
        outcome: how it ended; `none` if it has no result.
        wave: its wave; 0 if it has no result.
        state: as last seen, or as read for the plan.
        change: what the plan changes, in words.
        error: why it did not end well.
        request_id: Lambda's, if an answer was why.
        accepted_at: ISO 8601 in UTC, or None.
        settled_at: likewise.
        ended_at: likewise.
        duration_s: seconds from the first request for it to its end, or None.
        update_calls: how many updates were sent.
    """

    uuid: str
    function: str
    source: str
    source_type: str
    shard: str
    outcome: str
    wave: int = 0
    state: str = ""
    change: str = ""
    error: str = ""
    request_id: str | None = None
    accepted_at: str | None = None
    settled_at: str | None = None
    ended_at: str | None = None
    duration_s: float | None = None
    update_calls: int = 0


class Settling(msgspec.Struct, frozen=True, kw_only=True):
    """How long updates of one source type took from accepted to settled.

    Attributes:
        source_type: the kind of source.
        count: of how many updates this is known.
        median_s: half of them took no longer.
        p90_s: nine of ten took no longer.
        longest_s: the longest.
    """

    source_type: str
    count: int
    median_s: float
    p90_s: float
    longest_s: float


class ShardRow(msgspec.Struct, frozen=True, kw_only=True):
    """A shard.

    Attributes:
        name: account and Region.
        status: how it stands.
        reason: why it did not finish, or could not be reached; or None.
        items: how many mappings its plan has.
        updates: to how many of them something is sent.
        counts: results by outcome.
        requests: requests by kind.
        accepted_at: when its first update was accepted, ISO 8601 in UTC, or None.
        settled_at: when its last one had settled, or None.
    """

    name: str
    status: str
    reason: str | None
    items: int
    updates: int
    counts: dict[str, int]
    requests: dict[str, int]
    accepted_at: str | None = None
    settled_at: str | None = None


class FunctionRow(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the mappings of one function, where there are too many mappings to show each.

    Attributes:
        function: its name, with alias or version.
        shard: account and Region.
        counts: results by outcome.
    """

    function: str
    shard: str
    counts: dict[str, int]


class Related(msgspec.Struct, frozen=True, kw_only=True):
    """A later run that put this one back, or resumed what it paused.

    Attributes:
        run_id: the run.
        command: such as `rollback`.
        status: how it stands.
        started_at: ISO 8601 in UTC.
        counts: results by outcome.
    """

    run_id: str
    command: str
    status: str
    started_at: str
    counts: dict[str, int]


class RunFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What `run.json` says of a run, and what follows from it.

    Attributes:
        run_id: the run.
        command: such as `pause`.
        folder: where its files are.
        account_id: the account; None for a fleet.
        regions: the Regions.
        status: how it stands.
        reason: why it did not finish, or None.
        started_at: ISO 8601 in UTC.
        ended_at: likewise, or None.
        continued_at: when it was last continued, or None.
        took_s: how long it has taken, less the time between its invocations; None if it did not end.
        counts: results by outcome.
        requests: requests by kind.
        rollout: how it went beside what it sent.
        undoes: the runs that it puts back or resumes.
        invocations: each command that carried it out.
    """

    run_id: str
    command: str
    folder: str
    account_id: str | None
    regions: tuple[str, ...]
    status: str
    reason: str | None
    started_at: str
    ended_at: str | None
    continued_at: str | None
    took_s: float | None
    counts: dict[str, int]
    requests: dict[str, int]
    rollout: RolloutSettings
    undoes: tuple[str, ...]
    invocations: tuple[Invocation, ...]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A report of a run, or of a plan that was saved.

    Attributes:
        format: of this record; a number that goes up when something of it goes away.
        version: of the package that made it.
        made_at: ISO 8601 in UTC.
        title: what it is about: a run's id, or a file's name.
        run: the run; None of a plan.
        planned: the plan.
        waves: the waves of the run.
        gates: what each gate answered in all.
        timeline: how the run went over time; None of a plan.
        causes: what did not go well, grouped, the most frequent first.
        more_causes: how many more there are.
        slowest: the mappings that took longest.
        settling: how long updates took to settle.
        shards: the shards of a fleet; none of a single account and Region.
        mappings: the mappings; of many the failures and conflicts first.
        left_out: how many mappings are not among them, by outcome.
        functions: where some are left out, what became of the mappings of each function.
        commands: how to go on.
        followed_by: later runs that put it back or resumed it, as far as they are known.
        notes: what could not be told, and why.
    """

    format: int = 1
    version: str
    made_at: str
    title: str
    run: RunFacts | None
    planned: Planned
    waves: tuple[Wave, ...] = ()
    gates: tuple[Gate, ...] = ()
    timeline: Timeline | None = None
    causes: tuple[Cause, ...] = ()
    more_causes: int = 0
    slowest: tuple[Row, ...] = ()
    settling: tuple[Settling, ...] = ()
    shards: tuple[ShardRow, ...] = ()
    mappings: tuple[Row, ...] = ()
    left_out: dict[str, int] = {}
    functions: tuple[FunctionRow, ...] = ()
    commands: tuple[Command, ...] = ()
    followed_by: tuple[Related, ...] = ()
    notes: tuple[str, ...] = ()
