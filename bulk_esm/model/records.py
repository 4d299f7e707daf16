"""The records of a run: `run.json` and `fleet.json`."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from bulk_esm.model.checked import Checked
from bulk_esm.model.rollout import RolloutSettings
from bulk_esm.model.shard import AccountId, Problem, Shard


class RunStatus(StrEnum):
    """How a run stands."""

    RUNNING = "running"
    FINISHED = "finished"
    HALTED = "halted"
    DEADLINE = "deadline"
    INTERRUPTED = "interrupted"
    UNREACHABLE = "unreachable"  # of a shard of a fleet
    KILLED = "killed"  # of a run that says it is running, and nobody carries out; in files of an invocation alone


class FileDigest(msgspec.Struct, frozen=True, kw_only=True):
    """What a file held when it was written, so that a damaged one is told.

    Attributes:
        lines: how many.
        sha256: of its bytes, in hexadecimal.
    """

    lines: int
    sha256: str


class Intent(Checked, frozen=True, kw_only=True):
    """What a run is for, and how it is to go.

    Attributes:
        command: such as `pause`.
        argv: the command line.
        configured: what was not typed of it: flags, with their values and the places that set them.
        rollout: waves, budget and gates.
        undoes: the run that this one puts back, or whose mappings it resumes, with commas between several; or None.
        executor: who does the work: `local`, `process` or `dask`.
        scheduler: of `dask`, its scheduler's address; or None.
    """

    command: str = "apply"
    argv: tuple[str, ...] = ()
    configured: dict[str, str] = {}  # noqa: RUF012 - msgspec copies it
    rollout: RolloutSettings = RolloutSettings()
    undoes: str | None = None
    executor: str = "local"
    scheduler: str | None = None


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who carries out a run.

    Attributes:
        user: the user of the operating system, by name where it has one.
        host: the machine.
        principal_arn: the identity of the credentials that all starts from, where STS was asked anyway; or None.
    """

    user: str | None = None
    host: str | None = None
    principal_arn: str | None = None


class Invocation(msgspec.Struct, frozen=True, kw_only=True):
    """A command that carried out a run, or went on with it.

    Attributes:
        command: such as `pause`, or `continue`.
        argv: the command line, without secrets.
        configured: what was not typed of it, likewise: flags, with their values and the places that set them.
        version: of this package.
        user: see `Caller`.
        host: see there.
        principal_arn: see there.
        max_per_second: requests/s to each shard.
        started_at: ISO 8601 in UTC.
        ended_at: likewise; None while it is under way, and if it was killed.
        status: how it ended; `killed` is found out by the next one.
        reason: why it did not finish, or None.
    """

    command: str
    argv: tuple[str, ...]
    configured: dict[str, str] = {}
    version: str
    user: str | None = None
    host: str | None = None
    principal_arn: str | None = None
    max_per_second: float | None = None
    started_at: str
    ended_at: str | None = None
    status: RunStatus = RunStatus.RUNNING
    reason: str | None = None


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """`run.json`: rewritten whole, at the start and at the end of a run.

    Attributes:
        run_id: the run.
        command: such as `pause`.
        argv: the command line, without secrets.
        version: of this package.
        account_id: the account, as the mappings' ARNs name it; None for a fleet.
        region: the Region; those of a fleet, with commas between them.
        started_at: ISO 8601 in UTC.
        ended_at: likewise, or None while it runs.
        status: see `RunStatus`.
        counts: results by outcome.
        requests: requests by kind, and how many of them were throttled or failed.
        reason: why it did not finish, or None.
        puts_back: whether whoever stopped it asked to put back what it changed; None if nobody stopped it.
        rollout: how it goes, beside what it sends.
        undoes: the run that this one puts back, or whose mappings it resumes, with commas between several; or None.
        executor: who does the work: `local`, `process` or `dask`.
        scheduler: of `dask`, its scheduler's address; None of older versions.
        continued_at: when it was last continued, ISO 8601 in UTC, or None.
        shards: how many shards of a fleet stand how; empty for a single account and Region.
        plan: the digest of `plan.jsonl`, or of `fleet.json`, which has those of its shards; None of older versions.
        user: who started it, see `Caller`; None of older versions, and of a shard of several.
        host: likewise.
        principal_arn: likewise.
        invocations: each command that carried it out, the first one first; none of older versions, and of a shard.
        results: the digest of `results.jsonl` when the run ended; None while it runs, of a fleet, whose shards have
            their own, and of older versions.
    """

    run_id: str
    command: str
    argv: tuple[str, ...]
    version: str
    account_id: AccountId | None
    region: str
    started_at: str
    ended_at: str | None = None
    status: RunStatus = RunStatus.RUNNING
    counts: dict[str, int] = {}
    requests: dict[str, int] = {}
    reason: str | None = None
    puts_back: bool | None = None
    rollout: RolloutSettings = RolloutSettings()
    undoes: str | None = None
    executor: str = "local"
    scheduler: str | None = None
    continued_at: str | None = None
    shards: dict[str, int] = {}
    user: str | None = None
    host: str | None = None
    principal_arn: str | None = None
    invocations: tuple[Invocation, ...] = ()
    plan: FileDigest | None = None
    results: FileDigest | None = None

    @property
    def undone(self) -> tuple[str, ...]:
        """The runs that this one puts back, or resumes."""
        return tuple(filter(None, (self.undoes or "").split(",")))


def puts_itself_back(record: RunRecord) -> bool:
    """Whether a run that has ended is put back by the command that carried it out.

    Whoever stops a run says so, or not to; of one that halted for another reason its settings do.

    Args:
        record: the run.
    """
    if record.puts_back is not None:
        return record.puts_back
    return record.status is RunStatus.HALTED and record.rollout.on_halt == "rollback"


class ShardEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A shard of a run, as `fleet.json` has it.

    Attributes:
        shard: the shard, and how it is reached.
        items: how many mappings its plan has.
        updates: to how many of them something is sent.
        seen: how many mappings were looked through.
        problem: why it has no plan, or None.
        plan: the digest of its `plan.jsonl`; None of older versions.
    """

    shard: Shard
    items: int = 0
    updates: int = 0
    seen: int = 0
    problem: Problem | None = None
    plan: FileDigest | None = None


class FleetRecord(msgspec.Struct, frozen=True, kw_only=True):
    """`fleet.json`: written once, before anything is sent.

    Attributes:
        shards: all of them.
        groups: their names, in the groups that go one after another.
        most_failed_shards: how many shards may fail before the run halts; None for any number.
    """

    shards: tuple[ShardEntry, ...]
    groups: tuple[tuple[str, ...], ...]
    most_failed_shards: int | None = None
