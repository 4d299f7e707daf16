"""One mapping of a shard: how it looks to whom, and what was accepted for it."""

from __future__ import annotations

from bulk_esm.model.mapping import SourceType, source_type_of
from bulk_esm.simulator.report import AcceptedUpdate
from bulk_esm.simulator.timeline import Configuration, Timeline


class Mapping:
    """One mapping: its timeline, and what was accepted for it."""

    __slots__ = ("accepted", "source", "source_type", "timeline", "uuid", "wrong_look", "wrong_until")

    def __init__(self, configuration: Configuration, timeline: Timeline) -> None:
        self.uuid: str = configuration["UUID"]
        self.source_type: SourceType = source_type_of(configuration)
        # Self-managed Kafka has no ARN: its brokers tell its source from others.
        self.source = str(configuration.get("EventSourceArn") or configuration.get("SelfManagedEventSource"))
        self.timeline = timeline
        self.accepted: list[AcceptedUpdate] = []
        self.wrong_look: Configuration | None = None
        self.wrong_until = 0.0

    def in_list(self, now: float, lag_s: float) -> Configuration | None:
        """The mapping as List shows it, which may lag behind or, by a fault, be wrong."""
        if self.wrong_look is not None and now < self.wrong_until:
            return self.wrong_look
        return self.timeline.at(now - lag_s)

    def state(self, now: float) -> str | None:
        """The state as Get shows it; None if the mapping is gone."""
        configuration = self.timeline.at(now)
        return None if configuration is None else configuration["State"]
