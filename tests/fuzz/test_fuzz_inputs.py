"""A minute of what `benchmarks/torture/fuzz.py` does for as long as is wanted: no input ends in an unforeseen error.

`FUZZ_EXAMPLES` says how many examples each kind gets, of the cheapest ones; the others get a share of it.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from random import Random

import fuzz_answers
import fuzz_arguments
import pytest
from fuzz_command import a_home
from fuzz_folders import make_scenarios
from fuzz_judge import Judge
from fuzz_readers import READERS, Reader, an_input, outcome
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "60"))
CHANCE = st.integers(0, 2**32).map(Random)


def fuzzing(examples: int) -> settings:
    return settings(
        max_examples=max(1, examples),
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_readers_give_values_or_refuse_in_words(reader: Reader, tmp_path: Path) -> None:
    (folder := tmp_path / "run").mkdir(mode=0o700)

    @fuzzing(EXAMPLES)
    @given(random=CHANCE)
    def read(random: Random) -> None:
        for left in folder.iterdir():
            left.unlink()
        outcome(reader, an_input(reader.seeds, random), folder)

    read()


@fuzzing(EXAMPLES // 2)
@given(random=CHANCE)
def test_answers_of_no_service_end_no_command_unforeseen(random: Random) -> None:
    with a_home() as home:
        what, done = fuzz_answers.trial(random, home)
    assert done.fault is None, what


@fuzzing(EXAMPLES // 2)
@given(random=CHANCE)
def test_command_lines_are_carried_out_or_refused_before_anything_is_sent(random: Random) -> None:
    with a_home() as home:
        what, done, wrong = fuzz_arguments.trial(random, home)
    assert (done.fault or wrong) is None, what


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with a_home() as home:
        yield Judge(list(make_scenarios(home).values()))


@fuzzing(EXAMPLES * 2)
@given(random=CHANCE)
def test_damaged_folders_are_refused_or_salvaged_and_told_or_harmless(judge: Judge, random: Random) -> None:
    found = judge.trial(random)
    assert found.verdict != "fault", f"{found.what}: {found.why}\n{found.ended.stderr}"
