"""What stands between us and AWS is told of at once, by name: proxies, certificates, web pages in place of answers."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from aiohttp import web
from aws_hand_clock import HastyClock
from aws_reach import MODELS, answering, clean_environment, connected
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bulk_esm.aws.pages import title_of_page, without_page
from bulk_esm.aws.session import Connection, ConnectionSettings, connect
from bulk_esm.errors import AccessError, ServiceError, UsageError
from bulk_esm.simulator import Simulator

UUID = "00000000-0000-4000-8000-000000000000"
PAGE = "\ufeff\n<!-- portal -->\n<!DOCTYPE html>\n<html><head><title>Log in\n to &amp; use</title></head><body>x</html>"
KEYS = {"AWS_ACCESS_KEY_ID": "123456789012", "AWS_SECRET_ACCESS_KEY": "simulated", "AWS_REGION": "us-east-1"}

ASKED: dict[str, tuple[str, Callable[[Connection], Awaitable[Any]]]] = {
    "get": ("LAMBDA", lambda connection: connection.control_plane.get(UUID)),
    "list": ("LAMBDA", lambda connection: anext(connection.control_plane.list())),
    "update": ("LAMBDA", lambda connection: connection.control_plane.update(UUID, {"Enabled": False})),
    "account": ("STS", lambda connection: connection.account_id()),
    "alarms": ("CLOUDWATCH", lambda connection: connection.alarms(("a",))),
    "tags": ("RESOURCE_GROUPS_TAGGING_API", lambda connection: connection.tags(["lambda:function"], ("env",))),
    "accounts": ("ORGANIZATIONS", lambda connection: connection.organization_accounts()),
    "regions": ("EC2", lambda connection: connection.enabled_regions()),
}


@asynccontextmanager
async def reached(**environment: str) -> AsyncIterator[Connection]:
    """A connection with this environment alone, at a clock that need not be waited for."""
    with (
        patch.dict(os.environ, {**clean_environment(), **KEYS, **environment}, clear=True),
        patch("botocore.session.create_loader", lambda *_: MODELS),
    ):
        async with connect(ConnectionSettings(max_per_second=1000.0), clock=HastyClock().clock) as connection:
            yield connection


@asynccontextmanager
async def proxy(answer: str | None) -> AsyncIterator[tuple[str, list[str]]]:
    """A proxy that answers every request like this; its address, and the requests."""
    seen: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append((await reader.readuntil(b"\r\n\r\n")).decode().splitlines()[0])
        writer.write(f"HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", seen


async def failure(connection: Connection, asked: str = "get") -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        await ASKED[asked][1](connection)
    return caught.value


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("407 Proxy Authentication Required", "wants a user name and a password, or does not take these"),
        ("403 Not These", "refuses to connect us (403 Not These)"),
    ],
)
@pytest.mark.parametrize("asked", ["get", "account"])
async def test_a_proxy_that_refuses(answer: str, says: str, asked: str) -> None:
    async with (
        proxy(answer) as (address, seen),
        reached(HTTPS_PROXY=f"http://me:secret@{address}") as connection,
    ):
        error = await failure(connection, asked)
    assert says in error.message
    assert "HTTPS_PROXY" in error.message
    assert address in error.message
    assert "secret" not in error.message
    assert len(seen) == 1
    assert seen[0].startswith("CONNECT ")
    assert not error.sent


async def test_a_proxy_that_is_asked_in_the_clear() -> None:
    async with (
        proxy("407 Proxy Authentication Required") as (address, seen),
        reached(HTTP_PROXY=f"http://{address}", AWS_ENDPOINT_URL="http://lambda.invalid") as connection,
    ):
        error = await failure(connection)
    assert "http://lambda.invalid: 407" in error.message
    assert len(seen) == 1


@pytest.mark.parametrize("answer", ["502 Bad Gateway", None])
async def test_a_proxy_that_cannot_for_a_while(answer: str | None) -> None:
    async with proxy(answer or "") as (address, seen):
        where = address if answer else "127.0.0.1:9"
        async with reached(HTTPS_PROXY=f"http://me:secret@{where}") as connection:
            error = await failure(connection)
            assert connection.control_plane.requests == {("get", "error"): 8}
    assert "the proxy (HTTPS_PROXY, HTTP_PROXY, NO_PROXY)" in error.message
    assert where in error.message
    assert "secret" not in error.message
    assert len(seen) == (8 if answer else 0)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that vouches for itself, and its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + secret)
    return path


@asynccontextmanager
async def over_tls(authority: Path) -> AsyncIterator[str]:
    """A Lambda without a mapping."""

    async def handle(_: web.BaseRequest) -> web.Response:
        return web.json_response({"EventSourceMappings": []})

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(authority)
    runner = web.ServerRunner(web.Server(handle), shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        yield f"https://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_a_certificate_that_is_not_trusted(authority: Path) -> None:
    async with over_tls(authority) as url, reached(AWS_ENDPOINT_URL=url) as connection:
        error = await failure(connection, "list")
        assert connection.control_plane.requests == {("list", "error"): 1}
    assert f"the certificate of {url} is not trusted (self" in error.message
    assert "AWS_CA_BUNDLE" in error.message
    assert not error.sent


async def test_authorities_below_the_home_folder(authority: Path) -> None:
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        here = {name: "~/both.pem", "HOME": str(authority.parent)}
        async with over_tls(authority) as url, reached(AWS_ENDPOINT_URL=url, **here) as connection:
            assert await anext(connection.control_plane.list()) == []


@pytest.fixture
def no_authorities(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "text").write_text("no certificate\n")
    (tmp_path / "nothing").touch()
    names = {"missing": "No such file", "": "folder", "text": "no certificates", "nothing": "no certificates"}
    return {str(tmp_path / name): says for name, says in names.items()}


@pytest.mark.parametrize("by", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "profile", "proxy"])
async def test_authorities_that_are_none(by: str, no_authorities: dict[str, str], tmp_path: Path) -> None:
    for path, says in no_authorities.items():
        lines = {"profile": f"ca_bundle = {path}", "proxy": f"proxy_ca_bundle = {path}"}
        (tmp_path / "config").write_text(f"[default]\n{lines.get(by, '')}\n")
        environment = {"AWS_CONFIG_FILE": str(tmp_path / "config")} | ({} if by in lines else {by: path})
        with pytest.raises(UsageError) as caught:
            async with reached(**environment):
                pass
        text = str(caught.value)
        assert path in text
        assert says in text
        assert ("ca_bundle" if by in lines else by) in text


async def test_authorities_of_no_name() -> None:
    with pytest.raises(UsageError, match="AWS_CA_BUNDLE: '' cannot be read: no such file"):
        async with reached(AWS_CA_BUNDLE=" "):
            pass


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("status", [200, 401, 403, 404, 407])
async def test_a_page_in_place_of_an_answer(asked: str, status: int) -> None:
    seen: list[str] = []

    def page(request: web.BaseRequest) -> web.Response:
        seen.append(request.path)
        return web.Response(status=status, text=PAGE, content_type="text/html")

    async with (
        answering(page) as url,
        reached(**{f"AWS_ENDPOINT_URL_{ASKED[asked][0]}": url}) as connection,
    ):
        error = await failure(connection, asked)
    assert url in error.message
    assert "<" not in error.message
    assert len(error.message.splitlines()) == 1
    assert len(error.message) < 300
    assert ("'Log in to & use'" in error.message) == (status != 407)
    assert len(seen) == 1


@pytest.mark.parametrize("status", [408, 500, 502, 503])
async def test_a_page_that_may_pass(status: int) -> None:
    answers = [web.Response(status=status, text=PAGE), web.json_response({"EventSourceMappings": []})]
    async with (
        answering(lambda _: answers.pop(0)) as url,
        Simulator(fleet=[]) as simulator,
        connected(simulator, clock=HastyClock().clock, AWS_ENDPOINT_URL_LAMBDA=url) as connection,
    ):
        assert await anext(connection.control_plane.list()) == []


async def test_a_role_at_a_page() -> None:
    async with (
        answering(lambda _: web.Response(text=PAGE)) as url,
        Simulator(fleet=[]) as simulator,
        connected(simulator, AWS_ENDPOINT_URL_STS=url),
    ):
        with pytest.raises(AccessError, match="answered HTTP 200 with a web page") as caught:
            async with connect(ConnectionSettings(role_arn="arn:aws:iam::123456789012:role/r")):
                pass
    assert url in str(caught.value)


@pytest.mark.parametrize(
    ("body", "title"),
    [
        ("<HTML><TITLE>A</TITLE>", "A"),
        ('<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "x">', ""),
        ('<?xml version="1.0"?>\n<ErrorResponse><Error/></ErrorResponse>', None),
        ('{"message": "<html>"}', None),
        ("<htmlx>", None),
        ("", None),
        ("\x00", None),
    ],
)
def test_what_is_a_page(body: str, title: str | None) -> None:
    assert title_of_page(body.encode()) == title


def test_what_an_error_says_before_a_page() -> None:
    assert without_page("it said: <!doctype HTML><html>") == "it said: a web page (HTML)"
    assert without_page("it said no") == "it said no"
