from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bulk_esm.aws.alarms import AlarmState
from bulk_esm.gates.alarm import AlarmGate
from bulk_esm.gates.calendar import CalendarGate
from bulk_esm.gates.command import CommandGate
from bulk_esm.gates.opening import GateContext, open_gates
from bulk_esm.gates.shard_alarm import ShardAlarmGate
from bulk_esm.model.rollout import RolloutSettings


def context(folder: Path, asked: list[tuple[str, ...]] | None = None) -> GateContext:
    async def read(names: tuple[str, ...]) -> Sequence[AlarmState]:
        if asked is not None:
            asked.append(names)
        return [AlarmState(names[0], "OK", "fine")]

    async def nothing(_: tuple[str, ...]) -> Any:
        pytest.fail("nobody asked for that")

    return GateContext(
        run_id="a-run",
        folder=folder,
        read_alarms=read,
        read_shard_alarms=nothing,
        halt_shard=lambda *_: pytest.fail("nobody asked for that"),
        read_calendars=nothing,
        tell=pytest.fail,
    )


def test_a_run_without_gates_has_none(tmp_path: Path) -> None:
    assert open_gates(RolloutSettings(), context(tmp_path)) == []


def test_all_kinds_in_the_order_in_which_they_are_asked(tmp_path: Path) -> None:
    settings = RolloutSettings(gates=("true",), calendars=("c",), alarms=("a",), shard_alarms=("s",))
    gates = open_gates(settings, context(tmp_path))
    assert [type(gate) for gate in gates] == [AlarmGate, ShardAlarmGate, CalendarGate, CommandGate]


async def test_alarms_are_asked_before_commands_and_all_of_them_at_once(tmp_path: Path) -> None:
    asked: list[tuple[str, ...]] = []
    gates = open_gates(RolloutSettings(gates=("true", "false"), alarms=("a", "b")), context(tmp_path, asked))
    assert [type(gate) for gate in gates] == [AlarmGate, CommandGate, CommandGate]
    assert await gates[0].check(None) is None
    assert asked == [("a", "b")]
