"""Some rounds of `scripts/torture`: real processes are killed and interrupted at random moments, and nothing is lost.

Between them they have every command that changes something, each place, and a service that lags, fails, cuts and
throttles. What arrives late is left to `scripts/torture`: how late is too late is a matter of real seconds.
"""

import sys
from pathlib import Path

import pytest
from torturing.main import play_round
from torturing.rounds import draw_round

SEED = 47


@pytest.mark.parametrize("number", range(9))
def test_each_mapping_is_updated_once_whatever_is_killed(number: int, tmp_path: Path) -> None:
    drawn = draw_round(SEED, number)
    assert drawn.trouble != "late"
    row = play_round(drawn, tmp_path)
    sys.stdout.write(f"done to them: {[(operation.command, operation.done) for operation in row.operations]}\n")
    assert row.findings == []
    assert all(operation.processes > 0 for operation in row.operations)
    assert len(row.operations) >= 2
