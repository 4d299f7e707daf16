"""Change calendars, by botocore's stubber as moto has none, and by the simulator. The model checks both ways."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from aiobotocore.session import get_session
from aws_reach import connected
from botocore.stub import Stubber

from bulk_esm.aws.calendars import read_calendars
from bulk_esm.aws.errors import translated
from bulk_esm.errors import DeniedError, ServiceError, UsageError
from bulk_esm.model.calendars import CalendarState
from bulk_esm.simulator import Faults, Simulator

SOON = datetime(2026, 7, 31, tzinfo=UTC)


@pytest_asyncio.fixture
async def client() -> AsyncIterator[Any]:
    async with get_session().create_client(
        "ssm", region_name="eu-west-1", aws_access_key_id="testing", aws_secret_access_key="testing"
    ) as made:
        yield made


def answered(stubber: Stubber, name: str, state: str, until: str | None = None) -> None:
    answer = {"State": state, "AtTime": "2026-07-30T16:18:18Z"} | ({"NextTransitionTime": until} if until else {})
    stubber.add_response("get_calendar_state", answer, {"CalendarNames": [name]})


async def test_each_by_itself_in_the_order_of_their_names(client: Any) -> None:
    arn = "arn:aws:ssm:eu-west-1:123456789012:document/freeze"
    with Stubber(client) as stubber:
        answered(stubber, "holidays", "OPEN", "2026-07-31T00:00:00Z")
        answered(stubber, arn, "CLOSED")
        answered(stubber, "night", "CLOSED", "2026-07-31T02:00:00+02:00")
        assert await read_calendars(client, ("holidays", arn, "night")) == [
            CalendarState(name="holidays", is_open=True, until=SOON),
            CalendarState(name=arn, is_open=False),
            CalendarState(name="night", is_open=False, until=SOON),
        ]
        stubber.assert_no_pending_responses()


@pytest.mark.parametrize("code", ["InvalidDocument", "InvalidDocumentType", "UnsupportedCalendarException"])
async def test_what_is_no_calendar(client: Any, code: str) -> None:
    with Stubber(client) as stubber:
        stubber.add_client_error("get_calendar_state", code, "no", http_status_code=400)
        with pytest.raises(UsageError, match=r"--calendar freeze: .*, in eu-west-1; see aws ssm list-documents"):
            await read_calendars(client, ("freeze",))


async def test_any_other_error_is_the_services(client: Any) -> None:
    with Stubber(client) as stubber:
        stubber.add_client_error("get_calendar_state", "InternalServerError", "sorry", http_status_code=500)
        with pytest.raises(ServiceError, match="sorry"), translated("ssm:GetCalendarState"):
            await read_calendars(client, ("freeze",))


@pytest.mark.parametrize(
    "answer", [{"State": "AJAR"}, {"State": "OPEN", "NextTransitionTime": "soon"}, {"State": "OPEN", "AtTime": "x"}]
)
async def test_an_answer_that_makes_no_sense(client: Any, answer: dict[str, str]) -> None:
    with Stubber(client) as stubber:
        stubber.add_response("get_calendar_state", answer, {"CalendarNames": ["freeze"]})
        if "AtTime" in answer:  # which nobody reads
            assert (await read_calendars(client, ("freeze",)))[0].is_open
        else:
            with pytest.raises(ServiceError, match="calendar freeze"):
                await read_calendars(client, ("freeze",))


async def test_calendars_that_a_test_has_set_in_the_simulator() -> None:
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    async with Simulator(fleet=[]) as simulator, connected(simulator) as connection:
        simulator.set_calendar("freeze", "CLOSED", turns_at=[until])
        simulator.set_calendar("holidays", "OPEN")
        assert await connection.calendars(("holidays", "freeze")) == [
            CalendarState(name="holidays", is_open=True),
            CalendarState(name="freeze", is_open=False, until=until),
        ]
        with pytest.raises(UsageError, match="--calendar none: there is none"):
            await connection.calendars(("none",))


async def test_they_may_not_be_read() -> None:
    faults = Faults(denied_actions=frozenset({"ssm:GetCalendarState"}))
    async with Simulator(fleet=[], faults=faults) as simulator, connected(simulator) as connection:
        with pytest.raises(DeniedError, match="ssm:GetCalendarState was refused"):
            await connection.calendars(("freeze",))
