"""When what was changed counts as worse."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_esm.model.comparing import Comparison, compare, level_of, share_of

AFTER, BEFORE = range(100, 110), range(60)


def noisy(minutes: range, level: Callable[[int], float], seed: object = 0, *, by: float = 0.002) -> dict[int, float]:
    dice = random.Random(str(seed))  # noqa: S311 - noise is no secret
    return {minute: level(minute) + dice.gauss(0, by) for minute in minutes}


def found(after: float, control: float | None = 0.01, *, trend: float = 0.0, before: float = 0.01) -> Comparison:
    """Of shares before and after, where both groups have a trend, and the control is as it was, or is not there."""

    def level(own: float) -> Callable[[int], float]:
        return lambda minute: own + trend * minute

    comparison = compare(
        noisy(AFTER, level(after), "a"),
        noisy(BEFORE, level(before), "b"),
        None if control is None else noisy(AFTER, level(control), "c"),
        None if control is None else noisy(BEFORE, level(0.01), "d"),
    )
    assert comparison is not None
    return comparison


def test_harm_is_found() -> None:
    comparison = found(0.04)
    assert comparison.p < 1e-5
    assert comparison.is_large
    assert (comparison.points_after, comparison.points_before) == (10, 60)
    assert 0.035 < comparison.after < 0.045


def test_harm_is_found_without_control() -> None:
    comparison = found(0.04, None)
    assert comparison.p < 1e-5
    assert comparison.is_large
    assert comparison.control_after is None


def test_what_is_as_it_was_is_not() -> None:
    assert found(0.01).p > 0.01
    assert not found(0.0101).is_large


def test_what_comes_over_both_is_no_harm() -> None:
    """As the time of day does; without control it would be."""
    assert found(0.01, trend=0.0005).p > 0.01
    assert found(0.01, None, trend=0.0005).p < 1e-5


@pytest.mark.parametrize("level", [0.002, 0.01, 0.05])
def test_what_multiplies_both_alike_or_adds_as_much_to_both_is_no_harm(level: float) -> None:
    """Whatever the groups differ by."""

    def compared(factor: float, more: float) -> Comparison:
        comparison = compare(
            noisy(AFTER, lambda _: factor * level + more, "a", by=0.0005),
            noisy(BEFORE, lambda _: level, "b", by=0.0005),
            noisy(AFTER, lambda _: factor * 0.01 + more, "c", by=0.0005),
            noisy(BEFORE, lambda _: 0.01, "d", by=0.0005),
        )
        assert comparison is not None
        return comparison

    assert compared(2.0, 0.0).p > 0.01
    assert compared(1.0, 0.02).p > 0.01


def test_what_differs_at_all_times_is_no_harm() -> None:
    assert found(0.08, before=0.08).p > 0.01


def test_what_gets_better_is_no_harm() -> None:
    assert found(0.001, before=0.05).p > 0.99


def test_a_rise_without_control_must_be_larger() -> None:
    assert found(0.013).is_large
    assert not found(0.013, None).is_large


def test_too_few_points() -> None:
    nine, many = dict.fromkeys(range(9), 0.5), dict.fromkeys(range(60), 0.5)
    assert compare(nine, many) is None
    assert compare(many, nine) is None
    assert compare(many, many, nine, many) is None  # a minute without control has no gap


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=20))
def test_a_share_is_of_sums(pairs: list[tuple[int, int]]) -> None:
    above = [{0: float(min(pair))} for pair in pairs]
    below = [{0: float(max(pair))} for pair in pairs]
    share = share_of(above, below, range(1))
    total = sum(map(max, pairs))
    assert share == ({0: sum(map(min, pairs)) / total} if total else {})


def test_levels_are_medians_of_those_that_have_one() -> None:
    assert level_of([{0: 1.0, 1: 5.0}, {0: 2.0}, {0: 9.0, 2: 1.0}], range(2)) == {0: 2.0, 1: 5.0}
