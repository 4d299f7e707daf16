"""The driver's side of workers elsewhere: who does what, and what became of it. No I/O; all of it in one event loop."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final, Protocol

import anyio
import msgspec

from bulk_esm.engine.budget import Budget
from bulk_esm.errors import BulkEsmError
from bulk_esm.executors.messages import Do, Ended, Halt, Held, Here, Hold, Leave, Order, Share, Told, read_report, write
from bulk_esm.executors.protocols import TaskSource
from bulk_esm.executors.tasks import Assignment, Event, Resulted, ShardEnd
from bulk_esm.logs import get_logger
from bulk_esm.model.budget import shares_of
from bulk_esm.model.result import TROUBLE
from bulk_esm.model.shard import Problem
from bulk_esm.model.stopping import Stop

log: Final = get_logger("dispatcher")

SHARED_EVERY_S: Final = 0.2


class WorkerChannel(Protocol):
    """The driver's way to one worker."""

    def post(self, message: bytes) -> None:
        """Send a message, in time; one to a worker that is gone is dropped."""


class _WorkerState:
    def __init__(self, channel: WorkerChannel) -> None:
        self.channel = channel
        self.at_work: dict[str, None] = {}  # a set that keeps its order
        self.share = Share(0, 0)  # of the failure budget, as last ordered
        self.held = Held(0, 0, 0, is_wanted=True)  # at most, for all that is known
        self.is_fit = True  # until it turns out to have no credentials


class Dispatcher:
    """One go at a source's work.

    Attributes:
        finished: set when there is nothing more to do.
        wanted: how many workers there is work for.
    """

    def __init__(self, source: TaskSource, *, places: int, room: int, budget: Budget | None = None) -> None:
        """Begin, with the first assignments in hand."""
        self.finished = anyio.Event()
        self._source = source
        self._room = room
        self._budget = budget
        self._halt: Halt | None = None
        self._halted: dict[str, Halt] = {}
        self._is_held = False
        self._workers: dict[str, _WorkerState] = {}
        self._unrecorded: dict[str, Problem] = {}
        self._failed: set[tuple[str, str]] = set()
        self._turn = 0
        self._in_hand: deque[Assignment] = deque()
        while len(self._in_hand) < places and (assignment := source.next()) is not None:
            self._in_hand.append(assignment)
        self.wanted = len(self._in_hand)
        self._awaited = self.wanted
        self._deal()

    def came(self, here: Here, channel: WorkerChannel) -> None:
        """A worker is ready."""
        worker = _WorkerState(channel)
        if self.finished.is_set():
            self._order(worker, Leave())
            return
        self._workers[here.worker_id] = worker
        self._awaited -= 1
        if self._halt is not None:
            self._order(worker, self._halt)
        if self._is_held:
            self._order(worker, Hold(is_held=True))
        if self._has_budget:
            self._order(worker, worker.share)  # before the first assignment: its engines share what it has
        self._deal()

    def await_no_more(self) -> None:
        """Give the work to those who have come; until then each gets one shard, or the first to come would have all."""
        if self._awaited > 0:
            self._awaited = 0
            self._deal()

    def received(self, worker_id: str, message: bytes) -> None:
        """A worker reports. What one tells that was given up is heard as well: it is true."""
        match read_report(message):
            case Told(events, held):
                for event in events:
                    self._heard(event)
                if held is not None and worker_id in self._workers:
                    self._hold(self._workers[worker_id], held)
            case Ended(end):
                self._ended(worker_id, end)
            case Here():
                pass  # the channel dealt with it

    def gone(self, worker_id: str, why: str) -> None:
        """A worker is no longer there; what it had is lost."""
        worker = self._workers.pop(worker_id, None)
        if worker is None:
            return
        for shard in worker.at_work:
            self._unrecorded.pop(shard, None)
            self._source.on_lost(shard, why)
        self._deal()

    def stop(self, stop: Stop, *, hurry: bool = False) -> None:
        """Have nothing more sent, by those that are here and by those that come."""
        self._halt = Halt(self._halt.stop if self._halt else stop, hurry or bool(self._halt and self._halt.hurry))
        for worker in self._workers.values():
            self._order(worker, self._halt)

    def stop_shard(self, shard: str, stop: Stop) -> None:
        """Have nothing more sent in one shard, by whoever has it or gets it."""
        halt = self._halted.setdefault(shard, Halt(stop, shard=shard))
        for worker in self._workers.values():
            if shard in worker.at_work:
                self._order(worker, halt)

    def hold(self, *, is_held: bool) -> None:
        """Have nothing sent for now, by those that are here and by those that come; or have them go on."""
        self._is_held = is_held
        for worker in self._workers.values():
            self._order(worker, Hold(is_held))

    def take_turns(self) -> None:
        """Give the places of the failure budget to others, where there are too few; to be called now and then."""
        self._turn += 1
        self._share()

    def at_work(self) -> Mapping[str, int]:
        """How many shards each worker has in hand, by worker_id."""
        return {worker_id: len(worker.at_work) for worker_id, worker in self._workers.items()}

    def _heard(self, event: Event) -> None:
        if isinstance(event, Resulted):
            self._count(event)
        try:
            self._source.on_event(event)
        except BulkEsmError as error:  # the source has stopped all by itself; what is under way comes to its end
            self._unrecorded.setdefault(event.shard, Problem(reason=str(error)))

    def _count(self, event: Resulted) -> None:
        key = (event.shard, event.result.uuid)
        if self._budget is None or key in self._failed:
            return
        if event.result.outcome in TROUBLE:
            if not event.result.update_calls:  # it was known before anything was sent
                return
            self._failed.add(key)
        self._budget.take(event.shard, event.result)

    def _ended(self, worker_id: str, end: ShardEnd) -> None:
        worker = self._workers.get(worker_id)
        if worker is None or end.shard not in worker.at_work:
            return
        del worker.at_work[end.shard]
        if end.problem is not None and end.problem.is_workers and self._another_may(worker_id):
            if worker.is_fit:
                log.warning("worker_without_credentials", reason=end.problem.reason)
            worker.is_fit = False
            self._source.on_lost(end.shard, end.problem.reason)
            self._deal()
            return
        problem = self._unrecorded.pop(end.shard, None)
        if problem is not None and end.problem is None:
            end = msgspec.structs.replace(end, problem=problem)
        self._source.on_end(end)
        self._deal()

    def _deal(self) -> None:
        self._hand_out()
        if not self.finished.is_set():
            self._share()

    def _hand_out(self) -> None:
        """Give work to whoever has least, while there is room: shards end at very different times."""
        while self._workers:
            # Where none is fit, any will do: what it says is then what there is to say.
            fit = [each for each in self._workers.values() if each.is_fit] or list(self._workers.values())
            worker = min(fit, key=lambda each: len(each.at_work))
            if len(worker.at_work) >= (1 if self._awaited > 0 else self._room):
                return
            assignment = self._in_hand.popleft() if self._in_hand else self._source.next()
            if assignment is None:
                break
            worker.at_work[assignment.shard.name] = None
            self._order(worker, Do(assignment))
            if (halt := self._halted.get(assignment.shard.name)) is not None:
                self._order(worker, halt)
        if self._in_hand or any(worker.at_work for worker in self._workers.values()):
            return
        if not self._workers and (assignment := self._source.next()) is not None:
            self._in_hand.append(assignment)  # what the last worker lost; another will come
            return
        if not self.finished.is_set():
            self.finished.set()
            for worker in self._workers.values():
                self._order(worker, Leave())

    def _another_may(self, worker_id: str) -> bool:
        """Whether there is, or may yet be, somebody else to whom a shard can be given."""
        return self._awaited > 0 or any(each.is_fit for name, each in self._workers.items() if name != worker_id)

    @property
    def _has_budget(self) -> bool:
        return self._budget is not None and self._budget.most is not None

    def _hold(self, worker: _WorkerState, held: Held) -> None:
        if held.number < worker.share.number:  # it has not heard yet of what it may have by now
            held = Held(held.number, worker.held.granted, held.failures, held.is_wanted)
        worker.held = held
        self._share()

    def _share(self) -> None:
        """Part the budget's places among those that have something to send: what all may do never exceeds it.

        What one has is taken by asking, and given to others when it has answered.
        """
        if self._budget is None or self._budget.most is None:
            return
        workers = list(self._workers.values())
        wanting = [worker for worker in workers if worker.at_work and worker.held.is_wanted]
        places = max(0, self._budget.most + 1 - self._budget.counted)
        turn = self._turn if len(wanting) > places else 0
        shares = dict(zip(map(id, wanting), shares_of(places, len(wanting), turn=turn), strict=True))
        free = places - sum(max(0, worker.held.granted - worker.held.failures) for worker in workers)
        for worker in workers:
            wanted = worker.held.failures + shares.get(id(worker), 0)
            granted = min(wanted, max(worker.held.granted, worker.held.failures) + max(0, free))
            if granted > worker.held.granted:
                free -= granted - max(worker.held.granted, worker.held.failures)
                worker.held = msgspec.structs.replace(worker.held, granted=granted)
            if granted != worker.share.granted:
                worker.share = Share(worker.share.number + 1, granted)
                self._order(worker, worker.share)

    @staticmethod
    def _order(worker: _WorkerState, order: Order) -> None:
        worker.channel.post(write(order))
