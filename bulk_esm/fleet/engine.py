"""Carries out one wave of a fleet after another: hands shares of shards to a crew, and records what comes back."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from bulk_esm.engine.budget import Budget
from bulk_esm.engine.endings import Ending
from bulk_esm.engine.settings import EngineStatistics
from bulk_esm.engine.stopping import Stop
from bulk_esm.errors import BulkEsmError
from bulk_esm.fleet.crew import Crew
from bulk_esm.fleet.gathering import MOST_LOSSES
from bulk_esm.fleet.opened import OpenShare
from bulk_esm.fleet.recording import Recording
from bulk_esm.fleet.standing import ShardStanding
from bulk_esm.fleet.steps import Share
from bulk_esm.fleet.tasks import Assignment, CarryOut, Event, Reach, Resulted, ShardEnd
from bulk_esm.logs import get_logger
from bulk_esm.model.result import ErrorRecord, Outcome, Result
from bulk_esm.model.shard import Problem
from bulk_esm.runs.fleet_folder import FleetFolder, FleetRecord
from bulk_esm.runs.record import RunRecord, RunStatus

log: Final = get_logger("fleet")


class FleetEngine:
    """Turns the shares of a wave into results, one for each of their mappings, whatever happens. It is the crew's desk.

    Attributes:
        stopped_by: why nothing more is sent, or None.
        standings: how each shard stands, by name.
    """

    def __init__(
        self,
        crew: Crew,
        folder: FleetFolder,
        fleet: FleetRecord,
        record: RunRecord,
        *,
        reach: Reach,
        known: Mapping[str, Mapping[str, Ending]],
        deadline: str | None = None,
    ) -> None:
        """Prepare one run.

        Args:
            crew: who does the work.
            folder: where plans and results are.
            fleet: the shards.
            record: the run.
            reach: how the shards are reached.
            known: how items end to which nothing is sent, by shard and UUID.
            deadline: when all should have ended, ISO 8601 in UTC, or None.
        """
        self.stopped_by: Stop | None = None
        self.standings = {entry.shard.name: ShardStanding(entry) for entry in fleet.shards}
        self._crew = crew
        self._fleet = fleet
        self._run = record
        self._reach = reach
        self._recording = Recording(
            folder, record, self.standings, known, cannot=lambda why: self.stop(Stop(RunStatus.HALTED, why))
        )
        self._deadline = deadline
        self._budget = Budget(record.rollout.most_failures)
        self._as_given = False
        self._late: Stop | None = None
        self._todo: deque[Share] = deque()
        self._again: deque[OpenShare] = deque()
        self._open: dict[str, OpenShare] = {}
        crew.begin(self._budget)

    @property
    def requests(self) -> Counter[str]:
        """Requests by kind, and how many of them were throttled or failed."""
        return sum((standing.requests for standing in self.standings.values()), Counter[str]())

    @property
    def cut_short(self) -> int:
        """How many updates that were accepted, or may have been, were not waited for to the end."""
        return sum(standing.cut_short for standing in self.standings.values())

    def statistics(self) -> EngineStatistics:
        """How the run stands, over all shards."""
        standings = self.standings.values()
        outcomes: Counter[Outcome] = Counter()
        for standing in standings:
            outcomes.update(standing.outcomes)
        return EngineStatistics(
            total=sum(standing.updates for standing in standings),
            sending=sum(standing.sending for standing in standings),
            settling=sum(standing.settling for standing in standings),
            outcomes=dict(outcomes),
        )

    def stop(self, stop: Stop, *, hurry: bool = False) -> None:
        """Send nothing more, in any shard: what was accepted is still waited for, and the rest is `not_started`.

        Args:
            stop: why; the first reason stays.
            hurry: whether to look at once at all that was accepted.
        """
        if self.stopped_by is None:
            log.info("stopped", status=stop.status, reason=stop.reason)
        self.stopped_by = self.stopped_by or stop
        self._crew.stop(stop, hurry=hurry)

    def end_unsent(self, record: Callable[[Result], None]) -> None:
        """End the mappings to which the plans send nothing.

        Args:
            record: called with each result, once it is on disk.
        """
        self._recording.on_result = record
        for standing in self.standings.values():
            if standing.items != standing.updates:
                self._recording.end_unsent(standing.name)

    async def run(
        self, items: Iterable[Share], record: Callable[[Result], None], *, wave: int = 1, as_given: bool = False
    ) -> None:
        """Carry out a wave.

        Args:
            items: the shares.
            record: called with each result, once it is on disk.
            wave: its number.
            as_given: whether the mappings of a shard keep their order; else those that settle slowest go first.
        """
        self._recording.on_result, self._recording.wave = record, wave
        self._as_given = as_given
        self._todo.extend(items)
        why = "the run ended before this one did"
        try:
            await self._crew.do(self)
        except BulkEsmError as error:  # there is nobody left to work
            why = str(error)
            self.stop(Stop(RunStatus.HALTED, why))
        finally:
            for share in [*self._open.values(), *self._again]:
                self.standings[share.name].lose()
                self.standings[share.name].cut_short += len(share.left)
                self._recording.give_up(share, Ending(Outcome.TIMED_OUT, _not_known(why)))
            self._open.clear()
            self._again.clear()
            self.leave(self._todo, record, wave=wave)
            self._todo.clear()
            self.stopped_by = self.stopped_by or self._late

    def leave(self, items: Iterable[Share], record: Callable[[Result], None], *, wave: int) -> None:
        """End the mappings of shares to which nothing was sent, as nothing more is."""
        self._recording.on_result, self._recording.wave = record, wave
        for share in items:
            if (opened := self._recording.open(share)) is not None:
                self._recording.give_up(opened, Ending(Outcome.NOT_STARTED))

    def next(self) -> Assignment | None:
        """Hand out the next share; see `Desk`."""
        if self.stopped_by is not None:
            return None
        share = self._next_share()
        if share is None:
            return None
        name = share.name
        standing = self.standings[name]
        standing.at_work = True
        self._open[name] = share
        return Assignment(
            shard=standing.shard,
            reach=self._reach,
            task=CarryOut(
                run_id=self._run.run_id,
                items=tuple(share.left.values()),
                wave=self._recording.wave,
                as_given=self._as_given,
                known=self._recording.known(share),
                looks_first=self._run.continued_at is not None or share.losses > 0,
                most_failures=None if self._budget.most is None else max(0, self._budget.most - self._budget.failures),
                deadline=self._deadline,
                ramp_s=self._run.rollout.ramp_s * share.part,
                seen=standing.seen,
            ),
        )

    def heard(self, event: Event) -> None:
        """Record a result; see `Desk`. One that repeats another, as a lost worker's did arrive, is dropped.

        Raises:
            RecordingError: it cannot be written, so that the engine in that shard sends nothing more either.
        """
        if not isinstance(event, Resulted):
            self.standings[event.shard].stands = event
            return
        share = self._open.get(event.shard)
        if share is None or event.result.uuid not in share.left:
            return
        self._recording.end(share, event.result)
        self._heed_budget()

    def ended(self, end: ShardEnd) -> None:
        """Close a share; see `Desk`."""
        share = self._open.pop(end.shard, None)
        if share is None:
            return
        standing = self.standings[end.shard]
        standing.requests.update(end.requests)
        standing.cut_short += end.cut_short
        standing.rest()
        if end.problem is not None:
            self._fail(share, end.problem, Ending(Outcome.NOT_STARTED, _left_alone(end.problem.reason)))
        elif share.left:
            self._open[end.shard] = share
            self.lost(end.shard, "not all that it told has arrived")
        else:
            self._recording.close(share)
        if end.stop is not None and end.stop.status is RunStatus.HALTED:
            self.stop(end.stop)
        self._late = self._late or end.stop  # what is too late in one shard may not be so in another
        self._heed_budget()

    def lost(self, shard: str, why: str) -> None:
        """Hand a share out again; see `Desk`."""
        share = self._open.pop(shard, None)
        if share is None:
            return
        log.warning("worker_lost", shard=shard, why=why)
        self.standings[shard].lose()
        share.losses += 1
        if share.losses < MOST_LOSSES and self.stopped_by is None:
            self._again.append(share)
        else:
            what = f"its worker was lost ({why})"
            self._fail(share, Problem(reason=what), Ending(Outcome.TIMED_OUT, _not_known(what)))

    def _fail(self, share: OpenShare, problem: Problem, ending: Ending) -> None:
        self.standings[share.name].problem = problem
        self._recording.give_up(share, ending)
        failed = sum(standing.problem is not None for standing in self.standings.values())
        most = self._fleet.most_failed_shards
        if most is not None and failed > most:
            self.stop(Stop(RunStatus.HALTED, f"{failed:,} shards failed, and at most {most:,} may"))

    def _next_share(self) -> OpenShare | None:
        if self._again:
            return self._again.popleft()
        if not self._todo:
            return None
        share = self._recording.open(self._todo[0], others=sum(len(opened.left) for opened in self._open.values()))
        if share is not None:
            self._todo.popleft()
        return share

    def _heed_budget(self) -> None:
        if self._budget.is_exceeded and self.stopped_by is None:
            self.stop(Stop(RunStatus.HALTED, self._budget.reason))


def _not_known(reason: str) -> ErrorRecord:
    what = f"not known whether it was sent: {reason}; bulk-esm continue looks at it"
    return ErrorRecord(code="NotKnown", message=what)


def _left_alone(reason: str) -> ErrorRecord:
    return ErrorRecord(code="Unreachable", message=f"{reason}; bulk-esm continue looks at it again")
