"""The failure budget among workers elsewhere: exceeded by one at the most, and nobody waits for ever for a place."""

from __future__ import annotations

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from engine_world import VirtualTimeLoop
from executors_toy import ToySource, ToyWorker
from hypothesis import given, settings
from hypothesis import strategies as st

from bulk_esm.engine.budget import Budget
from bulk_esm.executors.dispatcher import Dispatcher
from bulk_esm.executors.messages import Here
from bulk_esm.executors.remote import RemoteExecutor
from bulk_esm.executors.remote_worker import serve
from bulk_esm.executors.tasks import Event, Resulted
from bulk_esm.model.budget import shares_of
from bulk_esm.model.records import RunStatus
from bulk_esm.model.result import Outcome
from bulk_esm.model.shard import Shard
from bulk_esm.model.stopping import Stop


class Slow:
    """A worker's end of a channel on which each message takes a while, and the driver's."""

    def __init__(self, dispatcher: Dispatcher, place: str, takes_s: float) -> None:
        self._dispatcher, self._place, self._takes_s = dispatcher, place, takes_s
        streams: tuple[MemoryObjectSendStream[bytes], MemoryObjectReceiveStream[bytes]]
        streams = anyio.create_memory_object_stream[bytes](10_000)
        self._orders, self._heard = streams

    async def send(self, message: bytes) -> None:
        await anyio.sleep(self._takes_s)
        self._dispatcher.received(self._place, message)

    async def receive(self) -> bytes:
        message = await self._heard.receive()
        await anyio.sleep(self._takes_s)
        return message

    def post(self, message: bytes) -> None:
        self._orders.send_nowait(message)

    def close(self) -> None:
        self._orders.close()
        self._heard.close()


class Pool:
    """Workers as tasks of this event loop."""

    def __init__(self, places: int, takes_s: float) -> None:
        self.places = places
        self._takes_s = takes_s

    async def run_workers(self, dispatcher: Dispatcher) -> None:
        async with anyio.create_task_group() as tasks:
            for place in range(dispatcher.wanted):
                tasks.start_soon(self._work, dispatcher, str(place))

    async def _work(self, dispatcher: Dispatcher, place: str) -> None:
        here, channel = Here(place=place, worker_id=place), Slow(dispatcher, place, self._takes_s * (int(place) + 1))
        dispatcher.came(here, channel)
        await serve(Silent(channel), here, ToyWorker)
        channel.close()


class Silent:
    """A channel on which nobody says who is here, as the driver knows."""

    def __init__(self, channel: Slow) -> None:
        self._channel, self._is_first = channel, True

    async def send(self, message: bytes) -> None:
        if self._is_first:
            self._is_first = False
        else:
            await self._channel.send(message)

    async def receive(self) -> bytes:
        return await self._channel.receive()


@settings(deadline=None, max_examples=60)
@given(
    most=st.integers(0, 6),
    before=st.integers(0, 2),
    workers=st.integers(1, 4),
    refused=st.lists(st.sets(st.integers(0, 7), max_size=8), min_size=1, max_size=6),
    takes_s=st.sampled_from([0.0, 0.01, 0.3]),
)
def test_it_is_exceeded_by_one_at_the_most_and_else_all_is_sent(
    most: int, before: int, workers: int, refused: list[set[int]], takes_s: float
) -> None:
    shards = [
        Shard(account_id=f"{n:012}", region="eu-west-1", tags={"sends": "8", "refused": " ".join(map(str, these))})
        for n, these in enumerate(refused)
    ]
    heard: list[Outcome] = []

    async def main() -> Budget:
        budget = Budget(most + before, failures=before)

        def on_event(event: Event) -> None:
            if isinstance(event, Resulted):
                heard.append(event.result.outcome)
            if budget.is_exceeded:
                executor.stop(Stop(RunStatus.HALTED, budget.reason))

        executor = RemoteExecutor(Pool(workers, takes_s))
        executor.begin(budget)
        source = ToySource(shards, on_event)
        with anyio.fail_after(3600):
            await executor.do(source)
        assert len(source.ends) == len(shards)
        return budget

    budget = anyio.run(main, backend_options={"loop_factory": VirtualTimeLoop})
    would_fail = sum(map(len, refused))
    assert heard.count(Outcome.FAILED) == min(most + 1, would_fail)
    assert budget.failures == before + heard.count(Outcome.FAILED)
    if would_fail <= most:
        assert len(heard) == 8 * len(shards)


@given(places=st.integers(0, 20), workers=st.integers(0, 8), turn=st.integers(0, 100))
def test_shares_add_up_and_are_even(places: int, workers: int, turn: int) -> None:
    shares = shares_of(places, workers, turn=turn)
    assert len(shares) == workers
    if workers:
        assert sum(shares) == places
        assert max(shares) - min(shares) <= 1


@given(workers=st.integers(1, 8), places=st.integers(1, 8))
def test_everybody_has_a_turn(workers: int, places: int) -> None:
    turns = [shares_of(places, workers, turn=turn) for turn in range(workers)]
    assert all(any(turn[worker] for turn in turns) for worker in range(workers))
