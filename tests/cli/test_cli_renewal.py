"""Credentials that end in a run: one word of it, no storm of attempts, a result for every mapping, and `continue`."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import botocore.credentials
import botocore.tokens
import botocore.utils
import pytest
from botocore.credentials import ReadOnlyCredentials
from cli_harness import ACCOUNT, FAST, Cli, Inside, Simulated, records
from cli_harness import RunFiles as Files
from cli_sources import (
    KEYS,
    PAGE,
    REGION,
    ROLE,
    SSO,
    SSO_SESSION,
    START_URL,
    Machine,
    Respond,
    Service,
    always,
    container,
    credentials_json,
    in_,
    instance,
    of_sts,
    on_instance,
    profile,
    sign_on,
    signed_on,
    sts_refuses,
    with_file,
    with_token,
)

from bulk_esm.aws import renewing
from bulk_esm.aws.credentials import _SourceCredentials

P = ("--profile", "p")
MAPPINGS = 30
UNTIL = 15  # requests that are signed before the credentials end: in the middle of the updates

ONE_ATTEMPT = 3  # requests of botocore's own, of a service that answers badly

SetUp = Callable[[Machine], dict[str, str]]
Break = Callable[[Machine], None]


@dataclass(frozen=True)
class Ending:
    """A source whose credentials end.

    Attributes:
        set_up: makes it work; returns the environment that leads to it.
        breaks: makes it fail from now on.
        says: what the user has to be told.
        arguments: of the command.
    """

    set_up: SetUp
    breaks: Break
    says: tuple[str, ...]
    arguments: tuple[str, ...] = P


def now(respond: Respond) -> Break:
    def breaks(machine: Machine) -> None:
        machine.service.respond = respond

    return breaks


def with_environment(**values: str) -> Break:
    def breaks(_: Machine) -> None:
        os.environ |= values

    return breaks


def program_that(fails: str) -> SetUp:
    """A program that works as long as there is no file `broken`."""

    def set_up(machine: Machine) -> dict[str, str]:
        answer = credentials_json(in_(minutes=10), Version=1, SessionToken="t")
        body = f"if [ -e {machine.home}/broken ]; then {fails}; else echo '{answer}'; fi"
        machine.config(f"[profile p]\ncredential_process = {machine.program(body)}\n")
        return {}

    return set_up


def touch(machine: Machine) -> None:
    (machine.home / "broken").touch()


def without(name: str) -> Break:
    def breaks(machine: Machine) -> None:
        (machine.home / name).unlink()

    return breaks


def of_environment(_: Machine) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "simulated",
        "AWS_SESSION_TOKEN": "t",
        "AWS_CREDENTIAL_EXPIRATION": in_(minutes=10),
    }


WEB = with_file(
    profile(
        "role_arn = " + ROLE + "\nweb_identity_token_file = {home}/token",
        always(200, of_sts("AssumeRoleWithWebIdentity")),
    ),
    "token",
    b"a.b.c",
)
ROLE_OF_KEYS = profile(f"role_arn = {ROLE}\nsource_profile = k\n[profile k]\n{KEYS}", always(200, of_sts("AssumeRole")))
LOGIN = with_token(profile(SSO, sign_on((200, signed_on()))), START_URL, expiresAt=in_(hours=1))
SESSION = with_token(profile(SSO_SESSION, sign_on((200, signed_on()))), "s", expiresAt=in_(hours=1))
GIVEN = credentials_json(in_(minutes=10), Token="t", Code="Success")

ENDINGS: dict[str, Ending] = {
    "keys with an end": Ending(
        of_environment,
        with_environment(AWS_CREDENTIAL_EXPIRATION="2020-01-01T00:00:00Z"),
        ("AWS_ACCESS_KEY_ID: ", "have expired"),
        (),
    ),
    "a program that prints text": Ending(
        program_that("echo please log in"), touch, ("(credential_process)", "no JSON")
    ),
    "a program that fails": Ending(program_that("echo over >&2; exit 1"), touch, ("(credential_process)", "over")),
    "a role refused": Ending(ROLE_OF_KEYS, now(sts_refuses(403, "AccessDenied")), ("(role_arn)", "not you")),
    "a token refused": Ending(WEB, now(sts_refuses(400, "ExpiredTokenException")), ("(web identity)", "not you")),
    "a token file that is gone": Ending(WEB, without("token"), ("(web identity)", "No such file")),
    "a login that is over": Ending(LOGIN, now(sign_on((401, '{"message": "no"}'))), ("aws sso login --profile p",)),
    "a session at a page": Ending(SESSION, now(sign_on((200, PAGE))), ("(single sign-on)",)),
    "a container's page": Ending(
        container(always(200, GIVEN)), now(always(403, PAGE)), ("the container's credentials", "a web page"), ()
    ),
    "an instance without a role": Ending(
        on_instance(instance((200, GIVEN))),
        now(instance((404, ""))),
        ("the instance's metadata service: http://127.0.0.1:", "answered HTTP 404 to /latest/meta-data/iam"),
        (),
    ),
}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    for each in (botocore.credentials.SSOProvider, botocore.tokens.SSOTokenProvider):  # read from HOME when imported
        monkeypatch.setattr(each, "_SSO_TOKEN_CACHE_DIR", str(tmp_path / "sso"))
    monkeypatch.setattr(botocore.utils.ContainerMetadataFetcher, "SLEEP_TIME", 0)
    monkeypatch.setattr(renewing, "ASK_AGAIN_S", 1e9)  # not again in this run, however slow the machine
    service = Service()
    with service.listening() as url:
        yield Machine(tmp_path, url, service)


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


@contextmanager
def ending(breaks: Callable[[], None], *, left_s: float, at: int = UNTIL) -> Iterator[None]:
    """Have the credentials end, or come near their end, at a certain request; what renews them breaks before."""
    frozen, signed = _SourceCredentials.get_frozen_credentials, 0

    async def counted(self: _SourceCredentials) -> ReadOnlyCredentials:
        nonlocal signed
        signed += 1
        if signed == at:
            breaks()
            self._expiry_time = datetime.now(UTC) + timedelta(seconds=left_s)
            self._advisory_refresh_timeout, self._mandatory_refresh_timeout = left_s + 1, 0
        return await frozen(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_SourceCredentials, "get_frozen_credentials", counted)
        yield


def fleet(machine: Machine, case: Ending, simulated: Simulated) -> dict[str, str]:
    """The environment of a source that works."""
    (machine.home / "broken").unlink(missing_ok=True)
    services = {"AWS_ENDPOINT_URL": simulated.environment["AWS_ENDPOINT_URL"], "AWS_REGION": REGION}
    return services | case.set_up(machine)


@pytest.mark.parametrize("name", ENDINGS)
def test_credentials_that_end_in_a_run(name: str, machine: Machine, inside: Inside) -> None:
    case, asked_before = ENDINGS[name], 0

    def breaks() -> None:
        nonlocal asked_before
        asked_before = machine.asked
        case.breaks(machine)

    with Simulated(mappings=MAPPINGS) as simulated:
        environment = fleet(machine, case, simulated)
        with ending(breaks, left_s=-1):
            done = inside(environment, "pause", "--all", "--yes", *FAST, *case.arguments)
        assert done.code == 5
        *_, last = done.stderr.splitlines()
        assert last.startswith("bulk-esm: no usable credentials: ")
        assert all(says in last for says in case.says)
        assert "warning" not in done.stderr
        assert "report this" not in done.stderr
        assert machine.asked - asked_before <= ONE_ATTEMPT
        (run,) = Cli(machine.home).run_folders()
        ended = Files(run).outcomes  # one for each line of the plan
        assert set(ended.values()) <= {"unchanged", "updated", "timed_out", "not_started"}
        assert {"timed_out", "not_started"} & set(ended.values())

        environment = fleet(machine, case, simulated)
        done = inside(environment, "continue", str(run), "--yes", *FAST, *case.arguments)
        assert done.code == 0, done.stderr
        assert set(Files(run).outcomes.values()) == {"unchanged", "updated"}
        assert set(simulated.accepted().values()) == {0, 1}
        assert set(simulated.states().values()) == {"Disabled"}


@pytest.mark.parametrize("name", ["a program that fails", "a token refused"])
def test_credentials_that_cannot_be_renewed_are_used_while_they_last(
    name: str, machine: Machine, inside: Inside
) -> None:
    case = ENDINGS[name]
    with Simulated(mappings=MAPPINGS) as simulated:
        environment = fleet(machine, case, simulated)
        with ending(lambda: case.breaks(machine), left_s=86_400):
            done = inside(environment, "pause", "--all", "--yes", "--quiet", "--log-format", "json", *FAST, *P)
        assert done.code == 0
        (warning,) = records(done.stderr)
        assert (warning["event"], warning["level"]) == ("credentials_not_renewed", "warning")
        assert all(says in warning["error"] for says in case.says)
        assert machine.asked <= 1 + ONE_ATTEMPT


def test_each_worker_process_says_it_once_and_in_the_same_form(machine: Machine) -> None:
    """Their stderr is the driver's."""
    case = ENDINGS["a program that fails"]
    with Simulated(mappings=10) as simulated:
        environment = fleet(machine, case, simulated)
        touch(machine)
        done = Cli(machine.home, environment)(
            "list", "--regions", "us-east-1,eu-west-1", "--executor", "process", "--log-format", "json", "--quiet", *P
        )
    assert done.code == 5
    assert all("no usable credentials" in event["event"] for event in records(done.stderr))


def test_the_source_of_a_role_that_ends_is_what_is_told_of(machine: Machine, inside: Inside) -> None:
    """The trust policy of the role has nothing to do with it."""
    case = ENDINGS["a program that fails"]
    with Simulated(mappings=3) as simulated:
        environment = fleet(machine, case, simulated)
        with ending(lambda: case.breaks(machine), left_s=-1, at=2):
            done = inside(environment, "list", "--accounts", "210987654321", "--role-name", "r", *P)
    assert done.code == 5
    assert "(credential_process)" in done.stderr
    assert "trust policy" not in done.stderr
