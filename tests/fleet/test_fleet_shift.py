"""Who gets which shard, and what becomes of it, without any process."""

import msgspec
import pytest
from fleet_toy import ToyDesk, result, shards

from bulk_esm.engine.budget import Budget
from bulk_esm.engine.stopping import Stop
from bulk_esm.errors import RecordingError
from bulk_esm.fleet.messages import Do, Ended, Failed, Halt, Here, Leave, Order, Told, read_order, write
from bulk_esm.fleet.shift import Shift
from bulk_esm.fleet.tasks import Assignment, Event, ListMappings, Reach, Resulted, ShardEnd
from bulk_esm.model.result import Outcome
from bulk_esm.model.selection import Selection
from bulk_esm.model.shard import Problem, Shard
from bulk_esm.runs.record import RunStatus


class Recorded:
    """The orders to one worker."""

    def __init__(self, shift: Shift, seat: str) -> None:
        self.orders: list[Order] = []
        shift.came(Here(place=seat, seat=seat), self)

    def post(self, message: bytes) -> None:
        self.orders.append(read_order(message))

    @property
    def shards(self) -> list[str]:
        return [order.assignment.shard.name for order in self.orders if isinstance(order, Do)]

    @property
    def has_left(self) -> bool:
        return self.orders[-1:] == [Leave()]


def end(shift: Shift, seat: str, shard: str) -> None:
    shift.received(seat, write(Ended(ShardEnd(shard=shard))))


def tell(shift: Shift, seat: str, shard: str, outcome: Outcome) -> None:
    shift.received(seat, write(Told((Resulted(shard, result("0", outcome)),))))


def test_work_is_spread_and_whoever_ends_gets_more() -> None:
    desk = ToyDesk(shards(7))
    shift = Shift(desk, places=2, room=2)
    a = Recorded(shift, "a")
    assert len(a.shards) == 1  # the other one is on its way
    b = Recorded(shift, "b")
    assert len(a.shards) == len(b.shards) == 2
    for _ in range(5):
        end(shift, "b", b.shards[len(desk.ends)])
    assert len(b.shards) == 5
    for shard in a.shards:
        assert not shift.finished.is_set()
        end(shift, "a", shard)
    assert shift.finished.is_set()
    assert a.has_left
    assert b.has_left
    assert len(set(desk.ended_shards)) == 7


def test_those_who_do_not_come_are_not_awaited_for_ever() -> None:
    shift = Shift(ToyDesk(shards(7)), places=3, room=4)
    a = Recorded(shift, "a")
    assert len(a.shards) == 1
    shift.await_no_more()
    assert len(a.shards) == 4


def test_no_more_workers_are_wanted_than_there_are_shards() -> None:
    assert Shift(ToyDesk(shards(2)), places=8, room=5).wanted == 2
    nothing = Shift(ToyDesk([]), places=8, room=5)
    assert nothing.wanted == 0
    assert nothing.finished.is_set()


def test_what_the_last_worker_lost_waits_for_the_next() -> None:
    desk = ToyDesk(shards(2))
    shift = Shift(desk, places=1, room=1)
    first = Recorded(shift, "first")
    shift.gone("first", "it died")
    shift.gone("first", "it died")
    assert desk.losses == [(first.shards[0], "it died")]
    assert not shift.finished.is_set()
    end(shift, "first", first.shards[0])  # too late: it is as good as lost
    second = Recorded(shift, "second")
    for _ in range(2):
        end(shift, "second", second.shards[-1])
    assert second.has_left
    assert sorted(desk.ended_shards) == sorted(second.shards)
    late = Recorded(shift, "late")
    assert late.orders == [Leave()]


def refuse(shift: Shift, seat: str, shard: str) -> None:
    problem = Problem(reason="no credentials", is_access=True, is_workers=True)
    shift.received(seat, write(Ended(ShardEnd(shard=shard, problem=problem))))


def test_a_worker_without_credentials_loses_its_shards_to_others() -> None:
    desk = ToyDesk(shards(5))
    shift = Shift(desk, places=2, room=2)
    poor, rich = Recorded(shift, "poor"), Recorded(shift, "rich")
    assert [len(each.shards) for each in (poor, rich)] == [2, 2]
    had = list(poor.shards)
    for shard in had:
        refuse(shift, "poor", shard)
    assert [shard for shard, _ in desk.losses] == had
    for _ in range(5):
        end(shift, "rich", next(shard for shard in rich.shards if shard not in desk.ended_shards))
    assert poor.shards == had  # it was given no more
    assert sorted(desk.ended_shards) == sorted(rich.shards)
    assert poor.has_left
    assert rich.has_left


def test_where_no_worker_has_credentials_that_is_what_is_said() -> None:
    desk = ToyDesk(shards(2))
    shift = Shift(desk, places=2, room=1)
    a, b = Recorded(shift, "a"), Recorded(shift, "b")
    first = a.shards[0]
    refuse(shift, "a", first)
    assert desk.losses == [(first, "no credentials")]
    refuse(shift, "b", b.shards[0])
    for seat, each in (("a", a), ("b", b)):
        for shard in each.shards[1:]:
            refuse(shift, seat, shard)
    assert len(set(desk.ended_shards)) == 2
    assert shift.finished.is_set()


def test_who_comes_after_a_stop_is_told_before_it_begins() -> None:
    shift = Shift(ToyDesk(shards(2)), places=2, room=1)
    stop = Stop(RunStatus.HALTED, "enough")
    shift.stop(stop)
    shift.stop(Stop(RunStatus.INTERRUPTED, "it was interrupted"), hurry=True)
    seated = Recorded(shift, "a")
    assert seated.orders[0] == Halt(stop, hurry=True)
    assert isinstance(seated.orders[1], Do)


def test_a_failure_counts_once_and_is_told_to_the_others() -> None:
    budget = Budget(5)
    shift = Shift(ToyDesk(shards(2)), places=2, room=1, budget=budget)
    a, b = Recorded(shift, "a"), Recorded(shift, "b")
    for _ in range(2):  # as after a loss
        tell(shift, "a", a.shards[0], Outcome.FAILED)
    tell(shift, "b", b.shards[0], Outcome.UPDATED)
    for _ in range(2):
        shift.tell_failures()
    assert budget.failures == 1
    assert [order for order in a.orders if isinstance(order, Failed)] == [Failed(5, 0)]
    assert [order for order in b.orders if isinstance(order, Failed)] == [Failed(5, 0), Failed(5, 1)]


@pytest.mark.parametrize("outcome", [Outcome.UPDATED, Outcome.FAILED])
def test_what_cannot_be_recorded_is_a_problem_of_the_shard(outcome: Outcome) -> None:
    def refuse(_: Event) -> None:
        raise RecordingError("the disk is full")

    desk = ToyDesk(shards(1), refuse)
    shift = Shift(desk, places=1, room=1)
    seated = Recorded(shift, "a")
    tell(shift, "a", seated.shards[0], outcome)
    end(shift, "a", seated.shards[0])
    assert [each.problem and each.problem.reason for each in desk.ends] == ["the disk is full"]


def test_no_credential_is_part_of_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker finds its own: what it is told names a role and a profile, and that is all."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDTHATSTAYSHERE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "SECRETTHATSTAYSHERE")
    there = Shard(
        account_id="123456789012", region="eu-west-1", role_arn="arn:aws:iam::123456789012:role/x", profile="hub"
    )
    assignment = Assignment(shard=there, reach=Reach(), task=ListMappings(Selection(all=True)))
    message = write(Do(assignment))
    assert b"STAYSHERE" not in message
    assert read_order(message) == Do(assignment)
    assert msgspec.json.decode(message)["assignment"]["shard"] == {
        "account_id": "123456789012",
        "region": "eu-west-1",
        "role_arn": "arn:aws:iam::123456789012:role/x",
        "profile": "hub",
    }
