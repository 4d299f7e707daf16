"""From what is asked for to shards: asks whose the credentials are, which accounts there are, and which Regions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

import anyio
import msgspec

from bulk_esm.aws.regions import partition_of
from bulk_esm.aws.session import ConnectionSettings
from bulk_esm.engine.task_groups import task_group
from bulk_esm.errors import AccessError, ServiceError, UsageError
from bulk_esm.executors.tasks import Reach
from bulk_esm.model.parameters import nearest
from bulk_esm.model.shard import Problem, Shard
from bulk_esm.shards.roles import role_arn_of
from bulk_esm.shards.settings import FleetSettings
from bulk_esm.shards.spec import ALL_REGIONS, ShardSpec, names_of, narrowed, refuse_duplicates

_ASKED_AT_ONCE: Final = 10


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """A fleet.

    Attributes:
        shards: its shards, as they were asked for: account by account, each Region by Region.
        problems: what could not be asked, by a shard that stands for it, and why. Where that was which Regions are
            enabled, its Region is `all`.
    """

    shards: tuple[Shard, ...]
    problems: tuple[tuple[Shard, Problem], ...] = ()


class Answers(Protocol):
    """What is asked of a `Connection`."""

    @property
    def region(self) -> str:
        """Its Region."""

    async def account_id(self) -> str:
        """The account of the credentials."""

    async def organization_accounts(self, ou: str | None = None) -> list[str]:
        """The active accounts."""

    async def enabled_regions(self) -> list[str]:
        """The Regions that the account may use."""


class Asked(Protocol):
    """What is asked of `Sessions`."""

    def connect(self, settings: ConnectionSettings, /) -> AbstractAsyncContextManager[Answers]:
        """Open a connection."""


async def resolve(settings: FleetSettings, *, sessions: Asked, reach: Reach, home_region: str | None) -> Resolved:
    """Find a fleet's shards. Nothing is sent to Lambda.

    Args:
        settings: what is asked for, checked.
        sessions: the ways into accounts; a `Sessions`.
        reach: how they are reached.
        home_region: the Region of the credentials that all starts from, in which what is no matter of a Region is
            asked, and for which who names no Region is taken; None if there is none.

    Raises:
        UsageError: no shard at all, one named twice, no Region, no such profile or unit, or an excluded account that
            is not there.
        AccessError: the credentials that all starts from are refused, or may not ask for the organization.
        ServiceError: of these, an answer that retrying did not mend.
    """
    resolver = _Resolver(settings, sessions, reach, home_region)
    specs = await resolver.specs()
    found: list[Resolved] = [Resolved(shards=())] * len(specs)
    limiter = anyio.CapacityLimiter(_ASKED_AT_ONCE)

    async def one(place: int, spec: ShardSpec) -> None:
        async with limiter:
            found[place] = await resolver.resolved(spec)

    async with task_group() as tasks:
        for place, spec in enumerate(specs):
            tasks.start_soon(one, place, spec)
    refuse_duplicates(
        (shard.name, spec.where)
        for spec, each in zip(specs, found, strict=True)
        for shard in (*each.shards, *(shard for shard, _ in each.problems))
    )
    shards = tuple(shard for each in found for shard in each.shards)
    problems = tuple(problem for each in found for problem in each.problems)
    if settings.shards:
        shards, problems = _meant(settings.shards, shards, problems)
    if not shards and not problems:
        raise UsageError("the fleet has no shard: no active account, or no enabled Region, is left of what was named")
    return Resolved(shards=shards, problems=problems)


class _Resolver:
    def __init__(self, settings: FleetSettings, sessions: Asked, reach: Reach, home_region: str | None) -> None:
        self._settings = settings
        self._sessions = sessions
        self._reach = reach
        self._home_region = home_region

    async def specs(self) -> Sequence[ShardSpec]:
        """What is asked for, by account; of accounts and Regions that no shard which is meant has nothing is asked."""
        specs = await self._specs()
        if not self._settings.shards:
            return specs
        meant = [name.split("-", 1) for name in self._settings.shards]
        found = []
        for spec in specs:
            there = [region for account_id, region in meant if spec.known_account_id in (None, account_id)]
            if spec.regions and ALL_REGIONS not in spec.regions:
                there = [region for region in spec.regions if region in there]
            if there:
                found.append(msgspec.structs.replace(spec, regions=tuple(there)) if spec.regions else spec)
        if not found:
            raise _no_shard(self._settings.shards[0], [name for name, _ in names_of(specs)])
        return found

    async def _specs(self) -> Sequence[ShardSpec]:
        settings = self._settings
        if settings.file is not None:
            return [
                msgspec.structs.replace(spec, profile=settings.profile) if spec.profile is None else spec
                for spec in narrowed(settings.file.specs, settings.shard_tags)
            ]
        if not settings.asks_organization:
            return [settings.spec(account_id) for account_id in settings.accounts or (None,)]
        async with self._connect(ShardSpec(profile=settings.profile)) as connection:
            units = settings.ous or (None,)
            # A unit may be part of another.
            accounts = dict.fromkeys([each for unit in units for each in await connection.organization_accounts(unit)])
        for account_id in settings.exclude_accounts:
            if account_id not in accounts:
                hint = nearest(account_id, accounts)
                raise UsageError(f"--exclude-account {account_id}: no active account of those that are asked for{hint}")
            del accounts[account_id]
        return [settings.spec(account_id) for account_id in accounts]

    async def resolved(self, spec: ShardSpec) -> Resolved:
        """The shards of one account, or why they cannot be told."""
        account_id = spec.known_account_id
        try:
            if account_id is None:
                async with self._connect(spec) as connection:
                    account_id = await connection.account_id()
            regions = await self._regions(spec, account_id)
        except UsageError as error:
            raise UsageError(f"{spec.where}: {error}" if spec.where else str(error)) from error
        except (AccessError, ServiceError) as error:
            if account_id is None and self._is_home(spec):
                raise
            problem = Problem(reason=str(error), is_access=isinstance(error, AccessError))
            stand_ins = [_stand_in(spec, account_id, region) for region in spec.regions or (ALL_REGIONS,)]
            return Resolved(shards=(), problems=tuple((stand_in, problem) for stand_in in stand_ins))
        return Resolved(shards=tuple(spec.shard(account_id, region) for region in regions))

    async def _regions(self, spec: ShardSpec, account_id: str) -> Sequence[str]:
        if spec.regions and ALL_REGIONS not in spec.regions:
            return spec.regions
        home = await self._home(spec)
        if not spec.regions:
            return (home,)
        role_arn = role_arn_of(
            name=spec.role_name, template=spec.role_arn, account_id=account_id, partition=partition_of(home)
        )
        async with self._connect(spec, region=home, role_arn=role_arn) as connection:
            return await connection.enabled_regions()

    async def _home(self, spec: ShardSpec) -> str:
        """The home Region of the credentials that a way in starts from."""
        if self._is_home(spec) and self._home_region is not None:
            return self._home_region
        async with self._connect(spec) as connection:
            return connection.region

    def _is_home(self, spec: ShardSpec) -> bool:
        return spec.profile == self._settings.profile

    def _connect(
        self, spec: ShardSpec, *, region: str | None = None, role_arn: str | None = None
    ) -> AbstractAsyncContextManager[Answers]:
        named = spec.regions[0] if spec.regions and ALL_REGIONS not in spec.regions else None
        home = self._home_region if self._is_home(spec) else None
        return self._sessions.connect(
            ConnectionSettings(
                region=region or named or home,
                profile=spec.profile,
                endpoint_url=self._reach.endpoint_url,
                max_per_second=self._reach.max_per_second,
                concurrency=self._reach.concurrency,
                role_arn=role_arn,
                external_id=spec.external_id if role_arn is not None else None,
            )
        )


def _meant(
    names: Sequence[str], shards: tuple[Shard, ...], problems: tuple[tuple[Shard, Problem], ...]
) -> tuple[tuple[Shard, ...], tuple[tuple[Shard, Problem], ...]]:
    """The shards that are meant, and the problems of these.

    Raises:
        UsageError: one is none of the fleet's.
    """
    there = {shard.name for shard in (*shards, *(shard for shard, _ in problems))}
    for name in names:
        if name not in there:
            raise _no_shard(name, there)
    return (
        tuple(shard for shard in shards if shard.name in names),
        tuple((shard, problem) for shard, problem in problems if shard.name in names),
    )


def _no_shard(name: str, there: Iterable[str]) -> UsageError:
    return UsageError(f"--shard {name}: no shard of the fleet{nearest(name, there)}")


def _stand_in(spec: ShardSpec, account_id: str | None, region: str) -> Shard:
    """A shard that stands for what could not be asked, where not even the account may be known."""
    if account_id is not None:
        return spec.shard(account_id, region)
    return Shard(account_id=f"profile-{spec.profile}", region=region, profile=spec.profile, tags=spec.tags)
