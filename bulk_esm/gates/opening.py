"""Makes the gates that a run's settings ask for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import msgspec

from bulk_esm.aws.alarms import AlarmState
from bulk_esm.gates.alarm import AlarmGate
from bulk_esm.gates.command import CommandGate
from bulk_esm.gates.gate import Gate
from bulk_esm.gates.output import to_stderr
from bulk_esm.model.rollout import RolloutSettings


class GateContext(msgspec.Struct, frozen=True, kw_only=True):
    """What gates may need.

    Attributes:
        run_id: the run.
        folder: its folder.
        read_alarms: reads the states of alarms, where the credentials are at home.
        tell: tells the user something.
        pass_on: called with each line that a command writes.
        also_old_names: see `CommandGate`.
        metric_gate: what watches metrics, if the run is to be watched.
    """

    run_id: str
    folder: Path
    read_alarms: Callable[[tuple[str, ...]], Awaitable[Sequence[AlarmState]]]
    tell: Callable[[str], None]
    pass_on: Callable[[str], None] = to_stderr
    also_old_names: bool = False
    metric_gate: Gate | None = None


def open_gates(settings: RolloutSettings, context: GateContext) -> list[Gate]:
    """Make the gates of a run, in the order in which they are asked.

    Args:
        settings: what was asked for.
        context: what they may need.
    """
    gates: list[Gate] = []
    if settings.alarms:
        gates.append(AlarmGate(settings.alarms, context.read_alarms, context.tell))
    if context.metric_gate is not None:
        gates.append(context.metric_gate)
    gates += [
        CommandGate(
            command,
            run_id=context.run_id,
            folder=context.folder,
            timeout_s=settings.gate_timeout_s,
            told=context.pass_on,
            also_old_names=context.also_old_names,
        )
        for command in settings.gates
    ]
    return gates
