"""`show --outcome --limit` and `runs --status` show what is asked for, and say how much more there is."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_harness import FAST, Cli, Inside, Simulated

from bulk_esm.simulator import Faults

YES = ("--yes", *FAST)


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


@pytest.fixture
def simulated() -> Iterator[Simulated]:
    with Simulated(mappings=60, faults=Faults(refused_share=0.3)) as found:
        yield found


def test_what_is_asked_for_of_a_run(inside: Inside, tmp_path: Path, simulated: Simulated) -> None:
    assert inside(simulated.environment, "pause", "--all", "--max-failures", "100%", *YES).code == 1
    results = Cli(tmp_path).last_run().results
    failed = [result["uuid"] for result in results if result["outcome"] == "failed"]
    assert len(failed) > 5
    shown = inside({}, "show", "last", "--outcome", "failed")
    assert [record["uuid"] for record in shown.records] == failed
    few = inside({}, "show", "last", "--outcome", "failed", "--limit", "5", "--output", "csv")
    assert [line[:36] for line in few.stdout.splitlines()[1:]] == failed[:5]
    assert f"these are the first 5 of {len(failed)}; --limit 0 shows all" in few.stderr
    assert "pause finished" in few.stderr  # the summary is of the whole run
    several = inside({}, "show", "last", "--outcome", "failed", "--outcome", "unchanged").records
    assert {record["outcome"] for record in several} == {"failed", "unchanged"}
    assert len(inside({}, "show", "last", "--limit", "7").records) == 7
    assert "these are" not in inside({}, "show", "last", "--limit", "60").stderr
    none = inside({}, "show", "last", "--outcome", "timed_out", "--outcome", "conflict")
    assert (none.stdout, "no mapping of this run is timed_out or conflict" in none.stderr) == ("", True)


def test_what_is_asked_for_of_runs(inside: Inside, simulated: Simulated) -> None:
    waves = ("--waves", "1,100%", "--gate", "test $BULK_ESM_GATE_WAVE = 0")
    for _ in range(3):
        assert inside(simulated.environment, "pause", "--source-type", "kinesis", *YES, *waves).code == 3
        assert inside(simulated.environment, "pause", "--source-type", "mq", "--max-failures", "99", *YES).code < 3

    def shown(*arguments: str) -> list[str]:
        return [record["status"] for record in inside({}, "runs", *arguments).records]

    assert shown("--status", "halted") == ["halted"] * 3
    assert shown("--status", "halted", "--status", "finished").count("finished") == 3
    assert shown("--status", "halted", "--limit", "2", "--since", "7d") == ["halted"] * 2
    assert "these are the newest 2" in inside({}, "runs", "--status", "halted", "--limit", "2").stderr
    none = inside({}, "runs", "--status", "killed")
    assert (none.stdout, "that are killed" in none.stderr) == ("", True)


@pytest.mark.parametrize(
    ("arguments", "choices"),
    [(("show", "last", "--outcome", "fialed"), "failed"), (("runs", "--status", "haltde"), "halted")],
    ids=["outcome", "status"],
)
def test_unknown_values_are_refused_with_the_choices(arguments: tuple[str, ...], choices: str, inside: Inside) -> None:
    done = inside({}, *arguments)
    assert (done.code, done.stdout) == (2, "")
    assert choices in done.stderr


def test_a_limit_below_zero_is_refused(inside: Inside) -> None:
    assert inside({}, "show", "last", "--limit", "-1").code == 2
