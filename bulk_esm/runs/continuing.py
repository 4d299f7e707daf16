"""Takes up a run that did not end well: looks in each shard at what is left, and goes on from there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime

import msgspec

from bulk_esm.clock import iso
from bulk_esm.engine.endings import Ending
from bulk_esm.errors import BulkEsmError, RefusedError
from bulk_esm.executors.tasks import LookAgain, ShardEnd
from bulk_esm.model.budget import is_exceeded
from bulk_esm.model.continuing import Left, left_of
from bulk_esm.model.doubts import NO_DOUBTS, Doubts, perhaps_sent
from bulk_esm.model.plan import Plan
from bulk_esm.model.records import FleetRecord, RunRecord, RunStatus
from bulk_esm.model.result import TROUBLE, Outcome
from bulk_esm.model.rollout import RolloutSettings
from bulk_esm.model.shard import Problem, Shard
from bulk_esm.runs.each_shard import nobody
from bulk_esm.runs.fleet import Fleet
from bulk_esm.runs.read_tasks import ReadTasks
from bulk_esm.runs.run import Run, sum_counts
from bulk_esm.store.run_files import RunFiles


class RunRest:
    """What a run that did not end well has left, as its shards were looked at; nothing has been changed yet.

    Attributes:
        record: the run as it stood.
        problems: why some shards could not be looked at, by name.
        total: how many mappings the run has.
        ended: how many have ended.
        failures: how many of these count against the failure budget.
        updates: how many the run's plan updates.
        perhaps_sent: how many have not, and may have been sent something: each is looked at with Get, as List lags.
    """

    def __init__(self, fleet: Fleet, files: RunFiles, doubts_about: Callable[[Shard], Doubts]) -> None:
        """Read what is on disk; see `plan_rest`."""
        self.record = files.record()
        self.problems: dict[str, Problem] = {}
        self.total = self.ended = self.failures = self.updates = self.perhaps_sent = 0
        self._fleet = fleet
        self._files = files
        self._doubts_about = doubts_about
        self._shards: FleetRecord = files.fleet()
        self._known: dict[str, dict[str, Ending]] = {}
        self._updates: Counter[str] = Counter()
        self._left_items = 0
        self.requests: Counter[str] = Counter()

    @property
    def left(self) -> int:
        """How many mappings have not ended."""
        return self.total - self.ended

    @property
    def shards_left(self) -> int:
        """In how many shards something may have to be sent."""
        return sum(count > 0 for count in self._updates.values())

    @property
    def to_send(self) -> int:
        """For how many mappings an update is still to be sent, as far as it was looked."""
        return self._updates.total() - sum(map(len, self._known.values()))

    def count(self, outcome: Outcome) -> int:
        """How many of those that are left were found to have ended so."""
        return sum(end.outcome is outcome for known in self._known.values() for end in known.values())

    def task_of(self, shard: Shard) -> LookAgain:
        """What is to be looked at in a shard, read from disk."""
        _, left, sent = self._left(shard)
        others = frozenset(item.uuid for item in left.updates) - sent
        return LookAgain(left.updates, sent=sent, doubts=self._doubts_about(shard).among(others))

    def _left(self, shard: Shard) -> tuple[Plan, Left, frozenset[str]]:
        """The plan, what is left of it, and to which of that something may have been sent."""
        files = self._files.shard(shard)
        plan, begun = files.plan(), files.begun()
        results = {result.uuid: result for result in files.results()}
        left = left_of(plan.items, results.values())
        sent = (item.uuid for item in left.updates if perhaps_sent(item, results.get(item.uuid), begun))
        return plan, left, frozenset(sent)

    def read(self) -> list[Shard]:
        """Count what is left.

        Returns:
            The shards in which there is something to look at.
        """
        shards = []
        for shard in self._files.planned():
            plan, left, sent = self._left(shard)
            self.updates += len(plan.updates)
            self.total += len(left.items) + len(left.kept)
            self.ended += len(left.kept)
            self.failures += sum(result.outcome in TROUBLE for result in left.kept)
            self._updates[shard.name] = len(left.updates)
            self.perhaps_sent += len(sent)
            if left.updates:
                shards.append(shard)
        return shards

    def take(self, shard: Shard, end: ShardEnd) -> None:
        """Take note of what was found in a shard."""
        self.requests.update(end.requests)
        if end.problem is not None:
            self.problems[shard.name] = end.problem
        else:
            self._known[shard.name] = dict(end.known)

    def rollout(self, most_failures: int | None) -> RolloutSettings:
        """How the run goes on.

        Args:
            most_failures: see `begin`.

        Raises:
            RefusedError: more have failed already.
        """
        rollout = self.record.rollout
        if most_failures is not None:
            rollout = msgspec.structs.replace(rollout, most_failures=most_failures)
        if self.left and is_exceeded(rollout.most_failures, self.failures):
            raise RefusedError(
                f"{self.failures:,} mappings of this run have failed, and at most {rollout.most_failures:,} may: "
                "allow more for all of it with --max-failures, or plan the rest anew"
            )
        return rollout

    def begin(self, *, deadline: datetime | None = None, most_failures: int | None = None) -> Run:
        """Open the run again: what has no final result loses the one that it has, so that each has one at its end.

        Args:
            deadline: when all should have ended now.
            most_failures: how many mappings may fail in all of the run; as many as it said if left out.

        Raises:
            RefusedError: more have failed already.
        """
        rollout = self.rollout(most_failures)
        ended: dict[str, dict[str, Outcome]] = {}
        for shard in self._files.planned():
            files = self._files.shard(shard)
            kept = left_of(files.plan().items, files.results()).kept
            files.keep_results(kept)
            ended[shard.name] = {result.uuid: result.outcome for result in kept}
        record = msgspec.structs.replace(
            self.record,
            status=RunStatus.RUNNING,
            rollout=rollout,
            reason=None,
            ended_at=None,
            continued_at=iso(self._fleet.clock.now()),
            requests=sum_counts(self.record.requests, self.requests),
        )
        self._files.write_record(record)
        return Run(
            self._fleet,
            self._files,
            shards=self._shards,
            known=self._known,
            ended=ended,
            unseen=frozenset(self.problems),
            deadline=deadline,
        )


async def plan_rest(
    fleet: Fleet,
    files: RunFiles,
    *,
    doubts_about: Callable[[Shard], Doubts] = lambda _: NO_DOUBTS,
    waiting: Callable[[str, int], None] = nobody,
    looking: Callable[[int], None] = nobody,
) -> RunRest:
    """Look at what a run that did not end well has left; changes nothing, on disk or in Lambda.

    Args:
        fleet: who does the work.
        files: the run's.
        doubts_about: tells about which mappings of a shard List is not believed, as other runs changed them of late.
        waiting: called with a shard's name and its number of mappings in transition, before they are waited for.
        looking: called with the number of mappings that are looked at with Get, before they are.

    Raises:
        RunFolderError: a file cannot be read.
        BulkEsmError: what kept the only shard from being looked at.
    """
    rest = RunRest(fleet, files, doubts_about)
    shards = rest.read()
    if rest.perhaps_sent:
        looking(rest.perhaps_sent)
    await ReadTasks(fleet.among(shards), rest.task_of, rest.take, waiting=waiting).run()
    if len(shards) == 1 and rest.problems:
        raise _error(rest.problems)
    return rest


def _error(problems: dict[str, Problem]) -> BulkEsmError:
    (problem,) = problems.values()
    return problem.error()


def put_back_since(record: RunRecord, others: list[RunRecord]) -> RunRecord | None:
    """The run that has put a run back since, so that to continue it would undo that; None if none has.

    Args:
        record: the run.
        others: the records of the runs beside it.
    """
    for other in others:
        since = other.started_at >= (record.continued_at or record.started_at)
        if other.undoes == record.run_id and since and other.counts.get(Outcome.UPDATED):
            return other
    return None
