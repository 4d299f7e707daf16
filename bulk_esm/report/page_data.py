"""What a page's script gets: rows of numbers that point at strings, as 5,000 mappings must be small. Pure."""

from __future__ import annotations

from typing import Any, Final

from bulk_esm.escaping import escaped_line, shortened
from bulk_esm.report.records import Report, Row, Timeline
from bulk_esm.report.words import seconds_of

_MOST_OF_A_TEXT: Final = 240  # characters: each of 5,000 mappings may have an error of its own
COLUMNS: Final = (
    "uuid",
    "function",
    "source",
    "source_type",
    "shard",
    "outcome",
    "wave",
    "state",
    "change",
    "error",
    "request_id",
    "accepted",
    "settled",
    "ended",
    "duration_s",
    "update_calls",
)


class _Strings:
    """Strings that stand once, however often they are told."""

    def __init__(self) -> None:
        self.all: list[str] = []
        self._places: dict[str, int] = {}

    def place(self, text: str | None) -> int:
        """Where a string stands; what would turn other text around is escaped."""
        shown = escaped_line(text or "")
        if shown not in self._places:
            self._places[shown] = len(self.all)
            self.all.append(shown)
        return self._places[shown]


def data_of(report: Report) -> dict[str, Any]:
    """What the script draws.

    Args:
        report: the report.
    """
    strings = _Strings()
    start = seconds_of(report.run.started_at) if report.run else None
    return {
        "start": round((start or 0.0) * 1000),
        "columns": COLUMNS,
        "rows": [_row(row, strings, start or 0.0) for row in report.mappings],
        "strings": strings.all,
        "isFleet": bool(report.shards),
        "isPlan": report.run is None,
        "timeline": _timeline(report.timeline, start or 0.0) if report.timeline else None,
    }


def _row(row: Row, strings: _Strings, start: float) -> list[Any]:
    times = (row.accepted_at, row.settled_at, row.ended_at)
    return [
        escaped_line(row.uuid),
        strings.place(row.function),
        strings.place(row.source),
        strings.place(row.source_type),
        strings.place(row.shard),
        strings.place(row.outcome),
        row.wave,
        strings.place(row.state),
        strings.place(shortened(row.change, _MOST_OF_A_TEXT)),
        strings.place(shortened(row.error, _MOST_OF_A_TEXT)),
        escaped_line(row.request_id) if row.request_id else 0,
        *(_since(at, start) for at in times),
        row.duration_s,
        row.update_calls,
    ]


def _since(at: str | None, start: float) -> int | None:
    """In milliseconds."""
    seconds = seconds_of(at)
    return None if seconds is None else round((seconds - start) * 1000)


def _timeline(timeline: Timeline, start: float) -> dict[str, Any]:
    end = seconds_of(timeline.ends_at) or start
    return {
        "end": round(end - start, 3),
        "accepted": timeline.accepted,
        "settled": timeline.settled,
        "floor": timeline.floor,
        "rate": timeline.rate,
        "spans": [
            [
                one.kind,
                escaped_line(one.label),
                *(round((seconds_of(at) or start) - start, 3) for at in (one.began_at, one.ended_at)),
            ]
            for one in timeline.spans
        ],
        "happenings": [
            [round((seconds_of(one.at) or start) - start, 3), one.lane, one.tone, escaped_line(one.text)]
            for one in timeline.happenings
        ],
    }
