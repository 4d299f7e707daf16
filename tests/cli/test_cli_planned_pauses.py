"""The log of a run says which functions are paused on purpose, and of one that resumes them that they are no more."""

import signal
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cli_harness import FAST, Cli, Inside, Simulated, finish, records
from engine_world import a_mapping, queues

YES = ("--yes", *FAST)


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


def marked(run: Path) -> list[dict[str, Any]]:
    found = records((run / "log.jsonl").read_text(encoding="utf-8"))
    return [event for event in found if event["event"] in {"paused_on_purpose", "resumed_on_purpose"}]


def named(events: list[dict[str, Any]]) -> list[str]:
    return sorted(name for event in events for name in event["functions"])


def functions(simulated: Simulated, state: str) -> list[str]:
    there = (each for each in simulated.mappings().values() if each["State"] == state)
    return sorted({each["FunctionArn"].split(":")[6] for each in there})


def test_what_is_paused_and_resumed(tmp_path: Path, inside: Inside) -> None:
    with Simulated(fleet=[*queues(30), a_mapping(999, State="Disabled")]) as simulated:
        enabled = functions(simulated, "Enabled")
        assert len(enabled) == 30
        assert inside(simulated.environment, "pause", "--all", *YES, "--for", "90m", "--accept-data-loss").code == 0
        assert inside(simulated.environment, "resume", "--run", "last", *YES).code == 0
        paused, resumed = Cli(tmp_path).run_folders()
        events = marked(paused)
        assert {event["event"] for event in events} == {"paused_on_purpose"}
        assert named(events) == enabled
        started = datetime.fromisoformat(Cli(tmp_path).last_run().record["started_at"])
        assert len({event["until"] for event in events}) == 1
        until = datetime.fromisoformat(events[0]["until"])
        assert timedelta(minutes=80) < until - started < timedelta(minutes=90)  # of the run before
        assert {(event["event"], event["until"]) for event in marked(resumed)} == {("resumed_on_purpose", None)}
        assert named(marked(resumed)) == enabled


def test_of_a_killed_run_continue_says_the_rest(tmp_path: Path, inside: Inside) -> None:
    with Simulated(mappings=60) as simulated:
        enabled = functions(simulated, "Enabled")
        cli = Cli(tmp_path, simulated.environment)
        with cli.start("pause", "--all", "--yes", "--rate", "50", "--for", "5m") as process:
            simulated.wait_until(lambda report: sum(one.accepted_count > 0 for one in report.mappings) >= 10)
            process.send_signal(signal.SIGKILL)
            assert finish(process).code == -signal.SIGKILL
        assert inside(simulated.environment, "continue", "last", *YES).code == 0
        events = marked(cli.last_run().path)
        assert set(named(events)) == set(enabled)
        assert all(event["until"] is not None for event in events)


def test_another_change_is_no_pause(tmp_path: Path, inside: Inside) -> None:
    with Simulated(mappings=20) as simulated:
        change = ("--source-type", "sqs", "--set", "BatchSize=7")
        assert inside(simulated.environment, "apply", *change, *YES).code == 0
        assert marked(Cli(tmp_path).last_run().path) == []
