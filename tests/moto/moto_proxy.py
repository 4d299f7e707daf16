"""A proxy on loopback before moto's server: it remembers what was asked, and may shorten the life of credentials."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import aiohttp
from aiohttp import web

_KEY = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/")
_HOP_BY_HOP = frozenset({"content-length", "content-encoding", "transfer-encoding", "connection"})


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request, by what its signature and its form say."""

    access_key: str
    region: str
    service: str
    path: str
    form: dict[str, str]


@dataclass
class Proxy:
    """What it saw.

    `life_s` says how many seconds the nth credentials of an assumed role last, from 0; None for what moto says.
    """

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    life_s: Callable[[int], int | None] = lambda _: None

    def of(self, service: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.service == service]

    def roles(self) -> list[dict[str, str]]:
        """The forms of all requests to assume a role."""
        return [asked.form for asked in self.of("sts") if asked.form.get("Action") == "AssumeRole"]


@asynccontextmanager
async def proxy_to(endpoint_url: str) -> AsyncIterator[Proxy]:
    proxy = Proxy()
    async with aiohttp.ClientSession(endpoint_url) as session:

        async def handle(request: web.BaseRequest) -> web.Response:
            body = await request.read()
            key = _KEY.search(request.headers.get("Authorization", ""))
            assert key is not None
            is_form = request.content_type == "application/x-www-form-urlencoded"
            form = dict(parse_qsl(body.decode())) if is_form else {}
            proxy.asked.append(Asked(access_key=key[1], region=key[2], service=key[3], path=request.path, form=form))
            headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
            async with session.request(request.method, request.raw_path, data=body, headers=headers) as answer:
                text = await answer.read()
                kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
                status = answer.status
            if form.get("Action") == "AssumeRole":
                text = _shortened(text, proxy.life_s(len(proxy.roles()) - 1))
            return web.Response(status=status, body=text, headers=kept)

        runner = web.ServerRunner(web.Server(handle), shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            proxy.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield proxy
        finally:
            await runner.cleanup()


def _shortened(answer: bytes, life_s: int | None) -> bytes:
    if life_s is None:
        return answer
    until = datetime.now(UTC) + timedelta(seconds=life_s)
    return re.sub(
        rb"<Expiration>[^<]*</Expiration>", f"<Expiration>{until:%Y-%m-%dT%H:%M:%SZ}</Expiration>".encode(), answer
    )
