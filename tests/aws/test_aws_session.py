import os
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from unittest.mock import patch

import aiobotocore
import pytest
from aws_reach import clean_environment

from bulk_esm._version import __version__
from bulk_esm.aws.session import Connection, ConnectionSettings
from bulk_esm.aws.session import connect as open_connection
from bulk_esm.errors import AccessError, UsageError
from bulk_esm.simulator import Simulator

KEYS = "aws_access_key_id = 123456789012\naws_secret_access_key = simulated\n"
CONFIG = f"""
[default]
region = eu-west-1
[profile plain]
{KEYS}
[profile here]
region = eu-north-1
endpoint_url = http://127.0.0.1:9/
{KEYS}
[profile process]
credential_process = false
[profile no-process]
credential_process = /nowhere/at-all
[profile expired-sso]
sso_start_url = https://example.com/start
sso_region = us-east-1
sso_account_id = 123456789012
sso_role_name = admin
[profile circular]
source_profile = circular
role_arn = arn:aws:iam::123456789012:role/x
"""


@pytest.fixture
def aws_set_up(tmp_path: Path) -> Iterator[Path]:
    """A machine without any AWS set-up but the files in this folder."""
    files = {"AWS_CONFIG_FILE": str(tmp_path / "config"), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials")}
    with patch.dict(os.environ, {**clean_environment(), "HOME": str(tmp_path), **files}, clear=True):
        yield tmp_path


@pytest.fixture
def config(aws_set_up: Path) -> Path:
    path = aws_set_up / "config"
    path.write_text(CONFIG)
    return path


def connect(**settings: object) -> AbstractAsyncContextManager[Connection]:
    return open_connection(ConnectionSettings(**settings))  # type: ignore[arg-type]


def set_keys() -> None:
    os.environ |= {"AWS_ACCESS_KEY_ID": "123456789012", "AWS_SECRET_ACCESS_KEY": "simulated"}


async def refusal(error: type[Exception], **settings: object) -> str:
    with pytest.raises(error) as caught:
        async with connect(**settings):
            pass
    return str(caught.value)


async def test_no_region(aws_set_up: Path) -> None:
    set_keys()
    assert "use --region, set AWS_REGION, or give the profile a region" in await refusal(UsageError)


async def test_no_credentials(aws_set_up: Path) -> None:
    assert "no credentials: set a profile or log in" in await refusal(AccessError, region="us-east-1")


async def test_half_of_the_credentials(aws_set_up: Path) -> None:
    os.environ["AWS_ACCESS_KEY_ID"] = "123456789012"
    assert "AWS_SECRET_ACCESS_KEY" in await refusal(AccessError, region="us-east-1")


async def test_aws_region_comes_before_aws_default_region_and_both_before_the_profile(config: Path) -> None:
    set_keys()
    async with connect() as connection:
        assert connection.region == "eu-west-1"
    os.environ["AWS_DEFAULT_REGION"] = "eu-south-1"
    async with connect() as connection:
        assert connection.region == "eu-south-1"
    os.environ["AWS_REGION"] = "eu-central-1"
    async with connect() as connection:
        assert connection.region == "eu-central-1"
        assert connection.control_plane.endpoint_url == "https://lambda.eu-central-1.amazonaws.com"
        assert connection.control_plane.is_aws
    async with connect(region="sa-east-1") as connection:
        assert connection.region == connection.control_plane.region == "sa-east-1"


async def test_a_profile_brings_keys_region_and_endpoint(config: Path) -> None:
    async with connect(profile="here") as connection:
        assert connection.region == "eu-north-1"
        assert connection.control_plane.endpoint_url == "http://127.0.0.1:9/"
        assert not connection.control_plane.is_aws
    async with connect(profile="here", endpoint_url="http://127.0.0.1:10/") as connection:
        assert connection.control_plane.endpoint_url == "http://127.0.0.1:10/"
    os.environ["AWS_PROFILE"] = "here"
    async with connect() as connection:
        assert connection.region == "eu-north-1"


async def test_an_endpoint_by_environment_serves_lambda_and_tags(aws_set_up: Path) -> None:
    async with Simulator(mappings=20, region="eu-west-3") as simulator:
        os.environ |= simulator.environment
        async with connect() as connection:
            (page,) = [page async for page in connection.control_plane.list()]
            assert len(page) == 20
            assert await connection.tags(["lambda:function"], ("env",))
            assert {count.region for count in simulator.report().requests} == {"eu-west-3"}


async def test_an_endpoint_by_setting_serves_lambda_and_tags(aws_set_up: Path) -> None:
    set_keys()
    async with (
        Simulator(mappings=20) as simulator,
        connect(region="us-east-1", endpoint_url=simulator.endpoint_url) as connection,
    ):
        (page,) = [page async for page in connection.control_plane.list()]
        assert len(page) == 20
        assert await connection.tags(["lambda:event-source-mapping"], ("env",))


@pytest.mark.parametrize("by_environment", [True, False])
async def test_an_unknown_profile(config: Path, by_environment: bool) -> None:  # noqa: FBT001 - a parameter of the test
    if by_environment:
        os.environ["AWS_PROFILE"] = "nobody"
        text = await refusal(UsageError)
    else:
        text = await refusal(UsageError, profile="nobody")
    assert "nobody" in text
    assert "--profile" in text


async def test_a_configuration_file_that_is_none(aws_set_up: Path) -> None:
    os.environ["AWS_CONFIG_FILE"] = __file__
    assert "--profile" in await refusal(UsageError, region="us-east-1")


@pytest.mark.parametrize("endpoint_url", ["nowhere", "http://", "http://a b/"])
async def test_a_bad_endpoint(aws_set_up: Path, endpoint_url: str) -> None:
    set_keys()
    text = await refusal(UsageError, region="us-east-1", endpoint_url=endpoint_url)
    assert endpoint_url in text
    assert "--endpoint-url" in text
    os.environ["AWS_ENDPOINT_URL_LAMBDA"] = endpoint_url
    assert await refusal(UsageError, region="us-east-1") == text


async def test_a_bad_region(aws_set_up: Path) -> None:
    set_keys()
    text = await refusal(UsageError, region="no region")
    assert "'no region'" in text
    assert "--region" in text
    assert "endpoint" not in text


@pytest.mark.parametrize("by", ["setting", "AWS_REGION", "profile"])
async def test_a_region_that_nobody_knows(aws_set_up: Path, by: str) -> None:
    set_keys()
    if by == "AWS_REGION":
        os.environ["AWS_REGION"] = "eu-wst-1"
    (aws_set_up / "config").write_text(f"[default]\nregion = {'eu-wst-1' if by == 'profile' else 'eu-west-1'}\n")
    text = await refusal(UsageError, **({"region": "eu-wst-1"} if by == "setting" else {}))
    assert "'eu-wst-1' is no Region that is known here; did you mean eu-west-1?" in text
    assert "AWS_ENDPOINT_URL_LAMBDA" in text


@pytest.mark.parametrize("by", ["setting", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_LAMBDA"])
async def test_a_newer_region_whose_endpoint_is_known(aws_set_up: Path, by: str) -> None:
    set_keys()
    url = "https://lambda.eu-west-77.amazonaws.com"
    settings = {"endpoint_url": url} if by == "setting" else {}
    os.environ |= {} if by == "setting" else {by: url}
    async with connect(region="eu-west-77", **settings) as connection:
        assert connection.control_plane.endpoint_url == url
        assert connection.region == "eu-west-77"
    os.environ["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true"
    if by != "setting":
        assert "eu-west-77" in await refusal(UsageError, region="eu-west-77")


async def test_a_retry_mode_that_is_none(aws_set_up: Path) -> None:
    """botocore reads it although its retries are off."""
    set_keys()
    os.environ["AWS_RETRY_MODE"] = "stubborn"
    assert "stubborn" in await refusal(UsageError, region="us-east-1")


@pytest.mark.parametrize("profile", ["process", "no-process", "circular", "expired-sso"])
async def test_credentials_that_cannot_be_had(config: Path, profile: str) -> None:
    assert "no usable credentials" in await refusal(AccessError, profile=profile, region="us-east-1")


async def test_settings_that_make_no_sense(aws_set_up: Path) -> None:
    assert "concurrency=0: expected int of at least 1" in await refusal(UsageError, concurrency=0)
    assert "max_per_second=0.0: expected float above 0.0" in await refusal(UsageError, max_per_second=0.0)


async def test_the_sdk_itself_does_not_retry_and_has_room_for_all_requests(aws_set_up: Path) -> None:
    set_keys()
    os.environ["AWS_MAX_ATTEMPTS"] = "5"
    async with connect(region="us-east-1", concurrency=77, max_per_second=9.0) as connection:
        config = connection.control_plane._client.meta.config
        assert config.retries["total_max_attempts"] == 1
        assert config.max_pool_connections == 77
        assert connection.control_plane.pacer.max_per_second == 9.0


async def test_requests_say_who_sends_them(aws_set_up: Path) -> None:
    set_keys()
    seen: list[str] = []

    def text(header: str | bytes) -> str:
        return header.decode() if isinstance(header, bytes) else header

    async with (
        Simulator(mappings=1) as simulator,
        connect(region="us-east-1", endpoint_url=simulator.endpoint_url) as connection,
    ):
        events = connection.control_plane._client.meta.events
        events.register("before-send.lambda", lambda request, **_: seen.append(text(request.headers["User-Agent"])))
        assert [len(page) async for page in connection.control_plane.list()] == [1]
    assert [agent.startswith(f"bulk_esm/{__version__} aiobotocore/{aiobotocore.__version__}") for agent in seen] == [
        True
    ]
