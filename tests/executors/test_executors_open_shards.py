"""What a worker keeps open, and what it remembers of a shard when it does not."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from unittest.mock import patch

import pytest
from engine_world import MODELS, a_mapping, in_virtual_time, virtual_clock

from bulk_esm.aws.pacing import Pacer
from bulk_esm.aws.session import Connection, ConnectionSettings
from bulk_esm.aws.sessions import Sessions
from bulk_esm.clock import Clock
from bulk_esm.errors import AccessError, ServiceError
from bulk_esm.executors.open_shards import OpenShards
from bulk_esm.executors.tasks import Reach
from bulk_esm.model.census import Census
from bulk_esm.model.mapping import EventSourceMapping, SourceType
from bulk_esm.model.shard import Shard
from bulk_esm.model.transitions import Transition, TransitionKind

RATE = 2.0
REACH = Reach(endpoint_url="http://127.0.0.1:1", max_per_second=RATE)  # nothing is sent
A, B, C = (Shard(account_id="123456789012", region=region) for region in ("us-east-1", "eu-west-1", "us-west-2"))


@pytest.fixture(autouse=True)
def aws_set_up() -> Iterator[None]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    keys = {"AWS_ACCESS_KEY_ID": "simulated", "AWS_SECRET_ACCESS_KEY": "simulated", "AWS_CONFIG_FILE": os.devnull}
    with (
        patch.dict(os.environ, {**clean, **keys, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}, clear=True),
        patch("botocore.session.create_loader", lambda *_: MODELS),
    ):
        yield


class CountedSessions(Sessions):
    """Counts what it opens and what of it was closed, by Region."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: Counter[str] = Counter()
        self.closed: Counter[str] = Counter()

    def connect(
        self, settings: ConnectionSettings, *, clock: Clock | None = None, pacer: Pacer | None = None
    ) -> AbstractAsyncContextManager[Connection]:
        return self._counted(super().connect(settings, clock=clock, pacer=pacer))

    @asynccontextmanager
    async def _counted(self, opening: AbstractAsyncContextManager[Connection]) -> AsyncIterator[Connection]:
        async with opening as connection:
            self.opened[connection.region] += 1
            yield connection
            self.closed[connection.region] += 1


async def used(shards: OpenShards, *wanted: Shard) -> None:
    for shard in wanted:
        async with shards.use(shard, REACH):
            pass


@in_virtual_time
async def test_a_connection_is_kept_from_one_task_to_the_next() -> None:
    sessions = CountedSessions()
    shards = OpenShards(sessions, clock=virtual_clock())
    async with shards.use(A, REACH) as opened:
        first = opened.connection
    await used(shards, B)
    async with shards.use(A, REACH) as opened:
        assert opened.connection is first
    assert (sessions.opened, sessions.closed) == ({A.region: 1, B.region: 1}, {})
    await shards.close()
    assert sessions.closed == sessions.opened


@in_virtual_time
async def test_the_least_recently_used_goes_first() -> None:
    sessions = CountedSessions()
    shards = OpenShards(sessions, clock=virtual_clock(), most_open=2)
    await used(shards, A, B, A, C)
    assert sessions.closed == {B.region: 1}
    await used(shards, C, A)
    assert sessions.opened == {A.region: 1, B.region: 1, C.region: 1}
    await used(shards, B)
    assert sessions.closed == {B.region: 1, C.region: 1}
    await shards.close()
    assert sessions.closed == sessions.opened == {A.region: 1, B.region: 2, C.region: 1}


@in_virtual_time
async def test_what_is_at_work_is_not_closed_however_many_there_are() -> None:
    sessions = CountedSessions()
    shards = OpenShards(sessions, clock=virtual_clock(), most_open=1)
    async with shards.use(A, REACH), shards.use(B, REACH):
        await used(shards, C)
        assert sessions.closed == {C.region: 1}
    assert sessions.closed == {C.region: 1, B.region: 1}  # which ended first
    await shards.close()
    assert sessions.closed == sessions.opened


@in_virtual_time
async def test_what_a_shard_has_taught_is_there_when_it_is_opened_again() -> None:
    clock = virtual_clock()
    sessions = CountedSessions()
    shards = OpenShards(sessions, clock=clock, most_open=1)
    queue = Transition(SourceType.SQS, TransitionKind.DISABLE)
    async with shards.use(A, REACH) as opened:
        control_plane, times = opened.connection.control_plane, opened.state.times
        await control_plane.pacer.acquire()
        control_plane.census = Census(total=1, complete=True)  # as a List puts another in its place
        control_plane.census.add([EventSourceMapping(a_mapping())])
        times.observe(queue, unsettled_s=50.0, settled_s=60.0)
    learned_s = times.median_s(queue)
    await used(shards, B)
    assert sessions.closed == {A.region: 1}
    async with shards.use(A, REACH) as again:
        assert again.connection.control_plane is not control_plane
        assert again.connection.control_plane.census.total == 2
        assert again.connection.control_plane.census.account_id == "123456789012"
        assert again.state.times.median_s(queue) == learned_s
        # The bucket is as empty as it was left: nobody gets a burst out of opening a connection.
        before = clock.monotonic()
        await again.connection.control_plane.pacer.acquire()
        assert clock.monotonic() - before == pytest.approx(1 / RATE)
        assert again.connection.control_plane.pacer.statistics().granted == 2
    await shards.close()


@in_virtual_time
async def test_a_rate_that_was_lowered_stays_so() -> None:
    clock = virtual_clock()
    shards = OpenShards(CountedSessions(), clock=clock, most_open=1)
    async with shards.use(A, REACH) as opened:
        pacer = opened.connection.control_plane.pacer
        pacer.throttled(await pacer.acquire())
        lowered = pacer.statistics().rate
    await used(shards, B)
    async with shards.use(A, REACH) as again:
        assert again.connection.control_plane.pacer.statistics().rate == lowered < RATE
    await shards.close()


@in_virtual_time
async def test_an_adopted_connection_is_used_and_not_closed() -> None:
    clock = virtual_clock()
    theirs, ours = CountedSessions(), CountedSessions()
    shards = OpenShards(ours, clock=clock, most_open=1)
    settings = ConnectionSettings(region=A.region, endpoint_url=REACH.endpoint_url, max_per_second=RATE)
    async with theirs.connect(settings, clock=clock) as home:
        shards.adopt(Shard(account_id=None, region=A.region), home)
        async with shards.use(A, REACH) as opened:  # whose account is known by now
            assert opened.connection is home
            await home.control_plane.pacer.acquire()
        await used(shards, B)  # beyond what stays open
        await shards.close()
        assert theirs.closed == {}
        async with shards.use(A, REACH) as again:
            assert again.connection.control_plane.pacer is home.control_plane.pacer
        await shards.close()
    assert (ours.opened, ours.closed) == ({A.region: 1, B.region: 1},) * 2


@in_virtual_time
async def test_whoever_was_denied_looks_for_credentials_anew() -> None:
    sessions = CountedSessions()
    shards = OpenShards(sessions, clock=virtual_clock())
    async with shards.use(A, REACH) as opened:
        pacer = opened.connection.control_plane.pacer
    with pytest.raises(AccessError, match="expired"):
        async with shards.use(A, REACH):
            raise AccessError("expired")
    assert sessions.closed == {A.region: 1}
    async with shards.use(A, REACH) as again:
        assert again.connection.control_plane.pacer is pacer  # its quota is as used as it was
    assert sessions.opened == {A.region: 2}
    await shards.close()


@in_virtual_time
async def test_another_error_does_not_close_it() -> None:
    sessions = CountedSessions()
    shards = OpenShards(sessions, clock=virtual_clock())
    with pytest.raises(ServiceError):
        async with shards.use(A, REACH):
            raise ServiceError(code="InternalFailure", message="sorry", status=500)
    await used(shards, A)
    assert (sessions.opened, sessions.closed) == ({A.region: 1}, {})
    await shards.close()


@in_virtual_time
async def test_other_credentials_are_another_way_in() -> None:
    sessions = CountedSessions()
    shards = OpenShards(sessions, clock=virtual_clock())
    with_rate = Shard(account_id="123456789012", region=A.region, max_per_second=5.0, tags={"stage": "canary"})
    await used(shards, A, with_rate, Shard(account_id=None, region=A.region))
    assert sessions.opened == {A.region: 1}
    await shards.close()
