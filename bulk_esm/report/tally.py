"""Counts of what became of mappings, in one pass over their results: pure, and small however many there are."""

from __future__ import annotations

import heapq
import itertools
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from bulk_esm.model.result import TROUBLE, ErrorRecord, Outcome, Result
from bulk_esm.report.records import FunctionRow, Row, Settling, Wave
from bulk_esm.report.words import seconds_of, tail_of

MOST_ROWS: Final = 5_000
MOST_FUNCTIONS: Final = 500
_SLOWEST: Final = 10
_EXAMPLES: Final = 3
_MOST_CAUSES: Final = 10_000  # that are told apart: each may have a message of its own
_EXPLAINED: Final = TROUBLE | {Outcome.BLOCKED}


_ORDER: Final = {str(outcome): number for number, outcome in enumerate(Outcome)}


def in_order(counts: Mapping[str, int]) -> dict[str, int]:
    """Counts by outcome, in the order of `Outcome`."""
    return {
        name: counts[name] for name in sorted(counts, key=lambda name: _ORDER.get(name, len(_ORDER))) if counts[name]
    }


class Grouped:
    """Mappings that did not go well for the same reason."""

    def __init__(self) -> None:
        self.count = 0
        self.examples: list[tuple[str, str]] = []
        self.shards: set[str] = set()


class _OfWave:
    """A wave of which results tell."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.first = self.last = ""


class Tally:
    """What results come to.

    Attributes:
        counts: by outcome.
        accepted: when updates were accepted, in seconds since the epoch, in no order.
        settled: likewise, of those that settled.
        sent: how many updates were accepted, by wave and shard.
        causes: what did not go well, by outcome, code and message.
        rows: the mappings that are shown each, by UUID: of many those that did not go well first.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.accepted, self.settled = array("d"), array("d")
        self.sent: Counter[tuple[int, str]] = Counter()
        self.causes: dict[tuple[str, str, str], Grouped] = {}
        self._waves: dict[int, _OfWave] = {}
        self._took: dict[str, array[float]] = {}
        self._functions: dict[tuple[str, str], Counter[str]] = {}
        self._slowest: list[tuple[float, int, Row]] = []
        self._order = itertools.count()
        self._rows: tuple[dict[str, Row], ...] = ({}, {}, {})  # in the order in which they are shown

    def add(self, result: Result, shard: str) -> None:
        """Count a result.

        Args:
            result: of a mapping.
            shard: its account and Region.
        """
        self.counts[result.outcome] += 1
        self._count_times(result, shard)
        self._functions.setdefault((tail_of(result.function_arn), shard), Counter())[result.outcome] += 1
        if result.outcome in _EXPLAINED and result.error is not None:
            self._count_cause(result, result.error, shard)
        is_slow = bool(result.duration_s) and result.update_calls > 0
        is_kept = len(self._kept(result.outcome)) < MOST_ROWS
        if not is_slow and not is_kept:
            return
        row = _row(result, shard)
        if is_kept:
            self._kept(result.outcome)[result.uuid] = row
        if is_slow:
            heapq.heappush(self._slowest, (result.duration_s or 0.0, next(self._order), row))
            if len(self._slowest) > _SLOWEST:
                heapq.heappop(self._slowest)

    def add_without_result(self, row: Row) -> None:
        """Count a mapping of the plan that has no result."""
        self.counts[row.outcome] += 1
        self._functions.setdefault((row.function, row.shard), Counter())[row.outcome] += 1
        if len(self._rows[1]) < MOST_ROWS:
            self._rows[1][row.uuid] = row

    def find(self, uuid: str) -> Iterator[Row]:
        """The rows of a mapping, to be completed: one that is shown may be one of the slowest, too."""
        row = next((rows[uuid] for rows in self._rows if uuid in rows), None)
        if row is not None:
            yield row
        yield from (slow for _, _, slow in self._slowest if slow.uuid == uuid and slow is not row)

    @property
    def rows(self) -> tuple[Row, ...]:
        """See above."""
        every = itertools.chain.from_iterable(rows.values() for rows in self._rows)
        return tuple(itertools.islice(every, MOST_ROWS))

    @property
    def left_out(self) -> dict[str, int]:
        """How many mappings are not among the rows, by outcome."""
        return in_order(self.counts - Counter(row.outcome for row in self.rows))

    @property
    def slowest(self) -> tuple[Row, ...]:
        """The mappings that took longest, the slowest first."""
        return tuple(row for _, _, row in sorted(self._slowest, key=lambda slow: -slow[0]))

    @property
    def functions(self) -> tuple[FunctionRow, ...]:
        """What became of the mappings of each function, those with most trouble first, then the largest."""
        first = heapq.nsmallest(MOST_FUNCTIONS, self._functions.items(), key=lambda one: (*_weight(one[1]), one[0]))
        return tuple(FunctionRow(function=name, shard=shard, counts=in_order(of)) for (name, shard), of in first)

    def settling(self) -> Iterator[Settling]:
        """How long updates took to settle, by source type."""
        for source_type, took in sorted(self._took.items()):
            ordered = sorted(took)
            yield Settling(
                source_type=source_type,
                count=len(ordered),
                median_s=_at(ordered, 0.5),
                p90_s=_at(ordered, 0.9),
                longest_s=ordered[-1],
            )

    def waves(self, began_at: Mapping[int, str]) -> Iterator[Wave]:
        """The waves.

        Args:
            began_at: when each began, as far as the log tells.
        """
        for number, of in sorted(self._waves.items()):
            yield Wave(
                number=number,
                counts=in_order(of.counts),
                began_at=began_at.get(number) or of.first or None,
                settled_at=of.last or None,
            )

    def _kept(self, outcome: Outcome) -> dict[str, Row]:
        if outcome in TROUBLE:
            return self._rows[0]
        return self._rows[1] if outcome in {Outcome.BLOCKED, Outcome.NOT_STARTED} else self._rows[2]

    def _count_times(self, result: Result, shard: str) -> None:
        wave = self._waves.setdefault(result.wave, _OfWave())
        wave.counts[result.outcome] += 1
        accepted, settled = seconds_of(result.accepted_at), seconds_of(result.settled_at)
        if accepted is None:
            return
        self.accepted.append(accepted)
        self.sent[result.wave, shard] += 1
        at = result.accepted_at or ""
        wave.first = min(wave.first or at, at)
        if settled is not None:
            self.settled.append(settled)
            wave.last = max(wave.last, result.settled_at or "")
            self._took.setdefault(result.source_type, array("d")).append(max(0.0, settled - accepted))

    def _count_cause(self, result: Result, error: ErrorRecord, shard: str) -> None:
        general = error.message.replace(result.uuid, "UUID")
        if error.request_id:
            general = general.replace(error.request_id, "...")
        if result.account_id and result.account_id in shard:
            general = general.replace(result.account_id, "ACCOUNT")
        name = (str(result.outcome), error.code, general)
        if name not in self.causes and len(self.causes) >= _MOST_CAUSES:
            name = (str(result.outcome), error.code, "...")
        group = self.causes.setdefault(name, Grouped())
        group.count += 1
        group.shards.add(shard)
        if len(group.examples) < _EXAMPLES:
            group.examples.append((result.uuid, tail_of(result.function_arn)))


def _row(result: Result, shard: str) -> Row:
    error = result.error
    return Row(
        uuid=result.uuid,
        function=tail_of(result.function_arn),
        source=tail_of(result.event_source_arn),
        source_type=result.source_type,
        shard=shard,
        outcome=result.outcome,
        wave=result.wave,
        state=result.state or "",
        error=_error_text(error) if error else "",
        request_id=error.request_id if error else None,
        accepted_at=result.accepted_at,
        settled_at=result.settled_at,
        ended_at=result.ended_at,
        duration_s=result.duration_s,
        update_calls=result.update_calls,
    )


def _error_text(error: ErrorRecord) -> str:
    return error.message if error.code == "Blocked" else f"{error.code}: {error.message}"


def _weight(counts: Mapping[str, int]) -> tuple[int, int]:
    return -sum(counts.get(outcome, 0) for outcome in TROUBLE), -sum(counts.values())


def _at(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
