"""Starts the simulator and the contenders, each in a process of its own; every time is taken here."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import msgspec

from bulk_esm.simulator import Report

HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Served:
    """One request that the simulator served, by its own clock."""

    at: float  # virtual seconds since the simulator's start
    kind: str
    status: int


class SimulatorProcess:
    """A simulator that listens; `requests` is complete once it was stopped."""

    def __init__(self, process: subprocess.Popen[str], requests_file: Path) -> None:
        ready = json.loads((process.stdout.readline() if process.stdout else "") or "null")
        if ready is None:
            raise SystemExit("the simulator did not start")
        self.environment: dict[str, str] = ready["environment"]
        self._clock: dict[str, float] = ready["clock"]
        self._process = process
        self._requests_file = requests_file

    def report(self) -> Report:
        """What the simulator saw so far."""
        with urlopen(self.environment["AWS_ENDPOINT_URL"] + "/_simulator/report") as answer:  # noqa: S310 - loopback
            return msgspec.json.decode(answer.read(), type=Report)

    def virtual(self, monotonic: float, speed: float) -> float:
        """A time on this machine's monotonic clock, which all processes share, as the simulator's virtual seconds."""
        return self._clock["now"] + (monotonic - self._clock["monotonic"]) * speed

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)

    def requests(self) -> list[Served]:
        """Every request that was served, in order."""
        return [
            Served(at=at, kind=kind, status=status) for at, kind, status in json.loads(self._requests_file.read_text())
        ]


@contextmanager
def simulator(*arguments: object, log_requests: bool = True) -> Iterator[SimulatorProcess]:
    """Start `simulator_server.py` with these arguments; stopped at the end if it was not before."""
    with tempfile.TemporaryDirectory() as folder:
        requests_file = Path(folder, "requests.json")
        command = [sys.executable, str(HERE / "simulator_server.py"), *map(str, arguments)]
        if log_requests:
            command += ["--requests-file", str(requests_file)]
        # In a session of its own: Ctrl-C is for who asks, and what was seen by then is asked for.
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
            try:
                yield SimulatorProcess(process, requests_file)
            finally:
                process.terminate()


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a process went, on this machine's monotonic clock."""

    stdout: str
    stderr: str
    exit_code: int | None  # None if it ran out of time and was killed
    started_at: float
    ended_at: float
    cpu_s: float  # user and system, with its children


def run(command: Sequence[str], environment: dict[str, str], *, limit_s: float = 3600.0) -> Ended:
    """Run one process to its end, in an empty folder of its own and with nothing of the caller's AWS settings."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with tempfile.TemporaryDirectory() as folder:
        home = {"HOME": folder, "AWS_CONFIG_FILE": f"{folder}/none", "AWS_SHARED_CREDENTIALS_FILE": f"{folder}/none"}
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with Path(folder, "stdout").open("w+") as stdout, Path(folder, "stderr").open("w+") as stderr:
            started_at = time.monotonic()
            process = subprocess.Popen(
                command,
                cwd=folder,
                env={**inherited, **home, **environment},
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
            exit_code: int | None = None
            try:
                exit_code = process.wait(limit_s)
            except subprocess.TimeoutExpired:
                pass
            finally:
                ended_at = time.monotonic()
                if exit_code is None:
                    os.killpg(process.pid, signal.SIGKILL)  # xargs's children too; the group is the process's own
                    process.wait()
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            stdout.seek(0)
            stderr.seek(0)
            return Ended(
                stdout=stdout.read(),
                stderr=stderr.read(),
                exit_code=exit_code,
                started_at=started_at,
                ended_at=ended_at,
                cpu_s=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
            )


def run_script(name: str, *arguments: object, environment: dict[str, str], limit_s: float = 3600.0) -> dict[str, Any]:
    """Run a script of this folder that prints one JSON object, and return that."""
    ended = run([sys.executable, str(HERE / name), *map(str, arguments)], environment, limit_s=limit_s)
    if ended.exit_code != 0:
        raise SystemExit(
            f"{name} {' '.join(map(str, arguments))} ended with {ended.exit_code}:\n{ended.stderr[-3000:]}"
        )
    answer: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return answer
