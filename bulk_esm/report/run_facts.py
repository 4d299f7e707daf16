"""What a run's record says of it, for a report: pure."""

from __future__ import annotations

from bulk_esm.model.records import Invocation, RunRecord, RunStatus
from bulk_esm.report.records import Related, RunFacts
from bulk_esm.report.words import seconds_of


def run_facts_of(record: RunRecord, *, folder: str, counts: dict[str, int], is_dead: bool) -> RunFacts:
    """What a run's record says.

    Args:
        record: the run's.
        folder: where its files are.
        counts: results by outcome; a record has its own only from its end on.
        is_dead: whether it says that it is running, and nobody carries it out.
    """
    return RunFacts(
        run_id=record.run_id,
        command=record.command,
        folder=folder,
        account_id=record.account_id,
        regions=tuple(record.region.split(",")),
        status=RunStatus.KILLED if is_dead else record.status,
        reason=record.reason,
        started_at=record.started_at,
        ended_at=record.ended_at,
        continued_at=record.continued_at,
        took_s=_took_s(record),
        counts=counts,
        requests=record.requests,
        rollout=record.rollout,
        undoes=record.undone,
        invocations=record.invocations or (_only_invocation(record),),
    )


def rate_of(record: RunRecord) -> float | None:
    """Requests/s in each shard; None of older versions."""
    of_invocations = (one.max_per_second for one in record.invocations if one.max_per_second)
    return record.rollout.max_per_second or next(of_invocations, None)


def related_of(record: RunRecord) -> Related:
    """A later run, as the report of an earlier one tells of it."""
    return Related(
        run_id=record.run_id,
        command=record.command,
        status=record.status,
        started_at=record.started_at,
        counts=record.counts,
    )


def _only_invocation(record: RunRecord) -> Invocation:
    """That of a run of an older version, which recorded no more."""
    return Invocation(
        command=record.command,
        argv=record.argv,
        version=record.version,
        user=record.user,
        host=record.host,
        principal_arn=record.principal_arn,
        started_at=record.started_at,
        ended_at=record.ended_at,
        status=record.status,
        reason=record.reason,
    )


def _took_s(record: RunRecord) -> float | None:
    """How long it was worked at, in all invocations that had an end."""
    spans = [(one.started_at, one.ended_at) for one in record.invocations] or [(record.started_at, record.ended_at)]
    if record.ended_at is None:
        return None
    known = [(seconds_of(began), seconds_of(ended)) for began, ended in spans]
    return sum(max(0.0, ended - began) for began, ended in known if began is not None and ended is not None)
