"""The whole command line in this process, in virtual time and without a socket: some hundred commands a second.

Requests pass botocore, aiobotocore and our own session; only aiohttp's is another, which hands them to a function.
"""

from __future__ import annotations

import asyncio
import gc
import io
import os
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch
from urllib.parse import parse_qsl, urlsplit

import anyio
import structlog
from cli_harness import own_logging
from engine_world import MODELS, VirtualTimeLoop

from bulk_esm.aws.http import HttpSession
from bulk_esm.cli.app import _cause, _complain
from bulk_esm.cli.app import run as run_app
from bulk_esm.clock import Clock
from bulk_esm.simulator.api import Answer, answer
from bulk_esm.simulator.faults import Faults
from bulk_esm.simulator.fleet import Fleet, make_fleet
from bulk_esm.simulator.routes import Request
from bulk_esm.simulator.settings import Settings
from bulk_esm.simulator.world import World

ACCOUNT: Final = "123456789012"
ENDPOINT: Final = "http://127.0.0.1:9"
STARTED_AT: Final = datetime(2026, 12, 1, tzinfo=UTC)
ENVIRONMENT: Final = {
    "AWS_ENDPOINT_URL": ENDPOINT,
    "AWS_ACCESS_KEY_ID": ACCOUNT,
    "AWS_SECRET_ACCESS_KEY": "simulated",
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}

Answering = Callable[[Request], Answer]


Place = tuple[str, str]
HOME: Final[Place] = (ACCOUNT, "us-east-1")


class Service:
    """The simulator's Lambda without its server, and a record of what it was asked.

    Attributes:
        answered: sees each request with its answer, and gives the one that is sent.
        requests: the methods and paths so far.
        passed_s: virtual seconds, over all commands so far.
    """

    def __init__(self, fleets: Mapping[Place, Fleet], *, mappings: int = 0) -> None:
        """Begin with some fleets; other accounts and Regions have so many mappings made up."""
        settings = Settings(
            seed=1,
            account_id=ACCOUNT,
            epoch=STARTED_AT.timestamp(),
            quota_per_second=None,
            burst=15.0,
            settle_scale=1.0,
            whole_stamps=False,
            switches_scaling=False,
            faults=Faults(),
        )
        self.world = World(settings, mappings=mappings, fleets=dict(fleets), faults={})
        self.answered: Callable[[Request, Answer], Answer] = lambda _, found: found
        self.requests: list[tuple[str, str]] = []
        self.passed_s = 0.0

    @classmethod
    def of_size(cls, mappings: int) -> Service:
        """One whose fleets are made up."""
        return cls({HOME: make_fleet(mappings, seed=1, account_id=ACCOUNT, region=HOME[1])}, mappings=mappings)

    def now(self) -> float:
        """Virtual seconds since the start."""
        try:
            return self.passed_s + asyncio.get_running_loop().time()
        except RuntimeError:
            return self.passed_s

    @property
    def updates(self) -> int:
        """How many updates were asked for."""
        return sum(method == "PUT" for method, _ in self.requests)

    def mappings(self, *places: Place) -> dict[str, dict[str, Any]]:
        """All mappings of some accounts and Regions, by UUID."""
        return {each["UUID"]: each for place in places for each in self.world.shard(*place).snapshot(self.now())}

    def answer(self, request: Request) -> Answer:
        """Answer a request."""
        self.requests.append((request.method, request.path))
        return self.answered(request, answer(self.world, request, self.now()))


class _Response:
    def __init__(self, url: str, found: Answer) -> None:
        self.url = url
        self.status = found.status
        headers = {"Content-Length": str(len(found.body)), **found.headers}
        self.raw_headers = [
            (name.encode(), value.encode("utf-8", "surrogateescape")) for name, value in headers.items()
        ]
        self._body = found.body

    async def read(self) -> bytes:
        return self._body

    def close(self) -> None:
        """Nothing is open."""


async def _request(
    service: Service, method: str, url: Any, headers: Mapping[str, str], data: Any = None, **_: Any
) -> _Response:
    parts = urlsplit(str(url))
    await asyncio.sleep(0.01)  # virtual; what takes no time at all lets nobody else do anything
    body = data.encode() if isinstance(data, str) else bytes(data or b"")
    found = service.answer(
        Request(
            method=method,
            path=parts.path,
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in headers.items()},
            body=body,
        )
    )
    if found.cut or not found.status:
        raise ConnectionResetError(104, os.strerror(104))
    return _Response(str(url), found)


@dataclass(frozen=True)
class Ended:
    """What a command left behind."""

    code: int
    stdout: str
    stderr: str

    @property
    def fault(self) -> str | None:
        """What may never be: an error that nobody thought of."""
        for line in self.stderr.splitlines():
            if "please report this" in line or line.startswith("Traceback"):
                return line
        return None


@contextmanager
def streams(stdin: bytes) -> Iterator[tuple[io.StringIO, io.StringIO]]:
    """Other streams: what is written is kept, as text that a terminal in UTF-8 could show."""
    out, err = io.StringIO(), io.StringIO()
    reading = io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
    with patch.object(sys, "stdin", reading), patch.object(sys, "stdout", out), patch.object(sys, "stderr", err):
        yield out, err


def command(
    service: Service,
    *arguments: str,
    home: Path,
    stdin: bytes = b"",
    environment: Mapping[str, str] = ENVIRONMENT,
) -> Ended:
    """Run one command line to its end; see `called`."""
    return called(service, lambda: run_app(list(arguments)), home=home, stdin=stdin, environment=environment)


def called(
    service: Service,
    work: Callable[[], int],
    *,
    home: Path,
    stdin: bytes = b"",
    environment: Mapping[str, str] = ENVIRONMENT,
) -> Ended:
    """Call a command to its end, without what its command line costs.

    Args:
        service: who answers.
        work: the command; what it raises is told as the command line tells it.
        home: the folder in which it is run.
        stdin: what stands on standard input.
        environment: all of the environment that matters here.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "BULK_ESM_", "XDG_"))}
    ran_s = 0.0

    def in_virtual_time(work: Any, *args: Any, **_: Any) -> Any:
        nonlocal ran_s
        loops: list[VirtualTimeLoop] = []

        def loop() -> VirtualTimeLoop:
            loops.append(VirtualTimeLoop())
            return loops[-1]

        try:
            return _REAL_RUN(work, *args, backend_options={"debug": False, "loop_factory": loop})
        finally:
            ran_s = loops[-1].time()

    def clock() -> Clock:
        return Clock(
            monotonic=lambda: asyncio.get_running_loop().time(),
            now=lambda: STARTED_AT + timedelta(seconds=service.now()),
        )

    before = Path.cwd()
    heard = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    with ExitStack() as stack:
        for each in (
            patch.dict(os.environ, {**kept, "HOME": str(home), **environment}, clear=True),
            patch("botocore.session.create_loader", lambda *_: MODELS),
            patch.object(HttpSession, "_get_session", _session(service)),
            patch.object(anyio, "run", in_virtual_time),
            patch("bulk_esm.api.Clock", clock),
            patch("bulk_esm.aws.control_plane.random", SimpleNamespace(Random=partial(random.Random, 1))),
            patch.object(gc, "freeze", lambda: None),
            patch.object(gc, "collect", lambda *_: 0),
            own_logging(),
        ):
            stack.enter_context(each)
        out, err = stack.enter_context(streams(stdin))
        os.chdir(home)
        try:
            code = work()
        except Exception as error:  # noqa: BLE001 - as `bulk_esm.cli.app.run` does
            code = _complain(_cause(error))
        finally:
            os.chdir(before)
            structlog.reset_defaults()
            service.passed_s += ran_s
            for number, handler in heard.items():
                signal.signal(number, handler)
    return Ended(code, out.getvalue(), err.getvalue())


_REAL_RUN: Final = anyio.run


def _session(service: Service) -> Callable[..., Any]:
    async def get(*_: Any) -> SimpleNamespace:
        return SimpleNamespace(request=partial(_request, service))

    return get


@contextmanager
def a_home() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def recorded_argv(arguments: Sequence[str]) -> Any:
    """Have `run.json` say how it was started."""
    return patch.object(sys, "argv", ["bulk-esm", *arguments])
