"""The run's own log has what happens in it; what becomes of each mapping is in its results."""

from __future__ import annotations

from typing import Final

import msgspec

from bulk_esm.logs import get_logger
from bulk_esm.model.events import ControlHeard, RunBegan, RunEnded, RunEvent, WaveBegan

log: Final = get_logger("run")


def log_event(event: RunEvent, /) -> None:
    """Write an event down; see `Observer`."""
    if isinstance(event, RunBegan):
        record = event.record
        by = {"user": record.user, "host": record.host, "principal_arn": record.principal_arn}
        if record.invocations:
            last = record.invocations[-1]
            by = {"user": last.user, "host": last.host, "principal_arn": last.principal_arn}
        log.info("run_began", run_id=record.run_id, command=record.command, continued_at=record.continued_at, **by)
    elif isinstance(event, WaveBegan):
        log.info("wave_began", wave=event.wave, waves=event.waves, updates=event.updates)
    elif isinstance(event, ControlHeard):
        log.info("asked", **msgspec.to_builtins(event.request))
    elif isinstance(event, RunEnded):
        record = event.record
        log.info("run_ended", status=record.status, reason=record.reason, counts=record.counts)
