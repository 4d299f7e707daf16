"""A real Dask scheduler and its workers, as processes on loopback."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

import bulk_esm

LONGEST_S = 600


@contextmanager
def scheduler() -> Iterator[str]:
    """Start a scheduler; its address."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scheduler"
        arguments = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show")
        with _process("scheduler", *arguments, "--scheduler-file", str(file)):
            until = time.monotonic() + LONGEST_S
            while not file.exists():
                assert time.monotonic() < until
                time.sleep(0.05)
            address: str = msgspec.json.decode(file.read_bytes())["address"]
            yield address


@contextmanager
def workers(address: str, count: int, environment: Mapping[str, str] | None = None) -> Iterator[None]:
    """Start workers, each a process with a nanny that starts it anew when it is killed."""
    with ExitStack() as stack:
        for _ in range(count):
            arguments = (address, "--host", "127.0.0.1", "--nthreads", "1", "--no-dashboard", "--memory-limit", "0")
            stack.enter_context(_process("worker", *arguments, more=environment))
        yield


@contextmanager
def _process(what: str, *arguments: str, more: Mapping[str, str] | None = None) -> Iterator[None]:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": tempfile.gettempdir(),
        "PYTHONPATH": os.pathsep.join((str(Path(bulk_esm.__file__).parent.parent), str(Path(__file__).parent))),
        **(more or {}),
    }
    with subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.dask_{what}", *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
