"""What SIGINT, SIGTERM and SIGHUP do, at every instant: always exit code 130, and never a traceback.

A handler is set by the first lines of the command and only ever replaced by another: asyncio's own ways remove theirs
when they end, and what came then would kill. Nothing is raised out of a handler, as Python swallows that in some places
and shows a traceback in others. This is imported before all else, so it imports little.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

INTERRUPTED = 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def leave_on_signal() -> None:
    """Leave at once on a signal, until `heard` says otherwise: as yet nothing was sent or written."""
    for number in _SIGNALS:
        _set(number, leave)


def ignore_signals() -> None:
    """Ignore them from now on: all is done, and the exit code known."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def leave(_: int = 0) -> None:
    """End this process without another word."""
    os._exit(INTERRUPTED)


@contextmanager
def heard(on_signal: Callable[[int], None]) -> Iterator[None]:
    """Have a function called on each signal, between two steps of the main thread.

    Args:
        on_signal: called with its number; must not raise.
    """
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        for number in _SIGNALS:
            _set(number, on_signal)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _set(number: signal.Signals, on_signal: Callable[[int], None]) -> None:
    """Set one. Under `nohup` a hang-up stays ignored; SIGINT, which a shell ignores in the background, is heard."""
    if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
        signal.signal(number, lambda received, _: on_signal(received))
