"""The test of Mann and Whitney, against SciPy's."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bulk_esm.model.rank_test import p_above

SAMPLES = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=25)
DISTINCT = st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=2, max_size=18, unique=True)


@given(DISTINCT, st.data())
def test_small_samples_without_ties_are_exact(values: list[float], data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(values) - 1))
    these, those = values[:cut], values[cut:]
    expected = stats.mannwhitneyu(these, those, alternative="greater", method="exact").pvalue
    assert p_above(these, those) == pytest.approx(expected, rel=1e-9)


@given(SAMPLES, SAMPLES)
def test_samples_with_ties(these: list[float], those: list[float]) -> None:
    if len({*these, *those}) == len(these) + len(those):
        return  # exact
    found = p_above(these, those)
    if len({*these, *those}) == 1:
        assert found == 1
        return
    expected = stats.mannwhitneyu(these, those, alternative="greater", method="asymptotic").pvalue
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-15)


def test_large_samples_without_ties() -> None:
    dice = random.Random(1)  # noqa: S311 - noise is no secret
    these, those = ([dice.gauss(mean, 1) for _ in range(60)] for mean in (0.3, 0))
    expected = stats.mannwhitneyu(these, those, alternative="greater", method="asymptotic").pvalue
    assert p_above(these, those) == pytest.approx(expected, rel=1e-9)


def test_it_looks_towards_harm_alone() -> None:
    low, high = [float(number) for number in range(10)], [float(number) for number in range(10, 20)]
    assert p_above(high, low) == pytest.approx(1 / 184_756)
    assert p_above(low, high) == 1
    assert p_above([], low) == p_above(low, []) == 1
