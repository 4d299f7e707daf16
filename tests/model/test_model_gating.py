"""What gates' answers come to, whatever they are and whenever they come."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_esm.model.gating import (
    CHECKS_IN_A_SOAK,
    Closed,
    GateAnswer,
    Inconclusive,
    Judgement,
    Step,
    combined,
    judged,
    least_s,
    next_ask_s,
)
from bulk_esm.model.rollout import OnInconclusive

UNSURE = Inconclusive("too early")
seconds = st.floats(0, 1e6)
policies = st.sampled_from(["halt", "go"])
SHUT = Closed("it is closed")
answers = st.sampled_from([None, "it is red", UNSURE, SHUT])


def judge_in_turn(
    asked: Sequence[tuple[float, float, GateAnswer]], *, most_s: float, then: OnInconclusive, may_wait: bool = False
) -> list[Judgement]:
    """Judge a gate's answers: how long after the last each was asked, and how long it took."""
    found: list[Judgement] = []
    now = 0.0
    since: float | None = None
    for pause_s, took_s, answer in asked:
        asked_at = now + pause_s
        now = asked_at + took_s
        found.append(
            judged(answer, asked_at=asked_at, now=now, since=since, most_s=most_s, then=then, may_wait=may_wait)
        )
        since = found[-1].since
    return found


@given(st.lists(st.tuples(seconds, seconds, answers)), seconds, policies)
def test_a_gate_that_tells_is_heeded_at_once(
    asked: list[tuple[float, float, GateAnswer]], most_s: float, then: OnInconclusive
) -> None:
    for (_, _, answer), judgement in zip(asked, judge_in_turn(asked, most_s=most_s, then=then), strict=True):
        if answer is None:
            assert judgement == Judgement(step=Step.GO)
        elif isinstance(answer, str):
            assert judgement == Judgement(step=Step.HALT, reason=answer)


@pytest.mark.parametrize(("may_wait", "step"), [(True, Step.WAIT), (False, Step.HALT)])
@given(asked=st.lists(st.tuples(seconds, seconds, answers)), most_s=seconds, then=policies)
def test_what_is_closed_is_waited_for_however_long_or_halts(
    asked: list[tuple[float, float, GateAnswer]], most_s: float, then: OnInconclusive, *, may_wait: bool, step: Step
) -> None:
    found = judge_in_turn(asked, most_s=most_s, then=then, may_wait=may_wait)
    for (_, _, answer), judgement in zip(asked, found, strict=True):
        if answer is SHUT:
            assert judgement == Judgement(step=step, reason="it is closed")


@given(st.lists(st.tuples(seconds, seconds, st.floats(0.001, 1e6)), min_size=1), seconds, policies)
def test_one_that_needs_time_in_any_case_is_waited_for_and_only_then_inconclusive(
    asked: list[tuple[float, float, float]], most_s: float, then: OnInconclusive
) -> None:
    answers = [(pause_s, took_s, Inconclusive("too early", needs_s)) for pause_s, took_s, needs_s in asked]
    found = judge_in_turn(answers, most_s=most_s, then=then)
    assert {judgement.step for judgement in found} == {Step.WAIT}
    now, needs_s = sum(pause_s + took_s for pause_s, took_s, _ in asked), asked[-1][2]
    for after_s in (0.0, needs_s + most_s / 2):
        later = now + after_s
        judgement = judged(UNSURE, asked_at=later, now=later, since=found[-1].since, most_s=most_s + 1, then=then)
        assert judgement.step is Step.WAIT
    later = now + needs_s + 2 * (most_s + 1)
    judgement = judged(UNSURE, asked_at=later, now=later, since=found[-1].since, most_s=most_s + 1, then=then)
    assert judgement.step is (Step.HALT if then == "halt" else Step.GO)


@given(st.lists(st.tuples(seconds, seconds), min_size=1), seconds, policies)
def test_one_that_does_not_is_waited_for_just_so_long(
    asked: list[tuple[float, float]], most_s: float, then: OnInconclusive
) -> None:
    found = judge_in_turn([(pause_s, took_s, UNSURE) for pause_s, took_s in asked], most_s=most_s, then=then)
    now, began = 0.0, asked[0][0]
    for (pause_s, took_s), judgement in zip(asked, found, strict=True):
        now = now + pause_s + took_s
        assert judgement.since == began
        if now - began < most_s:
            assert judgement.step is Step.WAIT
        else:
            assert judgement.step is (Step.HALT if then == "halt" else Step.GO)
        assert "too early" in str(judgement.reason)


@pytest.mark.parametrize(("then", "step"), [("halt", Step.HALT), ("go", Step.GO)])
def test_an_answer_in_between_begins_the_wait_anew(then: OnInconclusive, step: Step) -> None:
    asked: list[tuple[float, float, GateAnswer]] = [
        (0, 300, UNSURE),
        (30, 0, None),
        (30, 300, UNSURE),
        (30, 300, UNSURE),
    ]
    found = judge_in_turn(asked, most_s=600, then=then)
    assert [one.step for one in found] == [Step.WAIT, Step.GO, Step.WAIT, step]
    assert found[-1].reason == "inconclusive for 630 s: too early"


@given(st.lists(st.builds(Judgement, step=st.sampled_from(Step), reason=st.text())))
def test_of_several_gates_the_first_that_asks_for_most_counts(judgements: list[Judgement]) -> None:
    found = combined(judgements)
    assert all(one.step <= found.step for one in judgements)
    if judgements:
        assert found is next(one for one in judgements if one.step is found.step)
    else:
        assert found == Judgement(step=Step.GO)


@given(st.floats(0.1, 1e6), st.floats(0.1, 1e6))
def test_while_soaking_gates_are_asked_often_enough(soak_s: float, interval_s: float) -> None:
    left_s, asked = soak_s, 0
    pauses = []
    while left_s > 1e-6 and asked < 1000:
        pauses.append(next_ask_s(left_s, soak_s, interval_s))
        left_s -= pauses[-1]
        asked += 1
    assert all(0 < pause_s <= interval_s for pause_s in pauses)
    assert asked >= CHECKS_IN_A_SOAK or soak_s <= interval_s * asked
    assert left_s <= 1e-6 or asked == 1000
    assert left_s > -1e-6


@given(st.floats(-1e6, 0), seconds, st.floats(0.1, 1e6))
def test_what_only_an_inconclusive_gate_keeps_waiting_asks_it_at_the_interval(
    left_s: float, soak_s: float, interval_s: float
) -> None:
    assert next_ask_s(left_s, soak_s, interval_s) == interval_s


@given(seconds, seconds, st.integers(0, 99), seconds, seconds, st.floats(-1e6, 1e6))
def test_the_least_time_is_that_of_all_that_comes_one_after_another(
    sending_s: float, ramp_s: float, soaks: int, soak_s: float, bake_s: float, opens_in_s: float
) -> None:
    found = least_s(
        sending_s=sending_s, ramp_s=ramp_s, soaks=soaks, soak_s=soak_s, bake_s=bake_s, opens_in_s=opens_in_s
    )
    assert found >= max(sending_s, ramp_s, soaks * soak_s, bake_s, opens_in_s)
    assert found == pytest.approx(max(sending_s, ramp_s) + soaks * soak_s + bake_s + max(0, opens_in_s))
