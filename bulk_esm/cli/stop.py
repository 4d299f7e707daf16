"""`bulk-esm stop RUN`: have a run that is at work halt."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from bulk_esm.cli.options import RUN, OutputOptions, RunName, RunsOptions


def stop_command(
    name: RunName,
    /,
    *,
    rollback: Annotated[
        bool, Parameter(group=RUN, help="Put back what it changed; without this nothing is, whatever --on-halt said.")
    ] = False,
    runs: RunsOptions = RunsOptions(),
    output: OutputOptions = OutputOptions(),
) -> int:
    """Have a run that is at work, wherever that is, halt: nothing more is sent, what was accepted is waited for.

    Its own command ends with 3.

    Example: bulk-esm stop last --rollback
    """
    from bulk_esm.cli.controlling import control_run

    return control_run(name, "stop", rollback=rollback, runs=runs, output=output)
