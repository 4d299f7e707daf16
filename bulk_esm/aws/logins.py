"""Sessions by profile and role: each is read, and each role assumed, once for all Regions that want it."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Hashable

import anyio
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession

from bulk_esm.aws.answers import Parsers, refuse_damaged
from bulk_esm.aws.authorities import settle_authorities
from bulk_esm.aws.credentials import find_credentials
from bulk_esm.aws.errors import translated
from bulk_esm.aws.http import HttpSession
from bulk_esm.aws.regions import partition_of
from bulk_esm.aws.roles import Role, with_role
from bulk_esm.errors import BulkEsmError


class Logins:
    """What is loaded once: the files, botocore's models, and the credentials."""

    def __init__(self) -> None:
        """Begin with nothing; nothing is read yet."""
        self._bases: dict[str | None, AioSession] = {}
        self._whose: dict[str | None, str] = {}
        self._ready: dict[Hashable, AioSession] = {}
        self._locks: defaultdict[Hashable, anyio.Lock] = defaultdict(anyio.Lock)
        self._failures: Counter[Hashable] = Counter()
        self._last_failure: dict[Hashable, BulkEsmError] = {}

    def of_profile(self, profile: str | None) -> AioSession:
        """The session of a profile; its credentials are not looked for yet.

        Args:
            profile: its name; None for what the environment says.

        Raises:
            UsageError: no such profile, or files that cannot be read.
        """
        if profile not in self._bases:
            with translated("sts:GetCallerIdentity"):
                session = AioSession(profile=profile)
                settle_authorities(session)
            # For what botocore asks by itself: STS for a profile's role, and the services of a single sign-on.
            session.set_default_client_config(
                AioConfig(
                    http_session_cls=HttpSession,
                    connect_timeout=5,
                    read_timeout=20,
                    retries={"mode": "standard", "total_max_attempts": 3},
                )
            )
            session.register_component("response_parser_factory", Parsers())
            session.register("after-call", refuse_damaged)
            self._bases[profile] = session
        return self._bases[profile]

    def whose(self, profile: str | None, role: Role | None) -> str | None:
        """Where the credentials of a session come from, as messages name it; None if none were found yet.

        Args:
            profile: the profile's name, or None.
            role: the role, or None.
        """
        return self._whose.get(profile) if role is None else role.arn

    def home_region(self, profile: str | None) -> str | None:
        """The Region that the environment or a profile names, or None.

        Args:
            profile: the profile's name, or None.

        Raises:
            UsageError: no such profile, or files that cannot be read.
        """
        base = self.of_profile(profile)
        with translated("sts:GetCallerIdentity"):
            # botocore reads only AWS_DEFAULT_REGION; the AWS CLI and every other SDK put AWS_REGION before it.
            return os.environ.get("AWS_REGION") or base.get_config_variable("region")

    async def session(
        self, profile: str | None, role: Role | None, *, region: str, endpoint_url: str | None, config: AioConfig
    ) -> AioSession:
        """The session of a profile, or of a role assumed from it, with credentials that were found.

        Args:
            profile: the profile's name, or None.
            role: the role, or None.
            region: where STS is asked unless the profile has a Region of its own.
            endpoint_url: another endpoint of STS than AWS's own.
            config: of STS's client.

        Raises:
            UsageError: no such profile, or what is no role or external id.
            AccessError: no credentials, or a role that cannot be assumed.
            ServiceError: STS did not answer.
        """
        base = self.of_profile(profile)

        async def found() -> AioSession:
            with translated("sts:GetCallerIdentity"):
                self._whose[profile] = await find_credentials(base, region=self.home_region(profile) or region)
            return base

        await self._once(profile, found)
        if role is None:
            return base
        # STS is asked at home: the account of these credentials need not have enabled the Region that is asked for.
        home, partition = self.home_region(profile) or region, partition_of(region)
        session = with_role(
            base,
            role,
            region=home if partition_of(home) == partition else region,
            endpoint_url=endpoint_url,
            config=config,
        )

        async def assumed() -> AioSession:
            await (await session.get_credentials()).get_frozen_credentials()
            return session

        return await self._once((profile, role, endpoint_url, partition), assumed)

    async def _once(self, key: Hashable, make: Callable[[], Awaitable[AioSession]]) -> AioSession:
        """One attempt at a time: who comes meanwhile shares what comes of it, a failure too; who comes later tries."""
        failures = self._failures[key]
        async with self._locks[key]:
            if key in self._ready:
                return self._ready[key]
            if self._failures[key] > failures:
                raise self._last_failure[key]
            try:
                self._ready[key] = await make()
            except BulkEsmError as error:
                self._failures[key] += 1
                self._last_failure[key] = error
                raise
            return self._ready[key]
