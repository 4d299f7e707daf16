"""Systems Manager's GetCalendarState, with change calendars that a test sets. It is JSON 1.1 on POST /."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from bulk_esm.simulator.errors import ApiError

TARGET: Final = "AmazonSSM.GetCalendarState"


class Calendar(msgspec.Struct, frozen=True, kw_only=True):
    """A change calendar, as a test sets it.

    Attributes:
        arn: its ARN.
        is_open: whether it is open before the first of its turns.
        turns_at: when it opens or closes, in seconds since the epoch, the earliest first.
    """

    arn: str
    is_open: bool
    turns_at: tuple[float, ...] = ()

    def is_open_at(self, at: float) -> bool:
        """Whether it is open at a moment, in seconds since the epoch."""
        return self.is_open == (bisect_right(self.turns_at, at) % 2 == 0)


class _Request(msgspec.Struct, frozen=True, kw_only=True):
    CalendarNames: list[str]
    AtTime: str | None = None


def get_calendar_state(calendars: Mapping[str, Calendar], body: bytes, now: float) -> dict[str, Any]:
    """Answer GetCalendarState: OPEN if all of the calendars are.

    Args:
        calendars: those of the caller's account and Region, by name.
        body: the request's JSON.
        now: seconds since the epoch.

    Raises:
        ApiError: the request makes no sense, or there is no such calendar.
    """
    # Guess: the words of all errors are ours, as is the code for a request that makes no sense; that a name which no
    # document has is InvalidDocument stands in the API's model. A call with each would tell.
    try:
        request = msgspec.json.decode(body, type=_Request)
        at = now if request.AtTime is None else datetime.fromisoformat(request.AtTime).timestamp()
    except ValueError as error:
        raise _error("ValidationException", str(error)) from error
    if not request.CalendarNames:
        raise _error("ValidationException", "calendarNames must have at least one member")
    asked = [_named(calendars, name) for name in request.CalendarNames]
    is_open = _all_open(asked, at)
    # Guess: of several calendars the next transition is that of what they come to; the API's model speaks of "the
    # calendar" alone. To ask about two of which the closed one opens later than the other closes would tell.
    turns = sorted(turn for calendar in asked for turn in calendar.turns_at if turn > at)
    until = next((turn for turn in turns if _all_open(asked, turn) != is_open), None)
    answer = {"State": "OPEN" if is_open else "CLOSED", "AtTime": _iso(at)}
    return answer if until is None else {**answer, "NextTransitionTime": _iso(until)}


def _named(calendars: Mapping[str, Calendar], name: str) -> Calendar:
    found = calendars.get(name) or next((each for each in calendars.values() if each.arn == name), None)
    if found is None:
        raise _error("InvalidDocument", f"Document with name {name} does not exist.")
    return found


def _all_open(calendars: Sequence[Calendar], at: float) -> bool:
    return all(calendar.is_open_at(at) for calendar in calendars)


def _iso(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _error(code: str, message: str) -> ApiError:
    return ApiError(400, code, {"Message": message})
