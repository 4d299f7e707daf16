"""The command line: parses, asks, shows; what it shows is made elsewhere."""

from __future__ import annotations

import gc
import logging
import os
import sys

from bulk_esm._version import __version__
from bulk_esm.cli.signals import ignore_signals, leave_on_signal


def main() -> None:
    """Run the command line and exit with its code."""
    leave_on_signal()
    _open_what_is_closed()
    _silence_libraries()
    if sys.argv[1:] in (["--version"], ["version"]):
        print(f"bulk-esm {__version__}")  # noqa: T201 - before anything is imported, so that it is instant
        return
    gc.disable()  # what is imported stays: to look for garbage in it again and again takes a seventh of the start
    from bulk_esm.cli.app import run

    code = run(sys.argv[1:])
    ignore_signals()
    sys.exit(code)


def _silence_libraries() -> None:
    """Keep what libraries log, and what Python warns of, off the terminal, unless `--log-level` asks for it."""
    logging.getLogger().addHandler(logging.NullHandler())  # without any, Python writes to stderr by itself
    logging.captureWarnings(capture=True)


def collect_garbage() -> None:
    """Begin to, now that everything is imported; that is left alone."""
    gc.freeze()
    gc.enable()


def _open_what_is_closed() -> None:
    """Give a closed stdin, stdout or stderr (`>&-`) a place to go, before a connection or a file takes its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123 - open for good
