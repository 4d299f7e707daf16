"""The simulator as users meet it: a server on loopback, and what a test does behind its back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Literal, Self

import msgspec
from aiohttp import web

from bulk_esm.model.checked import AboveZero, Count, taken
from bulk_esm.model.mapping import FunctionReference
from bulk_esm.simulator import bounds
from bulk_esm.simulator.alarms import Alarm
from bulk_esm.simulator.api import answer
from bulk_esm.simulator.calendars import Calendar
from bulk_esm.simulator.faults import Faults
from bulk_esm.simulator.fleet import Fleet, make_fleet
from bulk_esm.simulator.report import Report
from bulk_esm.simulator.routes import Request
from bulk_esm.simulator.settings import Settings
from bulk_esm.simulator.shard import Shard
from bulk_esm.simulator.timeline import Configuration
from bulk_esm.simulator.traffic import Traffic
from bulk_esm.simulator.wire import sent
from bulk_esm.simulator.world import World

REPORT_PATH: Final = "/_simulator/report"
_HOST: Final = "127.0.0.1"


class Simulator:
    """A Lambda control plane for event source mappings, on loopback, for tests, trials and benchmarks.

        async with Simulator(mappings=2000, speed=20) as simulator:
            client = session.create_client("lambda", endpoint_url=simulator.endpoint_url, region_name="us-east-1", ...)

    It lives in virtual time, which passes `speed` times as fast as real time: settle times are divided by it and the
    quota is multiplied. An account is told by an access key id of 12 digits (any other stands for `account_id`), a
    Region by the signature. Each account and Region has its own fleet and quota. Mappings are listed, got, created,
    updated, deleted and tagged, and functions are told of by name and timeout. Tags in bulk (GetResources), the
    caller's account (GetCallerIdentity), roles (AssumeRole, whose access key id is the role's account), alarms
    (DescribeAlarms, see `set_alarm`), change calendars (GetCalendarState, see `set_calendar`), the quota
    (GetServiceQuota) and who uses it (ListMetrics and GetMetricData of AWS/Usage, where the other caller of the faults
    is seen, and of what functions do, see `set_traffic`) are answered too, outside the quota.

    Args:
        fleet: the mappings of `account_id` in `region`: a `Fleet`, or a list of configurations as Get returns them.
            Made from `mappings` and `seed` if left out.
        mappings: how many mappings each account and Region has whose fleet is not given.
        seed: of the fleets, settle times and faults.
        speed: virtual seconds in a real one.
        faults: what goes wrong.
        shard_faults: what goes wrong in some accounts and Regions, in place of `faults`.
        quota_per_second: Lambda requests a virtual second for each account and Region; None for no quota.
        burst: how many requests may come at once. Lambda's is unpublished.
        settle_scale: multiplies the settle times; 0 settles at once.
        whole_stamps: show LastModified in milliseconds for every source type. Lambda is less kind: Get, List and Delete
            cut that of Kinesis and DynamoDB mappings to the whole minute.
        switches_scaling: accept that one call clears a queue's ScalingConfig and sets its ProvisionedPollerConfig, or
            the other way round, which nobody has seen Lambda do.
        newer: dotted paths that this Lambda knows beyond botocore's model, such as `ScalingConfig.Mode`; a parameter
            that the model has is held to its types alone, not to its words and bounds. Other members that the model
            does not have are ignored, as Lambda does.
        account_id: whose the fleet is, 12 digits.
        region: where the fleet is.
        fleets: fleets of further accounts and Regions.
        port: to listen on; 0 is any.
        clock: tells virtual seconds, for tests that tick it by hand; real time times `speed` if left out.
        epoch: virtual second 0 in seconds since the epoch; now if left out.
    """

    def __init__(  # noqa: PLR0913 - keyword-only, all with defaults
        self,
        *,
        fleet: Fleet | Sequence[Configuration] | None = None,
        mappings: int = 1000,
        seed: int = 1,
        speed: float = 1.0,
        faults: Faults | None = None,
        shard_faults: Mapping[tuple[str, str], Faults] | None = None,
        quota_per_second: float | None = 15.0,
        burst: float = 15.0,
        settle_scale: float = 1.0,
        whole_stamps: bool = False,
        switches_scaling: bool = False,
        newer: Iterable[str] = (),
        account_id: str = "123456789012",
        region: str = "us-east-1",
        fleets: Mapping[tuple[str, str], Fleet] | None = None,
        port: int = 0,
        clock: Callable[[], float] | None = None,
        epoch: float | None = None,
    ) -> None:
        mappings = taken("mappings", mappings, Count)
        speed = taken("speed", speed, AboveZero)
        self.account_id = account_id
        self.region = region
        self._speed = speed
        self._port = port
        started_at = time.monotonic()
        self._clock = clock or (lambda: (time.monotonic() - started_at) * speed)
        if fleet is None:
            fleet = make_fleet(mappings, seed=seed, account_id=account_id, region=region)
        elif not isinstance(fleet, Fleet):
            fleet = Fleet(mappings=list(fleet))
        settings = Settings(
            seed=seed,
            account_id=account_id,
            epoch=time.time() if epoch is None else epoch,
            quota_per_second=quota_per_second,
            burst=burst,
            settle_scale=settle_scale,
            whole_stamps=whole_stamps,
            switches_scaling=switches_scaling,
            newer=frozenset(newer),
            faults=_at_speed(faults or Faults(), speed),
        )
        self._world = World(
            settings,
            mappings=mappings,
            fleets={**(fleets or {}), (account_id, region): fleet},
            faults={place: _at_speed(found, speed) for place, found in (shard_faults or {}).items()},
        )
        self._runner = web.ServerRunner(
            web.Server(self._handle),
            shutdown_timeout=0.1,
        )

    async def __aenter__(self) -> Self:
        bounds.shape("UpdateEventSourceMapping")  # read now, not in the middle of the first update
        await self._runner.setup()
        await web.TCPSite(self._runner, _HOST, self._port).start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    @property
    def endpoint_url(self) -> str:
        """Where it listens, once it was entered."""
        return f"http://{_HOST}:{self._port}"

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that point any AWS client at the simulator, with credentials of the fleet's account."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ENDPOINT_URL_LAMBDA": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": self.account_id,
            "AWS_SECRET_ACCESS_KEY": "simulated",
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @property
    def now(self) -> float:
        """Virtual seconds since the start."""
        return self._clock()

    def report(self) -> Report:
        """What was seen so far; the same as GET `/_simulator/report`, which needs no signature."""
        return self._world.report(self.now, speed=self._speed)

    def snapshot(self, account_id: str | None = None, region: str | None = None) -> list[Configuration]:
        """All mappings of an account and Region as SDKs show what Get would return now: without the wire's nulls.

        Args:
            account_id: whose; the simulator's own if left out.
            region: where; the simulator's own if left out.
        """
        return self._world.shard(account_id or self.account_id, region or self.region).snapshot(self.now)

    def get(self, uuid: str) -> Configuration:
        """One mapping as SDKs show what Get would return now: without the wire's nulls.

        Raises:
            ApiError: there is none.
        """
        return self._world.of(uuid).get(uuid, self.now)

    def change_behind(self, uuid: str, **values: Any) -> None:
        """Change a mapping at once, as somebody else would, past quota, states and refusals.

        Args:
            uuid: which.
            values: what Get returns from now on, such as `State="Disabled"` or `BatchSize=5`; None removes a member.

        Raises:
            ApiError: there is no such mapping.
        """
        self._world.of(uuid).change_behind(uuid, values, self.now)

    def delete_behind(self, uuid: str) -> None:
        """Delete a mapping at once, as somebody else would.

        Raises:
            ApiError: there is no such mapping.
        """
        self._world.of(uuid).delete_behind(uuid, self.now)

    def delete_function_behind(self, function: str) -> None:
        """Have a function gone from now on: all updates of mappings that invoke it are refused, as is its name.

        Get and List still show the mappings, which stay as they are. All functions exist that were not named here.

        Args:
            function: a name, partial ARN or ARN, of the simulator's own account and Region where it does not say. With
                a qualifier, only that alias or version is gone.
        """
        shard, arn = self._function(function)
        shard.functions.delete(arn)

    def restore_function_behind(self, function: str) -> None:
        """Have a function there again that was gone.

        Args:
            function: as it was named when it went.
        """
        shard, arn = self._function(function)
        shard.functions.restore(arn)

    def set_faults(self, faults: Faults, *, account_id: str | None = None, region: str | None = None) -> None:
        """Have something else go wrong in an account and Region from now on; quota and the lag of List stay.

        Args:
            faults: what goes wrong.
            account_id: where; the simulator's own if left out.
            region: where; the simulator's own if left out.
        """
        self._world.shard(account_id or self.account_id, region or self.region).faults = faults

    def set_alarm(
        self,
        name: str,
        state: Literal["OK", "ALARM", "INSUFFICIENT_DATA"],
        *,
        reason: str = "",
        is_composite: bool = False,
        account_id: str | None = None,
        region: str | None = None,
    ) -> None:
        """Have a CloudWatch alarm in a state, which DescribeAlarms tells from now on.

        Args:
            name: the alarm's.
            state: as CloudWatch names it.
            reason: in CloudWatch's words.
            is_composite: whether it is a composite alarm, and not one of a metric.
            account_id: whose; the simulator's own if left out.
            region: where; the simulator's own if left out.
        """
        shard = self._world.shard(account_id or self.account_id, region or self.region)
        arn = f"arn:{shard.partition}:cloudwatch:{shard.region}:{shard.account_id}:alarm:{name}"
        shard.alarms[name] = Alarm(name=name, arn=arn, state=state, reason=reason, is_composite=is_composite)

    def set_calendar(
        self,
        name: str,
        state: Literal["OPEN", "CLOSED"],
        *,
        turns_at: Iterable[datetime] = (),
        account_id: str | None = None,
        region: str | None = None,
    ) -> None:
        """Have a Systems Manager change calendar in a state, which GetCalendarState tells from now on.

        Args:
            name: the calendar's.
            state: as Systems Manager names it.
            turns_at: when that changes, each time to the other, by the simulator's time of day.
            account_id: whose; the simulator's own if left out.
            region: where; the simulator's own if left out.
        """
        shard = self._world.shard(account_id or self.account_id, region or self.region)
        shard.calendars[name] = Calendar(
            arn=f"arn:{shard.partition}:ssm:{shard.region}:{shard.account_id}:document/{name}",
            is_open=state == "OPEN",
            turns_at=tuple(sorted(at.timestamp() for at in turns_at)),
        )

    def set_traffic(self, traffic: Traffic, *, account_id: str | None = None, region: str | None = None) -> None:
        """Have functions do something, of which GetMetricData of AWS/Lambda and AWS/SQS tells, by the minute.

        Args:
            traffic: what they do, and what once they are changed.
            account_id: whose; the simulator's own if left out.
            region: where; the simulator's own if left out.
        """
        self._world.shard(account_id or self.account_id, region or self.region).traffic = traffic

    def _function(self, function: str) -> tuple[Shard, str]:
        reference = FunctionReference.parse(function)
        shard = self._world.shard(reference.account_id or self.account_id, reference.region or self.region)
        return shard, shard.function_arn(function)

    def add(
        self, fleet: Fleet | Sequence[Configuration], *, account_id: str | None = None, region: str | None = None
    ) -> None:
        """Add mappings at once.

        Args:
            fleet: the mappings, and their tags and timeouts if it is a `Fleet`.
            account_id: whose; the simulator's own if left out.
            region: where; the simulator's own if left out.

        Raises:
            ValueError: a UUID is taken.
        """
        shard = self._world.shard(account_id or self.account_id, region or self.region)
        shard.add(fleet if isinstance(fleet, Fleet) else Fleet(mappings=list(fleet)), self.now)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == REPORT_PATH:
            return web.Response(body=msgspec.json.encode(self.report()), content_type="application/json")
        body = await request.read()
        done = answer(
            self._world,
            Request(
                method=request.method,
                path=request.path,
                query=request.query,
                headers={name.lower(): value for name, value in request.headers.items()},
                body=body,
                tag_keys=tuple(request.query.getall("tagKeys", ())),
            ),
            self.now,
        )
        return await sent(done, request)


def _at_speed(faults: Faults, speed: float) -> Faults:
    """The faults with List's lag in real time taken for virtual time, in which the simulator reckons."""
    return msgspec.structs.replace(faults, list_lag_s=faults.list_lag_s + faults.list_lag_real_s * speed)
