"""A run's log as what happened, and what took its time: pure, from the lines of `log.jsonl`.

An event that is not known here is told by its name and its members: newer versions log more. `X_began` and `X_ended`
are a span, whatever X is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from bulk_esm.report.event_words import Told, gate_of, in_words
from bulk_esm.report.records import Gate, Happening, Span

MOST: Final = 1_000
# What other events tell better.
_SILENT: Final = frozenset(
    "inventory wave_ended soak_ended bake_ended source_failed alarms_read shard_alarms_read calendars_read".split()  # noqa: SIM905
)


class Log:
    """What a log tells.

    Attributes:
        spans: what took its time, by when it began.
        left_out: how many happenings there were beside those that are kept.
        unreadable: how many lines are no events.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.spans: list[Span] = []
        self.left_out = 0
        self.unreadable = 0
        self._weighty: list[Happening] = []
        self._routine: list[Happening] = []
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
        room = max(0, MOST - len(self._weighty))
        kept = [*self._weighty, *self._routine[: room // 2], *self._routine[len(self._routine) - (room - room // 2) :]]
        kept = kept if len(self._routine) > room else [*self._weighty, *self._routine]
        return tuple(sorted(kept, key=lambda one: one.at))

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
        kept = self._routine if tone == "good" else self._weighty
        if len(kept) < MOST:
            kept.append(found)
        else:
            self.left_out += 1

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
            label = f"{kind.replace('_', ' ')}{f' {wave}' if kind == 'wave' else ''}"
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
