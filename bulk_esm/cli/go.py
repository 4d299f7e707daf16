"""`bulk-esm go RUN`: have a run go on that is held."""

from __future__ import annotations

from bulk_esm.cli.options import OutputOptions, RunName, RunsOptions


def go_command(
    name: RunName,
    /,
    *,
    runs: RunsOptions = RunsOptions(),
    output: OutputOptions = OutputOptions(),
) -> int:
    """Have a run go on that `bulk-esm hold` holds. What it read long ago it reads again before it sends.

    Example: bulk-esm go last
    """
    from bulk_esm.cli.controlling import control_run

    return control_run(name, "go", runs=runs, output=output)
