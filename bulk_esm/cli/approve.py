"""`bulk-esm approve RUN`: let the next wave of a run begin."""

from __future__ import annotations

from bulk_esm.cli.options import OutputOptions, RunName, RunsOptions


def approve_command(
    name: RunName,
    /,
    *,
    runs: RunsOptions = RunsOptions(),
    output: OutputOptions = OutputOptions(),
) -> int:
    """Let the wave begin that a run with `--approve-waves` waits for, after its soak and its gates.

    Example: bulk-esm approve last
    """
    from bulk_esm.cli.controlling import control_run

    return control_run(name, "approve", runs=runs, output=output)
