"""A gate that reads CloudWatch alarms in each account and Region of a fleet, and may halt one of them alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from bulk_esm.gates.alarm import Found, answer_to
from bulk_esm.gates.gate import WaveEnd
from bulk_esm.logs import get_logger
from bulk_esm.model.checked import taken
from bulk_esm.model.gating import GateAnswer, Inconclusive
from bulk_esm.model.stopping import in_shards

log: Final = get_logger("gates")


class ShardAlarmGate:
    """Halts while an alarm of a shard is in ALARM: that shard, or all. See `AlarmGate`."""

    def __init__(
        self,
        names: Sequence[str],
        read: Callable[[tuple[str, ...]], Awaitable[Mapping[str, Found]]],
        tell: Callable[[str], None],
        halt_shard: Callable[[str, str], None] | None = None,
    ) -> None:
        """Watch some alarms, each of which every shard has.

        Args:
            names: of the alarms.
            read: reads them, by the shard's name.
            tell: told what the user should know.
            halt_shard: halts a shard for a reason; None to halt all of the run.
        """
        self._names = taken("names", names, tuple[str, ...])
        self._read = read
        self._tell = tell
        self._halt_shard = halt_shard
        self._told: set[tuple[str, str]] = set()

    @property
    def name(self) -> str:
        """What it is called where it is told of."""
        return f"shard alarm {', '.join(self._names)}"

    async def check(self, end: WaveEnd | None) -> GateAnswer:
        """Read the alarms of all shards. Where a service fails in one, that holds them all: nobody can tell."""
        found = await self._read(self._names)
        answers = {name: answer_to(one) for name, one in found.items()}
        halting = {name: answer for name, answer in answers.items() if isinstance(answer, str)}
        log.info("shard_alarms_read", shards=len(found), halting=halting)
        self._tell_of_no_data(found)
        if halting and (self._halt_shard is None or end is None):
            return in_shards(halting, shards=len(found))
        for name, reason in halting.items():
            if self._halt_shard is not None and end is not None:
                self._tell(f"{name} is halted: {reason}")
                self._halt_shard(name, end.halted(reason))
        unsure = {name: answer.reason for name, answer in answers.items() if isinstance(answer, Inconclusive)}
        return Inconclusive(in_shards(unsure, shards=len(found))) if unsure else None

    def _tell_of_no_data(self, found: Mapping[str, Found]) -> None:
        without = {
            (alarm.name, name)
            for name, states in found.items()
            if not isinstance(states, Exception)
            for alarm in states
            if alarm.state == "INSUFFICIENT_DATA"
        }
        if new := sorted(without - self._told):
            self._told |= without
            alarm, name = new[0]
            more = f" and in {len(new) - 1:,} more" if len(new) > 1 else ""
            self._tell(f"note: alarm {alarm} has INSUFFICIENT_DATA in {name}{more}, so it says nothing either way")
