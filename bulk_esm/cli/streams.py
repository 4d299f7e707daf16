"""stderr, on which a person is told things, and what to do with a stream at whose other end nobody is."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from bulk_esm.escaping import escaped


def say(text: str, *, quiet: bool = False, end: str = "\n") -> None:
    """Tell the user something; control characters in it are shown, and not obeyed.

    That nobody listens any more (`2>&1 | head -1`, a full disk) ends no run.
    """
    if quiet:
        return
    try:
        sys.stderr.write(f"{escaped(text)}{end}")
        sys.stderr.flush()
    except OSError:
        give_up(sys.stderr)


def give_up(stream: TextIO) -> None:
    """Let a stream lead nowhere: what is still buffered must not complain again when the interpreter ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
