"""GetCalendarState, as SDKs ask the simulator for it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bulk_esm.simulator import Kind, Simulator

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def shown(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def asked(simulator: Simulator) -> int:
    return simulator.report().count(Kind.CALENDARS)


async def test_it_opens_and_closes_as_time_goes_by(clock: Any, connect: Callable[..., Any]) -> None:
    async with Simulator(fleet=[], clock=clock, epoch=NOON.timestamp()) as simulator, connect(simulator, "ssm") as ssm:
        simulator.set_calendar("freeze", "OPEN", turns_at=[NOON + 2 * HOUR, NOON + HOUR])
        found = []
        for hours in (0, 1, 1.5, 2, 9):
            clock.now = hours * 3600
            answer = await ssm.get_calendar_state(CalendarNames=["freeze"])
            assert answer["AtTime"] == shown(NOON + hours * HOUR)
            found.append((answer["State"], answer.get("NextTransitionTime")))
        closes, opens = shown(NOON + HOUR), shown(NOON + 2 * HOUR)
        assert found == [("OPEN", closes), ("CLOSED", opens), ("CLOSED", opens), ("OPEN", None), ("OPEN", None)]
        assert asked(simulator) == 5


async def test_another_moment_and_several_at_once(clock: Any, connect: Callable[..., Any]) -> None:
    async with Simulator(fleet=[], clock=clock, epoch=NOON.timestamp()) as simulator, connect(simulator, "ssm") as ssm:
        simulator.set_calendar("a", "OPEN", turns_at=[NOON + HOUR])
        simulator.set_calendar("b", "CLOSED", turns_at=[NOON + HOUR / 2])
        arn = f"arn:aws:ssm:us-east-1:{simulator.account_id}:document/a"
        both = {"CalendarNames": [arn, "b"]}
        answer = await ssm.get_calendar_state(**both)
        assert (answer["State"], answer["NextTransitionTime"]) == ("CLOSED", shown(NOON + HOUR / 2))
        answer = await ssm.get_calendar_state(**both, AtTime="2026-03-01T12:45:00Z")
        assert (answer["State"], answer["NextTransitionTime"]) == ("OPEN", shown(NOON + HOUR))
        answer = await ssm.get_calendar_state(**both, AtTime="2026-03-01T13:00:00Z")
        assert (answer["State"], answer.get("NextTransitionTime")) == ("CLOSED", None)


async def test_what_is_refused(connect: Callable[..., Any]) -> None:
    async with Simulator(fleet=[]) as simulator, connect(simulator, "ssm") as ssm:
        simulator.set_calendar("elsewhere", "OPEN", region="eu-west-1")
        for name in ("none", "elsewhere"):
            with pytest.raises(ssm.exceptions.InvalidDocument, match=f"Document with name {name}"):
                await ssm.get_calendar_state(CalendarNames=[name])
        wrongs: tuple[dict[str, Any], ...] = ({"CalendarNames": []}, {"CalendarNames": ["a"], "AtTime": "soon"})
        for wrong in wrongs:
            with pytest.raises(ssm.exceptions.ClientError, match="ValidationException"):
                await ssm.get_calendar_state(**wrong)
