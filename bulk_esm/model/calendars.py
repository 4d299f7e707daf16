"""What change calendars come to: whether work may go on, and until when. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from bulk_esm.model.gating import Closed


class CalendarState(msgspec.Struct, frozen=True, kw_only=True):
    """How a change calendar stands.

    Attributes:
        name: its name or ARN, as it was asked for.
        is_open: whether changes are allowed.
        until: when that changes next; None if nothing is entered after now.
    """

    name: str
    is_open: bool
    until: datetime | None = None

    @property
    def text(self) -> str:
        """How it stands, in words."""
        state = "OPEN" if self.is_open else "CLOSED"
        return f"calendar {self.name} is {state}{'' if self.until is None else f' until {moment_text(self.until)}'}"


def closed(states: Iterable[CalendarState]) -> Closed | None:
    """That work must wait, if not all of them are open.

    Args:
        states: how they stand.
    """
    texts = [state.text for state in states if not state.is_open]
    return Closed(", ".join(texts)) if texts else None


def closes_at(states: Iterable[CalendarState]) -> datetime | None:
    """When the first of those closes that are open now; None if that is not known of any.

    Args:
        states: how they stand.
    """
    return min((state.until for state in states if state.is_open and state.until is not None), default=None)


def moment_text(at: datetime) -> str:
    """A moment in words.

    Args:
        at: in UTC.
    """
    return f"{at:%Y-%m-%d %H:%M} UTC"
