"""A gate that reads Systems Manager's change calendars."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from bulk_esm.errors import BulkEsmError, ServiceError
from bulk_esm.gates.gate import WaveEnd
from bulk_esm.logs import get_logger
from bulk_esm.model.calendars import CalendarState, closed
from bulk_esm.model.checked import taken
from bulk_esm.model.gating import Closed, GateAnswer, Inconclusive

log: Final = get_logger("gates")


class CalendarGate:
    """Holds what comes next while a change calendar is CLOSED. A wave that is under way is finished all the same."""

    def __init__(
        self,
        names: Sequence[str],
        read: Callable[[tuple[str, ...]], Awaitable[Sequence[CalendarState]]],
        tell: Callable[[str], None],
    ) -> None:
        """Heed some calendars.

        Args:
            names: of the calendars, or their ARNs; all must be open.
            read: reads how they stand, such as `Connection.calendars`.
            tell: told what the user should know.
        """
        self._names = taken("names", names, tuple[str, ...])
        self._read = read
        self._tell = tell
        self._told: Closed | None = None

    @property
    def name(self) -> str:
        """What it is called where it is told of."""
        return f"calendar {', '.join(self._names)}"

    async def check(self, end: WaveEnd | None) -> GateAnswer:
        """Read them; that they may not be read, or one is gone, halts what comes next. In the bake nothing comes."""
        if end is not None and end.stage == "bake":
            return None
        answer = await self._answer()
        if end is None or end.stage != "during":
            return answer
        if isinstance(answer, Closed) and answer != self._told:
            self._told = answer
            self._tell(f"note: {answer.reason}: wave {end.wave} is finished, and what comes after it waits")
        return None

    async def _answer(self) -> GateAnswer:
        try:
            states = await self._read(self._names)
        except ServiceError as error:
            return Inconclusive(f"the calendars cannot be read: {error}")
        except BulkEsmError as error:
            return f"the calendars cannot be read: {error}"
        log.info("calendars_read", states={one.name: one.text for one in states})
        return closed(states)
