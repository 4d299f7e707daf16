"""A proxy on loopback before a double of S3, in a thread of its own, that does what networks and lesser stores do."""

import asyncio
import io
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

import aiohttp
from aiohttp import web

_HOP_BY_HOP = frozenset({"transfer-encoding", "connection", "expect", "server", "date"})
_CONDITIONS = frozenset({"if-match", "if-none-match"})
_CHUNK = 1 << 20
SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
DENIED = b"<Error><Code>AccessDenied</Code><Message>no identity-based policy allows it</Message></Error>"
INTERNAL = b"<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>"


class Kind(StrEnum):
    """What is done to a request."""

    CUT_BEFORE = "cut before"  # the connection breaks, and nothing was applied
    CUT_AFTER = "cut after"  # it breaks when all was applied, before the answer
    CUT_WITHIN = "cut within"  # it breaks in the midst of the answer's body
    DELAY_BEFORE = "delay before"
    DELAY_AFTER = "delay after"
    HANG_BEFORE = "hang before"  # no answer ever comes, and nothing was applied
    HANG_AFTER = "hang after"  # no answer ever comes, and all was applied
    UNCONDITIONAL = "unconditional"  # the conditions are taken off
    SLOW_DOWN = "slow down"
    DENY = "deny"  # as a policy does, and nothing was applied
    ERROR_AFTER = "error after"  # applied, and answered with 500


_NOT_APPLIED = frozenset({Kind.CUT_BEFORE, Kind.HANG_BEFORE, Kind.SLOW_DOWN, Kind.DENY})
_APPLIED = frozenset({Kind.CUT_AFTER, Kind.HANG_AFTER, Kind.ERROR_AFTER})


@dataclass(frozen=True)
class Fault:
    kind: Kind
    seconds: float = 0.0


@dataclass(frozen=True)
class Request:
    """A request as the proxy sees it; `number` counts those of its method, from 1."""

    method: str
    path: str
    number: int
    condition: str | None


@dataclass(frozen=True)
class Answer:
    """What the server answered, whatever became of that."""

    request: Request
    status: int
    at_s: float


Chooser = Callable[[Request], Fault | None]


def nth(number: int, kind: Kind, method: str = "PUT", *, holding: str = "", seconds: float = 0.0) -> Chooser:
    """A fault of the nth request of a method whose path holds some text, counted from the making of this."""
    seen = 0

    def choose(request: Request) -> Fault | None:
        nonlocal seen
        if request.method != method or holding not in request.path:
            return None
        seen += 1
        return Fault(kind, seconds) if seen == number else None

    return choose


def every(kind: Kind, method: str | None = None, *, holding: str = "", seconds: float = 0.0) -> Chooser:
    """A fault of each request, or of those of a method, whose path holds some text."""

    def choose(request: Request) -> Fault | None:
        is_meant = method in {None, request.method} and holding in request.path
        return Fault(kind, seconds) if is_meant else None

    return choose


def at_random(
    share: float, *kinds: Kind, seed: int = 0, method: str | None = None, holding: str = "", seconds: float = 0.0
) -> Chooser:
    """Faults of a share of the requests, or of those of a method, whose path holds some text."""
    dice = random.Random(seed)  # noqa: S311 - the same accidents each time

    def choose(request: Request) -> Fault | None:
        is_meant = method in {None, request.method} and holding in request.path
        return Fault(dice.choice(kinds), seconds) if is_meant and dice.random() < share else None

    return choose


def either(*choosers: Chooser) -> Chooser:
    """The fault of the first that has one; all are asked."""

    def choose(request: Request) -> Fault | None:
        found = [chooser(request) for chooser in choosers]
        return next((fault for fault in found if fault is not None), None)

    return choose


@dataclass
class S3Proxy:
    """What it does, and what it did. `choose` is asked about each request, in the proxy's thread."""

    url: str = ""
    choose: Chooser = lambda _: None
    done: Counter[Kind] = field(default_factory=Counter)
    requests: list[Request] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    def count(self, method: str, holding: str = "") -> int:
        """How many requests of a method there were whose path holds some text."""
        return sum(request.method == method and holding in request.path for request in self.requests)


@contextmanager
def s3_proxy(endpoint_url: str) -> Iterator[S3Proxy]:
    """Serve until the end of the block."""
    proxy, loop, ready, closing = S3Proxy(), asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def main() -> None:
        async with aiohttp.ClientSession(endpoint_url, auto_decompress=False) as session:
            server = _Server(proxy, session, closing)
            runner = web.ServerRunner(web.Server(server.handle), shutdown_timeout=0.1)
            await runner.setup()
            try:
                await web.TCPSite(runner, "127.0.0.1", 0).start()
                proxy.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
                ready.set()
                await closing.wait()
            finally:
                await runner.cleanup()

    def run() -> None:
        try:
            loop.run_until_complete(main())
        finally:
            ready.set()
            loop.close()

    thread = threading.Thread(target=run, name="s3-proxy", daemon=True)
    thread.start()
    ready.wait()
    try:
        assert proxy.url
        yield proxy
    finally:
        loop.call_soon_threadsafe(closing.set)
        thread.join()


class _Server:
    def __init__(self, proxy: S3Proxy, session: aiohttp.ClientSession, closing: asyncio.Event) -> None:
        self._proxy = proxy
        self._session = session
        self._closing = closing
        self._numbers: Counter[str] = Counter()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._handle(request)
        except (ConnectionError, aiohttp.ClientError):  # whoever asked has gone, or the server has
            return _cut(request)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")  # as botocore has it, before it sends a body
        body = await request.content.read()
        seen, fault = self._seen(request)
        kind = fault.kind if fault else None
        if kind in _NOT_APPLIED:
            return await self._instead(request, kind)
        if fault and kind is Kind.DELAY_BEFORE:
            await asyncio.sleep(fault.seconds)
        left_out = _HOP_BY_HOP | (_CONDITIONS if kind is Kind.UNCONDITIONAL else frozenset())
        headers = {name: value for name, value in request.headers.items() if name.lower() not in left_out}
        data = io.BytesIO(body)
        async with self._session.request(request.method, request.raw_path, data=data, headers=headers) as answer:
            self._proxy.answers.append(Answer(seen, answer.status, time.monotonic()))
            if kind in _APPLIED:
                await answer.read()
                return await self._instead(request, kind)
            if fault and kind is Kind.DELAY_AFTER:
                await asyncio.sleep(fault.seconds)
            return await _passed_on(request, answer, is_cut=kind is Kind.CUT_WITHIN)

    async def _instead(self, request: web.BaseRequest, kind: Kind | None) -> web.Response:
        """What comes instead of an answer."""
        if kind is Kind.SLOW_DOWN:
            return web.Response(status=503, body=SLOW_DOWN, content_type="application/xml")
        if kind is Kind.DENY:
            return web.Response(status=403, body=DENIED, content_type="application/xml")
        if kind is Kind.ERROR_AFTER:
            return web.Response(status=500, body=INTERNAL, content_type="application/xml")
        if kind in {Kind.HANG_BEFORE, Kind.HANG_AFTER}:
            await self._closing.wait()
        return _cut(request)

    def _seen(self, request: web.BaseRequest) -> tuple[Request, Fault | None]:
        self._numbers[request.method] += 1
        seen = Request(
            method=request.method,
            path=request.raw_path,
            number=self._numbers[request.method],
            condition=next((request.headers[name] for name in sorted(_CONDITIONS) if name in request.headers), None),
        )
        self._proxy.requests.append(seen)
        fault = self._proxy.choose(seen)
        if fault is not None:
            self._proxy.done[fault.kind] += 1
        return seen, fault


def _cut(request: web.BaseRequest) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _passed_on(request: web.BaseRequest, answer: aiohttp.ClientResponse, *, is_cut: bool) -> web.StreamResponse:
    headers = [(name, value) for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP - {"date"}]
    response = web.StreamResponse(status=answer.status, headers=headers)
    await response.prepare(request)
    async for chunk in answer.content.iter_chunked(_CHUNK):
        if is_cut:
            await response.write(chunk[: len(chunk) // 2])
            return _cut(request)
        await response.write(chunk)
    await response.write_eof()
    return response
