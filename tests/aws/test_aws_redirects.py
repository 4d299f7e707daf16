"""A request goes where it was sent, and nowhere else: a redirect is the error of the request that it answers."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from aiohttp import web
from aws_hand_clock import HastyClock
from aws_reach import a_mapping, answering, clean_environment, connected

from bulk_esm.aws.session import Connection, ConnectionSettings, connect
from bulk_esm.errors import AccessError, BulkEsmError, NoCredentialsError, ServiceError
from bulk_esm.simulator import Simulator

UUID = a_mapping()["UUID"]


@asynccontextmanager
async def redirected(status: int, *services: str) -> AsyncIterator[tuple[dict[str, Any], list[str]]]:
    """A server that sends all requests on to another one: the environment to reach it, and what the other one saw."""
    seen: list[str] = []

    def elsewhere(request: web.BaseRequest) -> web.Response:
        seen.append(request.path)
        return web.json_response({"EventSourceMappings": [a_mapping()], "UUID": UUID, "Account": "666666666666"})

    async with answering(elsewhere) as there:

        def onward(request: web.BaseRequest) -> web.Response:
            # A code that would be waited for without end, if an answer like this were believed.
            body = {"__type": "ThrottlingException", "message": "later"}
            return web.json_response(body, status=status, headers={"Location": f"{there}{request.path_qs}"})

        async with answering(onward) as here:
            yield {f"AWS_ENDPOINT_URL_{service}": here for service in services}, seen


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


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("status", [300, 302, 307])
async def test_no_client_follows_a_redirect(asked: str, status: int) -> None:
    service, ask = ASKED[asked]
    async with (
        redirected(status, service) as (environment, seen),
        Simulator(fleet=[a_mapping()]) as simulator,
        connected(simulator, clock=HastyClock().clock, **environment) as connection,
    ):
        with pytest.raises(ServiceError, match="Redirected: the answer points to http://127") as caught:
            await ask(connection)
        assert caught.value.status == status
        assert seen == []
        assert connection.control_plane.requests.total() <= 1


async def test_a_role_is_not_assumed_elsewhere() -> None:
    async with (
        redirected(307, "STS") as (environment, seen),
        Simulator(fleet=[a_mapping()]) as simulator,
        connected(simulator, **environment),
    ):
        settings = ConnectionSettings(role_arn="arn:aws:iam::123456789012:role/r")
        with pytest.raises(AccessError, match="Redirected"):
            async with connect(settings):
                pass
        assert seen == []


async def test_nor_is_that_of_a_profile(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("[profile r]\nrole_arn = arn:aws:iam::123456789012:role/r\ncredential_source = Environment\n")
    async with (
        redirected(307, "STS") as (environment, seen),
        Simulator(fleet=[a_mapping()]) as simulator,
        connected(simulator, AWS_CONFIG_FILE=str(config), **environment),
    ):
        with pytest.raises(BulkEsmError, match="Redirected"):
            async with connect(ConnectionSettings(profile="r")) as connection:
                await connection.control_plane.get(UUID)
        assert seen == []


async def test_nor_are_credentials_had_elsewhere() -> None:
    async with (
        redirected(307, "CONTAINER") as (environment, seen),
        Simulator(fleet=[a_mapping()]) as simulator,
    ):
        container = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": environment["AWS_ENDPOINT_URL_CONTAINER"],
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "secret",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": simulator.endpoint_url,
        }
        with (
            patch.dict(os.environ, clean_environment() | container, clear=True),
            pytest.raises(NoCredentialsError, match="Redirected"),
        ):
            async with connect(ConnectionSettings()):
                pass
        assert seen == []
