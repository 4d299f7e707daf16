"""The driver's side of workers elsewhere: who does what, and what became of it. No I/O; all of it in one event loop."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final, Protocol

import anyio
import msgspec

from bulk_esm.engine.budget import Budget
from bulk_esm.engine.stopping import Stop
from bulk_esm.errors import BulkEsmError
from bulk_esm.fleet.crew import Desk
from bulk_esm.fleet.messages import Do, Ended, Failed, Halt, Here, Leave, Order, Told, read_report, write
from bulk_esm.fleet.tasks import Assignment, Event, Resulted, ShardEnd
from bulk_esm.logs import get_logger
from bulk_esm.model.result import TROUBLE
from bulk_esm.model.shard import Problem

log: Final = get_logger("shift")

FAILURES_TOLD_AFTER_S: Final = 0.2


class Line(Protocol):
    """The driver's way to one worker."""

    def post(self, message: bytes) -> None:
        """Send a message, in time; one to a worker that is gone is dropped."""


class _Seated:
    def __init__(self, line: Line) -> None:
        self.line = line
        self.at_work: dict[str, None] = {}  # a set that keeps its order
        self.failures = 0
        self.told_elsewhere = -1
        self.is_fit = True  # until it turns out to have no credentials


class Shift:
    """One go at a desk's work.

    Attributes:
        finished: set when there is nothing more to do.
        wanted: how many workers there is work for.
    """

    def __init__(self, desk: Desk, *, places: int, room: int, budget: Budget | None = None) -> None:
        """Begin, with the first assignments in hand.

        Args:
            desk: where the assignments come from.
            places: how many workers there may be.
            room: how many shards one worker works in at once.
            budget: counts failures; None if nobody does.
        """
        self.finished = anyio.Event()
        self._desk = desk
        self._room = room
        self._budget = budget
        self._halt: Halt | None = None
        self._seats: dict[str, _Seated] = {}
        self._unrecorded: dict[str, Problem] = {}
        self._failed: set[tuple[str, str]] = set()
        self._in_hand: deque[Assignment] = deque()
        while len(self._in_hand) < places and (assignment := desk.next()) is not None:
            self._in_hand.append(assignment)
        self.wanted = len(self._in_hand)
        self._awaited = self.wanted
        self._deal()

    def came(self, here: Here, line: Line) -> None:
        """A worker is ready.

        Args:
            here: what it says of itself.
            line: the way to it.
        """
        seated = _Seated(line)
        if self.finished.is_set():
            self._order(seated, Leave())
            return
        self._seats[here.seat] = seated
        self._awaited -= 1
        if self._halt is not None:
            self._order(seated, self._halt)
        self._tell_failures(seated)
        self._deal()

    def await_no_more(self) -> None:
        """Give the work to those who have come; until then each gets one shard, or the first to come would have all."""
        if self._awaited > 0:
            self._awaited = 0
            self._deal()

    def received(self, seat: str, message: bytes) -> None:
        """A worker reports. What one tells that was given up is heard as well: it is true.

        Args:
            seat: which one.
            message: what it says.
        """
        match read_report(message):
            case Told(events):
                for event in events:
                    self._heard(seat, event)
            case Ended(end):
                self._ended(seat, end)
            case Here():
                pass  # the line dealt with it

    def gone(self, seat: str, why: str) -> None:
        """A worker is no longer there; what it had is lost.

        Args:
            seat: which one.
            why: what became of it, in words for the user.
        """
        seated = self._seats.pop(seat, None)
        if seated is None:
            return
        for shard in seated.at_work:
            self._unrecorded.pop(shard, None)
            self._desk.lost(shard, why)
        self._deal()

    def stop(self, stop: Stop, *, hurry: bool = False) -> None:
        """Have nothing more sent, by those that are here and by those that come.

        Args:
            stop: why.
            hurry: whether to look at once at all that was accepted.
        """
        self._halt = Halt(self._halt.stop if self._halt else stop, hurry or bool(self._halt and self._halt.hurry))
        for seated in self._seats.values():
            self._order(seated, self._halt)

    def tell_failures(self) -> None:
        """Let every worker know of the failures of the others; to be called now and then."""
        for seated in self._seats.values():
            self._tell_failures(seated)

    def at_work(self) -> Mapping[str, int]:
        """How many shards each worker has in hand, by seat."""
        return {seat: len(seated.at_work) for seat, seated in self._seats.items()}

    def _heard(self, seat: str, event: Event) -> None:
        if isinstance(event, Resulted) and event.result.outcome in TROUBLE:
            self._count(seat, event)
        try:
            self._desk.heard(event)
        except BulkEsmError as error:  # the desk has stopped all by itself; what is under way comes to its end
            self._unrecorded.setdefault(event.shard, Problem(reason=str(error)))

    def _count(self, seat: str, event: Resulted) -> None:
        key = (event.shard, event.result.uuid)
        if self._budget is None or key in self._failed:
            return
        self._failed.add(key)
        self._budget.fail()
        if seat in self._seats:
            self._seats[seat].failures += 1

    def _ended(self, seat: str, end: ShardEnd) -> None:
        seated = self._seats.get(seat)
        if seated is None or end.shard not in seated.at_work:
            return
        del seated.at_work[end.shard]
        if end.problem is not None and end.problem.is_workers and self._another_may(seat):
            if seated.is_fit:
                log.warning("worker_without_credentials", reason=end.problem.reason)
            seated.is_fit = False
            self._desk.lost(end.shard, end.problem.reason)
            self._deal()
            return
        problem = self._unrecorded.pop(end.shard, None)
        if problem is not None and end.problem is None:
            end = msgspec.structs.replace(end, problem=problem)
        self._desk.ended(end)
        self._deal()

    def _deal(self) -> None:
        """Give work to whoever has least, while there is room: shards end at very different times."""
        while self._seats:
            # Where none is fit, any will do: what it says is then what there is to say.
            fit = [each for each in self._seats.values() if each.is_fit] or list(self._seats.values())
            seated = min(fit, key=lambda each: len(each.at_work))
            if len(seated.at_work) >= (1 if self._awaited > 0 else self._room):
                return
            assignment = self._in_hand.popleft() if self._in_hand else self._desk.next()
            if assignment is None:
                break
            seated.at_work[assignment.shard.name] = None
            self._order(seated, Do(assignment))
        if self._in_hand or any(seated.at_work for seated in self._seats.values()):
            return
        if not self._seats and (assignment := self._desk.next()) is not None:
            self._in_hand.append(assignment)  # what the last worker lost; another will come
            return
        if not self.finished.is_set():
            self.finished.set()
            for seated in self._seats.values():
                self._order(seated, Leave())

    def _another_may(self, seat: str) -> bool:
        """Whether there is, or may yet be, somebody else to whom a shard can be given."""
        return self._awaited > 0 or any(each.is_fit for name, each in self._seats.items() if name != seat)

    def _tell_failures(self, seated: _Seated) -> None:
        if self._budget is None or self._budget.most is None:
            return
        elsewhere = self._budget.failures - seated.failures
        if elsewhere != seated.told_elsewhere:
            seated.told_elsewhere = elsewhere
            self._order(seated, Failed(self._budget.most, elsewhere))

    @staticmethod
    def _order(seated: _Seated, order: Order) -> None:
        seated.line.post(write(order))
