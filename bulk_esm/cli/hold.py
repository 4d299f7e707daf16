"""`bulk-esm hold RUN`: have a run that is at work send nothing for now."""

from __future__ import annotations

from bulk_esm.cli.options import OutputOptions, RunName, RunsOptions


def hold_command(
    name: RunName,
    /,
    *,
    runs: RunsOptions = RunsOptions(),
    output: OutputOptions = OutputOptions(),
) -> int:
    """Have a run that is at work, wherever that is, send nothing more until `bulk-esm go`; within 5 s.

    What was accepted is waited for, gates are asked, and its deadline and window go on and end it. It stays held when
    it is continued.

    Example: bulk-esm hold last
    """
    from bulk_esm.cli.controlling import control_run

    return control_run(name, "hold", runs=runs, output=output)
