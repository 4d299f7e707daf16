from pathlib import Path

import pytest
from aiohttp import web
from aws_reach import answering, connected

from bulk_esm._version import __version__
from bulk_esm.aws.session import ConnectionSettings, connect
from bulk_esm.errors import AccessError, DeniedError, ServiceError
from bulk_esm.simulator import Faults, Simulator


async def test_the_account_is_told_by_sts_in_the_same_region() -> None:
    async with (
        Simulator(mappings=2, region="eu-west-3") as simulator,
        connected(simulator, AWS_ACCESS_KEY_ID="210987654321") as connection,
    ):
        assert await connection.account_id() == "210987654321"
        (count,) = simulator.report().requests
        assert (count.kind, count.region, count.account_id) == ("identity", "eu-west-3", "210987654321")
        assert connection.control_plane.requests.total() == 0


async def test_credentials_that_are_refused() -> None:
    async with (
        Simulator(mappings=2, faults=Faults(expires_after_s=0)) as simulator,
        connected(simulator) as connection,
    ):
        with pytest.raises(AccessError, match=r"sts:GetCallerIdentity was refused \(ExpiredToken: ") as caught:
            await connection.account_id()
        assert "check the credentials of AWS_ACCESS_KEY_ID" in str(caught.value)
        assert simulator.report().count("identity", 403) == 1  # what is final is not repeated


async def test_alarms_that_may_not_be_read() -> None:
    agents: list[str] = []

    def refuse(request: web.BaseRequest) -> web.Response:
        agents.append(request.headers["User-Agent"])
        headers = {"x-amzn-query-error": "AccessDenied;Sender"}
        return web.Response(status=403, body=b'{"__type":"AccessDenied","message":"no"}', headers=headers)

    async with (
        answering(refuse) as url,
        Simulator(mappings=2) as simulator,
        connected(simulator, AWS_ENDPOINT_URL_CLOUDWATCH=url) as connection,
    ):
        with pytest.raises(AccessError, match="cloudwatch:DescribeAlarms was refused"):
            await connection.alarms(("errors",))
    assert [agent.startswith(f"bulk_esm/{__version__} ") for agent in agents] == [True]


@pytest.mark.parametrize("body", ['{"message": "Internal failure"}', "", "<html></html>", "\x00"])
async def test_an_answer_that_names_no_account(body: str) -> None:
    async with (
        answering(lambda _: web.Response(text=body)) as url,
        Simulator(fleet=[]) as simulator,
        connected(simulator, AWS_ENDPOINT_URL_STS=url) as connection,
    ):
        with pytest.raises(ServiceError, match=r"DamagedAnswer|ResponseParserError|WebPage"):
            await connection.account_id()


@pytest.mark.parametrize("by", ["profile", "role"])
async def test_credentials_that_are_refused_say_whose_they_are(by: str, tmp_path: Path) -> None:
    """What a program wrote there this morning, for one, which botocore does not know to have an end."""
    (tmp_path / "credentials").write_text("[p]\naws_access_key_id = 123456789012\naws_secret_access_key = s\n")
    role = "arn:aws:iam::123456789012:role/r"
    settings = ConnectionSettings(profile="p", role_arn=None if by == "profile" else role)
    refused = {"__type": "UnrecognizedClientException", "message": "The security token included in it is invalid."}
    async with (
        answering(lambda _: web.json_response(refused, status=403)) as url,
        Simulator(fleet=[]) as simulator,
        connected(simulator, AWS_SHARED_CREDENTIALS_FILE=str(tmp_path / "credentials"), AWS_ENDPOINT_URL_LAMBDA=url),
        connect(settings) as connection,
    ):
        with pytest.raises(AccessError, match="UnrecognizedClientException") as caught:
            await anext(connection.control_plane.list())
    whose = role if by == "role" else "profile 'p' (credentials file)"
    assert f"check the credentials of {whose} and their permissions" in str(caught.value)
    assert not isinstance(caught.value, DeniedError)
