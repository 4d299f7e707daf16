from collections.abc import Sequence
from pathlib import Path

import pytest

from bulk_esm.aws.alarms import AlarmState
from bulk_esm.gates.alarm import AlarmGate
from bulk_esm.gates.command import CommandGate
from bulk_esm.gates.opening import GateContext, open_gates
from bulk_esm.model.rollout import RolloutSettings


def context(folder: Path, asked: list[tuple[str, ...]] | None = None) -> GateContext:
    async def read(names: tuple[str, ...]) -> Sequence[AlarmState]:
        if asked is not None:
            asked.append(names)
        return [AlarmState(names[0], "OK", "fine")]

    return GateContext(run_id="a-run", folder=folder, read_alarms=read, tell=pytest.fail)


def test_a_run_without_gates_has_none(tmp_path: Path) -> None:
    assert open_gates(RolloutSettings(), context(tmp_path)) == []


async def test_alarms_are_asked_before_commands_and_all_of_them_at_once(tmp_path: Path) -> None:
    asked: list[tuple[str, ...]] = []
    gates = open_gates(RolloutSettings(gates=("true", "false"), alarms=("a", "b")), context(tmp_path, asked))
    assert [type(gate) for gate in gates] == [AlarmGate, CommandGate, CommandGate]
    assert await gates[0].check(None) is None
    assert asked == [("a", "b")]
