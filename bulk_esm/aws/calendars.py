"""Systems Manager's change calendars: whether each is open, and until when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from bulk_esm.errors import ServiceError, UsageError
from bulk_esm.model.calendars import CalendarState

_NO_CALENDAR: Final = {
    "InvalidDocument": "there is none, or it is not shared with this account",
    "InvalidDocumentType": "that document is no change calendar",
    # Guess: this is the answer to what is neither a name nor an ARN of a document; an empty name, sent, would tell.
    "ValidationException": "that is neither a name nor an ARN of a calendar",
    "UnsupportedCalendarException": "Systems Manager does not support what is in it",
}


async def read_calendars(client: Any, names: Sequence[str]) -> list[CalendarState]:
    """Read how change calendars stand now.

    Each is asked about by itself: of several at once GetCalendarState tells only what they come to, and not which.

    Args:
        client: an aiobotocore client for Systems Manager.
        names: of the calendars, or their ARNs.

    Returns:
        One for each name, in their order.

    Raises:
        UsageError: one of them is none.
        ServiceError: an answer that makes no sense.
    """
    return [await _read(client, name) for name in names]


async def _read(client: Any, name: str) -> CalendarState:
    try:
        answer = await client.get_calendar_state(CalendarNames=[name])
    except client.exceptions.ClientError as error:
        if (why := _NO_CALENDAR.get(error.response.get("Error", {}).get("Code", ""))) is None:
            raise
        where = client.meta.region_name
        raise UsageError(f"--calendar {name}: {why}, in {where}; see aws ssm list-documents") from error
    state, until = answer["State"], answer.get("NextTransitionTime")
    if state not in {"OPEN", "CLOSED"}:
        raise ServiceError(code="DamagedAnswer", message=f"calendar {name} is {state!r}, neither OPEN nor CLOSED")
    return CalendarState(name=name, is_open=state == "OPEN", until=None if not until else _moment(name, until))


def _moment(name: str, text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        what = f"calendar {name} changes at {text!r}, which is no moment"
        raise ServiceError(code="DamagedAnswer", message=what) from error
    # Guess: without a zone it is in UTC; the API's examples all end with Z. A calendar with an event in another zone,
    # asked about, would tell.
    return at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)
