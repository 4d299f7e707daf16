"""Tells of a run that has ended: lines for a person, or one event."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from bulk_esm.cli.streams import say, speaks_json, tell
from bulk_esm.model.records import RunRecord

_TOLD: Final = ("run_id", "command", "status", "reason", "counts", "requests", "started_at", "ended_at")


def tell_summary(record: RunRecord, lines: Iterable[str]) -> None:
    """Say what a run came to.

    Args:
        record: the run's.
        lines: what a person reads; an event has them too.
    """
    if speaks_json():
        members = msgspec.to_builtins(record)
        more = {name: members[name] for name in _TOLD}
        tell("summary", more={**more, "lines": [line.strip() for line in lines]})
        return
    for line in lines:
        say(line)
