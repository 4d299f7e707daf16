"""A few seeds of `benchmarks/watching.py`, whose figures stand in `benchmarks/results/watching.md`."""

import sys
from pathlib import Path

import anyio
import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))  # which are no part of the package

from watching import Trial, rollout

SEEDS = range(20)
SMALL = 40  # functions


def halts(trial: Trial) -> list[int | None]:
    """After which wave each seed halted."""
    found = [anyio.run(rollout, trial, seed) for seed in SEEDS]
    return [None if halt is None else halt.wave for halt in found]


def test_harm_halts_in_the_first_wave_that_can_tell() -> None:
    found = halts(Trial(functions=SMALL, changed_share=0.04))
    assert found.count(1) >= 18


@pytest.mark.parametrize("harmed_from", [2, 4])
def test_harm_that_comes_later_halts_when_it_does(harmed_from: int) -> None:
    found = halts(Trial(functions=SMALL, changed_share=0.04, harmed_from=harmed_from))
    assert found.count(harmed_from) >= 18


def test_without_harm_nothing_halts_though_three_are_watched_over_all_waves() -> None:
    found = halts(Trial(functions=SMALL, spread=0.5))
    assert found.count(None) >= 19
