"""Takes up a run that did not end well: looks in each shard at what is left, and goes on from there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import msgspec

from bulk_esm.clock import iso
from bulk_esm.engine.endings import Ending
from bulk_esm.errors import BulkEsmError, RefusedError
from bulk_esm.executors.tasks import LookAgain, ShardEnd
from bulk_esm.model.budget import is_exceeded, spares_denials
from bulk_esm.model.continuing import Left, left_of
from bulk_esm.model.denials import Denials, denied_though_none_accepted, was_accepted
from bulk_esm.model.doubts import NO_DOUBTS, Doubts, perhaps_sent, tells_of_sending
from bulk_esm.model.plan import Plan
from bulk_esm.model.records import FleetRecord, RunRecord, RunStatus
from bulk_esm.model.result import TROUBLE, Outcome, Result
from bulk_esm.model.rollout import RolloutSettings
from bulk_esm.model.shard import Problem, Shard
from bulk_esm.runs.each_shard import nobody
from bulk_esm.runs.fleet import Fleet
from bulk_esm.runs.invoking import caller, continued
from bulk_esm.runs.locking import HeldLocks, release
from bulk_esm.runs.read_tasks import ReadTasks
from bulk_esm.runs.run import Run, sum_counts
from bulk_esm.runs.taking_up import LatePlans
from bulk_esm.store.run_files import RunFiles

_NOTHING: Final[Mapping[str, str]] = {}


class RunRest:
    """What a run that did not end well has left, as its shards were looked at; nothing has been changed yet.

    Attributes:
        record: the run as it stood.
        late: the plans of shards that had none, as they could not be reached.
        problems: why some shards could not be looked at, by name.
        total: how many mappings the run has.
        ended: how many have ended.
        failures: how many of these count against the failure budget.
        updates: how many the run's plan updates.
        perhaps_sent: how many have not, and may have been sent something: each is looked at with Get, as List lags.
        doubtful: how many others another run may have changed of late, so that Get may have to tell of them too.
        lock: takes the locks that the run is to hold.
        principal_arn: who goes on with it, where that is known.
    """

    def __init__(self, fleet: Fleet, files: RunFiles, doubts_about: Callable[[Shard], Doubts]) -> None:
        """Read what is on disk; see `plan_rest`."""
        self.record = files.record()
        self.late = LatePlans(fleet, files, lambda _: NO_DOUBTS)
        self.problems: dict[str, Problem] = {}
        self.total = self.ended = self.failures = self.updates = self.perhaps_sent = self.doubtful = 0
        self.lock: Callable[[], HeldLocks] = HeldLocks
        self.principal_arn: str | None = None
        self._fleet = fleet
        self._files = files
        # The files of a run of the home shard do not say by which profile it was reached: this command line does.
        ways = {shard.name: shard for shard in fleet.shards}
        found = files.fleet()
        entries = [msgspec.structs.replace(each, shard=ways.get(each.shard.name, each.shard)) for each in found.shards]
        self._shards: FleetRecord = msgspec.structs.replace(found, shards=tuple(entries))
        self._doubts_about = doubts_about
        self._doubts: dict[str, Doubts] = {}
        self._known: dict[str, dict[str, Ending]] = {}
        self._updates: Counter[str] = Counter()
        self._history: dict[str, Denials] = {}
        self._earlier: dict[str, dict[str, Result]] = {}
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
    def accounts_left(self) -> int:
        """In how many accounts these shards are."""
        shards = (entry.shard for entry in self._shards.shards)
        return len({shard.account_id for shard in shards if self._updates[shard.name] > 0})

    @property
    def busy(self) -> list[Shard]:
        """The shards in which the run updates something, or has."""
        return [one.shard for one in self._shards.shards if one.updates or self._updates[one.shard.name]]

    @property
    def to_send(self) -> int:
        """For how many mappings an update is still to be sent, as far as it was looked."""
        return self._updates.total() - sum(map(len, self._known.values()))

    def count(self, outcome: Outcome) -> int:
        """How many of those that are left were found to have ended so."""
        return sum(end.outcome is outcome for known in self._known.values() for end in known.values())

    @property
    def accepted_sometime(self) -> int:
        """Of how many that were found applied nobody recorded when they were accepted."""
        found = (end for known in self._known.values() for end in known.values() if end.outcome is Outcome.UPDATED)
        return sum(end.seen is None or end.seen.accepted_at is None for end in found)

    def task_of(self, shard: Shard) -> LookAgain:
        """What is to be looked at in a shard, read from disk."""
        _, left, sent = self._left(shard)
        return LookAgain(left.updates, sent=sent, doubts=self._doubts.get(shard.name, NO_DOUBTS))

    def _left(self, shard: Shard) -> tuple[Plan, Left, frozenset[str]]:
        """The plan, what is left of it, and to which of that something may have been sent."""
        files = self._files.shard(shard)
        plan, begun = files.plan(), files.begun()
        results = {result.uuid: result for result in files.results()}
        left = left_of(plan.items, results.values())
        self._earlier[shard.name] = {uuid: result for uuid, result in results.items() if result.update_calls}
        self._history[shard.name] = Denials(
            updates=len(left.updates),
            denied=denied_though_none_accepted(results.values()),
            accepted=any(map(was_accepted, results.values())),
        )
        sent = (item.uuid for item in left.updates if perhaps_sent(item, results.get(item.uuid), begun))
        return plan, left, frozenset(sent)

    def read(self) -> list[Shard]:
        """Count what is left.

        Returns:
            The shards in which there is something to look at.
        """
        shards = []
        for shard in [entry.shard for entry in self._shards.shards if entry.problem is None]:
            plan, left, sent = self._left(shard)
            self.updates += len(plan.updates)
            self.total += len(left.items) + len(left.kept)
            self.ended += len(left.kept)
            self.failures += sum(result.outcome in TROUBLE for result in left.kept)
            self._updates[shard.name] = len(left.updates)
            self.perhaps_sent += len(sent)
            if left.updates:
                others = frozenset(item.uuid for item in left.updates) - sent
                doubts = self._doubts[shard.name] = self._doubts_about(shard).among(others)
                self.doubtful += len(doubts.by_get | doubts.stamps.keys())
                shards.append(shard)
        return shards

    def count_late(self, late: LatePlans) -> None:
        """Count what is planned of shards that had no plan."""
        self.late = late
        for name, plan in late.plans():
            self.updates += len(plan.updates)
            self.total += len(plan.items)
            self._updates[name] = len(plan.updates)
            self._known[name] = dict(late.ends[name].known)
            self.requests.update(late.ends[name].requests)

    def take(self, shard: Shard, end: ShardEnd) -> None:
        """Take note of what was found in a shard."""
        self.requests.update(end.requests)
        if end.problem is not None:
            self.problems[shard.name] = end.problem
        else:
            earlier = self._earlier[shard.name]
            self._known[shard.name] = {uuid: _as_recorded(one, earlier.get(uuid)) for uuid, one in end.known.items()}
            before = self._history[shard.name]
            found = any(ending.outcome is Outcome.UPDATED for ending in end.known.values())
            self._history[shard.name] = msgspec.structs.replace(
                before, updates=before.updates - len(end.known), accepted=before.accepted or found
            )

    def rollout(self, most_failures: int | None, window: str | None = None) -> RolloutSettings:
        """How the run goes on.

        Args:
            most_failures: see `begin`.
            window: see `begin`.

        Raises:
            RefusedError: more have failed already.
        """
        rollout = self.record.rollout
        if most_failures is not None:
            rollout = msgspec.structs.replace(rollout, most_failures=most_failures)
        if window is not None:
            rollout = msgspec.structs.replace(rollout, window=window)
        spared = sum(of_shard.denied for of_shard in self._history.values())
        failures = self.failures - (spared if spares_denials(rollout.most_failures) else 0)
        if self.left and is_exceeded(rollout.most_failures, failures):
            raise RefusedError(
                f"{failures:,} mappings of this run have failed, and at most {rollout.most_failures:,} may: "
                "allow more for all of it with --max-failures, or plan the rest anew"
            )
        return rollout

    def begin(
        self,
        *,
        deadline: datetime | None = None,
        most_failures: int | None = None,
        window: str | None = None,
        executor: str | None = None,
        scheduler: str | None = None,
        argv: tuple[str, ...] = (),
        configured: Mapping[str, str] = _NOTHING,
    ) -> Run:
        """Open the run again: what has no final result loses the one that it has, so that each has one at its end.

        Args:
            deadline: when all should have ended now.
            most_failures: how many mappings may fail in all of the run; as many as it said if left out.
            window: when it may work from now on; as it said if left out.
            executor: who does the work from now on, for whoever continues it again; as it said if left out.
            scheduler: its scheduler's address, if it has one.
            argv: the command line that goes on with it.
            configured: what was not typed of that.

        Raises:
            RefusedError: more have failed already, or another run is at work there.
        """
        rollout = self.rollout(most_failures, window)
        if executor is not None:
            self.record = msgspec.structs.replace(self.record, executor=executor, scheduler=scheduler)
        locks = self.lock()
        try:
            return self._begun(rollout, deadline, locks, argv, configured)
        except BaseException:
            release(locks.own)
            raise

    def _begun(
        self,
        rollout: RolloutSettings,
        deadline: datetime | None,
        locks: HeldLocks,
        argv: tuple[str, ...],
        configured: Mapping[str, str],
    ) -> Run:
        if self._files.replica is not None:
            self._files.replica.take_up()
        for lock in locks.own:
            lock.tell(str(self._files.path.absolute()))
        if self.late.ends:
            self._files.write_record(msgspec.structs.replace(self.record, plan=None))
            self._shards, digest = self.late.write()
            self.record = msgspec.structs.replace(self.record, plan=digest)
        ended: dict[str, dict[str, Outcome]] = {}
        for shard in self._files.planned():
            self._files.shard(shard).record()  # what cannot be read is refused before anything is changed
        for shard in self._files.planned():
            files = self._files.shard(shard)
            _, left, sent = self._left(shard)
            files.keep_begun(sent | {result.uuid for result in left.kept if tells_of_sending(result)})
            files.keep_results(left.kept)
            ended[shard.name] = {result.uuid: result.outcome for result in left.kept}
        now, rate = iso(self._fleet.clock.now()) or "", self._fleet.reach.max_per_second
        who = caller(self.principal_arn)
        record = msgspec.structs.replace(
            continued(self.record, who, argv=argv, configured=configured, max_per_second=rate, started_at=now),
            status=RunStatus.RUNNING,
            rollout=rollout,
            reason=None,
            puts_back=None,
            ended_at=None,
            results=None,
            continued_at=now,
            requests=sum_counts(self.record.requests, self.requests),
        )
        self._files.write_record(record)
        return Run(
            self._fleet,
            self._files,
            shards=self._shards,
            known=self._known,
            ended=ended,
            history=self._history,
            unseen=frozenset(self.problems),
            deadline=deadline,
            locks=locks,
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
        looking: called with the number of mappings that are looked at with Get, or may have to be, before they are.

    Raises:
        RunFolderError: a file cannot be read.
        BulkEsmError: what kept the only shard from being looked at.
    """
    rest = RunRest(fleet, files, doubts_about)
    shards = rest.read()
    if rest.perhaps_sent or rest.doubtful:
        looking(rest.perhaps_sent + rest.doubtful)
    await ReadTasks(fleet.among(shards), rest.task_of, rest.take, waiting=waiting).run()
    late = LatePlans(fleet, files, doubts_about)
    await late.make(waiting)
    rest.count_late(late)
    if len(shards) == 1 and rest.problems and not late.ends:
        raise _error(rest.problems)
    return rest


def _as_recorded(ending: Ending, earlier: Result | None) -> Ending:
    """An ending that a look told, with what an earlier part of the run recorded of its update."""
    if ending.seen is None or earlier is None:
        return ending
    seen = msgspec.structs.replace(ending.seen, accepted_at=earlier.accepted_at, update_calls=earlier.update_calls)
    return msgspec.structs.replace(ending, seen=seen)


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
        if record.run_id in other.undone and since and other.counts.get(Outcome.UPDATED):
            return other
    return None
