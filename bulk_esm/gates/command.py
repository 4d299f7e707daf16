"""A gate that runs a command.

It has the whole environment, the AWS variables too: a gate that asks CloudWatch needs them, and who typed it at the
shell could read them there. A command that was not typed comes from a run folder; one that others can write is refused
(`bulk_esm/store/ownership.py`), and `continue` shows the gates before it asks.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import anyio

from bulk_esm.escaping import shortened
from bulk_esm.gates.gate import WaveEnd
from bulk_esm.gates.output import capturing, to_stderr
from bulk_esm.gates.process import run_shell
from bulk_esm.logs import get_logger
from bulk_esm.model.checked import taken
from bulk_esm.model.gating import GateAnswer, Inconclusive
from bulk_esm.model.result import Outcome

log: Final = get_logger("gates")

INCONCLUSIVE_CODE: Final = 75  # EX_TEMPFAIL of sysexits.h: try again later
_LINES_IN_REASON: Final = 3


class CommandGate:
    """Halts when a command exits with anything but 0. Its output is passed on, its last lines go to the run's log.

    With 75 it says that it cannot tell yet, and so it does if it does not end in time.
    """

    def __init__(
        self,
        command: str,
        *,
        run_id: str,
        folder: Path,
        told: Callable[[str], None] = to_stderr,
        timeout_s: float = 300.0,
        also_old_names: bool = False,
    ) -> None:
        """Prepare a command.

        Args:
            command: for the shell. Its environment has `BULK_ESM_GATE_RUN_ID`, `BULK_ESM_GATE_RUN_FOLDER`,
                `BULK_ESM_GATE_STAGE`, `BULK_ESM_GATE_WAVE`, `BULK_ESM_GATE_WAVES` and a count for each outcome, such
                as `BULK_ESM_GATE_UPDATED`: a `bulk-esm` inside would take `BULK_ESM_WAVES` for its own flag.
            run_id: the run.
            folder: its folder.
            told: called with each line that it writes, to stdout or stderr, less those of a flood.
            timeout_s: how long it may take, in seconds; then it is stopped, with all that it started.
            also_old_names: whether the names are there without `GATE_` too, for a command of an earlier version's run.
        """
        self._command = taken("command", command, str)
        self._run_id = run_id
        self._folder = folder
        self._told = told
        self._timeout_s = timeout_s
        self._also_old_names = also_old_names

    @property
    def name(self) -> str:
        """What it is called where it is told of."""
        return f"gate {self._command!r}"

    async def check(self, end: WaveEnd | None) -> GateAnswer:
        """Run it to its end; before there is a run there is nothing that it could tell."""
        if end is None:
            return None
        code = None
        try:
            with capturing(self._told) as output:
                with anyio.move_on_after(self._timeout_s):
                    code = await run_shell(self._command, output, {**os.environ, **self._environment(end)})
                last = output.last_lines
        except OSError as error:
            return f"gate {self._command!r} cannot be run: {error.strerror}"
        log.info("gate_ended", command=self._command, exit_code=code, last_lines=last)
        said = shortened(" / ".join([line for line in last if line.strip()][-_LINES_IN_REASON:]))
        why = f": {said}" if said else ""
        if code is None:
            return Inconclusive(f"gate {self._command!r} did not end within {self._timeout_s:g} s{why}")
        reason = f"gate {self._command!r} exited with {code}{why}"
        if code == INCONCLUSIVE_CODE:
            return Inconclusive(reason)
        return reason if code else None

    def _environment(self, end: WaveEnd) -> dict[str, str]:
        told = {
            "BULK_ESM_GATE_RUN_ID": self._run_id,
            "BULK_ESM_GATE_RUN_FOLDER": str(self._folder.absolute()),
            "BULK_ESM_GATE_STAGE": end.stage,
            "BULK_ESM_GATE_WAVE": str(end.wave),
            "BULK_ESM_GATE_WAVES": str(end.waves),
            **{f"BULK_ESM_GATE_{outcome.value.upper()}": str(end.outcomes.get(outcome, 0)) for outcome in Outcome},
        }
        old = {name.replace("_GATE_", "_", 1): value for name, value in told.items()} if self._also_old_names else {}
        return {**old, **told}
