"""A gate that reads CloudWatch's metrics of what the run changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from statistics import median
from typing import Any, Final

import msgspec

from bulk_esm.clock import Clock
from bulk_esm.errors import BulkEsmError
from bulk_esm.gates.gate import WaveEnd
from bulk_esm.gates.metric_source import MetricSource
from bulk_esm.logs import get_logger
from bulk_esm.model.comparing import Comparison, Points, compare
from bulk_esm.model.exposure import MINUTE_S, Exposure, Sides, drawn
from bulk_esm.model.gating import GateAnswer, Inconclusive
from bulk_esm.model.harm import reason_of
from bulk_esm.model.measures import DELAY_S, Measure, MetricQuery, Place
from bulk_esm.model.pooling import has_points, overall, pooled
from bulk_esm.model.spending import allowed
from bulk_esm.model.watching import MOST_SIDE, VALUE_POINTS, Watch, longest_period

log: Final = get_logger("gates")

LOOKS_EVERY_S: Final = 60.0  # Lambda sends its metrics each minute: to ask more often costs money, and tells no more
MOST_MINUTES: Final = 60  # before the run, and of what was after a change: the newest
_HOLDS: Final = frozenset({"between", "bake"})


class WatchSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a gate must know of the run that it watches.

    Attributes:
        began_at: when the run began: before that nothing was changed.
        attempt: the how manieth command carries the run out, from 1.
    """

    began_at: datetime
    attempt: int = 1


class MetricGate:
    """Halts when what was changed does worse than it may, or than what was not changed yet.

    It reads once a minute, however often it is asked. Between waves and in the bake it is inconclusive until it has
    seen enough of all that was changed.
    """

    def __init__(
        self,
        watches: Sequence[Watch],
        source: MetricSource,
        exposure_of: Callable[[Watch], Exposure],
        settings: WatchSettings,
        *,
        tell: Callable[[str], None],
        expressions: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Watch a run.

        Args:
            watches: what is watched.
            source: where it is read.
            exposure_of: who is changed by the run, for each.
            settings: what else there is to know of it.
            tell: told what the user should know.
            expressions: MetricDataQueries of the files that watches name.
            clock: the time.
        """
        self._watches = watches
        self._source = source
        self._exposure_of = exposure_of
        self._settings = settings
        self._tell = tell
        self._expressions = expressions or {}
        self._clock = clock or Clock()
        self._began = int(settings.began_at.timestamp() // MINUTE_S)
        self._comparing = sum(watch.compares for watch in watches)
        self._looks: Counter[tuple[str, int, bool]] = Counter()
        self._before: dict[str, Mapping[MetricQuery, Points]] = {}
        self._limits: dict[Place, float] = {}
        self._found: list[GateAnswer] = []
        self._looked_at = float("-inf")
        self._until = 0  # the first minute of which not all may be there yet

    @property
    def name(self) -> str:
        """What it is called where it is told of."""
        return f"watch {', '.join(watch.text for watch in self._watches)}"

    async def check(self, end: WaveEnd | None) -> GateAnswer:
        """Look, if the last look was a minute ago; see the class."""
        if end is None:
            self._until = self._known_until()
            return _worst([await self._tried(watch, self._first_look) for watch in self._watches])
        if self._clock.monotonic() - self._looked_at >= LOOKS_EVERY_S:
            self._looked_at, self._until = self._clock.monotonic(), self._known_until()
            self._found = [await self._tried(watch, lambda one: self._look(one, end)) for watch in self._watches]
        found = zip(self._watches, self._found, strict=True)
        return _worst([self._as_seen(watch, answer, end) for watch, answer in found])

    def _known_until(self) -> int:
        return int((self._clock.now().timestamp() - DELAY_S) // MINUTE_S)

    def _as_seen(self, watch: Watch, answer: GateAnswer, end: WaveEnd) -> GateAnswer:
        """The answer of the last look, unless some of what was changed is still to be seen."""
        if isinstance(answer, str) or end.stage not in _HOLDS:
            return answer
        newest = self._exposure_of(watch).sides(end.wave).newest
        if newest is None or newest <= self._until - watch.least_points:
            return answer
        known_at = (newest + watch.least_points) * MINUTE_S + DELAY_S
        left_s = LOOKS_EVERY_S - (self._clock.monotonic() - self._looked_at)
        needs_s = max(known_at - self._clock.now().timestamp(), left_s, 0.001)
        return Inconclusive(f"--watch {watch.text}: {watch.least_points} minutes after the change", needs_s=needs_s)

    async def _tried(self, watch: Watch, look: Callable[[Watch], Any]) -> GateAnswer:
        try:
            answer: GateAnswer = await look(watch)
        except BulkEsmError as error:
            return Inconclusive(f"--watch {watch.text}: its metrics cannot be read: {error}")
        return answer

    async def _first_look(self, watch: Watch) -> GateAnswer:
        """Before there is a run: whether it can be read, and what must hold does hold."""
        exposure = self._exposure_of(watch)
        if watch.measure is not None and not exposure.standings:
            return f"--watch {watch.text}: none of the mappings that would be updated has this to be watched by"
        if not watch.compares:
            answer = await self._against_value(watch, list(exposure.standings))
            if isinstance(answer, Inconclusive):  # as of what is to be resumed
                self._tell(f"note: {answer.reason}, so nobody can tell whether it holds at present")
                return None
            return answer
        places = {standing.place: key for key, standing in exposure.standings.items()}
        queries = [exposure.measure.queries(key, place)[0] for place, key in places.items()]
        await self._source.read(queries, since=self._until - 1, until=self._until)
        return None

    async def _look(self, watch: Watch, end: WaveEnd) -> GateAnswer:
        exposure = self._exposure_of(watch)
        sides = exposure.sides(end.wave)
        is_before = end.stage == "before" and sides.newest is None
        if watch.is_of_all or (is_before and not watch.compares):
            answer = await self._against_value(watch, list(exposure.standings))
            return None if is_before and isinstance(answer, Inconclusive) else answer
        cohort = sides.changed_by(self._until - watch.least_points)
        if not cohort:
            return None
        if not watch.compares:
            return await self._against_value(watch, list(cohort))
        return await self._compared(watch, exposure, sides, cohort, end)

    async def _against_value(self, watch: Watch, keys: Sequence[str]) -> GateAnswer:
        until, silent = self._until, 0
        since = until - VALUE_POINTS
        if watch.measure is None:
            queries = self._expressions[watch.file or ""]
            since = min(since, until - 2 * longest_period(queries))  # one of them is whole
            values = await self._source.expression(queries, since=since, until=until)
            found = median(values) if values else None
        else:
            exposure = self._exposure_of(watch)
            asked = self._queries(exposure, drawn(keys, MOST_SIDE))
            told = await self._read(asked.values(), since=since, until=until)
            silent = sum(not has_points(watch.measure, queries, told) for queries in asked.values())
            scales = {key: await self._scale(watch.measure, exposure.standings[key].place) for key in asked}
            found = overall(watch.measure, asked, told, scales)
        log.info("watch_looked", watch=watch.text, found=found, of=len(keys), without_traffic=silent)
        if found is None:
            return Inconclusive(f"--watch {watch.text}: there are no points of the last {until - since} minutes")
        if watch.holds(found):
            return None
        of = "" if watch.measure is None else f" of {len(keys):,} {watch.measure.named(len(keys))}"
        without = f"; {silent:,} without traffic" if silent else ""
        return f"--watch {watch.text}: it is {watch.shown(found)}{of}, over {until - since} minutes{without}"

    async def _scale(self, measure: Measure, place: Place) -> float:
        return 1 / await self._limit(place) if measure.of == "account" else measure.scale

    async def _limit(self, place: Place) -> float:
        if place not in self._limits:
            self._limits[place] = await self._source.limit(place)
        return self._limits[place]

    async def _compared(
        self, watch: Watch, exposure: Exposure, sides: Sides, cohort: Mapping[str, int], end: WaveEnd
    ) -> GateAnswer:
        measure, until = exposure.measure, self._until
        changed = self._queries(exposure, drawn(cohort, MOST_SIDE))
        control = self._queries(exposure, drawn(sides.control, MOST_SIDE))
        since = max(*(cohort[key] for key in changed), until - MOST_MINUTES)
        after = await self._read((*changed.values(), *control.values()), since=since, until=until)
        before = await self._read_before(watch, (*changed.values(), *control.values()))
        lively, unlively = (
            {key: asked for key, asked in side.items() if has_points(measure, asked, after, before)}
            for side in (changed, control)
        )
        named = measure.named(len(changed))
        if not lively:
            return Inconclusive(
                f"--watch {watch.text}: none of {len(changed):,} changed {named} has points before the run and since"
            )
        spans = range(since, until), range(self._began - MOST_MINUTES, self._began)
        points = [
            pooled(measure, side, told, minutes) if side else None
            for side in (lively, unlively)
            for told, minutes in zip((after, before), spans, strict=True)
        ]
        since_then, once = points[0] or {}, points[1] or {}
        found = compare(since_then, once, points[2], points[3])
        if found is None:
            minutes = f"{len(since_then)} since and {len(once)} before the run"
            return Inconclusive(f"--watch {watch.text}: too few minutes have points: {minutes}")
        left_out = {
            **sides.left_out,
            "without traffic": len(changed) - len(lively),
            "not changed yet and without traffic": len(control) - len(unlively),
        }
        return self._judged(
            watch,
            found,
            end,
            sees_all=end.stage in _HOLDS and len(cohort) == len(sides.changed),
            sizes=(len(lively), len(unlively)),
            left_out=left_out,
        )

    def _judged(
        self,
        watch: Watch,
        found: Comparison,
        end: WaveEnd,
        *,
        sees_all: bool,
        sizes: tuple[int, int],
        left_out: Mapping[str, int],
    ) -> str | None:
        stage = max(1, end.wave)  # the last wave's is the bake's
        self._looks[watch.text, stage, sees_all] += 1
        look = self._looks[watch.text, stage, sees_all]
        most = allowed(
            watches=self._comparing,
            waves=end.waves,
            look=look,
            sees_all=sees_all,
            attempt=self._settings.attempt,
        )
        log.info(
            "watch_looked",
            watch=watch.text,
            look=look,
            allowed=most,
            changed=sizes[0],
            control=sizes[1],
            left_out=left_out,
            **msgspec.structs.asdict(found),
        )
        if found.p > most or not found.is_large:
            return None
        return reason_of(watch, found, sizes=sizes, left_out=left_out, look=look, most=most)

    def _queries(self, exposure: Exposure, keys: Iterable[str]) -> dict[str, tuple[MetricQuery, ...]]:
        return {key: exposure.measure.queries(key, exposure.standings[key].place) for key in keys}

    async def _read(
        self, asked: Iterable[Sequence[MetricQuery]], *, since: int, until: int
    ) -> Mapping[MetricQuery, Points]:
        queries = [query for of_one in asked for query in of_one]
        return await self._source.read(queries, since=since, until=until)

    async def _read_before(self, watch: Watch, asked: Sequence[Sequence[MetricQuery]]) -> Mapping[MetricQuery, Points]:
        """What was before the run, which does not change: read once of each, and kept as long as it is wanted."""
        known = self._before.get(watch.text, {})
        missing = [[query for query in of_one if query not in known] for of_one in asked]
        if any(missing):
            known = {**known, **await self._read(missing, since=self._began - MOST_MINUTES, until=self._began)}
        self._before[watch.text] = {query: known[query] for of_one in asked for query in of_one}
        return self._before[watch.text]


def _worst(answers: Sequence[GateAnswer]) -> GateAnswer:
    """The first that halts; else, of those that cannot tell, one that has waited long enough to."""
    for answer in answers:
        if isinstance(answer, str):
            return answer
    cannot = [answer for answer in answers if isinstance(answer, Inconclusive)]
    return min(cannot, key=lambda answer: answer.needs_s, default=None)
