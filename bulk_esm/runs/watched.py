"""Who is changed by a run, as far as that is watched: counted from its plan, and from results as they come."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bulk_esm.model.events import MappingEnded, RunEvent
from bulk_esm.model.exposure import Exposure
from bulk_esm.model.measures import MEASURES, Measure
from bulk_esm.model.plan import PlanItem
from bulk_esm.model.result import Outcome, Result
from bulk_esm.model.watching import Watch

# What `continue` looks at again, so that another result comes of it.
_COMES_AGAIN = frozenset({Outcome.NOT_STARTED, Outcome.TIMED_OUT})


class Watched:
    """Who is changed by a run, for each watch. As an observer it counts what ends.

    Attributes:
        watches: what is watched.
        exposures: who is changed, by what is measured.
    """

    def __init__(
        self,
        watches: Sequence[Watch],
        items: Iterable[tuple[PlanItem, int | None]],
        results: Iterable[Result] = (),
    ) -> None:
        """Count a plan.

        Args:
            watches: what is watched.
            items: the plan's lines, each with its wave, from 1; None where nothing is sent.
            results: of a run that is continued, those so far.
        """
        self.watches = watches
        self.exposures = {measure: Exposure(measure) for measure in map(_measure_of, watches)}
        for item, wave in items:
            for exposure in self.exposures.values():
                exposure.add(item, wave=wave)
        for exposure in self.exposures.values():
            exposure.close()
        for result in results:
            if result.outcome not in _COMES_AGAIN:
                self._end(result)

    def __call__(self, event: RunEvent, /) -> None:
        """Count a mapping that has ended."""
        if isinstance(event, MappingEnded):
            self._end(event.result)

    def of(self, watch: Watch) -> Exposure:
        """Who is changed, for a watch.

        Args:
            watch: one of those that it was made with.
        """
        return self.exposures[_measure_of(watch)]

    def _end(self, result: Result) -> None:
        for exposure in self.exposures.values():
            exposure.end(result)


def _measure_of(watch: Watch) -> Measure:
    """An expression in a file is of anything: whatever function is changed is waited for."""
    return watch.measure or MEASURES["errors"]
