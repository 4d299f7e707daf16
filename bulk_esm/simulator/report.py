"""What the simulator saw: for a benchmark to compute the best time possible, and for a test to count requests."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """The operations, by what they cost."""

    LIST = "list"
    GET = "get"
    UPDATE = "update"
    DELETE = "delete"
    CREATE = "create"
    TAGS = "tags"
    FUNCTION = "function"
    ALARMS = "alarms"
    CALENDARS = "calendars"
    METRICS = "metrics"
    QUOTA = "quota"
    TAGGING = "tagging"
    IDENTITY = "identity"
    ROLE = "role"
    OTHER = "other"


class RequestCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many requests of an account and Region got an answer.

    Attributes:
        status: the HTTP status; 0 where the connection was cut instead.
    """

    account_id: str
    region: str
    kind: Kind
    status: int
    count: int


class AcceptedUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """An update that Lambda accepted.

    Attributes:
        accepted_at: virtual seconds since the simulator's start.
        settles_at: when the mapping comes to rest, likewise; None if it never will.
    """

    accepted_at: float
    settles_at: float | None


class MappingReport(msgspec.Struct, frozen=True, kw_only=True):
    """One mapping's updates, oldest first. `state` is None once it is gone."""

    uuid: str
    account_id: str
    region: str
    source_type: str
    state: str | None
    accepted_count: int
    accepted: list[AcceptedUpdate]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All that was seen so far.

    Attributes:
        speed: virtual seconds in a real one.
        now: virtual seconds since the simulator's start.
        started_at: the start, in seconds since the epoch; a call sets LastModified to this plus virtual seconds.
        requests: requests by account, Region, kind and status.
        mappings: every mapping of every account and Region that was asked for.
        states: how many mappings are in which state now.
    """

    speed: float
    now: float
    started_at: float
    requests: list[RequestCount]
    mappings: list[MappingReport]
    states: dict[str, int]

    def count(self, kind: Kind | str | None = None, status: int | None = None) -> int:
        """How many requests there were.

        Args:
            kind: of this kind only.
            status: with this HTTP status only; 0 is a cut connection.
        """
        return sum(
            entry.count for entry in self.requests if kind in (None, entry.kind) and status in (None, entry.status)
        )

    def real_s(self, virtual_s: float) -> float:
        """Virtual seconds in real ones: of a duration, or of a time since the simulator's start."""
        return virtual_s / self.speed
