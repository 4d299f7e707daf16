"""A run's log as what happened, and what took its time: pure, from the lines of `log.jsonl`.

An event that is not known here is told by its name and its members: newer versions log more. `X_began` and `X_ended`
are a span, whatever X is.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from bulk_esm.report.event_words import Told, gate_of, in_words
from bulk_esm.report.records import Gate, Happening, Span

MOST: Final = 500  # of what matters, and of the rest: the first half of these and the last
_ROUTINE: Final = frozenset({"watch_looked", "not_accepted_for_sure", "throttled"})
# What other events tell better.
_SILENT: Final = frozenset(
    "inventory wave_ended soak_ended bake_ended source_failed alarms_read shard_alarms_read calendars_read".split()  # noqa: SIM905
)


class _Kept:
    """The first and the last of many.

    Attributes:
        left_out: how many there were in between.
    """

    def __init__(self) -> None:
        self.left_out = 0
        self._first: list[Happening] = []
        self._last: deque[Happening] = deque(maxlen=MOST // 2)

    def add(self, one: Happening) -> None:
        """Take note of another one."""
        if len(self._first) < MOST // 2:
            self._first.append(one)
            return
        self.left_out += len(self._last) == self._last.maxlen
        self._last.append(one)

    @property
    def all(self) -> list[Happening]:
        """Those that are kept."""
        return [*self._first, *self._last]


class Log:
    """What a log tells.

    Attributes:
        spans: what took its time, by when it began.
        unreadable: how many lines are no events.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.spans: list[Span] = []
        self.unreadable = 0
        self._weighty, self._routine = _Kept(), _Kept()
        self._open: dict[str, Span] = {}
        self._answers: dict[str, Counter[str]] = {}
        self._reasons: dict[str, str] = {}
        self._lines: tuple[str, ...] = ()
        self._last_at = ""
        self._decoder = msgspec.json.Decoder(dict[str, Any])

    def read(self, lines: Iterable[bytes]) -> None:
        """Take note of some lines."""
        for line in lines:
            try:
                told = self._decoder.decode(line)
            except (ValueError, RecursionError):
                self.unreadable += bool(line.strip())
                continue
            event, at = told.get("event"), told.get("at")
            if isinstance(event, str) and isinstance(at, str):
                self._take(event, at, told)
                self._last_at = at
        self._cut_off()

    @property
    def happenings(self) -> tuple[Happening, ...]:
        """What happened, the first one first; of too many those that matter."""
        kept = [*self._weighty.all, *self._routine.all]
        return tuple(sorted(kept, key=lambda one: one.at))

    @property
    def left_out(self) -> int:
        """How many there were beside those that are kept."""
        return self._weighty.left_out + self._routine.left_out

    @property
    def gates(self) -> tuple[Gate, ...]:
        """What each gate answered in all."""
        return tuple(
            Gate(gate=gate, answers=dict(answers), last_reason=self._reasons.get(gate))
            for gate, answers in self._answers.items()
        )

    def _take(self, event: str, at: str, told: Told) -> None:
        if event == "gate_ended":  # the answer follows
            self._lines = tuple(str(line) for line in _listed(told.get("last_lines")))
            return
        self._note_span(event, at, told)
        if event in _SILENT:
            return
        lane, tone, text = in_words(event, told)
        lines: tuple[str, ...] = ()
        if event == "gate_answered":
            lines, self._lines = self._lines, ()
            self._count(told)
        wave = told.get("wave")
        found = Happening(
            at=at,
            kind=event,
            text=text,
            lane=lane,
            tone=tone,
            wave=wave if isinstance(wave, int) else None,
            lines=lines if tone != "good" else (),
        )
        is_routine = tone == "good" or event in _ROUTINE
        (self._routine if is_routine else self._weighty).add(found)

    def _count(self, told: Told) -> None:
        gate = gate_of(told)
        self._answers.setdefault(gate, Counter())[str(told.get("step"))] += 1
        if told.get("reason"):
            self._reasons[gate] = str(told["reason"])

    def _note_span(self, event: str, at: str, told: Told) -> None:
        kind, _, end = event.rpartition("_")
        if event == "asked":  # by somebody, from elsewhere
            kind, end = "hold", {"hold": "began", "go": "ended"}.get(str(told.get("action")), "")
        if event == "run_began":
            self._cut_off()  # whoever worked at it before was killed
        elif event == "run_ended":
            self._last_at = at
            self._cut_off()
        elif end == "began":
            wave = told.get("wave") if isinstance(told.get("wave"), int) else None
            label = kind.replace("_", " ")
            if wave is not None:
                label += f" {wave}" if kind == "wave" else f" after wave {wave}"
            self._open[kind] = Span(kind=kind, label=label, began_at=at, ended_at=at, wave=wave)
        elif end == "ended" and kind in self._open:
            self.spans.append(msgspec.structs.replace(self._open.pop(kind), ended_at=at))

    def _cut_off(self) -> None:
        """End what is open: the last that was heard of it."""
        for span in self._open.values():
            self.spans.append(msgspec.structs.replace(span, ended_at=max(self._last_at, span.began_at)))
        self._open.clear()
        self.spans.sort(key=lambda span: span.began_at)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
