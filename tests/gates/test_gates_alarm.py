from collections.abc import Awaitable, Callable

import pytest

from bulk_esm.aws.alarms import AlarmState
from bulk_esm.errors import AccessError, ServiceError, UsageError
from bulk_esm.gates.alarm import AlarmGate
from bulk_esm.gates.gate import WaveEnd
from bulk_esm.model.gating import Inconclusive

END = WaveEnd(wave=2, waves=5, next_updates=400, outcomes={})


def alarms(
    *answers: list[AlarmState] | Exception,
) -> tuple[Callable[[tuple[str, ...]], Awaitable[list[AlarmState]]], list[tuple[str, ...]]]:
    """A fake of `Connection.alarms` that answers in turn, and what it was asked."""
    left, asked = list(answers), list[tuple[str, ...]]()

    async def read(names: tuple[str, ...]) -> list[AlarmState]:
        asked.append(names)
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return read, asked


async def test_alarms_that_are_well() -> None:
    read, asked = alarms([AlarmState("a", "OK", "fine"), AlarmState("b", "OK", "fine")], [])
    told: list[str] = []
    gate = AlarmGate(["a", "b"], read, told.append)
    assert await gate.check(END) is None
    assert await gate.check(None) is None
    assert (asked, told) == ([("a", "b")] * 2, [])


async def test_alarms_that_ring() -> None:
    read, _ = alarms(
        [AlarmState("a", "ALARM", "5 > 1"), AlarmState("b", "OK", "fine"), AlarmState("c", "ALARM", "6 > 1")],
        [AlarmState("a", "OK", "fine"), AlarmState("b", "ALARM", "7 > 1"), AlarmState("c", "OK", "fine")],
    )
    gate = AlarmGate(["a", "b", "c"], read, pytest.fail)
    assert await gate.check(END) == "in ALARM: a (5 > 1), c (6 > 1)"
    assert await gate.check(END) == "in ALARM: b (7 > 1)"


async def test_an_alarm_without_data_is_told_once_and_does_not_halt() -> None:
    unsure = AlarmState("a", "INSUFFICIENT_DATA", "too early")
    read, _ = alarms(
        [unsure, AlarmState("b", "OK", "fine")],
        [unsure, AlarmState("b", "INSUFFICIENT_DATA", "too late")],
        [AlarmState("a", "ALARM", "5 > 1"), AlarmState("b", "OK", "fine")],
        [unsure, AlarmState("b", "OK", "fine")],
    )
    told: list[str] = []
    gate = AlarmGate(["a", "b"], read, told.append)
    assert [await gate.check(END) for _ in range(4)] == [None, None, "in ALARM: a (5 > 1)", None]
    assert told == [f"note: alarm {name} has INSUFFICIENT_DATA, so it says nothing either way" for name in "ab"]


@pytest.mark.parametrize(
    "error",
    [
        UsageError("--alarm a: no CloudWatch alarm of this name"),
        AccessError("cloudwatch:DescribeAlarms was refused"),
    ],
)
async def test_alarms_that_may_not_be_read_or_are_gone_halt_too(error: Exception) -> None:
    read, _ = alarms(error, [AlarmState("a", "OK", "fine")])
    gate = AlarmGate(["a"], read, pytest.fail)
    assert await gate.check(END) == f"the alarms cannot be read: {error}"
    assert await gate.check(END) is None


async def test_a_service_that_fails_cannot_tell() -> None:
    error = ServiceError(code="InternalFailure", message="sorry", status=500)
    read, _ = alarms(error, [AlarmState("a", "OK", "fine")])
    gate = AlarmGate(["a"], read, pytest.fail)
    assert await gate.check(END) == Inconclusive(f"the alarms cannot be read: {error}")
    assert await gate.check(END) is None


async def test_a_mistake_of_ours_is_not_taken_for_an_alarm() -> None:
    read, _ = alarms(KeyError("AlarmName"))
    with pytest.raises(KeyError):
        await AlarmGate(["a"], read, pytest.fail).check(END)
