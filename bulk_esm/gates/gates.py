"""What is asked between waves, and while soaking: whether the run may go on."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import anyio
import msgspec

from bulk_esm.aws.alarms import AlarmState
from bulk_esm.errors import BulkEsmError
from bulk_esm.model.result import Outcome


class WaveEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How a run stands between two waves.

    Attributes:
        wave: the wave that has ended, from 1.
        waves: how many there are.
        next_updates: how many updates the next wave has.
        outcomes: results so far, by outcome.
    """

    wave: int
    waves: int
    next_updates: int
    outcomes: Mapping[Outcome, int]


class Gate(Protocol):
    """Something that may halt a run."""

    async def check(self, end: WaveEnd) -> str | None:
        """Say why the run must halt, or None."""


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
        self._names = tuple(names)
        self._read = read
        self._tell = tell
        self._told: set[str] = set()

    async def check(self, end: WaveEnd | None = None) -> str | None:  # noqa: ARG002 - a Gate's
        """Read the alarms; that they cannot be read halts too."""
        try:
            states = await self._read(self._names)
        except BulkEsmError as error:
            return f"the alarms cannot be read: {error}"
        for alarm in states:
            if alarm.state == "INSUFFICIENT_DATA" and alarm.name not in self._told:
                self._told.add(alarm.name)
                self._tell(f"note: alarm {alarm.name} has INSUFFICIENT_DATA, so it says nothing either way")
        ringing = [f"{alarm.name} ({alarm.reason})" for alarm in states if alarm.state == "ALARM"]
        return f"in ALARM: {', '.join(ringing)}" if ringing else None


class CommandGate:
    """Halts when a command exits with anything but 0. Its output goes to stderr."""

    def __init__(self, command: str, *, run_id: str, folder: Path, stderr: int | None = 2) -> None:
        """Prepare a command.

        Args:
            command: for the shell. Its environment has `BULK_ESM_RUN_ID`, `BULK_ESM_RUN_FOLDER`, `BULK_ESM_WAVE`,
                `BULK_ESM_WAVES` and a count for each outcome, such as `BULK_ESM_UPDATED`.
            run_id: the run.
            folder: its folder.
            stderr: the file descriptor for its output; stdout carries results only.
        """
        self._command = command
        self._run_id = run_id
        self._folder = folder
        self._stderr = stderr

    async def check(self, end: WaveEnd) -> str | None:
        """Run it to its end."""
        counts = {f"BULK_ESM_{outcome.value.upper()}": str(end.outcomes.get(outcome, 0)) for outcome in Outcome}
        names = {"BULK_ESM_RUN_ID": self._run_id, "BULK_ESM_RUN_FOLDER": str(self._folder.absolute())}
        waves = {"BULK_ESM_WAVE": str(end.wave), "BULK_ESM_WAVES": str(end.waves)}
        process = await anyio.open_process(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=self._stderr,
            stderr=self._stderr,
            env={**os.environ, **names, **waves, **counts},
            start_new_session=True,
        )
        try:
            code = await process.wait()
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)  # what it has started too
                with anyio.CancelScope(shield=True):
                    await process.aclose()
        return f"gate {self._command!r} exited with {code}" if code else None
