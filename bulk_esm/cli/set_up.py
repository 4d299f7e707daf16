"""How a command speaks, before it does anything else; this imports no client of AWS, as not all commands need one."""

from __future__ import annotations

import sys

from bulk_esm.cli.configured import told_once
from bulk_esm.cli.options import OutputOptions
from bulk_esm.cli.streams import in_color, manner, say, speaks_json
from bulk_esm.logs import log_to_stderr


def set_up_logs(options: OutputOptions) -> None:
    """Show the log on stderr as the flags say; and what there is to know of flags that were not typed."""
    manner(as_json=options.log_format == "json", color=options.color, wide=options.wide)
    log_to_stderr(options.log_level, as_json=speaks_json(), in_color=in_color(sys.stderr))
    notes, warnings = told_once()
    for note in notes:
        say(note, quiet=options.quiet)
    for warning in warnings:
        say(warning)
