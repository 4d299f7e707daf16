"""A worker that needs no AWS, and a source that remembers: what a shard's tags say is what the worker does."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Sequence

import anyio

from bulk_esm.engine.settings import BeforeUpdate, MaySend, unrecorded
from bulk_esm.executors.tasks import Assignment, CarryOut, Event, Reach, Resulted, ShardEnd
from bulk_esm.executors.worker import Worker
from bulk_esm.model.mapping import SourceType
from bulk_esm.model.result import Outcome, Result
from bulk_esm.model.shard import Shard
from bulk_esm.model.stopping import Stop

LONGEST_S = 600  # nothing may hang for ever, and nothing is asserted about time


class ToyWorker(Worker):
    """Tells of so many results; then does as the tags say.

    `until`: waits until a file is there, unless it was told to look first. `alive`: a file, there while it works.
    `sends`: instead sends so many updates, each as long under way as its number says, of which those are refused that
    `refused` has.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stopped: Stop | None = None
        self.stopped_shards: dict[str, Stop] = {}

    def stop(self, stop: Stop, *, hurry: bool = False) -> None:
        self.stopped = self.stopped or Stop(stop.status, f"{stop.reason}{' in a hurry' * hurry}")

    def stop_shard(self, shard: str, stop: Stop) -> None:
        self.stopped_shards[shard] = stop

    async def do(
        self,
        assignment: Assignment,
        on_event: Callable[[Event], None],
        *,
        before_update: BeforeUpdate = unrecorded,  # noqa: ARG002 - a Worker's
        may_send: MaySend = lambda: True,  # noqa: ARG002 - likewise
    ) -> ShardEnd:
        shard, tags = assignment.shard, assignment.shard.tags
        assert isinstance(assignment.task, CarryOut)
        if "sends" in tags:
            return await self._send(shard, on_event)
        for number in range(int(tags.get("results", "3"))):
            on_event(Resulted(shard.name, result(str(number), Outcome(tags.get("outcome", "updated")))))
        if "alive" in tags:
            await anyio.Path(tags["alive"]).touch()
        try:
            while not self._stop_in(shard) and not await self._may_end(assignment):  # noqa: ASYNC110 - a file
                await anyio.sleep(0.01)
        finally:
            if "alive" in tags:
                with anyio.CancelScope(shield=True):
                    await anyio.Path(tags["alive"]).unlink()
        return ShardEnd(shard=shard.name, requests={"update": 1}, stop=self._stop_in(shard))

    def _stop_in(self, shard: Shard) -> Stop | None:
        return self.stopped or self.stopped_shards.get(shard.name)

    async def _may_end(self, assignment: Assignment) -> bool:
        tags = assignment.shard.tags
        assert isinstance(assignment.task, CarryOut)
        return "until" not in tags or assignment.task.looks_first or await anyio.Path(tags["until"]).exists()

    async def _send(self, shard: Shard, on_event: Callable[[Event], None]) -> ShardEnd:
        refused = set(shard.tags.get("refused", "").split())

        async def send(number: str) -> None:
            assert self.budget is not None
            await anyio.sleep(0.03 * (int(number) % 3))
            self.budget.leave((shard.name, number))
            is_refused = number in refused
            on_event(Resulted(shard.name, result(number, Outcome.FAILED if is_refused else Outcome.UPDATED, calls=1)))
            if is_refused:
                self.budget.fail()

        async with anyio.create_task_group() as tasks:
            for number in map(str, range(int(shard.tags["sends"]))):
                while not self.stopped:
                    assert self.budget is not None
                    with anyio.move_on_after(0.05):  # and looks whether it was stopped
                        await self.budget.enter((shard.name, number))
                        tasks.start_soon(send, number)
                        break
        return ShardEnd(shard=shard.name, stop=self.stopped)


class ToySource:
    """Hands out shards, and again what was lost."""

    def __init__(self, shards: Iterable[Shard], on_heard: Callable[[Event], None] = lambda _: None) -> None:
        self.heard_of: dict[str, list[str]] = {}
        self.states: dict[str, str | None] = {}
        self.ends: list[ShardEnd] = []
        self.losses: list[tuple[str, str]] = []
        self._on_heard = on_heard
        self._all = {shard.name: shard for shard in shards}
        self._todo = deque(self._all.values())

    def next(self) -> Assignment | None:
        if not self._todo:
            return None
        shard = self._todo.popleft()
        again = any(name == shard.name for name, _ in self.losses)
        self.heard_of[shard.name] = []
        return Assignment(shard=shard, reach=Reach(), task=CarryOut(run_id="run", items=(), looks_first=again))

    def on_event(self, event: Event) -> None:
        assert isinstance(event, Resulted)
        assert event.shard not in self.ended_shards
        self.heard_of[event.shard].append(event.result.uuid)
        self.states[event.shard] = event.result.state
        self._on_heard(event)

    def on_end(self, end: ShardEnd) -> None:
        self.ends.append(end)

    def may_send(self, shard: str) -> bool:  # noqa: ARG002 - a TaskSource's
        return True

    async def before_update(self, shard: str, results: int, uuids: Sequence[str]) -> None:
        """Everything may be sent."""

    def on_lost(self, shard: str, why: str) -> None:
        self.losses.append((shard, why))
        self._todo.append(self._all[shard])

    @property
    def ended_shards(self) -> list[str]:
        return [end.shard for end in self.ends]


def result(uuid: str, outcome: Outcome = Outcome.UPDATED, *, calls: int = 0) -> Result:
    """A result whose state is the worker's process."""
    return Result(
        run_id="run",
        uuid=uuid,
        function_arn=None,
        event_source_arn=None,
        source_type=SourceType.SQS,
        account_id=None,
        region="eu-west-1",
        wave=1,
        outcome=outcome,
        state=str(os.getpid()),
        request={},
        update_calls=calls,
    )


def shards(count: int, **tags: str) -> list[Shard]:
    return [Shard(account_id=f"{number:012}", region="eu-west-1", tags=tags) for number in range(1, count + 1)]
