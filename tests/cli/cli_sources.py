"""Every source of credentials that botocore knows, on loopback, and how each of them fails."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from cli_harness import ACCOUNT

REGION: Final = "us-east-1"
ROLE: Final = f"arn:aws:iam::{ACCOUNT}:role/r"
START_URL: Final = "https://example.awsapps.com/start"
KEYS: Final = f"aws_access_key_id = {ACCOUNT}\naws_secret_access_key = simulated\n"
PAGE: Final = "<!DOCTYPE html>\n<html><head><title>Log in</title></head>\n<body>\n<p>please</p>\n</body></html>\n"

Answer = tuple[int, str]
Respond = Callable[[str], Answer]


def in_(**span: float) -> str:
    """A time from now on, as services write it."""
    return (datetime.now(UTC) + timedelta(**span)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Service:
    """Whatever hands out credentials over HTTP: STS, a single sign-on, a container, an instance."""

    def __init__(self) -> None:
        self.respond: Respond = lambda _: (500, "")
        self.asked: list[str] = []

    @contextmanager
    def listening(self) -> Iterator[str]:
        """Its URL, as long as it listens."""
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", "0")))
                service.asked.append(self.path)
                status, text = service.respond(self.path)
                self.send_response(status)
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            do_POST = do_PUT = do_GET  # noqa: N815 - their names

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


@dataclass(frozen=True)
class Machine:
    """A user's files, and what they know of a service."""

    home: Path
    url: str
    service: Service

    def config(self, text: str) -> None:
        (self.home / "aws-config").write_text(f"[default]\nregion = {REGION}\n{text}")

    def credentials(self, text: str) -> None:
        (self.home / "aws-credentials").write_text(text)

    def program(self, body: str) -> str:
        """A program for `credential_process`, which counts its calls."""
        path = self.home / "program"
        path.write_text(f"#!/bin/sh\necho call >>{self.home}/calls\n{body}\n")
        path.chmod(0o700)
        return str(path)

    def token(self, key: str, **values: Any) -> None:
        """What a single sign-on left behind."""
        folder = self.home / "sso"
        folder.mkdir(exist_ok=True)
        (folder / token_name(key)).write_text(json.dumps(values))

    @property
    def asked(self) -> int:
        """How often credentials were asked for."""
        calls = self.home / "calls"
        return len(self.service.asked) + (len(calls.read_text().splitlines()) if calls.exists() else 0)


def credentials_json(expires: str | None, **others: Any) -> str:
    """Credentials as a program, a container and an instance give them."""
    values: dict[str, Any] = {"AccessKeyId": ACCOUNT, "SecretAccessKey": "simulated", **others}
    return json.dumps(values | ({} if expires is None else {"Expiration": expires}))


def of_sts(action: str) -> str:
    """Credentials as STS gives them."""
    return (
        f"<{action}Response><{action}Result><Credentials><AccessKeyId>{ACCOUNT}</AccessKeyId>"
        f"<SecretAccessKey>simulated</SecretAccessKey><SessionToken>t</SessionToken>"
        f"<Expiration>{in_(minutes=10)}</Expiration></Credentials>"
        f"<AssumedRoleUser><AssumedRoleId>A:s</AssumedRoleId><Arn>arn:aws:sts::{ACCOUNT}:assumed-role/r/s</Arn>"
        f"</AssumedRoleUser></{action}Result></{action}Response>"
    )


def sts_refuses(status: int, code: str) -> Respond:
    return lambda _: (
        status,
        f"<ErrorResponse><Error><Code>{code}</Code><Message>not you</Message></Error></ErrorResponse>",
    )


def always(status: int, text: str) -> Respond:
    return lambda _: (status, text)


def instance(of_role: Answer, *, role: Answer = (200, "r"), token: Answer = (200, "t")) -> Respond:
    """An instance's metadata service."""

    def respond(path: str) -> Answer:
        if path.endswith("/api/token"):
            return token
        return role if path.endswith("/security-credentials/") else of_role

    return respond


def sign_on(role: Answer, token: Answer = (500, "")) -> Respond:
    """The services of a single sign-on."""
    return lambda path: token if path.startswith("/token") else role


@dataclass(frozen=True)
class Fault:
    """How a source fails.

    Attributes:
        set_up: makes it fail; returns the environment that leads to it.
        says: what the one line has to say.
        arguments: of the command.
    """

    set_up: Callable[[Machine], dict[str, str]]
    says: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    code: int = field(default=5)


def profile(text: str, respond: Respond | None = None, **environment: str) -> Callable[[Machine], dict[str, str]]:
    """A profile `p`, of these lines."""

    def set_up(machine: Machine) -> dict[str, str]:
        if respond is not None:
            machine.service.respond = respond
        machine.config(f"[profile p]\n{text.format(home=machine.home)}\n")
        services = {f"AWS_ENDPOINT_URL_{name}": machine.url for name in ("STS", "SSO", "SSO_OIDC", "SIGNIN")}
        return {**services, **environment}

    return set_up


def program(body: str) -> Callable[[Machine], dict[str, str]]:
    """A profile `p` with a `credential_process`."""

    def set_up(machine: Machine) -> dict[str, str]:
        return profile(f"credential_process = {machine.program(body)}")(machine)

    return set_up


def container(respond: Respond | None, **environment: str) -> Callable[[Machine], dict[str, str]]:
    """A container, whose credentials are to be had by HTTP."""

    def set_up(machine: Machine) -> dict[str, str]:
        if respond is not None:
            machine.service.respond = respond
        url = machine.url if respond is not None else "http://127.0.0.1:9"
        return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}/c", "AWS_REGION": REGION, **environment}

    return set_up


def on_instance(respond: Respond | None) -> Callable[[Machine], dict[str, str]]:
    """An instance with a role."""

    def set_up(machine: Machine) -> dict[str, str]:
        if respond is not None:
            machine.service.respond = respond
        url = machine.url if respond is not None else "http://127.0.0.1:9"
        return {
            "AWS_EC2_METADATA_DISABLED": "false",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": url,
            "AWS_REGION": REGION,
        }

    return set_up


def files(*, config: str = "", credentials: str = "", **environment: str) -> Callable[[Machine], dict[str, str]]:
    """What stands in files; `{home}` in the environment is the user's folder."""

    def set_up(machine: Machine) -> dict[str, str]:
        machine.config(config)
        machine.credentials(credentials)
        (machine.home / "other").write_text(credentials)
        return {name: value.format(home=machine.home) for name, value in environment.items()}

    return set_up


SSO: Final = f"sso_start_url = {START_URL}\nsso_region = {REGION}\nsso_account_id = {ACCOUNT}\nsso_role_name = admin"
SSO_SESSION: Final = (
    f"sso_session = s\nsso_account_id = {ACCOUNT}\nsso_role_name = admin\n"
    f"[sso-session s]\nsso_start_url = {START_URL}\nsso_region = {REGION}"
)
LOGGED_IN: Final = {"startUrl": START_URL, "region": REGION, "accessToken": "t"}
REFRESHES: Final = {"refreshToken": "r", "clientId": "c", "clientSecret": "s"}
SIGNED_ON: Final = json.dumps(
    {"roleCredentials": {"accessKeyId": ACCOUNT, "secretAccessKey": "simulated", "sessionToken": "t"}}
)


def signed_on(minutes: float = 10) -> str:
    """A role's credentials, as a single sign-on gives them."""
    until = datetime.now(UTC) + timedelta(minutes=minutes)
    found = json.loads(SIGNED_ON)
    found["roleCredentials"]["expiration"] = int(until.timestamp() * 1000)
    return json.dumps(found)


def with_token(
    set_up: Callable[[Machine], dict[str, str]], key: str, **values: Any
) -> Callable[[Machine], dict[str, str]]:
    """After a login."""

    def and_token(machine: Machine) -> dict[str, str]:
        machine.token(key, **LOGGED_IN, **values)
        return set_up(machine)

    return and_token


def token_name(key: str) -> str:
    """The file of what a single sign-on left behind."""
    return f"{hashlib.sha1(key.encode()).hexdigest()}.json"  # noqa: S324 - AWS's own


def with_file(
    set_up: Callable[[Machine], dict[str, str]], name: str, content: bytes
) -> Callable[[Machine], dict[str, str]]:
    """With a file beside."""

    def and_file(machine: Machine) -> dict[str, str]:
        (machine.home / name).parent.mkdir(exist_ok=True)
        (machine.home / name).write_bytes(content)
        return set_up(machine)

    return and_file
