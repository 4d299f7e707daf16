from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

import anyio
import anyio.abc
import pytest
from aws_hand_clock import HandClock, HastyClock
from hypothesis import given, settings
from hypothesis import strategies as st

from bulk_esm.aws.pacing import BURST_S, Pacer
from bulk_esm.errors import UsageError

RATES = st.sampled_from([0.5, 1.0, 3.0, 12.0, 80.0, 400.0])
STEPS = st.one_of(
    st.tuples(st.just("ask"), st.integers(1, 8)),
    st.tuples(st.just("tick"), st.floats(0, 3)),
    st.tuples(st.just("cancel"), st.integers(0, 30)),
    st.tuples(st.just("throttle"), st.one_of(st.none(), st.floats(0, 2))),
    st.tuples(st.just("succeed"), st.integers(1, 5)),
    st.tuples(st.just("rate"), RATES),
)


class Callers:
    """Callers of one pacer, by the order in which they asked."""

    def __init__(self, hand: HandClock, max_per_second: float) -> None:
        self.hand = hand
        self.pacer = Pacer(max_per_second=max_per_second, clock=hand.clock)
        self.granted: dict[int, float] = {}
        self.cancelled: set[int] = set()
        self.asked = 0
        self.scopes: dict[int, anyio.CancelScope] = {}

    async def ask(self, tasks: anyio.abc.TaskGroup, count: int = 1) -> None:
        for _ in range(count):
            tasks.start_soon(self._call, self.asked)
            self.asked += 1
        await self.hand.tick(0)

    async def cancel(self, number: int) -> None:
        if number in self.scopes and number not in self.granted:
            self.cancelled.add(number)
            self.scopes[number].cancel()
            await self.hand.tick(0)

    async def take(self, step: str, value: Any, tasks: anyio.abc.TaskGroup) -> None:
        match step:
            case "ask":
                await self.ask(tasks, value)
            case "tick":
                await self.hand.tick(value)
            case "cancel":
                await self.cancel(value)
            case "throttle":
                self.pacer.throttled(max(self.granted.values(), default=0.0), value)
            case "succeed":
                for _ in range(value):
                    self.pacer.succeeded()
            case "rate":
                self.pacer.max_per_second = value

    async def _call(self, number: int) -> None:
        with anyio.CancelScope() as self.scopes[number]:
            self.granted[number] = await self.pacer.acquire()


def in_time(scenario: Callable[[HandClock], Awaitable[None]]) -> None:
    async def main() -> None:
        await scenario(HandClock())

    anyio.run(main)


@settings(deadline=None)
@given(first_rate=RATES, steps=st.lists(STEPS, max_size=25))
def test_whatever_happens_the_rate_holds_and_the_line_is_kept(first_rate: float, steps: list[tuple[str, Any]]) -> None:
    async def scenario(hand: HandClock) -> None:
        callers = Callers(hand, first_rate)
        pacer, fastest = callers.pacer, first_rate
        async with anyio.create_task_group() as tasks:
            for what, value in steps:
                await callers.take(what, value, tasks)
                fastest = max(fastest, pacer.max_per_second)
                statistics = pacer.statistics()
                assert pacer.max_per_second * 0.0499 <= statistics.rate <= pacer.max_per_second * 1.0001
                assert statistics.waiting == callers.asked - len(callers.granted) - len(callers.cancelled)
            await hand.tick(1e6)  # everyone's turn comes, at the floor of the slowest rate too
        times = list(callers.granted.values())
        assert list(callers.granted) == sorted(set(range(callers.asked)) - callers.cancelled)
        assert pacer.statistics().granted == len(times)
        assert all(earlier <= later for earlier, later in pairwise(times))
        burst = max(1.0, fastest * BURST_S)
        for first, start in enumerate(times):
            for count, end in enumerate(times[first:], start=1):
                assert count <= fastest * (end - start) + burst + 1e-6

    in_time(scenario)


@settings(deadline=None)
@given(cancels=st.lists(st.tuples(st.floats(0, 0.3), st.integers(0, 19)), max_size=15))
def test_who_leaves_the_line_costs_nobody_a_token_or_a_place(cancels: list[tuple[float, int]]) -> None:
    async def scenario(hand: HandClock) -> None:
        callers = Callers(hand, 10.0)
        async with anyio.create_task_group() as tasks:
            await callers.ask(tasks, 20)
            for pause, number in cancels:
                await hand.tick(pause)
                await callers.cancel(number)
            await hand.tick(100)
        assert list(callers.granted) == [number for number in range(20) if number not in callers.cancelled]
        assert callers.granted[0] == 0.0
        # The line was never empty, so tokens came a tenth of a second apart, whoever left it meanwhile.
        assert list(callers.granted.values()) == pytest.approx([n / 10 for n in range(len(callers.granted))])

    in_time(scenario)


async def test_who_is_cancelled_at_the_very_moment_of_his_turn_wastes_no_token() -> None:
    hand = HandClock()
    callers = Callers(hand, 10.0)
    async with anyio.create_task_group() as tasks:
        await callers.ask(tasks, 3)
        await hand.tick(0.15, at_waking=callers.scopes[1].cancel)
        await hand.tick(1)
    # Whether he still had it or the next one did, one had it at that time.
    assert list(callers.granted.values())[:2] == pytest.approx([0.0, 0.1])
    assert callers.pacer.statistics().granted == len(callers.granted)


async def test_a_late_event_loop_loses_nothing() -> None:
    hasty = HastyClock(oversleeps_s=0.03)
    pacer = Pacer(max_per_second=100.0, clock=hasty.clock)
    for _ in range(201):
        await pacer.acquire()
    assert hasty.time == pytest.approx(2.0, abs=0.05)


async def test_what_an_idle_second_saves_up_is_small() -> None:
    hand = HandClock()
    callers = Callers(hand, 100.0)
    async with anyio.create_task_group() as tasks:
        await hand.tick(60)
        await callers.ask(tasks, 10)
        assert len(callers.granted) == 4
        await hand.tick(0.061)
        assert len(callers.granted) == 10


async def test_one_episode_of_congestion_lowers_the_rate_once() -> None:
    hand = HandClock()
    callers = Callers(hand, 10.0)
    pacer = callers.pacer
    async with anyio.create_task_group() as tasks:
        await callers.ask(tasks, 4)
        await hand.tick(1)
        for number in (2, 0, 1):
            pacer.throttled(callers.granted[number])
        lowered = pacer.statistics()
        assert lowered.rate == pytest.approx(9.0)
        assert (lowered.throttles, lowered.episodes) == (3, 1)
        await callers.ask(tasks)
        await hand.tick(1)
        pacer.throttled(callers.granted[3])  # sent before the rate was lowered
        assert pacer.statistics().episodes == 1
        pacer.throttled(callers.granted[4])
        again = pacer.statistics()
        assert again.rate < lowered.rate
        assert (again.throttles, again.episodes) == (5, 2)


async def test_a_throttle_takes_away_what_was_saved_up() -> None:
    hand = HandClock()
    callers = Callers(hand, 100.0)
    async with anyio.create_task_group() as tasks:
        await callers.ask(tasks)
        await hand.tick(5)
        callers.pacer.throttled(callers.granted[0])
        await callers.ask(tasks)
        await hand.tick(10)
        assert callers.granted[1] == pytest.approx(5 + 1 / callers.pacer.statistics().rate)


@pytest.mark.parametrize("asked_for_s", [1e9, float("inf")])
async def test_a_throttle_holds_a_minute_at_the_most(asked_for_s: float) -> None:
    hand = HandClock()
    callers = Callers(hand, 10.0)
    async with anyio.create_task_group() as tasks:
        await callers.ask(tasks)
        await hand.tick(1)
        callers.pacer.throttled(callers.granted[0], asked_for_s)
        await callers.ask(tasks)
        await hand.tick(59)
        assert 1 not in callers.granted
        await hand.tick(2)
        assert 1 in callers.granted


async def test_the_rate_has_a_floor() -> None:
    hand = HandClock()
    pacer = Pacer(max_per_second=20.0, clock=hand.clock)
    for second in range(1, 100):
        await hand.tick(1)
        pacer.throttled(float(second))
    statistics = pacer.statistics()
    assert statistics.rate == pytest.approx(1.0)
    assert statistics.episodes == 99


@pytest.mark.parametrize("max_per_second", [15.0, 300.0])
async def test_clean_traffic_brings_the_rate_back_in_as_many_requests_at_any_rate(max_per_second: float) -> None:
    hasty = HastyClock()
    pacer = Pacer(max_per_second=max_per_second, clock=hasty.clock)
    pacer.throttled(await pacer.acquire())
    lowered = pacer.statistics().rate
    granted = 0
    while pacer.statistics().rate < max_per_second:
        await pacer.acquire()
        pacer.succeeded()
        granted += 1
    assert lowered == pytest.approx(0.9 * max_per_second)
    assert granted == 69  # the curve's way back from a tenth: 110 x 0.1 ** (1 / 5), less what was sent more slowly


async def test_retry_after_holds_everyone() -> None:
    hand = HandClock()
    callers = Callers(hand, 10.0)
    async with anyio.create_task_group() as tasks:
        await callers.ask(tasks)
        callers.pacer.throttled(callers.granted[0], 5.0)
        callers.pacer.throttled(callers.granted[0], 1.0)  # a shorter one does not shorten it
        await callers.ask(tasks, 2)
        await hand.tick(4.9)
        assert callers.pacer.statistics().waiting == 2
        await hand.tick(0.3)
        assert [callers.granted[1], callers.granted[2]] == pytest.approx([5.0, 5.0 + 1 / 9])


async def test_a_hold_that_begins_while_someone_waits_holds_him_too() -> None:
    hand = HandClock()
    callers = Callers(hand, 10.0)
    async with anyio.create_task_group() as tasks:
        await callers.ask(tasks, 2)
        await hand.tick(0.05)
        callers.pacer.throttled(callers.granted[0], 3.0)
        await hand.tick(10)
        assert callers.granted[1] == pytest.approx(3.05)


@pytest.mark.parametrize(("rate", "granted_at"), [(1.0, [0.0, 0.55, 1.55]), (100.0, [0.0, 0.1, 0.1])])
async def test_the_rate_changes_for_those_who_wait(rate: float, granted_at: list[float]) -> None:
    hand = HandClock()
    callers = Callers(hand, 10.0)
    async with anyio.create_task_group() as tasks:
        await callers.ask(tasks, 3)
        await hand.tick(0.05)
        callers.pacer.max_per_second = rate
        await hand.tick(10)
        assert list(callers.granted.values()) == pytest.approx(granted_at)


async def test_a_new_rate_keeps_the_share_that_congestion_left() -> None:
    pacer = Pacer(max_per_second=10.0, clock=HandClock().clock)
    pacer.throttled(0.0)
    pacer.max_per_second = 20.0
    statistics = pacer.statistics()
    assert statistics.rate == pytest.approx(18.0)
    assert statistics.max_per_second == 20.0


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
async def test_a_rate_that_is_none(rate: float) -> None:
    with pytest.raises(UsageError, match="requests a second"):
        Pacer(max_per_second=rate)
    pacer = Pacer(max_per_second=10.0)
    with pytest.raises(UsageError, match="requests a second"):
        pacer.max_per_second = rate
    assert pacer.max_per_second == 10.0
