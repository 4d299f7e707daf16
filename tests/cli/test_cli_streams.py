"""What streams do after their state is there: told where it matters, and nowhere else."""

from pathlib import Path

import pytest
from cli_harness import FAST, Inside, Simulated

YES = ("--yes", *FAST)


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize(
    ("command", "source_type", "says"),
    [
        ("pause", "kinesis", "but may be polled for about a minute more"),
        ("resume", "kinesis", "but polled only 40 to 75 s later: their state is no sign of traffic"),
        ("resume", "dynamodb", "but polled only 40 to 75 s later: their state is no sign of traffic"),
        ("pause", "sqs", None),
    ],
)
def test_the_state_of_streams_is_no_sign_of_traffic(
    command: str, source_type: str, says: str | None, inside: Inside
) -> None:
    note = "the state of Kinesis and DynamoDB streams is no sign of traffic"
    with Simulated(mappings=60) as simulated:
        done = inside(simulated.environment, command, "--source-type", source_type, *YES)
        verified = inside(simulated.environment, "verify", "last")
    assert (done.code, verified.code) == (0, 0)
    if says is None:
        assert "Kinesis and DynamoDB streams" not in done.stderr + verified.stderr
    else:
        assert says in done.stderr
        assert note in verified.stderr
