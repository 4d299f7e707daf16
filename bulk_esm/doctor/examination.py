"""`bulk-esm doctor`: looks at all that a job needs, each account and Region beside the others."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Final

import anyio
import msgspec

from bulk_esm.aws.session import Connection, ConnectionSettings
from bulk_esm.aws.sessions import Sessions
from bulk_esm.clock import Clock
from bulk_esm.doctor.home import examine_alarms, examine_calendars, examine_home
from bulk_esm.doctor.keeping import examine_place
from bulk_esm.doctor.shard import ShardNeeds, denied, examine_shard
from bulk_esm.engine.task_groups import task_group
from bulk_esm.errors import AccessError, BulkEsmError, DeniedError, ServiceError
from bulk_esm.executors.tasks import Reach
from bulk_esm.model.checks import Check, Verdict
from bulk_esm.model.permissions import ASSUME
from bulk_esm.model.shard import Problem, Shard
from bulk_esm.shards.resolve import Resolved, resolve
from bulk_esm.shards.settings import FleetSettings
from bulk_esm.store.place import RunsPlace

_AT_ONCE: Final = 20
_PATIENCE_S: Final = 120.0
_LEAVE_OUT: Final = "leave it out (--exclude-account, --shard)"

Told = Callable[[Check], None]


class JobNeeds(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done, as far as it matters whether it can be.

    Attributes:
        home: where all starts from.
        fleet: which accounts and Regions; None for that of the credentials.
        place: where runs are kept.
        shard: what is needed in each account and Region.
        alarms: those that halt it.
        shard_alarms: those that each account and Region has.
        calendars: those that must be open.
        expected_account: the account that the credentials must be of, or None.
        scheduler: that of the Dask cluster which does the work, or None.
        at_once: how many accounts and Regions are looked at at once.
    """

    home: ConnectionSettings
    place: RunsPlace
    fleet: FleetSettings | None = None
    shard: ShardNeeds = ShardNeeds()
    alarms: tuple[str, ...] = ()
    shard_alarms: tuple[str, ...] = ()
    calendars: tuple[str, ...] = ()
    expected_account: str | None = None
    scheduler: str | None = None
    at_once: int | None = None


async def examine(needs: JobNeeds, *, told: Told, clock: Clock | None = None) -> int:
    """Look whether a job can be done here. Nothing is changed but a probe in the place where runs are kept.

    Args:
        needs: what it needs.
        told: hears each check.
        clock: the time.

    Returns:
        How many requests it took of Lambda's quota, in all accounts and Regions.

    Raises:
        UsageError: no Region, no such profile, or a fleet that makes no sense.
    """
    return await _Examination(needs, told, clock or Clock()).carry_out()


class _Examination:
    def __init__(self, needs: JobNeeds, told: Told, clock: Clock) -> None:
        self._needs = needs
        self._told = told
        self._clock = clock
        self._sessions = Sessions()
        self._requests = 0

    async def carry_out(self) -> int:
        needs = self._needs
        async with AsyncExitStack() as stack:
            try:
                home = await stack.enter_async_context(self._sessions.connect(needs.home, clock=self._clock))
            except (AccessError, ServiceError) as error:
                self._told(Check(what="credentials", verdict=Verdict.FAILED, detail=str(error), advice="see --profile"))
                return self._requests
            who = await examine_home(home, expected_account=needs.expected_account, told=self._told, clock=self._clock)
            control_plane = home.control_plane
            await examine_place(
                needs.place,
                account_id=who.account_id,
                endpoint_url=None if control_plane.is_aws else control_plane.endpoint_url,
                told=self._told,
                clock=self._clock,
            )
            if who.is_refused:
                return self._requests
            if needs.scheduler is not None:
                what = (
                    f"the workers of {needs.scheduler} have credentials of their own, which nobody looks at from here"
                )
                advice = "run bulk-esm doctor there, too"
                self._told(Check(what="executor", verdict=Verdict.UNKNOWN, detail=what, advice=advice))
            if needs.alarms:
                await examine_alarms(home, needs.alarms, told=self._told)
            if needs.calendars:
                await examine_calendars(home, needs.calendars, told=self._told)
            if needs.fleet is None:
                await self._examine(home, None)
            else:
                await self._examine_fleet(needs.fleet, home)
        return self._requests

    async def _examine_fleet(self, settings: FleetSettings, home: Connection) -> None:
        reach = Reach(endpoint_url=self._needs.home.endpoint_url)
        try:
            found: Resolved = await resolve(settings, sessions=self._sessions, reach=reach, home_region=home.region)
        except (AccessError, ServiceError) as error:
            action = error.action if isinstance(error, DeniedError) else "fleet"
            self._told(
                denied(action, error, Verdict.FAILED, why="; nobody can tell which accounts and Regions are meant")
            )
            return
        self._told(Check(what="fleet", verdict=Verdict.OK, detail=_shards_in_words(found)))
        for shard, problem in found.problems:
            self._told(_unreachable(shard, problem))
        limiter = anyio.CapacityLimiter(self._needs.at_once or _AT_ONCE)

        async def one(shard: Shard) -> None:
            async with limiter:
                await self._examine_shard(shard)

        async with task_group() as tasks:
            for shard in found.shards:
                tasks.start_soon(one, shard)

    async def _examine_shard(self, shard: Shard) -> None:
        settings = msgspec.structs.replace(
            self._needs.home,
            region=shard.region,
            profile=shard.profile,
            role_arn=shard.role_arn,
            external_id=shard.external_id,
            max_per_second=shard.max_per_second or self._needs.home.max_per_second,
        )
        async with AsyncExitStack() as stack:
            try:
                connection = await stack.enter_async_context(self._sessions.connect(settings, clock=self._clock))
            except BulkEsmError as error:
                self._told(_unreachable(shard, Problem.of(error)))
                return
            await self._examine(connection, shard)

    async def _examine(self, connection: Connection, shard: Shard | None) -> None:
        """Look at one account and Region, which must not hold up the others for ever."""
        name = None if shard is None else shard.name
        needs = self._needs.shard
        if shard is not None and shard.max_per_second is not None:
            needs = msgspec.structs.replace(needs, rate=shard.max_per_second)

        def told(check: Check) -> None:
            self._told(msgspec.structs.replace(check, shard=name))

        with anyio.move_on_after(_PATIENCE_S) as scope:
            await examine_shard(connection, needs, told=told, clock=self._clock)
            if self._needs.shard_alarms:
                await examine_alarms(connection, self._needs.shard_alarms, told=told, flag="--shard-alarm")
        if scope.cancelled_caught:
            what = f"it did not answer in {_PATIENCE_S:g} s"
            told(Check(what="shard", verdict=Verdict.FAILED, detail=what, advice=f"see the network, or {_LEAVE_OUT}"))
        here = connection.control_plane.census.account_id
        if shard is not None and here not in (None, shard.account_id):
            what = f"these credentials are of account {here}"
            told(Check(what="shard", verdict=Verdict.FAILED, detail=what, advice="name a role or a profile"))
        counts = connection.control_plane.request_counts()
        self._requests += sum(counts[kind] for kind in ("list", "get", "update"))


def _unreachable(shard: Shard, problem: Problem) -> Check:
    is_role = problem.is_access and shard.role_arn is not None
    return Check(
        what=ASSUME if is_role else "shard",
        verdict=Verdict.FAILED,
        detail=problem.reason,
        advice=f"mend the role or its trust policy, or {_LEAVE_OUT}" if is_role else f"mend it, or {_LEAVE_OUT}",
        shard=shard.name,
        lacks=ASSUME if is_role else None,
        resource=shard.role_arn or "*",
    )


def _shards_in_words(found: Resolved) -> str:
    accounts = {shard.account_id for shard in found.shards}
    return f"{len(found.shards) + len(found.problems):,} accounts and Regions, in {len(accounts):,} accounts"
