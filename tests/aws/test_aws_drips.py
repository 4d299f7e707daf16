"""Whoever answers a byte at a time and to no end is given up, whatever was asked: the client's timeout begins anew."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from aws_reach import a_mapping, clean_environment, connected, dripping

from bulk_esm.aws.http import HttpSession
from bulk_esm.aws.session import Connection, ConnectionSettings, connect
from bulk_esm.errors import BulkEsmError, NoCredentialsError, ServiceError
from bulk_esm.simulator import Simulator

ASKED: dict[str, tuple[str, Callable[[Connection], Awaitable[Any]]]] = {
    "account": ("STS", lambda connection: connection.account_id()),
    "alarms": ("CLOUDWATCH", lambda connection: connection.alarms(("a",))),
    "tags": ("RESOURCE_GROUPS_TAGGING_API", lambda connection: connection.tags(["lambda:function"], ("env",))),
    "accounts": ("ORGANIZATIONS", lambda connection: connection.organization_accounts()),
    "accounts of a unit": ("ORGANIZATIONS", lambda connection: connection.organization_accounts("r-ab12")),
    "regions": ("EC2", lambda connection: connection.enabled_regions()),
}


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HttpSession, "longest_answer_s", 0.02)


@pytest.mark.parametrize("asked", ASKED)
async def test_what_is_asked_beside_lambda(asked: str) -> None:
    service, ask = ASKED[asked]
    environment: dict[str, Any] = {}
    async with (
        dripping() as url,
        Simulator(fleet=[a_mapping()]) as simulator,
        connected(simulator, **(environment | {f"AWS_ENDPOINT_URL_{service}": url})) as connection,
    ):
        with pytest.raises(ServiceError) as given_up:
            await ask(connection)
        assert f"{url} did not bring its answer to an end in 0.02 s" in str(given_up.value)


async def test_a_role_that_is_assumed() -> None:
    async with (
        dripping() as url,
        Simulator(fleet=[a_mapping()]) as simulator,
        connected(simulator, AWS_ENDPOINT_URL_STS=url),
    ):
        with pytest.raises(BulkEsmError, match="did not bring its answer to an end"):
            async with connect(ConnectionSettings(role_arn="arn:aws:iam::123456789012:role/r")):
                pass


async def test_credentials_of_a_profile_and_of_a_container(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("[profile r]\nrole_arn = arn:aws:iam::123456789012:role/r\ncredential_source = Environment\n")
    async with dripping() as url:
        profile = {
            "AWS_CONFIG_FILE": str(config),
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "s",
            "AWS_ENDPOINT_URL_STS": url,
        }
        container = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": url, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "t"}
        for environment, name in ((profile, "r"), (container, None)):
            with (
                patch.dict(os.environ, clean_environment() | environment | {"AWS_REGION": "us-east-1"}, clear=True),
                pytest.raises(NoCredentialsError, match="did not bring its answer to an end"),
            ):
                async with connect(ConnectionSettings(profile=name)):
                    pass
