import os
import ssl
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import anyio
import pytest
from aiohttp import web
from aws_reach import MODELS, answering, clean_environment

from bulk_esm.aws.http import HttpSession, SendOnceSession
from bulk_esm.aws.regions import known_regions, partition_of
from bulk_esm.aws.roles import _RoleCredentials
from bulk_esm.aws.session import Connection, ConnectionSettings
from bulk_esm.aws.sessions import Sessions
from bulk_esm.engine.task_groups import task_group
from bulk_esm.errors import AccessError, ServiceError, UsageError
from bulk_esm.simulator import Faults, Kind, Simulator
from bulk_esm.simulator.identity import assumed_role

HOME, OTHER = "123456789012", "210987654321"
REGIONS = ("us-east-1", "eu-west-1", "eu-north-1")


@pytest.fixture(autouse=True)
def aws_set_up() -> Iterator[None]:
    keys = {"AWS_ACCESS_KEY_ID": HOME, "AWS_SECRET_ACCESS_KEY": "simulated", "AWS_REGION": "eu-west-3"}
    with (
        patch.dict(os.environ, {**clean_environment(), **keys}, clear=True),
        patch("botocore.session.create_loader", lambda *_: MODELS),
    ):
        yield


def role_in(account_id: str) -> str:
    return f"arn:aws:iam::{account_id}:role/bulk"


def settings(url: str, account_id: str | None = OTHER, region: str = "us-east-1", **others: Any) -> ConnectionSettings:
    arn = None if account_id is None else role_in(account_id)
    return ConnectionSettings(region=region, role_arn=arn, endpoint_url=url, max_per_second=1000, **others)


async def places_seen(connection: Connection) -> set[tuple[str, str]]:
    """Accounts and Regions of all mappings, by their ARNs."""
    pages = [page async for page in connection.control_plane.list()]
    arns = [str(mapping.function_arn).split(":") for page in pages for mapping in page]
    return {(arn[4], arn[3]) for arn in arns}


async def failure(error: type[Exception], sessions: Sessions, wanted: ConnectionSettings) -> str:
    with pytest.raises(error) as caught:
        async with sessions.connect(wanted):
            pass
    return str(caught.value)


async def test_many_places_from_one_session_and_each_role_assumed_once() -> None:
    seen: dict[tuple[str, str], set[tuple[str, str]]] = {}
    sessions = Sessions()
    async with Simulator(mappings=20) as simulator:

        async def look(account_id: str, region: str) -> None:
            wanted = settings(simulator.endpoint_url, account_id, region)
            async with sessions.connect(wanted) as connection:
                assert await connection.account_id() == account_id
                seen[account_id, region] = await places_seen(connection)

        async with task_group() as tasks:
            for account_id in (OTHER, "333333333333"):
                for region in REGIONS:
                    tasks.start_soon(look, account_id, region)
        async with sessions.connect(settings(simulator.endpoint_url, None)) as connection:
            assert await places_seen(connection) == {(HOME, "us-east-1")}
        roles = [count for count in simulator.report().requests if count.kind is Kind.ROLE]
    assert len(seen) == 6
    assert all(found == {place} for place, found in seen.items())
    assert [(count.account_id, count.region, count.count) for count in roles] == [(HOME, "eu-west-3", 2)]


async def test_an_account_that_is_denied_hurts_no_other() -> None:
    sessions = Sessions()
    async with (
        Simulator(mappings=2, faults=Faults(denied_accounts=frozenset({OTHER}))) as simulator,
        sessions.connect(settings(simulator.endpoint_url)) as denied,
        sessions.connect(settings(simulator.endpoint_url, "333333333333")) as open_to_us,
    ):
        with pytest.raises(AccessError, match="lambda:ListEventSourceMappings was refused"):
            await places_seen(denied)
        assert await places_seen(open_to_us) == {("333333333333", "us-east-1")}


def sts_error(status: int, code: str, asked: list[str]) -> Callable[[web.BaseRequest], web.Response]:
    def refuse(request: web.BaseRequest) -> web.Response:
        asked.append(request.path)
        error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error>"
        return web.Response(status=status, text=f"<ErrorResponse>{error}</ErrorResponse>", content_type="text/xml")

    return refuse


@pytest.mark.parametrize(("status", "code"), [(403, "AccessDenied"), (400, "ValidationError")])
async def test_a_role_that_cannot_be_assumed_is_asked_for_once_and_named(
    status: int, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[str] = []
    texts: list[str] = []
    sessions = Sessions()
    async with answering(sts_error(status, code, asked)) as url:

        async def fail(region: str) -> None:
            texts.append(await failure(AccessError, sessions, settings(url, region=region, external_id="secret-id")))

        async with task_group() as tasks:
            for region in REGIONS:
                tasks.start_soon(fail, region)
        assert len(asked) == 1
        await fail("us-east-1")  # whoever comes later tries again
    assert len(asked) == 2
    assert len(set(texts)) == 1
    assert f"sts:AssumeRole was refused ({code}: no)" in texts[0]
    assert f"the trust policy of {role_in(OTHER)} must admit" in texts[0]
    assert "secret-id" not in texts[0]
    assert caplog.records == []  # botocore would log a traceback, and so put it on the terminal


async def test_an_sts_that_does_not_answer_is_no_matter_of_access() -> None:
    wanted = settings("http://127.0.0.1:9/")
    with patch(
        "aiobotocore.endpoint.AioEndpoint._needs_retry", return_value=False
    ):  # else nine times more, for a minute
        text = await failure(ServiceError, Sessions(), wanted)
    assert role_in(OTHER) in text
    assert "EndpointConnectionError" in text


def lambda_and_sts(asked: list[str], *lives_s: int) -> Callable[[web.BaseRequest], web.Response]:
    """An empty fleet, and roles whose credentials last so many seconds; when these are used up they are refused."""

    def handle(request: web.BaseRequest) -> web.Response:
        if "/sts/aws4_request" not in request.headers["Authorization"]:
            return web.json_response({"EventSourceMappings": []})
        asked.append(request.path)
        if len(asked) > len(lives_s):
            return web.Response(
                status=403, text="<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>"
            )
        form = {"RoleArn": role_in(OTHER), "DurationSeconds": str(lives_s[len(asked) - 1])}
        return web.Response(body=assumed_role(form, "0"), content_type="text/xml")

    return handle


async def test_a_role_that_cannot_be_renewed_in_time_is_used_while_it_lasts(caplog: pytest.LogCaptureFixture) -> None:
    asked: list[str] = []
    # Within the last quarter of an hour, and not within the last eighth.
    async with answering(lambda_and_sts(asked, 600)) as url, Sessions().connect(settings(url)) as connection:
        for _ in range(5):
            assert await places_seen(connection) == set()
    assert len(asked) == 2  # and not before each request
    (record,) = caplog.records  # ours; botocore's would have a traceback
    assert record.name == "bulk_esm.aws"
    assert role_in(OTHER) in record.getMessage()


async def test_a_role_that_cannot_be_renewed_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    asked: list[str] = []
    async with answering(lambda_and_sts(asked, 60)) as url, Sessions().connect(settings(url)) as connection:
        with pytest.raises(AccessError, match="sts:AssumeRole was refused"):
            await places_seen(connection)
    assert caplog.records == []


async def test_credentials_that_come_expired() -> None:
    async with answering(lambda_and_sts([], 0)) as url:
        assert "check this machine's clock" in await failure(AccessError, Sessions(), settings(url))


async def test_settings_that_make_no_sense() -> None:
    with pytest.raises(UsageError, match="900 to 43200 s"):
        settings("http://127.0.0.1:9/", role_duration_s=1)
    text = await failure(UsageError, Sessions(), settings("http://127.0.0.1:9/", external_id="x"))
    assert role_in(OTHER) in text
    assert "ExternalId" in text
    assert "--endpoint-url" in await failure(UsageError, Sessions(), settings("nowhere"))
    assert "nobody" in await failure(UsageError, Sessions(), settings("http://127.0.0.1:9/", profile="nobody"))


async def test_credentials_are_looked_for_once_and_again_when_there_were_none() -> None:
    del os.environ["AWS_ACCESS_KEY_ID"]
    sessions = Sessions()
    assert "no credentials" in await failure(AccessError, sessions, settings("http://127.0.0.1:9/", None))
    os.environ["AWS_ACCESS_KEY_ID"] = HOME
    async with sessions.connect(settings("http://127.0.0.1:9/", None)) as connection:
        assert connection.region == "us-east-1"


async def test_one_who_leaves_does_not_take_the_others_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that assumes the role is cancelled halfway; another that waits for the same role then assumes it."""
    sessions, arrived, assume = Sessions(), anyio.Event(), _RoleCredentials._assume

    async def held_at_first(credentials: _RoleCredentials) -> dict[str, Any]:
        if not arrived.is_set():
            arrived.set()
            await anyio.sleep_forever()
        return await assume(credentials)

    monkeypatch.setattr(_RoleCredentials, "_assume", held_at_first)
    async with Simulator(mappings=2) as simulator, task_group() as tasks:
        leaves = anyio.CancelScope()

        async def open_and_leave() -> None:
            with leaves:
                async with sessions.connect(settings(simulator.endpoint_url)):
                    pass

        tasks.start_soon(open_and_leave)
        await arrived.wait()
        leaves.cancel()
        async with sessions.connect(settings(simulator.endpoint_url)) as connection:
            assert await connection.account_id() == OTHER
    assert leaves.cancelled_caught
    assert simulator.report().count(Kind.ROLE) == 1


def test_the_certificate_authorities_are_read_once_unless_a_proxy_may_have_its_own() -> None:
    first, _ = SendOnceSession()._build_ssl_contexts(None)
    assert HttpSession()._build_ssl_contexts(None) == (first, None)
    unchecked, _ = HttpSession(verify=False)._build_ssl_contexts(None)
    assert (first.verify_mode, unchecked.verify_mode) == (ssl.CERT_REQUIRED, ssl.CERT_NONE)
    behind, of_proxy = HttpSession(proxies={"https": "https://p:1"})._build_ssl_contexts("https://p:1")
    assert len({first, unchecked, behind, of_proxy}) == 4


def test_the_regions_that_botocore_knows() -> None:
    assert {"eu-west-1", "cn-north-1", "us-gov-west-1", "us-iso-east-1"} < known_regions()
    assert not [region for region in known_regions() if "global" in region]
    assert partition_of("cn-northwest-1") == "aws-cn"
    assert partition_of("eu-west-99") == "aws"
    assert partition_of("nowhere") == "aws"
