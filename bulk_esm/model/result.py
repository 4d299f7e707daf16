"""What became of a mapping: one line of `results.jsonl` for each line of the plan."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

import msgspec

from bulk_esm.model.mapping import SourceType


class Outcome(StrEnum):
    """How a mapping ended."""

    UPDATED = "updated"
    UNCHANGED = "unchanged"
    BLOCKED = "blocked"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CONFLICT = "conflict"
    NOT_STARTED = "not_started"


TROUBLE: Final = frozenset({Outcome.FAILED, Outcome.TIMED_OUT, Outcome.CONFLICT})
"""The outcomes that make a run's exit code 1."""


class ErrorRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Why a mapping did not end well.

    Attributes:
        code: Lambda's error code, or one of ours: `NotApplied`, `ChangedMeanwhile`, `TimedOut`, `Blocked`.
        message: what happened and what to do next.
        request_id: Lambda's request id, if an answer caused it.
    """

    code: str
    message: str
    request_id: str | None = None


class Result(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line of `results.jsonl`.

    Attributes:
        run_id: the run.
        uuid: the mapping.
        function_arn: its function.
        event_source_arn: its source.
        source_type: the kind of source.
        account_id: the account, as the mapping's ARNs name it.
        region: the Region.
        wave: the wave it belonged to, from 1.
        outcome: how it ended.
        state: as last seen.
        request: what was sent, without the UUID; empty if nothing was.
        error: why it did not end well, or None.
        update_calls: how many UpdateEventSourceMapping requests were sent for it.
        accepted_at: when Lambda accepted the update, ISO 8601 in UTC, or None; also where a run that was killed had not
            recorded it.
        settled_at: when it was seen at rest as asked, ISO 8601 in UTC, or None.
        ended_at: when its outcome was known, ISO 8601 in UTC; None of older versions.
        duration_s: seconds from the first request for it to its end; None where an earlier part of the run has sent
            it, and a look has found how it ended.
    """

    run_id: str
    uuid: str
    function_arn: str | None
    event_source_arn: str | None
    source_type: SourceType
    account_id: str | None
    region: str
    wave: int
    outcome: Outcome
    state: str | None
    request: dict[str, Any]
    error: ErrorRecord | None = None
    update_calls: int = 0
    accepted_at: str | None = None
    settled_at: str | None = None
    ended_at: str | None = None
    duration_s: float | None = 0.0
