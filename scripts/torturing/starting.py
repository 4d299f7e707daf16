"""How the command line is started: as a process of its own from the first instant on, or forked with all imported.

A fork saves the half second of CPU that imports take, which is most of what a small run costs.
"""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

_POLL_S = 0.004


class Process(Protocol):
    """What can be killed."""

    pid: int

    def poll(self) -> int | None:
        """The exit code, negative if a signal ended it; None if it still runs."""

    def wait(self, timeout: float | None = None) -> int:
        """The same at its end; raises `TimeoutExpired` if it takes longer."""

    def send_signal(self, number: int, /) -> None:
        """Send a signal, unless it has ended."""


class Start(Protocol):
    """A way to start the command line, in a process group of its own."""

    def __call__(
        self, arguments: Sequence[str], *, home: Path, environment: Mapping[str, str], stdout: IO[Any], stderr: IO[Any]
    ) -> Process:
        """Start it."""


def spawned(
    arguments: Sequence[str], *, home: Path, environment: Mapping[str, str], stdout: IO[Any], stderr: IO[Any]
) -> Process:
    """Start it anew."""
    return subprocess.Popen(  # noqa: S603 - ours
        [sys.executable, "-m", "bulk_esm", *arguments],
        cwd=home,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        process_group=0,
    )


def forked(
    arguments: Sequence[str], *, home: Path, environment: Mapping[str, str], stdout: IO[Any], stderr: IO[Any]
) -> Process:
    """Fork it off this process, which has imported all of it and has no threads."""
    import bulk_esm.cli.app  # noqa: F401, PLC0415 - not where nothing is forked

    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return Forked(pid)
    code = 1
    try:
        os.setpgid(0, 0)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        with open(os.devnull) as nothing:  # noqa: PTH123 - a descriptor
            for number, file in enumerate((nothing, stdout, stderr)):
                os.dup2(file.fileno(), number)
        os.chdir(home)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = ["bulk-esm", *arguments]
        runpy.run_module("bulk_esm", run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as exit_:
        code = exit_.code if isinstance(exit_.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


class Forked:
    """A forked process."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: int | None = None

    def poll(self) -> int | None:
        """See `Process`."""
        if self._code is None:
            found, status = os.waitpid(self.pid, os.WNOHANG)
            if found:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        """See `Process`."""
        until = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if until is not None and time.monotonic() > until:
                raise subprocess.TimeoutExpired("bulk-esm", timeout or 0.0)
            time.sleep(_POLL_S)
        return code

    def send_signal(self, number: int, /) -> None:
        """See `Process`."""
        if self.poll() is None:
            os.kill(self.pid, number)
