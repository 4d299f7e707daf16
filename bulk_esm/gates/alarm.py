"""A gate that reads CloudWatch alarms."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from bulk_esm.aws.alarms import AlarmState
from bulk_esm.errors import BulkEsmError, ServiceError
from bulk_esm.gates.gate import WaveEnd
from bulk_esm.logs import get_logger
from bulk_esm.model.checked import taken
from bulk_esm.model.gating import GateAnswer, Inconclusive

log: Final = get_logger("gates")

Found = Sequence[AlarmState] | BulkEsmError  # how alarms stand, or why that cannot be read


def answer_to(found: Found) -> GateAnswer:
    """What alarms come to. INSUFFICIENT_DATA is no alarm; a service that fails cannot tell.

    Args:
        found: how they stand. That they may not be read, or one is gone, halts too.
    """
    if isinstance(found, ServiceError):
        return Inconclusive(f"the alarms cannot be read: {found}")
    if isinstance(found, BulkEsmError):
        return f"the alarms cannot be read: {found}"
    ringing = [f"{alarm.name} ({alarm.reason})" for alarm in found if alarm.state == "ALARM"]
    return f"in ALARM: {', '.join(ringing)}" if ringing else None


class AlarmGate:
    """Halts while a CloudWatch alarm is in ALARM. INSUFFICIENT_DATA is no alarm, and is told once."""

    def __init__(
        self,
        names: Sequence[str],
        read: Callable[[tuple[str, ...]], Awaitable[Sequence[AlarmState]]],
        tell: Callable[[str], None],
    ) -> None:
        """Watch some alarms.

        Args:
            names: of the alarms.
            read: reads their states, such as `Connection.alarms`.
            tell: told what the user should know.
        """
        self._names = taken("names", names, tuple[str, ...])
        self._read = read
        self._tell = tell
        self._told: set[str] = set()

    @property
    def name(self) -> str:
        """What it is called where it is told of."""
        return f"alarm {', '.join(self._names)}"

    async def check(self, end: WaveEnd | None) -> GateAnswer:  # noqa: ARG002 - a Gate's
        """Read the alarms; see `answer_to`."""
        try:
            states = await self._read(self._names)
        except BulkEsmError as error:
            return answer_to(error)
        log.info("alarms_read", states={alarm.name: alarm.state for alarm in states})
        for alarm in states:
            if alarm.state == "INSUFFICIENT_DATA" and alarm.name not in self._told:
                self._told.add(alarm.name)
                self._tell(f"note: alarm {alarm.name} has INSUFFICIENT_DATA, so it says nothing either way")
        return answer_to(states)
