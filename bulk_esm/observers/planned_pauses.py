"""The run's log says which functions are paused on purpose, and until when, so that nobody takes it for a fault.

docs/planned-pauses.md has the events, and what can be built on them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from bulk_esm.clock import Clock, iso
from bulk_esm.logs import get_logger
from bulk_esm.model.events import MappingEnded, RunEvent
from bulk_esm.model.mapping import FunctionReference
from bulk_esm.model.records import RunRecord
from bulk_esm.model.result import Outcome, Result

log: Final = get_logger("run")

MOST_NAMES: Final = 200  # in an event, which so has room in one of EventBridge (256 KB)
_LATEST_S: Final = 10.0  # so long a name waits for others, as long as mappings end
_EVENTS: Final[Mapping[bool, str]] = {False: "paused_on_purpose", True: "resumed_on_purpose"}

_Place = tuple[str | None, str | None, bool]  # account, Region, and to what Enabled was set


class PlannedPauses:
    """Writes an event for functions whose mappings were paused, or resumed, each once: an observer."""

    def __init__(self, record: RunRecord, clock: Clock) -> None:
        """Begin.

        Args:
            record: the run's.
            clock: the time.
        """
        self._record = record
        self._clock = clock
        self._told: set[tuple[_Place, str]] = set()
        self._waiting: dict[_Place, list[str]] = {}
        self._since = 0.0

    def __call__(self, event: RunEvent, /) -> None:
        """Take note of a result; see `Observer`."""
        if isinstance(event, MappingEnded) and (place := _place_of(event.result)) is not None:
            self._add(place, FunctionReference.parse(event.result.function_arn or "").name)
        if self._waiting and self._clock.monotonic() - self._since >= _LATEST_S:
            self.flush()

    def tell_again(self, results: Iterable[Result]) -> None:
        """Write events for what a run has done that is continued now: if it was killed, it may not have got to that.

        Args:
            results: of the run.
        """
        for result in results:
            self(MappingEnded(result))
        self.flush()

    def flush(self) -> None:
        """Write what waits for others: at the end of a wave, and of the run."""
        for place, names in self._waiting.items():
            self._write(place, names)
        self._waiting.clear()

    def _add(self, place: _Place, name: str) -> None:
        if (place, name) in self._told:
            return
        self._told.add((place, name))
        if not self._waiting:
            self._since = self._clock.monotonic()
        names = self._waiting.setdefault(place, [])
        names.append(name)
        if len(names) == MOST_NAMES:
            self._write(place, self._waiting.pop(place))

    def _write(self, place: _Place, names: list[str]) -> None:
        account_id, region, enabled = place
        log.info(
            _EVENTS[enabled],
            run_id=self._record.run_id,
            account_id=account_id,
            region=region,
            functions=names,
            until=None if enabled else iso(self._until),
        )

    @property
    def _until(self) -> datetime | None:
        paused_for_s = self._record.rollout.paused_for_s
        if not paused_for_s:
            return None
        return datetime.fromisoformat(self._record.started_at) + timedelta(seconds=paused_for_s)


def _place_of(result: Result) -> _Place | None:
    """Where a mapping was paused or resumed, and which of the two; None if it was neither, or was so before."""
    enabled = result.request.get("Enabled")
    was_sent = result.outcome is Outcome.UPDATED or (result.outcome is Outcome.TIMED_OUT and result.update_calls > 0)
    if not isinstance(enabled, bool) or not was_sent or result.function_arn is None:
        return None
    return result.account_id, result.region, enabled
