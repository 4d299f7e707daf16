"""`log.jsonl` has every event of a run, whatever `--log-level` shows; and `--grace` is how long a signal waits."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_harness import FAST, Cli, Inside, Simulated, finish, records
from test_cli_terminal import at_terminal

from bulk_esm.simulator import Faults

YES = ("--yes", *FAST)


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


def events_of(cli: Cli, *names: str) -> list[dict[str, Any]]:
    """The events of the last run, of these names."""
    text = (cli.last_run().path / "log.jsonl").read_text(encoding="utf-8")
    return [event for event in records(text) if event["event"] in names]


@pytest.mark.parametrize("level", ["debug", "error"])
def test_waves_soaks_and_gates(level: str, tmp_path: Path, inside: Inside) -> None:
    with Simulated(mappings=40) as simulated:
        gate = "echo wave $BULK_ESM_GATE_WAVE; test $BULK_ESM_GATE_WAVE != 2"
        waves = ("--waves", "1,50%,100%", "--gate", gate)
        assert inside(simulated.environment, "pause", "--all", *YES, *waves, "--log-level", level).code == 3
    cli = Cli(tmp_path)
    names = ("run_began", "wave_began", "wave_ended", "soak_began", "gate_ended", "gate_answered", "soak_ended")
    found = events_of(cli, *names, "stopped", "run_ended")
    wave, answered = ["wave_began", "wave_ended", "soak_began"], ["gate_ended", "gate_answered"]
    assert [event["event"] for event in found] == [
        *("run_began", *answered, *wave, *answered, "soak_ended", *wave, *answered, "stopped", "run_ended")
    ]
    record = cli.last_run().record
    assert (found[0]["run_id"], found[0]["command"], found[0]["user"]) == (record["run_id"], "pause", record["user"])
    ends = [event for event in found if event["event"] == "gate_ended"]
    assert [(end["command"], end["exit_code"], end["last_lines"]) for end in ends] == [
        (gate, 0, ["wave 0"]),
        (gate, 0, ["wave 1"]),
        (gate, 1, ["wave 2"]),
    ]
    assert [event["reason"] for event in found if event["event"] == "gate_answered"] == [
        None,
        None,
        f"gate {gate!r} exited with 1: wave 2",
    ]
    assert {event["name"] for event in found if event["event"] == "gate_answered"} == {f"gate {gate!r}"}
    assert (found[-1]["status"], found[-1]["counts"], found[-1]["reason"]) == (
        *("halted", record["counts"], record["reason"]),
    )


def test_a_question_between_waves(tmp_path: Path) -> None:
    with Simulated(mappings=40) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        waves = ("--waves", "1,50%,100%", "--confirm-waves")
        assert at_terminal(cli, "pause", "--all", *FAST, *waves, answers=[b"y\n", b"y\n", b"n\n"])[0] == 3
    assert [event["answer"] for event in events_of(cli, "asked_to_go_on")] == ["yes", "no"]


@pytest.fixture
def heeded_signals() -> Iterator[None]:
    """A process inherits what is ignored, such as SIGHUP where the tests are started with nohup."""
    ignored = [number for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP) if not _is_heeded(number)]
    for number in ignored:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


def _is_heeded(number: signal.Signals) -> bool:
    return signal.getsignal(number) is not signal.SIG_IGN


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_and_its_grace(number: signal.Signals, tmp_path: Path, heeded_signals: None) -> None:
    with Simulated(mappings=20, faults=Faults(stuck_share=1)) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        with cli.start("pause", "--all", *YES, "--grace", "0.5s") as process:
            simulated.wait_until(lambda report: any(mapping.accepted_count for mapping in report.mappings))
            process.send_signal(number)
            done = finish(process)
    assert done.code == 130
    assert "waiting up to 0.5 s for what was" in done.stderr
    [event] = events_of(cli, "signal")
    assert (event["name"], event["grace_s"]) == (number.name, 0.5)
    assert [event["status"] for event in events_of(cli, "run_ended")] == ["interrupted"]
    assert cli.last_run().outcomes.keys() == {item["uuid"] for item in cli.last_run().plan}


def test_a_run_that_is_continued_goes_on_in_its_log(tmp_path: Path, inside: Inside) -> None:
    with Simulated(mappings=20) as simulated:
        waves = ("--waves", "1,100%", "--gate", "test -e go")
        assert inside(simulated.environment, "pause", "--all", *YES, *waves).code == 3
        (tmp_path / "go").touch()
        assert inside(simulated.environment, "continue", "last", *YES).code == 0
    began, again = events_of(Cli(tmp_path), "run_began")
    assert (began["continued_at"], again["continued_at"]) == (None, Cli(tmp_path).last_run().record["continued_at"])
    assert [event["status"] for event in events_of(Cli(tmp_path), "run_ended")] == ["halted", "finished"]
