"""Credentials, Regions and endpoints: whatever the AWS CLI honours, this honours."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import aiobotocore
import msgspec
from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import AioSession

from bulk_esm._version import __version__
from bulk_esm.aws.alarms import AlarmState, read_alarms
from bulk_esm.aws.control_plane import ControlPlane
from bulk_esm.aws.errors import translated
from bulk_esm.aws.pacing import Pacer
from bulk_esm.aws.tags import read_tags
from bulk_esm.clock import Clock
from bulk_esm.errors import AccessError, ServiceError, UsageError

# Who did it, in CloudTrail's words. Given whole, as botocore composes its own anew for each request, which is a tenth
# of what a request costs in CPU.
USER_AGENT: Final = f"bulk_esm/{__version__} aiobotocore/{aiobotocore.__version__}"


class ConnectionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach one account and Region.

    Attributes:
        region: the Region; by default what the environment or the profile says.
        profile: a profile of the AWS configuration files.
        endpoint_url: another endpoint than AWS's own, for every service that is called.
        max_per_second: requests/s to Lambda's control plane.
        concurrency: requests in flight at once; the connection pool is as large.
    """

    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None
    max_per_second: float = 12.0
    concurrency: int = 50


class _SendOnceSession(AIOHTTPSession):  # type: ignore[misc]  # aiobotocore is untyped
    """aiohttp by itself sends a PUT again when its connection breaks, as HTTP calls PUT idempotent.

    An update that was applied before the connection broke would so be accepted twice, unseen. Whether to send again
    is for the engine to say, after a look.
    """

    async def _get_session(self, proxy_url: str | None) -> Any:
        session = await super()._get_session(proxy_url)
        session._retry_connection = False  # noqa: SLF001 - aiohttp has no public switch
        return session


class Connection:
    """A way into one account and Region: its control plane, and the tags of its resources."""

    def __init__(self, session: AioSession, settings: ConnectionSettings, control_plane: ControlPlane) -> None:
        self.control_plane = control_plane
        self.region = control_plane.region
        self._session = session
        self._settings = settings

    async def tags(self, resource_types: list[str], tags: tuple[str, ...]) -> dict[str, dict[str, str]]:
        """Tags by ARN; see `read_tags`."""
        async with self._client("resourcegroupstaggingapi", "tag:GetResources") as client:
            return await read_tags(client, resource_types, tags)

    async def alarms(self, names: tuple[str, ...]) -> list[AlarmState]:
        """The states of alarms; see `read_alarms`.

        Raises:
            UsageError: no alarm has one of the names.
            AccessError: the credentials are refused.
            ServiceError: an answer that retrying did not mend.
        """
        async with self._client("cloudwatch", "cloudwatch:DescribeAlarms") as client:
            return await read_alarms(client, names)

    async def account_id(self) -> str:
        """The account of the credentials, as STS tells it.

        Raises:
            AccessError: the credentials are refused.
            ServiceError: an answer that retrying did not mend.
        """
        async with self._client("sts", "sts:GetCallerIdentity") as client:
            return str((await client.get_caller_identity())["Account"])

    @asynccontextmanager
    async def _client(self, service: str, action: str) -> AsyncIterator[Any]:
        """A client of another service than Lambda, for a question or two. Its quota is not ours: botocore retries."""
        with translated(action):
            async with self._session.create_client(
                service,
                region_name=self.region,
                endpoint_url=self._settings.endpoint_url,
                config=AioConfig(
                    retries={"mode": "standard", "total_max_attempts": 10},
                    connect_timeout=10,
                    user_agent=USER_AGENT,
                ),
            ) as client:
                yield client


@asynccontextmanager
async def connect(settings: ConnectionSettings, *, clock: Clock | None = None) -> AsyncIterator[Connection]:
    """Open a client for one account and Region. Nothing is sent yet.

    Args:
        settings: see `ConnectionSettings`.
        clock: the time.

    Raises:
        UsageError: no Region, no such profile, an impossible endpoint, or a rate or concurrency that is not above 0.
        AccessError: no credentials.
    """
    if settings.concurrency < 1:
        raise UsageError(f"the concurrency is at least 1, not {settings.concurrency}")
    pacer = Pacer(max_per_second=settings.max_per_second, clock=clock)
    with translated("sts:GetCallerIdentity"):
        session = AioSession(profile=settings.profile)
        # botocore reads only AWS_DEFAULT_REGION; the AWS CLI and every other SDK put AWS_REGION before it.
        region = settings.region or os.environ.get("AWS_REGION") or session.get_config_variable("region")
        if not region:
            raise UsageError("no Region: use --region, set AWS_REGION, or give the profile a region")
    try:
        with translated("sts:GetCallerIdentity"):
            credentials = await session.get_credentials()
    except ServiceError as error:  # a source of credentials that does not answer, or a program that is not there
        raise AccessError(f"no usable credentials: {error}") from error
    if credentials is None:
        raise AccessError("no credentials: set a profile or log in, as for the AWS CLI (aws configure, aws sso login)")
    config = AioConfig(
        retries={"total_max_attempts": 1},  # one policy, and it is ours
        max_pool_connections=settings.concurrency,
        connect_timeout=10,
        read_timeout=60,
        http_session_cls=_SendOnceSession,
        user_agent=USER_AGENT,
    )
    async with AsyncExitStack() as stack:
        try:
            with translated("lambda"):
                client = await stack.enter_async_context(
                    session.create_client(
                        "lambda", region_name=region, endpoint_url=settings.endpoint_url, config=config
                    )
                )
        except ServiceError as error:  # nothing was sent: botocore's word for a setting that it cannot use
            raise UsageError(f"{error.message}; see the AWS configuration and the AWS_... variables") from error
        except ValueError as error:  # botocore's word for an endpoint that is no URL
            raise UsageError(f"{error}; see --endpoint-url and AWS_ENDPOINT_URL_LAMBDA") from error
        yield Connection(session, settings, ControlPlane(client, region=region, pacer=pacer, clock=clock))
