"""The command line: parses, asks, shows; what it shows is made elsewhere."""

from __future__ import annotations

import sys

from bulk_esm._version import __version__


def main() -> None:
    """Run the command line and exit with its code."""
    if sys.argv[1:] == ["--version"]:
        print(__version__)  # noqa: T201 - before anything is imported, so that it is instant
        return
    from bulk_esm.cli.app import run  # noqa: PLC0415 - likewise

    sys.exit(run(sys.argv[1:]))
