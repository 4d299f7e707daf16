"""A gate that runs a command.

It has the whole environment, the AWS variables too: a gate that asks CloudWatch needs them, and who typed it at the
shell could read them there. A command that was not typed comes from a run folder; one that others can write is refused
(`bulk_esm/store/ownership.py`), and `continue` shows the gates before it asks.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import anyio
import anyio.abc

from bulk_esm.gates.gate import WaveEnd
from bulk_esm.gates.output import Output, capturing, to_stderr
from bulk_esm.logs import get_logger
from bulk_esm.model.checked import taken
from bulk_esm.model.result import Outcome

log: Final = get_logger("gates")

_GATE: Final = 'read -r _ || exit; exec /bin/sh -c "$1" </dev/null'  # not before it is watched
# A line comes when the gate has ended; the end of the file without one when this process has, killed perhaps.
_WATCH: Final = 'read -r _ || kill -s KILL -- "-$1"'


class CommandGate:
    """Halts when a command exits with anything but 0. Its output is passed on, its last lines go to the run's log."""

    def __init__(
        self,
        command: str,
        *,
        run_id: str,
        folder: Path,
        told: Callable[[str], None] = to_stderr,
        also_old_names: bool = False,
    ) -> None:
        """Prepare a command.

        Args:
            command: for the shell. Its environment has `BULK_ESM_GATE_RUN_ID`, `BULK_ESM_GATE_RUN_FOLDER`,
                `BULK_ESM_GATE_WAVE`, `BULK_ESM_GATE_WAVES` and a count for each outcome, such as
                `BULK_ESM_GATE_UPDATED`: a `bulk-esm` inside would take `BULK_ESM_WAVES` for its own flag.
            run_id: the run.
            folder: its folder.
            told: called with each line that it writes, to stdout or stderr.
            also_old_names: whether the names are there without `GATE_` too, for a command of an earlier version's run.
        """
        self._command = taken("command", command, str)
        self._run_id = run_id
        self._folder = folder
        self._told = told
        self._also_old_names = also_old_names

    async def check(self, end: WaveEnd | None) -> str | None:
        """Run it to its end; before the first wave there is nothing that it could tell."""
        if end is None:
            return None
        counts = {f"BULK_ESM_GATE_{outcome.value.upper()}": str(end.outcomes.get(outcome, 0)) for outcome in Outcome}
        names = {"BULK_ESM_GATE_RUN_ID": self._run_id, "BULK_ESM_GATE_RUN_FOLDER": str(self._folder.absolute())}
        waves = {"BULK_ESM_GATE_WAVE": str(end.wave), "BULK_ESM_GATE_WAVES": str(end.waves)}
        told = {**names, **waves, **counts}
        old = {name.replace("_GATE_", "_", 1): value for name, value in told.items()} if self._also_old_names else {}
        try:
            with capturing(self._told) as output:
                code = await self._run(output, {**os.environ, **old, **told})
                log.info("gate_ended", command=self._command, exit_code=code, last_lines=output.last_lines)
        except OSError as error:
            return f"gate {self._command!r} cannot be run: {error.strerror}"
        return f"gate {self._command!r} exited with {code}" if code else None

    async def _run(self, output: Output, environment: Mapping[str, str]) -> int:
        process = await anyio.open_process(
            ["/bin/sh", "-c", _GATE, "sh", self._command],
            stdin=subprocess.PIPE,
            stdout=output.file,
            stderr=output.file,
            env=environment,
            start_new_session=True,
        )
        try:
            async with _ending_with_this_process(process.pid), output.passed_on():
                await _say_go(process)
                return await process.wait()
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)  # what it has started too
                with anyio.CancelScope(shield=True):
                    await process.aclose()


@asynccontextmanager
async def _ending_with_this_process(group: int) -> AsyncIterator[None]:
    """Have a process group killed if this process is: a gate that outlives its run would be asked beside the next."""
    watch = await anyio.open_process(
        ["/bin/sh", "-c", _WATCH, "sh", str(group)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # what kills this process's group must not kill it
    )
    try:
        yield
    finally:
        with anyio.CancelScope(shield=True):
            await _say_go(watch)
            await watch.aclose()


async def _say_go(process: anyio.abc.Process) -> None:
    if process.stdin is not None:
        with suppress(anyio.BrokenResourceError):  # somebody killed it
            await process.stdin.send(b"\n")
            await process.stdin.aclose()
