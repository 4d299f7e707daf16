from collections.abc import Awaitable, Callable, Sequence

import pytest

from bulk_esm.errors import AccessError, ServiceError, UsageError
from bulk_esm.gates.calendar import CalendarGate
from bulk_esm.gates.gate import Stage, WaveEnd
from bulk_esm.model.calendars import CalendarState
from bulk_esm.model.gating import Closed, Inconclusive

OPEN = CalendarState(name="freeze", is_open=True)
SHUT = CalendarState(name="freeze", is_open=False)
BROKEN = ServiceError(code="InternalServerError", message="sorry", status=500)


def calendars(*answers: list[CalendarState] | Exception) -> Callable[[tuple[str, ...]], Awaitable[list[CalendarState]]]:
    """A fake of `Connection.calendars` that answers in turn."""
    left = list(answers)

    async def read(names: tuple[str, ...]) -> list[CalendarState]:
        assert names == ("freeze",)
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return read


def at(stage: Stage) -> WaveEnd:
    return WaveEnd(wave=2, waves=5, next_updates=400, outcomes={}, stage=stage)


def gate(*answers: list[CalendarState] | Exception, tell: Callable[[str], None] = pytest.fail) -> CalendarGate:
    return CalendarGate(["freeze"], calendars(*answers), tell)


@pytest.mark.parametrize("end", [None, at("before"), at("between")])
async def test_what_comes_next_waits(end: WaveEnd | None) -> None:
    found = gate([OPEN], [SHUT], [OPEN])
    assert [await found.check(end) for _ in range(3)] == [None, Closed("calendar freeze is CLOSED"), None]


async def test_a_wave_that_is_under_way_is_finished_and_that_is_said_once() -> None:
    told: list[str] = []
    found = gate([OPEN], [SHUT], BROKEN, [SHUT], AccessError("denied"), tell=told.append)
    assert [await found.check(at("during")) for _ in range(5)] == [None] * 5
    assert told == ["note: calendar freeze is CLOSED: wave 2 is finished, and what comes after it waits"]


async def test_in_the_bake_nothing_comes_that_could_wait() -> None:
    assert await gate().check(at("bake")) is None


@pytest.mark.parametrize("error", [UsageError("--calendar freeze: there is none"), AccessError("denied")])
async def test_calendars_that_may_not_be_read_or_are_gone_halt(error: Exception) -> None:
    assert await gate(error).check(at("between")) == f"the calendars cannot be read: {error}"


async def test_a_service_that_fails_cannot_tell() -> None:
    assert await gate(BROKEN).check(at("between")) == Inconclusive(f"the calendars cannot be read: {BROKEN}")


async def test_a_mistake_of_ours_is_not_taken_for_a_closed_one() -> None:
    with pytest.raises(KeyError):
        await gate(KeyError("State")).check(at("between"))


def test_names_are_a_tuple() -> None:
    assert isinstance(gate(), CalendarGate)
    names: Sequence[str] = "freeze"
    with pytest.raises(UsageError, match="names"):
        CalendarGate(names, calendars(), pytest.fail)
