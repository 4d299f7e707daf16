import math

from hypothesis import given, settings
from hypothesis import strategies as st

from bulk_esm.simulator.quota import TokenBucket

waits = st.lists(st.floats(min_value=0, max_value=3), min_size=1, max_size=120)


def taken(bucket: TokenBucket, gaps: list[float]) -> list[float]:
    now, times = 0.0, []
    for gap in gaps:
        now += gap
        if bucket.take(now):
            times.append(now)
    return times


@settings(deadline=None)  # a busy machine is no failure
@given(gaps=waits, rate=st.floats(min_value=0.5, max_value=50), burst=st.integers(min_value=1, max_value=20))
def test_no_window_sees_more_than_rate_times_its_length_plus_burst(gaps: list[float], rate: float, burst: int) -> None:
    times = taken(TokenBucket(per_second=rate, burst=burst), gaps)
    for first, start in enumerate(times):
        for last in range(first, len(times)):
            assert last - first + 1 <= rate * (times[last] - start) + burst + 1e-6


@settings(deadline=None)  # a busy machine is no failure
@given(gaps=waits, share=st.floats(min_value=0, max_value=2), off_s=st.sampled_from([0, 0.3, 1]))
def test_another_caller_only_ever_takes_away(gaps: list[float], share: float, off_s: float) -> None:
    alone = taken(TokenBucket(per_second=15, burst=5), gaps)
    shared = taken(
        TokenBucket(per_second=15, burst=5, other_share=share, other_on_s=0.7, other_off_s=off_s),
        gaps,
    )
    assert len(shared) <= len(alone)


def test_a_paced_caller_is_never_refused() -> None:
    bucket = TokenBucket(per_second=15, burst=1)
    assert all(bucket.take(number / 15) for number in range(1000))


def test_a_refused_call_costs_nothing() -> None:
    bucket = TokenBucket(per_second=1, burst=1)
    assert bucket.take(0)
    assert not any(bucket.take(number / 100) for number in range(100))
    assert bucket.take(1)


def test_a_steady_other_caller_leaves_the_rest() -> None:
    bucket = TokenBucket(per_second=15, burst=15, other_share=0.4)
    taken_count = sum(bucket.take(number / 100) for number in range(100 * 100))
    assert math.isclose(taken_count, 15 + 100 * 9, abs_tol=2)


def test_an_other_caller_in_bursts_leaves_the_pauses() -> None:
    bucket = TokenBucket(per_second=10, burst=1, other_share=1, other_on_s=2, other_off_s=3)
    by_second = [sum(bucket.take(second + tick / 100) for tick in range(100)) for second in range(10)]
    assert by_second[:2] == [1, 0]  # the burst, then nothing
    assert by_second[5:7] in ([1, 0], [0, 0])
    assert all(9 <= count <= 11 for count in by_second[2:5] + by_second[7:])


def test_no_quota() -> None:
    for rate in (None, math.inf):
        bucket = TokenBucket(per_second=rate, burst=1)
        assert all(bucket.take(0) for _ in range(1000))
