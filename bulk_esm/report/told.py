"""What a report says in words at its top, whatever its form: pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Final

from bulk_esm.model.records import Invocation, RunStatus
from bulk_esm.report.records import Report, RunFacts
from bulk_esm.report.words import counts_text, duration_text, moment_text, seconds_of

_STANDS: Final = {
    RunStatus.RUNNING: "is under way, or was killed",
    RunStatus.KILLED: "was killed",
    RunStatus.DEADLINE: "was stopped by its deadline",
    RunStatus.INTERRUPTED: "was interrupted",
}


def status_text(run: RunFacts) -> str:
    """How a run stands, such as `apply halted`."""
    return f"{run.command} {_STANDS.get(RunStatus(run.status), run.status)}"


def where_text(run: RunFacts, *, shards: int) -> str:
    """Where a run worked."""
    regions = ", ".join(run.regions)
    return f"{shards:,} shards in {regions}" if run.account_id is None else f"account {run.account_id}, {regions}"


def who_text(one: Invocation) -> str:
    """Who carried a run out, such as `alice on build-7, as arn:...`; a hyphen where that is not known."""
    by = " on ".join(filter(None, (one.user, one.host)))
    return f"{by}{f', as {one.principal_arn}' if one.principal_arn else ''}" or "-"


def line_of(one: Invocation) -> str:
    """The command line of an invocation; its command where it had none, as what is put back by itself has."""
    return f"bulk-esm {shlex.join(one.argv)}" if one.argv else one.command


def took_of(one: Invocation) -> float | None:
    """How long an invocation took, in seconds; None if it did not end."""
    began, ended = seconds_of(one.started_at), seconds_of(one.ended_at)
    return None if began is None or ended is None else max(0.0, ended - began)


def facts_of(report: Report) -> Iterator[tuple[str, str]]:
    """What, where, who and when."""
    run = report.run
    if run is None:
        yield "plan", report.title
        return
    yield "run", run.run_id
    if run.reason:
        yield "because", run.reason
    yield "came to", counts_text(run.counts) or "nothing"
    yield "where", where_text(run, shards=len(report.shards))
    yield "who", who_text(run.invocations[0])
    yield "began", moment_text(run.started_at)
    yield "ended", moment_text(run.ended_at)
    yield "worked for", duration_text(run.took_s)
    if run.undoes:
        yield "resumes" if run.command == "resume" else "puts back", ", ".join(run.undoes)
    yield "requests", counts_text(run.requests) or "not known"
    yield "folder", run.folder


def settings_of(report: Report) -> Iterator[tuple[str, str]]:
    """How a run went beside what it sent, as far as it was not as usual."""
    if report.run is None:
        return
    rollout = report.run.rollout
    pauses = (("soak", rollout.soak_s), ("bake", rollout.bake_s), ("ramp", rollout.ramp_s))
    halts = "that account and Region" if rollout.shard_alarm_halts == "shard" else "all"
    told = {
        "waves": ", ".join(rollout.waves),
        **{name: duration_text(seconds) for name, seconds in pauses if seconds},
        "alarms": "; ".join(rollout.alarms),
        "alarms of each shard": "; ".join([*rollout.shard_alarms, f"halting {halts}"]) if rollout.shard_alarms else "",
        "gates": "; ".join(rollout.gates),
        "calendars": "; ".join(rollout.calendars),
        "watched": "; ".join(rollout.watch),
        "window": rollout.window,
        "may fail": "any number" if rollout.most_failures is None else f"{rollout.most_failures:,} mappings",
        "when it halts": "put back what it changed" if rollout.on_halt == "rollback" else "stop",
        "asked between waves": "yes" if rollout.confirm_waves else "",
        "approved between waves": "yes" if rollout.approve_waves else "",
        "to stay paused for": duration_text(rollout.paused_for_s) if rollout.paused_for_s else "",
        "rate": f"{rollout.max_per_second:g} requests/s in each shard" if rollout.max_per_second else "",
        **{f"configured {flag}": value for flag, value in report.run.invocations[0].configured.items()},
    }
    yield from ((name, value) for name, value in told.items() if value)
