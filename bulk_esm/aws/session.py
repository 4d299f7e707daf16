"""Credentials, Regions and endpoints: whatever the AWS CLI honours, this honours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Any, Final

import aiobotocore
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession

from bulk_esm._version import __version__
from bulk_esm.aws.alarms import AlarmState, read_alarms
from bulk_esm.aws.calendars import read_calendars
from bulk_esm.aws.control_plane import ControlPlane
from bulk_esm.aws.errors import translated
from bulk_esm.aws.http import HttpSession, SendOnceSession
from bulk_esm.aws.identity import Identity, Skew, read_identity
from bulk_esm.aws.logins import Logins
from bulk_esm.aws.metrics import read_expression, read_metrics
from bulk_esm.aws.organizations import accounts_under, active_accounts
from bulk_esm.aws.pacing import Pacer
from bulk_esm.aws.quotas import read_concurrency_limit, read_quota
from bulk_esm.aws.regions import configured_endpoint, enabled_regions, has_form_of_region, unknown_region
from bulk_esm.aws.roles import LONGEST_S, SHORTEST_S, Role
from bulk_esm.aws.tags import RESOURCE_TYPES, read_tags
from bulk_esm.aws.usage import read_usage
from bulk_esm.aws.way import Way, way_to
from bulk_esm.clock import Clock
from bulk_esm.errors import ServiceError, UsageError
from bulk_esm.model.calendars import CalendarState
from bulk_esm.model.checked import AboveZero, AtLeastOne, Checked
from bulk_esm.model.measures import MetricQuery

# Who did it, in CloudTrail's words. Given whole, as botocore composes its own anew for each request, which is a tenth
# of what a request costs in CPU.
USER_AGENT: Final = f"bulk_esm/{__version__} aiobotocore/{aiobotocore.__version__}"

_ATTEMPTS: Final = 10  # of a question to another service than Lambda


class ConnectionSettings(Checked, frozen=True, kw_only=True):
    """How to reach one account and Region.

    Attributes:
        region: the Region; by default what the environment or the profile says.
        profile: a profile of the AWS configuration files.
        endpoint_url: another endpoint than AWS's own, for every service that is called.
        max_per_second: requests/s to Lambda's control plane.
        concurrency: requests in flight at once; the connection pool is as large.
        role_arn: a role to assume with the credentials found; None for these themselves.
        external_id: what the role's trust policy asks for, or None.
        role_duration_s: how long the role's credentials are asked to last, in seconds; they are renewed in time.
    """

    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None
    max_per_second: AboveZero = 12.0
    concurrency: AtLeastOne = 50
    role_arn: str | None = None
    external_id: str | None = None
    role_duration_s: int = 3600

    def check(self) -> None:
        """Refuse a duration that STS would not take."""
        if not SHORTEST_S <= self.role_duration_s <= LONGEST_S:
            raise UsageError(f"a role is assumed for {SHORTEST_S} to {LONGEST_S} s, not {self.role_duration_s}")

    @property
    def role(self) -> Role | None:
        """The role to assume, if there is one."""
        if self.role_arn is None:
            return None
        return Role(arn=self.role_arn, external_id=self.external_id, duration_s=self.role_duration_s)


class Connection:
    """A way into one account and Region: its control plane, and the tags of its resources."""

    def __init__(
        self,
        session: AioSession,
        settings: ConnectionSettings,
        control_plane: ControlPlane,
        *,
        whose: str | None = None,
        logins: Logins | None = None,
    ) -> None:
        """Take over what is open; see `connect`."""
        self.control_plane = control_plane
        self.region = control_plane.region
        self.profile = settings.profile
        self._session = session
        self._settings = settings
        self._whose = whose
        self._logins = logins

    @property
    def source(self) -> str | None:
        """Where the credentials come from, as messages name it."""
        return self._whose

    @property
    def way(self) -> Way:
        """How requests to Lambda travel."""
        return way_to(self.control_plane.endpoint_url, self._session)

    def beside(self, settings: ConnectionSettings) -> AbstractAsyncContextManager[Connection]:
        """Open another connection that shares what was loaded and asked for this one; see `connect`."""
        return connect(settings, logins=self._logins)

    async def tags(self, resource_types: list[str], tags: tuple[str, ...]) -> dict[str, dict[str, str]]:
        """Tags by ARN; see `read_tags`."""
        async with self._client("resourcegroupstaggingapi", "tag:GetResources") as client:
            return await read_tags(client, resource_types, tags)

    async def alarms(self, names: tuple[str, ...], *, flag: str = "--alarm") -> list[AlarmState]:
        """The states of alarms; see `read_alarms`.

        Raises:
            UsageError: no alarm has one of the names.
            AccessError: the credentials are refused.
            ServiceError: an answer that retrying did not mend.
        """
        async with self._client("cloudwatch", "cloudwatch:DescribeAlarms") as client:
            return await read_alarms(client, names, flag=flag)

    async def calendars(self, names: tuple[str, ...]) -> list[CalendarState]:
        """How change calendars stand; see `read_calendars`.

        Raises:
            UsageError: one of them is none.
            AccessError: the credentials are refused.
            ServiceError: an answer that retrying did not mend, or that makes no sense.
        """
        async with self._client("ssm", "ssm:GetCalendarState") as client:
            return await read_calendars(client, names)

    async def account_id(self) -> str:
        """The account of the credentials, as STS tells it; see `identity`."""
        return (await self.identity()).account_id

    async def identity(
        self, clock: Clock | None = None, told: Callable[[Skew], None] = lambda _: None, *, attempts: int = 10
    ) -> Identity:
        """Whose the credentials are, and how far the clock is off; see `read_identity`.

        Args:
            clock: this machine's.
            told: hears how far it is off.
            attempts: how often STS is asked, at most.

        Raises:
            AccessError: the credentials are refused.
            ServiceError: an answer that retrying did not mend.
        """
        async with self._client("sts", "sts:GetCallerIdentity", attempts=attempts) as client:
            return await read_identity(client, clock or Clock(), told)

    async def try_tags(self) -> None:
        """Ask for the tags of one resource.

        Raises:
            AccessError: the credentials are refused.
            ServiceError: an answer that retrying did not mend.
        """
        async with self._client("resourcegroupstaggingapi", "tag:GetResources") as client:
            await client.get_resources(ResourceTypeFilters=[*RESOURCE_TYPES.values()], ResourcesPerPage=1)

    async def usage(self, until: datetime) -> dict[str, list[float]]:
        """Who uses Lambda's control plane; see `read_usage`."""
        async with self._client("cloudwatch", "cloudwatch:GetMetricData") as client:
            return await read_usage(client, until=until)

    async def metrics(
        self, queries: Sequence[MetricQuery], *, since: int, until: int
    ) -> dict[MetricQuery, dict[int, float]]:
        """Values of metrics by minute; see `read_metrics`."""
        async with self._client("cloudwatch", "cloudwatch:GetMetricData") as client:
            return await read_metrics(client, queries, since=since, until=until)

    async def expression(self, queries: Sequence[Mapping[str, Any]], *, since: int, until: int) -> list[float]:
        """What an expression of CloudWatch's metric math says; see `read_expression`."""
        async with self._client("cloudwatch", "cloudwatch:GetMetricData") as client:
            return await read_expression(client, queries, since=since, until=until)

    async def concurrency_limit(self) -> float:
        """How many invocations the account may have at once; see `read_concurrency_limit`."""
        async with self._client("service-quotas", "servicequotas:GetServiceQuota") as client:
            return await read_concurrency_limit(client)

    async def quota(self) -> float:
        """How fast Lambda's control plane may be asked, in requests/s; see `read_quota`."""
        async with self._client("service-quotas", "servicequotas:GetServiceQuota") as client:
            return await read_quota(client)

    async def organization_accounts(self, ou: str | None = None) -> list[str]:
        """The accounts in use of the organization; see `active_accounts` and `accounts_under`.

        Args:
            ou: an organizational unit or a root, of which all below counts; None for the whole organization.

        Raises:
            UsageError: there is no such unit.
            AccessError: the credentials are refused.
            ServiceError: an answer that retrying did not mend.
        """
        async with self._client("organizations", "organizations:ListAccounts") as client:
            return await (active_accounts(client) if ou is None else accounts_under(client, ou))

    async def enabled_regions(self) -> list[str]:
        """The Regions that the account may use; see `bulk_esm.aws.regions.enabled_regions`.

        Raises:
            AccessError: the credentials are refused.
            ServiceError: an answer that retrying did not mend.
        """
        async with self._client("ec2", "ec2:DescribeRegions") as client:
            return await enabled_regions(client)

    @asynccontextmanager
    async def _client(self, service: str, action: str, *, attempts: int = _ATTEMPTS) -> AsyncIterator[Any]:
        """A client of another service than Lambda, for a question or two. Its quota is not ours: botocore retries."""
        with translated(action, whose=self._whose):
            async with self._session.create_client(
                service,
                region_name=self.region,
                endpoint_url=self._settings.endpoint_url,
                config=_for_questions(attempts),
            ) as client:
                try:
                    yield client
                except KeyError as error:  # botocore's parser leaves out what did not come
                    raise ServiceError(code="DamagedAnswer", message=f"{action} answered without {error}") from error


@asynccontextmanager
async def connect(
    settings: ConnectionSettings,
    *,
    clock: Clock | None = None,
    logins: Logins | None = None,
    pacer: Pacer | None = None,
) -> AsyncIterator[Connection]:
    """Open a client for one account and Region. Nothing is sent to Lambda yet.

    Args:
        settings: see `ConnectionSettings`.
        clock: the time.
        logins: what was loaded before for others; see `Sessions`.
        pacer: that of an earlier connection to the same account and Region, whose quota it is.

    Raises:
        UsageError: no Region, no such profile, or an impossible endpoint.
        AccessError: no credentials, or a role that cannot be assumed.
        ServiceError: STS did not answer when the role was to be assumed.
    """
    pacer = pacer or Pacer(max_per_second=settings.max_per_second, clock=clock)
    logins = logins or Logins()
    region = settings.region or logins.home_region(settings.profile)
    if not region:
        raise UsageError("no Region: use --region, set AWS_REGION, or give the profile a region")
    _refuse_unknown(region, logins.of_profile(settings.profile), settings)
    session = await logins.session(
        settings.profile, settings.role, region=region, endpoint_url=settings.endpoint_url, config=_for_questions()
    )
    config = AioConfig(
        retries={"total_max_attempts": 1},  # one policy, and it is ours
        max_pool_connections=settings.concurrency,
        connect_timeout=10,
        read_timeout=60,
        http_session_cls=SendOnceSession,
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
        whose = logins.whose(settings.profile, settings.role)
        control_plane = ControlPlane(client, region=region, pacer=pacer, clock=clock, whose=whose)
        yield Connection(session, settings, control_plane, whose=whose, logins=logins)


def _refuse_unknown(region: str, base: AioSession, settings: ConnectionSettings) -> None:
    """Refuse a Region that nobody knows, unless an endpoint says where it is: only a name that is free would answer.

    What is not even of the form of one botocore refuses.
    """
    if (unknown := unknown_region(region)) is None or not has_form_of_region(region):
        return
    with translated("lambda"):
        endpoint = settings.endpoint_url or configured_endpoint(base)
    if endpoint is None:
        where = "the Region" if settings.region is None else "--region"
        raise UsageError(f"{where} {unknown}, or its endpoint in AWS_ENDPOINT_URL_LAMBDA; see AWS_REGION and --profile")


def _for_questions(attempts: int = _ATTEMPTS) -> AioConfig:
    """The configuration of clients of other services than Lambda, whose quotas are not ours: botocore retries."""
    return AioConfig(
        retries={"mode": "standard", "total_max_attempts": attempts},
        connect_timeout=10,
        http_session_cls=HttpSession,
        user_agent=USER_AGENT,
    )
