"""Plan, results and record of one shard of a run. Nothing else reads or writes them.

`plan.jsonl` is the write-ahead log: on disk before the first update. Updates are idempotent, so after a crash plan and
results say what is left to look at; nothing else is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from bulk_esm.errors import RunFolderError
from bulk_esm.model.doubts import tells_of_sending
from bulk_esm.model.plan import Plan, PlanItem
from bulk_esm.model.records import FileDigest, RunRecord
from bulk_esm.model.result import Result
from bulk_esm.store.begun import BEGUN, BegunWriter, read_begun, write_begun
from bulk_esm.store.jsonl import (
    digest_of,
    raw_lines,
    read_lines,
    read_salvaged,
    read_whole,
    refuse_damaged,
    write_durably,
    writing,
)
from bulk_esm.store.result_writer import ResultWriter
from bulk_esm.store.results import refuse_strange
from bulk_esm.store.sealed import is_sealed, read_sealed, write_sealed

T = TypeVar("T")

RECORD: Final = "run.json"
PLAN: Final = "plan.jsonl"
RESULTS: Final = "results.jsonl"
OLD_RESULTS: Final = "results.old.jsonl"
LOG: Final = "log.jsonl"


class _Named(msgspec.Struct, frozen=True):
    """A line of which only the mapping matters."""

    uuid: str


class ShardFiles:
    """A folder that holds what is known of one shard of a run.

    Attributes:
        path: the folder.
        damages: what was found damaged, and passed over.
    """

    def __init__(self, path: Path, *, plan: FileDigest | None = None, salvage: bool = False) -> None:
        """Look at a folder; nothing is read yet.

        Args:
            path: the folder.
            plan: what the plan held when it was written; None if nobody knows.
            salvage: whether to work with what is whole of damaged files.
        """
        self.path = path
        self.damages: list[str] = []
        self._plan = plan
        self._salvage = salvage
        self._uuids: frozenset[str] | None = None

    def write_plan(self, plan: Plan, *, run_id: str) -> FileDigest:
        """Bring the plan to disk, and that nothing has begun."""
        with writing(self.path / PLAN):
            write_begun(self.path / BEGUN, run_id)
            return write_durably(self.path / PLAN, plan.items)

    def write_record(self, record: RunRecord) -> None:
        """Replace `run.json`."""
        with writing(self.path / RECORD):
            write_sealed(self.path / RECORD, record)

    def record(self) -> RunRecord:
        """Read `run.json`.

        Raises:
            RunFolderError: it is missing, damaged, or is no such record.
        """
        found, damage = read_sealed(self.path / RECORD)
        if damage is not None:
            if not self._salvage:
                raise RunFolderError(f"{damage}; --salvage takes it as it is")
            self._note(damage)
        return found

    @property
    def salvages(self) -> bool:
        """Whether what is whole of damaged files is worked with."""
        return self._salvage

    def check_plan(self) -> None:
        """Refuse a damaged plan, unless what is whole of it is to be salvaged.

        Raises:
            RunFolderError: it is missing or damaged.
        """
        if not self._salvage:
            refuse_damaged(self.path / PLAN, self._plan)

    def plan(self) -> Plan:
        """Read the plan.

        Raises:
            RunFolderError: it is missing or damaged, or names a mapping twice.
        """
        path = self.path / PLAN
        if not self._salvage:
            items = read_whole(path, PlanItem, self._plan)
            if len({item.uuid for item in items}) != len(items):
                raise RunFolderError(f"{path} is damaged: it names a mapping twice; --salvage takes the first of each")
            return Plan(tuple(items))
        items, bad = read_salvaged(path, PlanItem)
        plan = Plan.of_each_once(items)
        if missing := max(0, self._plan.lines - len(plan.items)) if self._plan else bad:
            self._note(f"{path}: of {missing:,} lines nothing is known, and they are left out")
        elif len(plan.items) != len(items):
            self._note(f"{path}: it names mappings twice, and the first line of each is taken")
        elif self._plan and path.exists() and digest_of(path) != self._plan:
            self._note(f"{path}: a line is not what was written, and which one cannot be told")
        return plan

    def plan_as(self, line_type: type[T]) -> Iterator[T]:
        """Read what is needed of the plan's lines, one at a time: whole plans are large.

        Args:
            line_type: what is needed of a line.

        Raises:
            RunFolderError: it is missing or damaged.
        """
        self.check_plan()
        path = self.path / PLAN
        yield from read_salvaged(path, line_type)[0] if self._salvage else read_lines(path, line_type)

    def _note(self, damage: str) -> None:
        if damage not in self.damages:
            self.damages.append(damage)

    def results(self) -> Iterator[Result]:
        """Read the results so far; a torn last line is left out. A run that was killed at its start has none.

        Raises:
            RunFolderError: they are not what was written, as far as that can be told, or a line is no result.
        """
        path = self.path / RESULTS
        if self._salvage:
            return iter(self._salvaged_results())
        if self._plan is not None:
            refuse_strange(path, self.record(), self._planned_uuids)
        return read_lines(path, Result, torn_end_is_cut=True) if path.exists() else iter(())

    def _salvaged_results(self) -> list[Result]:
        path = self.path / RESULTS
        found, bad = read_salvaged(path, Result)
        try:
            record = self.record()
        except RunFolderError as error:
            self._note(str(error))
            record = None
        once: dict[str, Result] = {}
        for result in found:
            if record is None or result.run_id == record.run_id:
                once.setdefault(result.uuid, result)
        if record is not None and record.results is not None:
            if not path.exists() or digest_of(path) != record.results:
                lines = f"{len(once):,} of {record.results.lines:,} lines are taken"
                self._note(f"{path}: it is not what was written; {lines}, and mappings without one are looked at again")
        elif bad or len(once) != len(found):
            lost = bad + len(found) - len(once)
            self._note(f"{path}: {lost:,} lines are none; those mappings are looked at again")
        return list(once.values())

    def results_digest(self) -> FileDigest | None:
        """What the results are, at the end of a run; None if they cannot be read."""
        try:
            return digest_of(self.path / RESULTS)
        except RunFolderError:
            return None

    def _planned_uuids(self) -> frozenset[str]:
        if self._uuids is None:
            # Which is checked, lest results be blamed for a line that it has lost.
            self._uuids = frozenset(line.uuid for line in self.plan_as(_Named))
        return self._uuids

    def keep_results(self, kept: Sequence[Result]) -> None:
        """Replace the results by those that stay, before a run is continued: each mapping has one line at any time.

        What goes is kept in `results.old.jsonl` as it was, damaged or not, and durable there before it goes.
        """
        with writing(self.path / RESULTS):
            stays = {result.uuid: result for result in kept}
            old = [line for line in raw_lines(self.path / RESULTS) if not _is_among(stays, line)]
            if old:
                write_durably(self.path / OLD_RESULTS, [*raw_lines(self.path / OLD_RESULTS), *old])
            record = self.record()
            if record.results is not None:
                self.write_record(msgspec.structs.replace(record, results=None))
            write_durably(self.path / RESULTS, kept)

    def keep_begun(self, uuids: AbstractSet[str]) -> None:
        """Bring to disk to which mappings something may have been sent, before the results that say so go.

        Args:
            uuids: the mappings. What is on disk already stays, if it can be read.
        """
        with writing(self.path / BEGUN):
            known = self.begun()
            if known is None or uuids - known:
                write_begun(self.path / BEGUN, self.record().run_id, sorted(uuids | (known or frozenset())))

    def open_begun(self) -> BegunWriter:
        """Open `begun.jsonl` for appending."""
        return BegunWriter(self.path / BEGUN)

    def begun(self) -> frozenset[str] | None:
        """To which mappings something may have been sent; None where that cannot be told, and so may be to all.

        An older version kept no such file; and one of its that lacks what results tell of was cut.

        Raises:
            RunFolderError: it cannot be read, or is damaged.
        """
        path = self.path / BEGUN
        try:
            found = read_begun(path, run_id=self.record().run_id if is_sealed(self.path / RECORD) else None)
        except RunFolderError as error:
            if not self._salvage:
                raise RunFolderError(f"{error}; --salvage looks at each mapping of the run") from error
            self._note(f"{error}; so each mapping of it is looked at")
            return None
        if found is None or all(result.uuid in found for result in self.results() if tells_of_sending(result)):
            return found
        self._note(f"{path}: it lacks mappings that have results; so each mapping of it is looked at")
        return None

    def last_sent_at(self) -> float:
        """When an update was last about to be sent, at the latest, in seconds since the epoch; 0 if none was."""
        return max(
            (path.stat().st_mtime for name in (BEGUN, RESULTS) if (path := self.path / name).exists()), default=0.0
        )

    def open_results(self) -> ResultWriter:
        """Open `results.jsonl` for appending; a torn last line is cut off."""
        return ResultWriter(self.path / RESULTS)


def _is_among(results: Mapping[str, Result], line: msgspec.Raw) -> bool:
    try:
        found = msgspec.json.decode(line, type=Result)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return False
    return results.get(found.uuid) == found
