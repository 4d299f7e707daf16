"""Makes a report from a run's files, which are read line by line: memory does not grow with the run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from bulk_esm._version import __version__
from bulk_esm.clock import iso
from bulk_esm.errors import RunFolderError
from bulk_esm.model.records import RunRecord, RunStatus, ShardEntry
from bulk_esm.model.result import Outcome
from bulk_esm.model.shard import Shard
from bulk_esm.report.commands import cause_commands, run_commands
from bulk_esm.report.happenings import Log
from bulk_esm.report.plan_facts import row_of
from bulk_esm.report.plan_tally import PlanLine, PlanTally
from bulk_esm.report.records import Cause, Report, ShardRow
from bulk_esm.report.run_facts import rate_of, related_of, run_facts_of
from bulk_esm.report.tally import Grouped, Tally, in_order
from bulk_esm.report.timeline import began_of, timeline_of
from bulk_esm.report.words import change_text, iso_of
from bulk_esm.store.run_files import RunFiles

_NO_RESULT: Final = "none"
_MOST_CAUSES: Final = 50
_PUTS_BACK: Final = "rollback"


def report_of(
    files: RunFiles, *, made_at: datetime, named: str | None = None, followed_by: Iterable[RunRecord] = ()
) -> Report:
    """Make the report of a run.

    Args:
        files: the run's, of whatever version of this package.
        made_at: the time of day.
        named: what names the run in a command to paste; its id if left out.
        followed_by: later runs that put it back, or resumed it.

    Raises:
        RunFolderError: a file is missing or damaged.
    """
    return _Making(files, named or files.path.name, tuple(followed_by)).report(made_at)


class _Making:
    """One report, as it is made."""

    def __init__(self, files: RunFiles, named: str, followed_by: tuple[RunRecord, ...]) -> None:
        self._files = files
        self._named = named
        self._followed_by = followed_by
        self._record = files.record()
        self._tally, self._plan, self._log = Tally(), PlanTally(), Log()
        self._rates: dict[str, float] = {}
        self._notes: list[str] = []
        self._rate = rate_of(self._record)

    def report(self, made_at: datetime) -> Report:
        """Read all, and sum up."""
        record = self._record
        shards = tuple(self._read_shards())
        self._log.read(self._files.log_lines())
        self._note_what_is_missing()
        counts = in_order(self._tally.counts)
        ended = {outcome: count for outcome, count in counts.items() if outcome != _NO_RESULT}
        updated = counts.get(Outcome.UPDATED, 0)  # of which a rollback of single shards puts back a part
        back = [
            one for one in self._followed_by if one.command == _PUTS_BACK and sum(one.counts.values()) >= updated > 0
        ]
        causes = tuple(self._causes())
        return Report(
            version=__version__,
            made_at=iso(made_at) or "",
            title=record.run_id,
            run=run_facts_of(record, folder=self._files.shown, counts=counts, is_dead=self._is_dead),
            planned=self._plan.planned,
            waves=tuple(self._tally.waves(began_of(self._log))),
            gates=self._log.gates,
            timeline=timeline_of(record, self._tally, self._log, self._rates, self._rate),
            causes=causes[:_MOST_CAUSES],
            more_causes=max(0, len(causes) - _MOST_CAUSES),
            slowest=self._tally.slowest,
            settling=tuple(self._tally.settling()),
            shards=shards if self._files.has_shards else (),
            mappings=self._tally.rows,
            left_out=self._tally.left_out,
            functions=self._tally.functions if self._tally.left_out else (),
            commands=tuple(run_commands(record, self._named, ended, put_back_by=back[-1].run_id if back else None)),
            followed_by=tuple(map(related_of, self._followed_by)),
            notes=(*self._files.damages, *self._notes),
        )

    def _read_shards(self) -> Iterator[ShardRow]:
        for entry in self._entries():
            name = _name_of(entry.shard)
            if (rate := entry.shard.max_per_second or self._rate) is not None:
                self._rates[name] = rate
            if entry.problem is not None:
                yield ShardRow(
                    name=name,
                    status=RunStatus.UNREACHABLE,
                    reason=entry.problem.reason,
                    items=0,
                    updates=0,
                    counts={},
                    requests={},
                )
                continue
            yield self._read_shard(entry, name)

    def _entries(self) -> Iterable[ShardEntry]:
        if self._files.has_shards:
            return self._files.fleet().shards
        return (ShardEntry(shard=Shard(account_id=self._record.account_id, region=self._record.region)),)

    def _read_shard(self, entry: ShardEntry, name: str) -> ShardRow:
        files = self._files.shard(entry.shard)
        # The shard's own is what the run's tally has more of than before.
        before, from_accepted, from_settled = (
            self._tally.counts.copy(),
            len(self._tally.accepted),
            len(self._tally.settled),
        )
        ended = set[str]()
        for result in files.results():
            ended.add(result.uuid)
            self._tally.add(result, name)
        items = updates = 0
        for line in files.plan_as(PlanLine):
            items += 1
            updates += line.action == "update"
            self._plan.add(line)
            if line.uuid not in ended:
                self._tally.add_without_result(row_of(line, name, _NO_RESULT))
                continue
            for row in self._tally.find(line.uuid):
                row.change = change_text(line.diff) or row.change
        record = self._record_of(entry)
        accepted, settled = self._tally.accepted[from_accepted:], self._tally.settled[from_settled:]
        return ShardRow(
            name=name,
            status=record.status if record else "-",
            reason=record.reason if record and record.reason != self._record.reason else None,
            items=items,
            updates=updates,
            counts=in_order(self._tally.counts - before),
            requests=record.requests if record else {},
            accepted_at=iso_of(min(accepted, default=None)),
            settled_at=iso_of(max(settled, default=None)),
        )

    def _record_of(self, entry: ShardEntry) -> RunRecord | None:
        if not self._files.has_shards:
            return self._record
        try:
            return self._files.shard(entry.shard).record()
        except RunFolderError as error:
            self._notes.append(str(error))
            return None

    def _causes(self) -> Iterator[Cause]:
        for (outcome, code, message), group in sorted(self._tally.causes.items(), key=_weight):
            yield Cause(
                outcome=outcome,
                code=code,
                message=message,
                count=group.count,
                examples=tuple(group.examples),
                shards=len(group.shards),
                commands=tuple(cause_commands(self._record, self._named, outcome, code)),
            )

    @property
    def _is_dead(self) -> bool:
        return self._record.status is RunStatus.RUNNING and self._files.at_work() is False

    def _note_what_is_missing(self) -> None:
        if not self._log.happenings:
            self._notes.append("the run has no log, so waves and gates are told from its results alone")
        if self._log.unreadable:
            self._notes.append(f"{self._log.unreadable:,} lines of its log cannot be read, and are left out")
        if self._rate is None:
            self._notes.append("an older version made this run, which did not record its rate")
        if without := self._tally.counts[_NO_RESULT]:
            self._notes.append(f"{without:,} mappings have no result, so what became of them is not known")


def _weight(one: tuple[tuple[str, str, str], Grouped]) -> tuple[bool, int, str]:
    """What a run met comes before what its plan left out, and of each what was met most."""
    (outcome, _, message), group = one
    return outcome == Outcome.BLOCKED, -group.count, message


def _name_of(shard: Shard) -> str:
    return f"{shard.account_id or 'home'} {shard.region}"
