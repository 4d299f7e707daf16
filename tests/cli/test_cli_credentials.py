"""Whatever source of credentials fails, at the start or in a run: one line that says which, and what to do; exit 5."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.credentials
import botocore.tokens
import botocore.utils
import pytest
from cli_harness import Inside, records
from cli_sources import (
    KEYS,
    PAGE,
    REFRESHES,
    REGION,
    ROLE,
    SSO,
    SSO_SESSION,
    START_URL,
    Fault,
    Machine,
    Service,
    always,
    container,
    credentials_json,
    files,
    in_,
    instance,
    on_instance,
    profile,
    program,
    sign_on,
    sts_refuses,
    token_name,
    with_file,
    with_token,
)

from bulk_esm.aws import credentials

P = ("--profile", "p")
WEB = "role_arn = " + ROLE + "\nweb_identity_token_file = {home}/token"
ROLE_OF_KEYS = f"role_arn = {ROLE}\nsource_profile = k\n[profile k]\n{KEYS}"
MFA = f"mfa_serial = arn:aws:iam::123456789012:mfa/me\n{ROLE_OF_KEYS}"
SSO_LOGIN = "log in again: aws sso login --profile p"
PROCESS = "profile 'p' (credential_process)"
GATEWAY = "the container's credentials"
IMDS = "the instance's metadata service: http://127.0.0.1:"
CHECK = "check the instance's role, and AWS_EC2_METADATA_SERVICE_"

FAULTS: dict[str, Fault] = {
    # The environment.
    "nothing at all": Fault(files(), ("no credentials: set a profile or log in", "'default'")),
    "half the keys": Fault(
        files(AWS_ACCESS_KEY_ID="1", AWS_REGION="us-east-1"), ("AWS_ACCESS_KEY_ID: ", "AWS_SECRET_ACCESS_KEY")
    ),
    "keys of yesterday": Fault(
        files(
            AWS_ACCESS_KEY_ID="1",
            AWS_SECRET_ACCESS_KEY="s",
            AWS_CREDENTIAL_EXPIRATION="2020-01-01T00:00:00Z",
        ),
        ("AWS_ACCESS_KEY_ID: ", "have expired"),
    ),
    "an end that is no time": Fault(
        files(AWS_ACCESS_KEY_ID="1", AWS_SECRET_ACCESS_KEY="s", AWS_CREDENTIAL_EXPIRATION="soon"),
        ("AWS_ACCESS_KEY_ID: ", "soon"),
    ),
    # A profile's role.
    "a role refused": Fault(profile(ROLE_OF_KEYS, sts_refuses(403, "AccessDenied")), ("(role_arn)", "not you"), P),
    "a role at a page": Fault(profile(ROLE_OF_KEYS, always(200, PAGE)), ("(role_arn)",), P),
    "a role that is none": Fault(profile(f"role_arn = r\nsource_profile = k\n[profile k]\n{KEYS}"), ("(role_arn)",), P),
    "a role's source is not there": Fault(profile(f"role_arn = {ROLE}\nsource_profile = x"), ("(role_arn)", '"x"'), P),
    "a role's source is empty": Fault(
        profile(f"role_arn = {ROLE}\nsource_profile = k\n[profile k]\nregion = x"), ("(role_arn)", '"k"'), P
    ),
    "a role of no source": Fault(
        profile(f"role_arn = {ROLE}\ncredential_source = Environment"), ("(role_arn)", "credential_source"), P
    ),
    "a role of a source unknown": Fault(
        profile(f"role_arn = {ROLE}\ncredential_source = Sun"), ("(role_arn)", "Sun"), P
    ),
    "a role of itself": Fault(
        profile(f"role_arn = {ROLE}\nsource_profile = q\n[profile q]\nrole_arn = {ROLE}\nsource_profile = p"),
        ("(role_arn)", "Infinite loop"),
        P,
    ),
    "a code, and no terminal": Fault(profile(MFA), ("an MFA code", "no terminal", "export-credentials --profile p"), P),
    # A web identity.
    "no token file": Fault(profile(WEB), ("(web identity)", "No such file", "token"), P),
    "a token file that is a folder": Fault(
        profile(f"role_arn = {ROLE}\nweb_identity_token_file = {{home}}"), ("(web identity)", "Is a directory"), P
    ),
    "an empty token": Fault(with_file(profile(WEB), "token", b""), ("(web identity)", "WebIdentityToken"), P),
    "a token that is no text": Fault(
        lambda machine: ((machine.home / "token").write_bytes(b"\xff\xfe") and profile(WEB)(machine)) or {},
        ("(web identity)",),
        P,
    ),
    "a token refused": Fault(
        with_file(profile(WEB, sts_refuses(400, "InvalidIdentityToken")), "token", b"a.b.c"),
        ("(web identity)", "InvalidIdentityToken", "trust policy"),
        P,
    ),
    "a web identity of no role": Fault(
        profile("web_identity_token_file = {home}/token"), ("(web identity)", "role ARN"), P
    ),
    "a token file of the environment": Fault(
        files(AWS_ROLE_ARN=ROLE, AWS_WEB_IDENTITY_TOKEN_FILE="{home}/x", AWS_REGION="us-east-1"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE: No such file", "/x"),
    ),
    # Single sign-on.
    "no login": Fault(profile(SSO), ("(single sign-on)", SSO_LOGIN), P),
    "no login of a session": Fault(profile(SSO_SESSION), ("(single sign-on)", SSO_LOGIN), P),
    "a login that is over": Fault(with_token(profile(SSO), START_URL, expiresAt=in_(hours=-1)), (SSO_LOGIN,), P),
    "a session that is over": Fault(
        with_token(profile(SSO_SESSION, sign_on((500, ""))), "s", expiresAt=in_(hours=-1)), (SSO_LOGIN,), P
    ),
    "a session that cannot be renewed": Fault(
        with_token(
            profile(SSO_SESSION, sign_on((500, ""), (400, '{"error": "invalid_grant"}'))),
            "s",
            expiresAt=in_(hours=-1),
            registrationExpiresAt=in_(hours=1),
            **REFRESHES,
        ),
        (SSO_LOGIN,),
        P,
    ),
    "a login that is refused": Fault(
        with_token(profile(SSO, sign_on((401, '{"message": "no"}'))), START_URL, expiresAt=in_(hours=1)),
        ("(single sign-on)",),
        P,
    ),
    "a login at a page": Fault(
        with_token(profile(SSO, sign_on((200, PAGE))), START_URL, expiresAt=in_(hours=1)), ("(single sign-on)",), P
    ),
    "a login that is half set up": Fault(
        profile(f"sso_start_url = {START_URL}\nsso_account_id = 1"), ("(single sign-on)", "sso_role_name"), P
    ),
    "a login that is no JSON": Fault(
        with_file(profile(SSO), f"sso/{token_name(START_URL)}", b"{"), ("(single sign-on)",), P
    ),
    "a role of a login that is over": Fault(
        profile(f"role_arn = {ROLE}\nsource_profile = q\n[profile q]\n{SSO}"),
        ("(role_arn)", "aws sso login --profile q"),
        P,
    ),
    "aws login": Fault(profile("login_session = arn:aws:iam::123456789012:user/me"), ("(aws login)",), P),
    # Files.
    "half a profile": Fault(profile("aws_access_key_id = 1"), ("profile 'p'", "aws_secret_access_key"), P),
    "half a credentials file": Fault(
        files(config="[profile p]\nregion = us-east-1", credentials="[p]\naws_access_key_id = 1"),
        ("profile 'p' (credentials file)", "aws_secret_access_key", "aws configure --profile p"),
        P,
    ),
    "an empty profile": Fault(profile("output = json"), ("no credentials", "'p'"), P),
    "a credentials file that is none": Fault(
        files(credentials="what is this\n", AWS_REGION="us-east-1"), ("aws-credentials", "line 1")
    ),
    "a configuration file that is none": Fault(
        files(config="[profile\n", AWS_REGION="us-east-1"), ("aws-config", "line 3"), code=2
    ),
    "half a file of the old kind": Fault(
        files(
            credentials="AWSAccessKeyId=1\n",
            AWS_SHARED_CREDENTIALS_FILE="{home}/none",
            AWS_CREDENTIAL_FILE="{home}/other",
        ),
        ("AWS_CREDENTIAL_FILE: ", "AWSSecretKey"),
    ),
    "half a file of boto's": Fault(
        files(
            credentials="[Credentials]\naws_access_key_id = 1\n",
            AWS_SHARED_CREDENTIALS_FILE="{home}/none",
            BOTO_CONFIG="{home}/other",
        ),
        ("boto's configuration file: ", "aws_secret_access_key"),
    ),
    # A program.
    "a program that prints text": Fault(program("echo please log in first"), (PROCESS, "no JSON", "by hand"), P),
    "a program that prints a list": Fault(program("echo []"), (PROCESS, "not of the right form"), P),
    "a program that prints nothing": Fault(program("true"), (PROCESS, "no JSON"), P),
    "a program that prints no text": Fault(program(r"printf '\377'"), (PROCESS, "not of the right form"), P),
    "a program of another version": Fault(program("""echo '{"Version": 2}'"""), (PROCESS, "Unsupported version"), P),
    "a program that prints half": Fault(program("""echo '{"Version": 1}'"""), (PROCESS, "AccessKeyId"), P),
    "a program that fails": Fault(
        program("seq 40 >&2; echo log in at once >&2; exit 1"), (PROCESS, "log in at once"), P
    ),
    "a program that fails in silence": Fault(program("exit 3"), (PROCESS, "said nothing"), P),
    "a program that is not there": Fault(
        profile("credential_process = /nowhere/at-all"), (PROCESS, "No such file", "/nowhere/at-all"), P
    ),
    "a program that cannot be run": Fault(profile("credential_process = /"), (PROCESS, "Permission denied"), P),
    "a program of no quotes' end": Fault(profile("credential_process = 'x"), (PROCESS,), P),
    "a program that does not end": Fault(program("exec sleep 1000"), (PROCESS, "did not end in time"), P),
    "a program that gives old ones": Fault(
        program(f"echo '{credentials_json('2020-01-01T00:00:00Z', Version=1)}'"), (PROCESS, "have expired"), P
    ),
    "a role's program": Fault(
        profile(f"role_arn = {ROLE}\nsource_profile = q\n[profile q]\ncredential_process = false"),
        ("(role_arn)", "said nothing"),
        P,
    ),
    # A container.
    "a container without": Fault(container(None), (GATEWAY, "AWS_CONTAINER_CREDENTIALS_FULL_URI")),
    "a container's page": Fault(container(always(200, PAGE)), (GATEWAY, "answered HTTP 200 with a web page")),
    "a container that refuses": Fault(container(always(403, PAGE)), (GATEWAY, "403")),
    "a container that gives half": Fault(container(always(200, "{}")), (GATEWAY, "lacks 'AccessKeyId'")),
    "a container that gives a list": Fault(container(always(200, "[]")), (GATEWAY, "not of the right form")),
    "a container elsewhere": Fault(
        container(always(200, ""), AWS_CONTAINER_CREDENTIALS_FULL_URI="http://192.0.2.1/c"), (GATEWAY, "192.0.2.1")
    ),
    "a container without its token": Fault(
        container(always(200, ""), AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE="/nowhere/token"), (GATEWAY, "/nowhere/token")
    ),
    # An instance.
    "an instance without": Fault(on_instance(None), ("no credentials", "instance")),
    "an instance that refuses": Fault(
        on_instance(instance((401, ""), role=(401, ""), token=(401, ""))),
        (
            "no credentials",
            "instance",
            "http://127.0.0.1:",
            "answered HTTP 401 to /latest/meta-data/iam",
            "with nothing",
        ),
    ),
    "an instance without a role": Fault(
        on_instance(instance((404, ""), role=(404, ""))),
        ("no credentials", "answered HTTP 404 to /latest/meta-data/iam"),
    ),
    "an instance's page": Fault(
        on_instance(instance((200, PAGE))),
        ("no credentials", "instance", "answered HTTP 200 with a web page ('Log in')"),
    ),
    "an instance that gives garbage": Fault(
        on_instance(instance((200, "\x1b[31mgarbage\n"))),
        (IMDS, "answered HTTP 200 to /latest/meta-data/iam/security-credentials/r with what is no JSON", CHECK),
    ),
    "an instance that gives a list": Fault(on_instance(instance((200, "[]"))), (IMDS, "JSON that is no object")),
    "an instance that gives half": Fault(
        on_instance(instance((200, '{"AccessKeyId": "AKIA", "Token": "secret"}'))),
        (IMDS, "with JSON that lacks SecretAccessKey, Expiration", CHECK),
    ),
    "an instance that says why not": Fault(
        on_instance(instance((200, '{"Code": "AssumeRoleUnauthorizedAccess", "Message": "EC2 cannot assume it"}'))),
        (IMDS, "AssumeRoleUnauthorizedAccess: EC2 cannot assume it", CHECK),
    ),
    "an instance that gives nothing": Fault(on_instance(instance((200, ""))), (IMDS, "with nothing", CHECK)),
    "an instance whose role is garbage": Fault(
        on_instance(instance((404, ""), role=(200, "\x00 \u2028 garbage"))),
        (IMDS, "/security-credentials/ with the role name", "garbage"),
    ),
    "an instance that gives a number": Fault(on_instance(instance((200, "7"))), ("the instance's metadata service",)),
}


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def machine(tmp_path: Path, service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    for each in (botocore.credentials.SSOProvider, botocore.tokens.SSOTokenProvider):  # read from HOME when imported
        monkeypatch.setattr(each, "_SSO_TOKEN_CACHE_DIR", str(tmp_path / "sso"))
    with service.listening() as url:
        yield Machine(tmp_path, url, service)


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


def nowhere(name: str) -> OSError:
    return OSError(f"no {name}")


@pytest.fixture(autouse=True)
def without_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    opens = os.open

    def open_(path: str, *others: Any, **more: Any) -> int:
        if path == "/dev/tty":
            raise nowhere(path)
        return int(opens(path, *others, **more))

    monkeypatch.setattr(os, "open", open_)


@pytest.fixture(autouse=True)
def without_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore asks a container three times, a second apart."""
    monkeypatch.setattr(botocore.utils.ContainerMetadataFetcher, "SLEEP_TIME", 0)


@pytest.mark.parametrize("name", FAULTS)
def test_a_source_that_fails_at_the_start(
    name: str, machine: Machine, inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "does not end" in name:
        monkeypatch.setattr(credentials, "_LONGEST_PROCESS_S", 0.1)
    fault = FAULTS[name]
    environment = {"AWS_ENDPOINT_URL_LAMBDA": "http://127.0.0.1:9", "AWS_REGION": REGION, **fault.set_up(machine)}
    done = inside(environment, "list", *fault.arguments)
    assert done.code == fault.code
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert len(line) < 700
    assert "<html" not in line.casefold()
    for says in fault.says:
        assert says in line
    assert "report this" not in line


@pytest.mark.parametrize("name", ["a program that fails", "no token file", "a session that cannot be renewed"])
def test_the_line_is_json_where_the_log_is(name: str, machine: Machine, inside: Inside) -> None:
    fault = FAULTS[name]
    environment = {"AWS_REGION": REGION, **fault.set_up(machine)}
    done = inside(environment, "list", "--log-format", "json", *fault.arguments)
    (event,) = records(done.stderr)
    assert done.code == event["exit_code"] == 5
    assert event["level"] == "error"
    assert all(says in event["event"] for says in fault.says)
