"""What the run learns about settle times."""

import math
import random
from collections.abc import Iterator
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_esm.engine.estimates import LIKELY_SETTLE_S, SettleTimes
from bulk_esm.model.mapping import SourceType
from bulk_esm.model.transitions import Transition, TransitionKind

TRANSITIONS = st.sampled_from(sorted(LIKELY_SETTLE_S))
KINESIS = Transition(SourceType.KINESIS, TransitionKind.RECONFIGURE)
SQS = Transition(SourceType.SQS, TransitionKind.ENABLE)
AGES = st.floats(0, 1e5, allow_subnormal=False)
OBSERVED = st.lists(st.tuples(TRANSITIONS, AGES, AGES), max_size=20)
DUE = 0.4


def learned(observed: list[tuple[Transition, float, float]], *, max_per_second: float = 15.0) -> SettleTimes:
    times = SettleTimes(max_per_second=max_per_second)
    for transition, one, other in observed:
        times.observe(transition, unsettled_s=min(one, other), settled_s=max(one, other))
    return times


def ages_of_looks(times: SettleTimes, transition: Transition) -> Iterator[float]:
    """When one mapping that does not settle is due for a look, by bisection."""
    unsettled_s = 0.0
    while True:
        low, high = unsettled_s, max(unsettled_s, times.median_s(transition)) * 100
        for _ in range(60):
            middle = (low + high) / 2
            due = times.probability(transition, unsettled_s=unsettled_s, age_s=middle) >= DUE
            low, high = (low, middle) if due else (middle, high)
        unsettled_s = high
        yield unsettled_s


@given(observed=OBSERVED, transition=TRANSITIONS, ages=st.tuples(AGES, AGES, AGES))
def test_a_probability_that_grows_with_age(
    observed: list[tuple[Transition, float, float]], transition: Transition, ages: tuple[float, float, float]
) -> None:
    times = learned(observed)
    unsettled_s, sooner, later = sorted(ages)
    soon = times.probability(transition, unsettled_s=unsettled_s, age_s=sooner)
    late = times.probability(transition, unsettled_s=unsettled_s, age_s=later)
    assert 0 <= soon <= late <= 1
    assert times.probability(transition, unsettled_s=later, age_s=later) == 0
    assert times.probability(transition, unsettled_s=later, age_s=sooner) == 0
    assert times.probability(transition, unsettled_s=0.0, age_s=-sooner) == 0


@given(transition=TRANSITIONS, ages=st.tuples(*[st.floats(0.1, 1000)] * 3))
def test_a_look_that_found_nothing_is_taken_into_account(
    transition: Transition, ages: tuple[float, float, float]
) -> None:
    """As by Bayes: not settled until c is not settled until b, and then not from b to c."""
    times = learned([])
    first, second, third = sorted(ages)

    def unsettled(before: float, after: float) -> float:
        return 1 - times.probability(transition, unsettled_s=before, age_s=after)

    assert unsettled(first, third) == pytest.approx(unsettled(first, second) * unsettled(second, third), abs=1e-9)


def test_the_median_is_when_half_have_settled() -> None:
    times = learned([])
    for transition, likely_s in LIKELY_SETTLE_S.items():
        assert times.median_s(transition) == pytest.approx(likely_s)
        assert times.probability(transition, unsettled_s=0, age_s=likely_s) == pytest.approx(0.5)


@pytest.mark.parametrize("of_the_prior", [1 / 20, 1 / 4, 1, 4, 20])
@pytest.mark.parametrize("spread", [0.0, 0.5])
def test_it_learns_from_sparse_looks(of_the_prior: float, spread: float) -> None:
    truth_s = LIKELY_SETTLE_S[KINESIS] * of_the_prior
    dice = random.Random(7)  # noqa: S311 - draws of a test
    times = learned([])
    for _ in range(300):
        settles_s = truth_s * math.exp(dice.gauss(0, spread))
        unsettled_s = 0.0
        for age_s in ages_of_looks(times, KINESIS):
            if age_s >= settles_s:
                times.observe(KINESIS, unsettled_s=unsettled_s, settled_s=age_s)
                break
            unsettled_s = age_s
    assert truth_s / 2 < times.median_s(KINESIS) < truth_s * 2


@pytest.mark.parametrize("of_the_prior", [1 / 20, 20])
def test_it_learns_at_once_from_looks_that_tell_when(of_the_prior: float) -> None:
    truth_s = LIKELY_SETTLE_S[SQS] * of_the_prior
    times = learned([(SQS, truth_s * 0.9, truth_s * 1.1)] * 10)
    assert truth_s / 2 < times.median_s(SQS) < truth_s * 2


def test_a_late_look_teaches_little() -> None:
    """Whoever looks after an hour learns that it takes less than an hour, and not that it takes one."""
    times = learned([(SQS, 0.0, 3600.0)] * 100)
    assert times.median_s(SQS) == pytest.approx(LIKELY_SETTLE_S[SQS], rel=0.1)


def test_looks_that_tell_of_no_time_teach_nothing() -> None:
    """Else a few of them would make settling a matter of no time, and every mapping due at every turn."""
    times = learned([(SQS, 0.0, 0.0)] * 300)
    times.observe(SQS, unsettled_s=9.0, settled_s=5.0)
    assert times.median_s(SQS) == pytest.approx(LIKELY_SETTLE_S[SQS])


@pytest.mark.parametrize("slower", [0.1, 10.0])
def test_transitions_that_were_not_seen_are_as_wrong_as_those_that_were(slower: float) -> None:
    sqs_s = LIKELY_SETTLE_S[SQS] * slower
    times = learned([(SQS, sqs_s * 0.99, sqs_s * 1.01)] * 200)
    for transition, likely_s in LIKELY_SETTLE_S.items():
        assert times.median_s(transition) == pytest.approx(likely_s * slower, rel=0.1)


def test_what_was_seen_of_a_transition_counts_more_than_the_others() -> None:
    seen = [(SQS, 69.0, 71.0)] * 50 + [(KINESIS, 24.0, 26.0)] * 50
    times = learned(seen)
    assert times.median_s(SQS) == pytest.approx(70, rel=0.2)
    assert times.median_s(KINESIS) == pytest.approx(25, rel=0.2)


@given(observed=OBSERVED, transition=TRANSITIONS, ages=st.tuples(AGES, AGES), speed=st.sampled_from([2.0, 20.0]))
def test_a_control_plane_at_another_speed_is_treated_alike(
    observed: list[tuple[Transition, float, float]], transition: Transition, ages: tuple[float, float], speed: float
) -> None:
    real = learned(observed)
    fast = learned([(kind, one / speed, other / speed) for kind, one, other in observed], max_per_second=15 * speed)
    assert fast.median_s(transition) * speed == pytest.approx(real.median_s(transition), rel=1e-6)
    unsettled_s, age_s = sorted(ages)
    assert fast.probability(transition, unsettled_s=unsettled_s / speed, age_s=age_s / speed) == pytest.approx(
        real.probability(transition, unsettled_s=unsettled_s, age_s=age_s), abs=1e-6
    )


@pytest.mark.parametrize("transition", LIKELY_SETTLE_S)
def test_looks_at_a_stuck_mapping_grow_rare(transition: Transition) -> None:
    ages = list(islice(ages_of_looks(learned([]), transition), 20))
    growth = [later / sooner for sooner, later in pairwise(ages[3:])]
    assert ages[0] == pytest.approx(LIKELY_SETTLE_S[transition], rel=0.2)
    assert all(1.1 < factor < 1.3 for factor in growth)
    assert growth[-1] == pytest.approx(growth[-2], rel=1e-3)


@given(observed=st.lists(st.tuples(TRANSITIONS, st.just(0.0), st.sampled_from([0.0, 1e-9, 1e9])), max_size=50))
def test_nothing_that_is_seen_breaks_it(observed: list[tuple[Transition, float, float]]) -> None:
    times = learned(observed)
    for transition in LIKELY_SETTLE_S:
        assert 0 < times.median_s(transition) < math.inf
        assert 0 <= times.probability(transition, unsettled_s=0, age_s=10) <= 1


def test_asking_less_often_does_not_slow_lambda_down() -> None:
    assert SettleTimes(max_per_second=1).median_s(SQS) == SettleTimes(max_per_second=15).median_s(SQS)
