"""Who gets which shard, and what becomes of it, without any process."""

import msgspec
import pytest
from executors_toy import ToySource, result, shards

from bulk_esm.engine.budget import Budget
from bulk_esm.errors import NoCredentialsError, RecordingError
from bulk_esm.executors.dispatcher import Dispatcher
from bulk_esm.executors.messages import Do, Ended, Halt, Held, Here, Hold, Leave, Order, Share, Told, read_order, write
from bulk_esm.executors.tasks import Assignment, Event, ListMappings, Reach, Resulted, ShardEnd
from bulk_esm.model.records import RunStatus
from bulk_esm.model.result import Outcome
from bulk_esm.model.selection import Selection
from bulk_esm.model.shard import Problem, Shard
from bulk_esm.model.stopping import Stop


class Recorded:
    """The orders to one worker."""

    def __init__(self, dispatcher: Dispatcher, worker_id: str) -> None:
        self.orders: list[Order] = []
        dispatcher.came(Here(place=worker_id, worker_id=worker_id), self)

    def post(self, message: bytes) -> None:
        self.orders.append(read_order(message))

    @property
    def shards(self) -> list[str]:
        return [order.assignment.shard.name for order in self.orders if isinstance(order, Do)]

    @property
    def has_left(self) -> bool:
        return self.orders[-1:] == [Leave()]


def end(dispatcher: Dispatcher, worker_id: str, shard: str) -> None:
    dispatcher.received(worker_id, write(Ended(ShardEnd(shard=shard))))


def tell(dispatcher: Dispatcher, worker_id: str, shard: str, outcome: Outcome, held: Held | None = None) -> None:
    dispatcher.received(worker_id, write(Told((Resulted(shard, result("0", outcome, calls=1)),), held)))


def test_work_is_spread_and_whoever_ends_gets_more() -> None:
    source = ToySource(shards(7))
    dispatcher = Dispatcher(source, places=2, room=2)
    a = Recorded(dispatcher, "a")
    assert len(a.shards) == 1  # the other one is on its way
    b = Recorded(dispatcher, "b")
    assert len(a.shards) == len(b.shards) == 2
    for _ in range(5):
        end(dispatcher, "b", b.shards[len(source.ends)])
    assert len(b.shards) == 5
    for shard in a.shards:
        assert not dispatcher.finished.is_set()
        end(dispatcher, "a", shard)
    assert dispatcher.finished.is_set()
    assert a.has_left
    assert b.has_left
    assert len(set(source.ended_shards)) == 7


def test_those_who_do_not_come_are_not_awaited_for_ever() -> None:
    dispatcher = Dispatcher(ToySource(shards(7)), places=3, room=4)
    a = Recorded(dispatcher, "a")
    assert len(a.shards) == 1
    dispatcher.await_no_more()
    assert len(a.shards) == 4


def test_those_that_are_here_and_those_that_come_are_held() -> None:
    dispatcher = Dispatcher(ToySource(shards(3)), places=3, room=1)
    here = Recorded(dispatcher, "here")
    dispatcher.hold(is_held=True)
    assert here.orders[-1] == Hold(is_held=True)
    comes = Recorded(dispatcher, "comes")
    assert comes.orders[0] == Hold(is_held=True), "before it has anything that it could send"
    dispatcher.hold(is_held=False)
    assert here.orders[-1] == comes.orders[-1] == Hold(is_held=False)
    assert Hold(is_held=True) not in Recorded(dispatcher, "late").orders


def test_no_more_workers_are_wanted_than_there_are_shards() -> None:
    assert Dispatcher(ToySource(shards(2)), places=8, room=5).wanted == 2
    nothing = Dispatcher(ToySource([]), places=8, room=5)
    assert nothing.wanted == 0
    assert nothing.finished.is_set()


def test_what_the_last_worker_lost_waits_for_the_next() -> None:
    source = ToySource(shards(2))
    dispatcher = Dispatcher(source, places=1, room=1)
    first = Recorded(dispatcher, "first")
    dispatcher.gone("first", "it died")
    dispatcher.gone("first", "it died")
    assert source.losses == [(first.shards[0], "it died")]
    assert not dispatcher.finished.is_set()
    end(dispatcher, "first", first.shards[0])  # too late: it is as good as lost
    second = Recorded(dispatcher, "second")
    for _ in range(2):
        end(dispatcher, "second", second.shards[-1])
    assert second.has_left
    assert sorted(source.ended_shards) == sorted(second.shards)
    late = Recorded(dispatcher, "late")
    assert late.orders == [Leave()]


def refuse(dispatcher: Dispatcher, worker_id: str, shard: str) -> None:
    problem = Problem.of(NoCredentialsError("no credentials"))
    dispatcher.received(worker_id, write(Ended(ShardEnd(shard=shard, problem=problem))))


def test_a_worker_without_credentials_loses_its_shards_to_others() -> None:
    source = ToySource(shards(5))
    dispatcher = Dispatcher(source, places=2, room=2)
    poor, rich = Recorded(dispatcher, "poor"), Recorded(dispatcher, "rich")
    assert [len(each.shards) for each in (poor, rich)] == [2, 2]
    had = list(poor.shards)
    for shard in had:
        refuse(dispatcher, "poor", shard)
    assert [shard for shard, _ in source.losses] == had
    for _ in range(5):
        end(dispatcher, "rich", next(shard for shard in rich.shards if shard not in source.ended_shards))
    assert poor.shards == had  # it was given no more
    assert sorted(source.ended_shards) == sorted(rich.shards)
    assert poor.has_left
    assert rich.has_left


def test_where_no_worker_has_credentials_that_is_what_is_said() -> None:
    source = ToySource(shards(2))
    dispatcher = Dispatcher(source, places=2, room=1)
    a, b = Recorded(dispatcher, "a"), Recorded(dispatcher, "b")
    first = a.shards[0]
    refuse(dispatcher, "a", first)
    assert source.losses == [(first, "no credentials")]
    refuse(dispatcher, "b", b.shards[0])
    for worker_id, each in (("a", a), ("b", b)):
        for shard in each.shards[1:]:
            refuse(dispatcher, worker_id, shard)
    assert len(set(source.ended_shards)) == 2
    assert dispatcher.finished.is_set()


def test_who_comes_after_a_stop_is_told_before_it_begins() -> None:
    dispatcher = Dispatcher(ToySource(shards(2)), places=2, room=1)
    stop = Stop(RunStatus.HALTED, "enough")
    dispatcher.stop(stop)
    dispatcher.stop(Stop(RunStatus.INTERRUPTED, "it was interrupted"), hurry=True)
    seated = Recorded(dispatcher, "a")
    assert seated.orders[0] == Halt(stop, hurry=True)
    assert isinstance(seated.orders[1], Do)


def test_the_halt_of_one_shard_reaches_whoever_has_it_or_gets_it() -> None:
    source = ToySource(shards(2))
    dispatcher = Dispatcher(source, places=2, room=1)
    a = Recorded(dispatcher, "a")
    (mine,) = a.shards
    (other,) = {shard.name for shard in shards(2)} - {mine}
    stop = Stop(RunStatus.HALTED, "it rings there")
    for name in (mine, other, mine):
        dispatcher.stop_shard(name, stop)
    assert a.orders[1:] == [Halt(stop, shard=mine)] * 2
    b = Recorded(dispatcher, "b")
    assert b.shards == [other]
    assert b.orders[-1] == Halt(stop, shard=other)
    dispatcher.gone("a", "it died")  # and whoever gets it then looks, and sends nothing
    end(dispatcher, "b", other)
    assert b.shards == [other, mine]
    assert b.orders[-1] == Halt(stop, shard=mine)


def granted(worker: Recorded) -> list[int]:
    return [order.granted for order in worker.orders if isinstance(order, Share)]


def test_the_budget_is_granted_in_shares_and_a_failure_counts_once() -> None:
    budget = Budget(5)
    dispatcher = Dispatcher(ToySource(shards(2)), places=2, room=1, budget=budget)
    a, b = Recorded(dispatcher, "a"), Recorded(dispatcher, "b")
    assert isinstance(a.orders[0], Share)  # before the first assignment
    assert granted(a) == [0, 6, 3]
    assert granted(b) == [0]  # until the first has said that it has no more than three
    dispatcher.received("a", write(Told((), Held(2, 3, 0, is_wanted=True))))
    assert granted(b) == [0, 3]
    for _ in range(2):  # as after a loss
        tell(dispatcher, "a", a.shards[0], Outcome.FAILED, Held(2, 3, 1, is_wanted=True))
    assert budget.failures == 1
    assert (granted(a)[-1], granted(b)[-1]) == (3, 2)  # one of a's is spent, and b is asked for one of its three
    tell(dispatcher, "b", b.shards[0], Outcome.UPDATED, Held(1, 3, 0, is_wanted=False))
    dispatcher.received("b", write(Told((), Held(3, 0, 0, is_wanted=False))))
    assert (granted(a)[-1], granted(b)[-1]) == (6, 0)


def test_whoever_is_lost_leaves_its_share_to_the_others() -> None:
    dispatcher = Dispatcher(ToySource(shards(2)), places=2, room=1, budget=Budget(0))
    a, b = Recorded(dispatcher, "a"), Recorded(dispatcher, "b")
    assert (granted(a)[-1], granted(b)[-1]) == (1, 0)
    dispatcher.gone("a", "it died")
    assert granted(b)[-1] == 1


@pytest.mark.parametrize("outcome", [Outcome.UPDATED, Outcome.FAILED])
def test_what_cannot_be_recorded_is_a_problem_of_the_shard(outcome: Outcome) -> None:
    def refuse(_: Event) -> None:
        raise RecordingError("the disk is full")

    source = ToySource(shards(1), refuse)
    dispatcher = Dispatcher(source, places=1, room=1)
    seated = Recorded(dispatcher, "a")
    tell(dispatcher, "a", seated.shards[0], outcome)
    end(dispatcher, "a", seated.shards[0])
    assert [each.problem and each.problem.reason for each in source.ends] == ["the disk is full"]


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
