"""Makes the gates that a run's settings ask for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from bulk_esm.aws.alarms import AlarmState
from bulk_esm.gates.alarm import AlarmGate, Found
from bulk_esm.gates.calendar import CalendarGate
from bulk_esm.gates.command import CommandGate
from bulk_esm.gates.gate import Gate
from bulk_esm.gates.output import to_stderr
from bulk_esm.gates.shard_alarm import ShardAlarmGate
from bulk_esm.model.calendars import CalendarState
from bulk_esm.model.rollout import RolloutSettings


class GateContext(msgspec.Struct, frozen=True, kw_only=True):
    """What gates may need.

    Attributes:
        run_id: the run.
        folder: its folder.
        read_alarms: reads the states of alarms, where the credentials are at home.
        read_shard_alarms: reads alarms in each shard in which something is updated, by the shard's name.
        halt_shard: halts a shard alone, by its name, for a reason.
        read_calendars: reads how change calendars stand, likewise.
        tell: tells the user something.
        pass_on: called with each line that a command writes.
        also_old_names: see `CommandGate`.
        metric_gate: what watches metrics, if the run is to be watched.
    """

    run_id: str
    folder: Path
    read_alarms: Callable[[tuple[str, ...]], Awaitable[Sequence[AlarmState]]]
    read_shard_alarms: Callable[[tuple[str, ...]], Awaitable[Mapping[str, Found]]]
    halt_shard: Callable[[str, str], None]
    read_calendars: Callable[[tuple[str, ...]], Awaitable[Sequence[CalendarState]]]
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
    if settings.shard_alarms:
        halt_shard = context.halt_shard if settings.shard_alarm_halts == "shard" else None
        gates.append(ShardAlarmGate(settings.shard_alarms, context.read_shard_alarms, context.tell, halt_shard))
    if settings.calendars:
        gates.append(CalendarGate(settings.calendars, context.read_calendars, context.tell))
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
