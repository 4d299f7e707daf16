"""What the tests of the command line share: a simulator in a thread, and the command as a subprocess or in process.

Subprocesses get an environment made from scratch, so that nothing but loopback is ever reached.
"""

import asyncio
import gc
import io
import logging
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec
import pytest

import bulk_esm
from bulk_esm import logs
from bulk_esm.cli.app import run as run_app
from bulk_esm.simulator import Report, Simulator

T = TypeVar("T")

SPEED = 100.0
FAST = ("--rate", f"{12 * SPEED:g}")  # the default, at that speed
LONGEST_S = 600  # of one command; nothing is asserted about time, but nothing may hang for ever either
ACCOUNT = "123456789012"
NO_SUCH_UUID = "00000000-0000-4000-8000-000000000000"
PLAN = {"uuid", "function_arn", "event_source_arn", "source_type", "state", "action", "request", "diff", "problems"}
PLAN |= {"before"}


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    stdout: str
    stderr: str

    @property
    def records(self) -> list[dict[str, Any]]:
        """The JSON-lines on stdout: every one of them must be an object."""
        return records(self.stdout)


def records(text: str) -> list[dict[str, Any]]:
    """JSON-lines, each an object."""
    found = [msgspec.json.decode(line) for line in text.splitlines()]
    assert all(isinstance(record, dict) for record in found)
    return found


@dataclass(frozen=True)
class Cli:
    """The command line in a folder of its own, with nothing of the outer environment."""

    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def runs_dir(self) -> Path:
        """Where runs are kept by default."""
        return self.home / "bulk-esm-runs"

    def __call__(self, *arguments: str, stdin: str | None = None, **more: str) -> Done:
        """Run a command as a subprocess."""
        pipe = subprocess.DEVNULL if stdin is None else subprocess.PIPE
        with self.start(*arguments, stdin=pipe, more=more) as process:
            return finish(process, stdin)

    def start(
        self,
        *arguments: str,
        stdin: int = subprocess.DEVNULL,
        more: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[str]:
        """Start a command as a subprocess; `with` waits for it."""
        return subprocess.Popen(
            [sys.executable, "-m", "bulk_esm", *arguments],
            cwd=self.home,
            env={**self.whole_environment(), **(more or {})},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def shell(self, line: str, **more: str) -> Done:
        """Run a line of shell in which `bulk-esm` is the command; the code is the command's own, not its pipe's."""
        found = subprocess.run(
            ["bash", "-c", f'bulk-esm() {{ {sys.executable} -m bulk_esm "$@"; }}; {line}; exit ${{PIPESTATUS[0]}}'],
            cwd=self.home,
            env=self.whole_environment() | more,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=LONGEST_S,
        )
        assert "Traceback" not in found.stderr
        return Done(found.returncode, found.stdout, found.stderr)

    def whole_environment(self) -> dict[str, str]:
        """All that a subprocess may know."""
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path(bulk_esm.__file__).parent.parent),
            "HOME": str(self.home),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": str(self.home / "aws-config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.home / "aws-credentials"),
            **{name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")},
            **self.environment,
        }

    def run_folders(self) -> list[Path]:
        """The folders of all runs, the oldest first."""
        there = self.runs_dir.iterdir() if self.runs_dir.is_dir() else ()
        runs = [path for path in there if path.name != f".bulk-esm-locks-{os.geteuid()}"]  # a killed run's
        return sorted(runs, key=_started)

    def last_run(self) -> "RunFiles":
        """The newest run's files."""
        return RunFiles(self.run_folders()[-1])


def _started(run: Path) -> tuple[str, str, str]:
    """When a run began: to the second by its name, and further by its record if it has one that can be read."""
    try:
        started_at = str(msgspec.json.decode((run / "run.json").read_bytes())["started_at"])
    except (OSError, ValueError, KeyError, TypeError):
        started_at = ""
    return run.name[:16], started_at, run.name


@dataclass(frozen=True)
class RunFiles:
    """A run's files, read as any other program would."""

    path: Path

    @property
    def record(self) -> dict[str, Any]:
        found: dict[str, Any] = msgspec.json.decode((self.path / "run.json").read_bytes())
        return found

    def edit_record(self, **values: Any) -> None:
        """Change `run.json`, without the digests that would tell: as an older version or a killed run left it."""
        values = {"results": None, **values}
        record = {name: value for name, value in self.record.items() if name != "sha256"}
        (self.path / "run.json").write_bytes(msgspec.json.encode(record | values))

    @property
    def plan(self) -> list[dict[str, Any]]:
        return records((self.path / "plan.jsonl").read_text(encoding="utf-8"))

    @property
    def results(self) -> list[dict[str, Any]]:
        return records((self.path / "results.jsonl").read_text(encoding="utf-8"))

    @property
    def outcomes(self) -> dict[str, str]:
        """Outcomes by UUID; there is one result for each line of the plan."""
        results = self.results
        outcomes = {result["uuid"]: result["outcome"] for result in results}
        assert len(outcomes) == len(results) == len(self.plan)
        assert outcomes.keys() == {item["uuid"] for item in self.plan}
        return outcomes


def finish(process: "subprocess.Popen[str]", stdin: str | None = None) -> Done:
    """Wait for a subprocess. No traceback may ever reach the user."""
    try:
        stdout, stderr = process.communicate(stdin, timeout=LONGEST_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert "Traceback" not in (stderr or "")
    return Done(process.returncode, stdout or "", stderr or "")


class Simulated:
    """A simulator in a thread of its own, so that the test can wait for a subprocess."""

    def __init__(self, **settings: Any) -> None:
        self._settings = {"speed": SPEED, **settings}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.simulator = self.ask(lambda: Simulator(**self._settings))
        self._wait_for(self.simulator.__aenter__())
        return self

    def __exit__(self, *_: object) -> None:
        self._wait_for(self.simulator.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def environment(self) -> dict[str, str]:
        return self.simulator.environment

    def report(self) -> Report:
        return self.ask(self.simulator.report)

    def requests(self) -> int:
        """All requests so far, of whatever kind."""
        return self.report().count()

    def mappings(self, source_type: str | None = None) -> dict[str, dict[str, Any]]:
        """All mappings, or those of a source type, by UUID, as Get returns them."""
        of_type = {mapping.uuid for mapping in self.report().mappings if source_type in (None, mapping.source_type)}
        return {each["UUID"]: each for each in self.ask(self.simulator.snapshot) if each["UUID"] in of_type}

    def states(self) -> dict[str, str]:
        return {uuid: mapping["State"] for uuid, mapping in self.mappings().items()}

    def accepted(self) -> dict[str, int]:
        """How often an update of each mapping was accepted."""
        return {mapping.uuid: mapping.accepted_count for mapping in self.report().mappings}

    def change_behind(self, uuid: str, **values: Any) -> None:
        self.ask(lambda: self.simulator.change_behind(uuid, **values))

    def wait_until(self, condition: Callable[[Report], bool]) -> None:
        """Wait until the simulator has seen something."""
        wait_until(lambda: condition(self.report()))

    def ask(self, question: Callable[[], T]) -> T:
        async def answer() -> T:
            return question()

        return self._wait_for(answer())

    def _wait_for(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(LONGEST_S)


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for what will be; only what hangs gets an error."""
    until = time.monotonic() + LONGEST_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


class Listener:
    """An endpoint that tells whether anybody ever connected; nobody is answered."""

    def __init__(self, server: socket.socket) -> None:
        self._server = server

    @property
    def environment(self) -> dict[str, str]:
        url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        return {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "simulated",
            "AWS_REGION": "us-east-1",
        }

    @property
    def was_called(self) -> bool:
        return bool(select.select([self._server], [], [], 0)[0])


@contextmanager
def listening() -> Iterator[Listener]:
    """Listen on a port of its own."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield Listener(server)


@contextmanager
def own_logging() -> Iterator[None]:
    """Take back what a command does to logging, which a process of its own would forget."""
    loggers = (logging.getLogger("bulk_esm"), logging.getLogger())
    before = [(logger.level, logger.propagate, list(logger.handlers)) for logger in loggers]
    shown = list(logs._on_stderr)
    try:
        yield
    finally:
        logging.captureWarnings(capture=False)
        logs._on_stderr[:] = shown
        for logger, (level, propagate, handlers) in zip(loggers, before, strict=True):
            logger.level, logger.propagate, logger.handlers = level, propagate, handlers


class Inside:
    """The command line in this very process: for what needs no process of its own, as starting one takes a second."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._home = home
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, environment: Mapping[str, str], *arguments: str, stdin: str | None = None) -> Done:
        """Run a command with the environment that a subprocess would have."""
        with self._monkeypatch.context() as patch:
            patch.chdir(self._home)
            for name in os.environ:
                if name.startswith(("AWS_", "BULK_ESM_", "XDG_")):
                    patch.delenv(name)
            for name, value in Cli(self._home, dict(environment)).whole_environment().items():
                patch.setenv(name, value)
            patch.setattr(sys, "stdin", io.StringIO(stdin or ""))
            self._capsys.readouterr()
            try:
                with own_logging():
                    code = run_app(list(arguments))
            finally:
                gc.unfreeze()  # what a command froze; this process lives on, and grew by gigabytes
        stdout, stderr = self._capsys.readouterr()
        assert "Traceback" not in stderr
        return Done(code, stdout, stderr)
