"""A simulator and a client in virtual time: an hour of settling takes no time, and every run is the same.

The event loop that both live on jumps to the next timer as soon as nothing else is left to do. Loopback sockets deliver
at once, so a request on its way is something to do.
"""

from __future__ import annotations

import asyncio
import functools
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, ParamSpec
from unittest.mock import patch

import anyio
import botocore.loaders
import msgspec

from bulk_esm.aws.session import Connection, ConnectionSettings, connect
from bulk_esm.clock import Clock
from bulk_esm.engine.endings import Ending
from bulk_esm.engine.engine import Engine
from bulk_esm.engine.inventory import Inventory, read_inventory
from bulk_esm.engine.planning import make_plan, renew_plan
from bulk_esm.engine.settings import EngineSettings
from bulk_esm.model.change import Change
from bulk_esm.model.mapping import EventSourceMapping
from bulk_esm.model.plan import Action, Plan, PlanItem
from bulk_esm.model.result import Outcome, Result
from bulk_esm.model.selection import Selection
from bulk_esm.simulator import Simulator

P = ParamSpec("P")
MODELS = botocore.loaders.Loader()  # read once, and not for every test: that is most of what a connection costs
STARTED_AT = datetime(2026, 1, 1, tzinfo=UTC)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop that never waits for a timer."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._threads = 0
        selector: Any = self._selector  # type: ignore[attr-defined]
        self._select = selector.select
        selector.select = self._select_or_jump

    def time(self) -> float:
        return self._now

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        self._threads += 1
        future: Any = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._thread_is_done)
        return future

    def _thread_is_done(self, _: object) -> None:
        self._threads -= 1

    def _select_or_jump(self, timeout: float | None = None) -> Any:
        if timeout is None or self._threads:
            return self._select(timeout)  # something real is waited for
        events = self._select(0)
        if not events:
            self._now += max(0.0, timeout)
        return events


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run an asynchronous test on a loop of its own whose time is virtual."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        anyio.run(
            functools.partial(test, *args, **kwargs), backend_options={"debug": False, "loop_factory": VirtualTimeLoop}
        )

    return run


def virtual_clock(started_at: datetime = STARTED_AT) -> Clock:
    loop = asyncio.get_running_loop()
    return Clock(monotonic=loop.time, now=lambda: started_at + timedelta(seconds=loop.time()))


@asynccontextmanager
async def simulated(*, started_at: datetime = STARTED_AT, **simulator: Any) -> AsyncIterator[Simulator]:
    """Lambda at its real speed, in virtual time, and an environment that points at it."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    nothing = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    clock = virtual_clock(started_at)
    async with Simulator(clock=clock.monotonic, epoch=started_at.timestamp(), **simulator) as there:
        with (
            patch.dict(os.environ, {**clean, **nothing, **there.environment}, clear=True),
            patch("botocore.session.create_loader", lambda *_: MODELS),
        ):
            yield there


class Home:
    """What the engine does in one account and Region, without the API around it."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self.connection = connection
        self.clock = clock
        self.control_plane = connection.control_plane

    async def list(self, selection: Selection) -> Inventory:
        return await read_inventory(self.connection, selection)

    async def plan(self, selection: Selection, change: Change | Mapping[str, Change], **more: Any) -> Plan:
        return await make_plan(self.connection, selection, change, clock=self.clock, **more)

    async def renew(self, saved: Plan) -> tuple[Plan, dict[str, Ending]]:
        return await renew_plan(self.connection, saved)


@asynccontextmanager
async def world(
    *, max_per_second: float = 12.0, concurrency: int = 50, started_at: datetime = STARTED_AT, **simulator: Any
) -> AsyncIterator[tuple[Simulator, Home]]:
    """Lambda at its real speed, and a client that is as fast as the command line's defaults."""
    settings = ConnectionSettings(max_per_second=max_per_second, concurrency=concurrency)
    clock = virtual_clock(started_at)
    async with simulated(started_at=started_at, **simulator) as there, connect(settings, clock=clock) as connection:
        connection.control_plane._jitter = random.Random(1)  # noqa: S311 - jitter is no secret
        yield there, Home(connection, clock)


def engine_of(home: Home, **settings: Any) -> Engine:
    return Engine(
        home.control_plane,
        run_id="a-run",
        account_id="123456789012",
        settings=EngineSettings(**settings),
        clock=home.clock,
    )


def check_what_always_holds(plan: Plan, results: Sequence[Result], simulator: Simulator) -> None:
    """One result for each item, no mapping accepted twice, and none touched that was not to be."""
    assert Counter(result.uuid for result in results) == Counter(item.uuid for item in plan.items)
    to_update = {item.uuid for item in plan.updates}
    by_uuid = {result.uuid: result for result in results}
    for mapping in simulator.report().mappings:
        assert mapping.accepted_count <= 1
        if mapping.accepted_count:
            assert mapping.uuid in to_update
            assert by_uuid[mapping.uuid].outcome not in {Outcome.UNCHANGED, Outcome.BLOCKED, Outcome.NOT_STARTED}
    for result in results:
        if result.outcome is not Outcome.NOT_STARTED:
            assert (result.error is None) == (result.outcome in {Outcome.UPDATED, Outcome.UNCHANGED})
        assert (result.settled_at is not None) == (result.outcome is Outcome.UPDATED)
        if result.outcome is Outcome.UPDATED:
            assert result.accepted_at is not None
            assert result.accepted_at <= (result.settled_at or "")


def outcomes(results: Sequence[Result]) -> Counter[Outcome]:
    return Counter(result.outcome for result in results)


def accepted(simulator: Simulator) -> set[str]:
    """The mappings of which an update was accepted."""
    return {mapping.uuid for mapping in simulator.report().mappings if mapping.accepted_count}


def listing(simulator: Simulator) -> list[str]:
    """All mappings in the order of List, which is by nothing visible (F§0.2)."""
    return [mapping.uuid for shard in simulator._world for mapping in shard._mappings.listed]


def a_mapping(number: int = 0, **members: Any) -> dict[str, Any]:
    uuid = f"00000000-0000-4000-8000-{number:012}"
    return {
        "UUID": uuid,
        "EventSourceMappingArn": f"arn:aws:lambda:us-east-1:123456789012:event-source-mapping:{uuid}",
        "FunctionArn": f"arn:aws:lambda:us-east-1:123456789012:function:f{number}",
        "EventSourceArn": f"arn:aws:sqs:us-east-1:123456789012:queue-{number}",
        "State": "Enabled",
        "LastModified": 1_700_000_000.125,
        "BatchSize": 10,
        **members,
    }


def queues(count: int) -> list[dict[str, Any]]:
    return [a_mapping(number) for number in range(count)]


def an_item(number: int = 0, request: dict[str, Any] | None = None, **members: Any) -> PlanItem:
    """The item of a plan that updates `a_mapping`."""
    before = EventSourceMapping(a_mapping(number, **members))
    return PlanItem(
        uuid=before.uuid,
        function_arn=before.function_arn,
        event_source_arn=before.event_source_arn,
        source_type=before.source_type,
        state=before.state,
        action=Action.UPDATE,
        request=request or {"Enabled": False},
        before_json=msgspec.Raw(msgspec.json.encode(before.configuration)),
    )
