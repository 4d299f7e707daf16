"""The rate under congestion, in virtual time: against the simulator's own bucket, with another caller in it."""

import heapq

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bulk_esm.aws.rate_control import BELOW, LOWEST, MOST_LOST, RETURN, RateControl
from bulk_esm.simulator.quota import TokenBucket

QUOTA_PER_S = 15.0
ANSWERS = st.lists(
    st.one_of(st.tuples(st.just("served"), st.integers(1, 400)), st.tuples(st.just("throttled"), st.floats(0, 1e4))),
    max_size=40,
)


def after(answers: list[tuple[str, float]]) -> RateControl:
    """What the rate is controlled by after some answers, with what always holds held."""
    control = RateControl()
    for what, value in answers:
        before = control.share
        if what == "throttled":
            control.throttled(value)
            assert control.share >= max(LOWEST, before * (1 - MOST_LOST) * BELOW) * (1 - 1e-9)
            assert control.share <= max(LOWEST, before * BELOW) * (1 + 1e-9)
        for _ in range(int(value) if what == "served" else 0):
            was = control.share
            control.served()
            assert control.share >= was * (1 - 1e-9)
        assert LOWEST <= control.share <= 1
    return control


@given(answers=ANSWERS)
def test_whatever_happens_the_rate_comes_back_in_bounded_time(answers: list[tuple[str, float]]) -> None:
    control, passed = after(answers), 0.0
    while control.share < 1:
        passed += 1 / control.share
        control.served()
    # The curve to what was left, and on to the full rate, and what was on its way: 15 s at 15/s.
    assert passed <= 2 * RETURN + 1 / LOWEST


def test_what_was_served_between_two_throttles_is_what_is_left() -> None:
    control = RateControl()
    for _ in range(3):
        for _ in range(30):
            control.served()
        control.throttled(100.0)
    assert control.share == pytest.approx(0.3 * BELOW)
    for _ in range(10):
        control.served()
    assert control.share == pytest.approx(0.3, rel=0.04)  # soon near to it,
    for _ in range(10):
        control.served()
    assert control.share == pytest.approx(0.3, rel=0.04)  # and for long about there


def test_one_poor_measurement_is_not_believed() -> None:
    control = RateControl()
    for served, sends in ((60, 100.0), (60, 100.0), (1, 100.0)):
        for _ in range(served):
            control.served()
        before = control.share
        control.throttled(sends)
    assert control.share == pytest.approx(min(before, 0.6) * BELOW)


class Caller:
    """Sends whenever the rate allows it, and counts what came of it from `since` on."""

    def __init__(self, bucket: TokenBucket, *, round_trip_s: float, since: float = 0.0) -> None:
        self.control = RateControl()
        self.served = self.throttled = 0
        self.full_since: float | None = None
        self._bucket, self._round_trip_s, self._since = bucket, round_trip_s, since
        self._answers: list[tuple[float, float, bool]] = []
        self._now = self._episode_at = 0.0

    def send_until(self, until: float) -> None:
        while self._now < until:
            ok = self._bucket.take(self._now)
            if self._now >= self._since:
                self.served += ok
                self.throttled += not ok
            heapq.heappush(self._answers, (self._now + self._round_trip_s, self._now, ok))
            self._now += 1 / (self.control.share * QUOTA_PER_S)
            while self._answers and self._answers[0][0] <= self._now:
                self._heed(*heapq.heappop(self._answers))
            if self.control.share < 1:
                self.full_since = None
            elif self.full_since is None:
                self.full_since = self._now

    def _heed(self, at: float, sent_at: float, ok: bool) -> None:  # noqa: FBT001 - as it is kept
        if ok:
            self.control.served()
        elif sent_at > self._episode_at:  # as the pacer has it
            self.control.throttled((at - self._episode_at) * QUOTA_PER_S)
            self._episode_at = at


@settings(deadline=None, max_examples=50)
@given(share=st.floats(0.05, 0.75), burst=st.floats(2, 30), round_trip_s=st.floats(0.01, 0.08))
@example(share=0.75, burst=15.0, round_trip_s=0.08)
@example(share=0.5, burst=15.0, round_trip_s=0.08)
def test_what_a_steady_other_caller_leaves_is_used_with_few_throttles(
    share: float, burst: float, round_trip_s: float
) -> None:
    bucket = TokenBucket(per_second=QUOTA_PER_S, burst=burst, other_share=share)
    caller = Caller(bucket, round_trip_s=round_trip_s)
    caller.send_until(120.0)
    left = burst + 120.0 * QUOTA_PER_S * (1 - share)
    assert caller.served >= 0.95 * left
    assert caller.throttled <= (0.03 if share <= 0.5 else 0.05) * (caller.served + caller.throttled)


@settings(deadline=None, max_examples=50)
@given(share=st.floats(0.05, 0.95), leaves_s=st.floats(30, 60), round_trip_s=st.floats(0.01, 0.3))
def test_when_the_other_caller_leaves_the_full_rate_is_back_within_20_s(
    share: float, leaves_s: float, round_trip_s: float
) -> None:
    bucket = TokenBucket(per_second=QUOTA_PER_S, burst=15.0, other_share=share, other_on_s=leaves_s, other_off_s=1e6)
    caller = Caller(bucket, round_trip_s=round_trip_s)
    caller.send_until(leaves_s + 20.0)
    assert caller.control.share == 1
