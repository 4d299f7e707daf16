"""The failure budget holds over the command line when worker processes do the work; see tests/executors, too."""

from pathlib import Path

import pytest
from cli_harness import FAST, Cli, Simulated

from bulk_esm.simulator import Faults, Kind

FLEET = ("--regions", "us-east-1,eu-west-1,eu-west-2", "--executor", "process")


@pytest.mark.parametrize("most", [0, 5])
def test_lambda_refuses_one_more_than_may_fail_at_the_most(most: int, tmp_path: Path) -> None:
    with Simulated(mappings=20, faults=Faults(refused_share=1.0)) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        done = cli("pause", "--all", "--yes", *FAST, *FLEET, "--max-failures", str(most), "--quiet")
        assert done.code == 3, done.stderr
        assert simulated.report().count(Kind.UPDATE) == most + 1
