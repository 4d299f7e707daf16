from collections.abc import Callable

import pytest

from bulk_esm.aws.alarms import AlarmState
from bulk_esm.errors import AccessError, ServiceError
from bulk_esm.gates.alarm import Found
from bulk_esm.gates.gate import WaveEnd
from bulk_esm.gates.shard_alarm import ShardAlarmGate
from bulk_esm.model.gating import Inconclusive

END = WaveEnd(wave=2, waves=5, next_updates=400, outcomes={}, stage="during")
OK = [AlarmState("lag", "OK", "fine")]
RINGS = [AlarmState("lag", "ALARM", "5 > 1")]
UNSURE = [AlarmState("lag", "INSUFFICIENT_DATA", "too early")]
BROKEN = ServiceError(code="InternalFailure", message="sorry", status=500)


class Asked:
    """A gate over shards that answer in turn, and what it did."""

    def __init__(self, *answers: dict[str, Found], halts: str = "shard") -> None:
        self.halted: list[tuple[str, str]] = []
        self.told: list[str] = []
        left = list(answers)

        async def read(names: tuple[str, ...]) -> dict[str, Found]:
            assert names == ("lag",)
            return left.pop(0)

        halt: Callable[[str, str], None] | None = self._halt if halts == "shard" else None
        self.gate = ShardAlarmGate(["lag"], read, self.told.append, halt)

    def _halt(self, name: str, reason: str) -> None:
        self.halted.append((name, reason))


@pytest.mark.parametrize("halts", ["shard", "fleet"])
async def test_all_is_well(halts: str) -> None:
    asked = Asked({"a": OK, "b": OK}, {}, halts=halts)
    assert [await asked.gate.check(END) for _ in range(2)] == [None, None]
    assert (asked.halted, asked.told) == ([], [])


async def test_the_shard_that_it_rings_in_is_halted_alone() -> None:
    asked = Asked({"a": OK, "b": RINGS, "c": AccessError("denied")})
    assert await asked.gate.check(END) is None
    assert asked.halted == [
        ("b", "in wave 2, in ALARM: lag (5 > 1)"),
        ("c", "in wave 2, the alarms cannot be read: denied"),
    ]
    assert asked.told[0] == "b is halted: in ALARM: lag (5 > 1)"


async def test_or_all_of_them() -> None:
    asked = Asked({"a": OK, "b": RINGS, "c": RINGS}, {"a": RINGS}, halts="fleet")
    ringing = "in ALARM: lag (5 > 1)"
    assert await asked.gate.check(END) == f"in 2 of 3 shards: b: {ringing}; c: {ringing}"
    assert await asked.gate.check(END) == ringing  # where there is but one
    assert asked.halted == []


async def test_before_there_is_a_run_there_is_no_shard_to_halt() -> None:
    asked = Asked({"a": OK, "b": RINGS})
    assert await asked.gate.check(None) == "in 1 of 2 shards: b: in ALARM: lag (5 > 1)"
    assert asked.halted == []


async def test_a_service_that_fails_in_one_cannot_tell() -> None:
    asked = Asked({"a": BROKEN, "b": RINGS})
    assert await asked.gate.check(END) == Inconclusive(f"in 1 of 2 shards: a: the alarms cannot be read: {BROKEN}")
    assert [name for name, _ in asked.halted] == ["b"]


async def test_alarms_without_data_are_told_once() -> None:
    asked = Asked({"a": UNSURE, "b": UNSURE}, {"a": UNSURE, "b": UNSURE}, {"a": OK, "c": UNSURE})
    assert [await asked.gate.check(END) for _ in range(3)] == [None] * 3
    assert asked.told == [
        "note: alarm lag has INSUFFICIENT_DATA in a and in 1 more, so it says nothing either way",
        "note: alarm lag has INSUFFICIENT_DATA in c, so it says nothing either way",
    ]
