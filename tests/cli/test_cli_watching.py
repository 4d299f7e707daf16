"""Alarms and gates before, during and after the sending, as their user sees them: exit codes, summaries, files."""

import signal
from pathlib import Path

import msgspec
import pytest
from cli_harness import FAST, Cli, Inside, RunFiles, Simulated, finish, records, wait_until
from engine_world import queues
from test_cli_terminal import at_terminal

YES = ("--yes", *FAST)


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


def without_dates(simulated: Simulated) -> dict[str, bytes]:
    return {
        uuid: msgspec.json.encode({**mapping, "LastModified": None}, order="sorted")
        for uuid, mapping in simulated.mappings().items()
    }


def events(run: RunFiles) -> list[str]:
    return [event["event"] for event in records((run.path / "log.jsonl").read_text(encoding="utf-8"))]


def test_an_alarm_that_rings_before_the_prompt(tmp_path: Path, inside: Inside) -> None:
    with Simulated(mappings=10) as simulated:
        simulated.ask(lambda: simulated.simulator.set_alarm("lag", "ALARM", reason="messages grow old"))
        done = inside(simulated.environment, "pause", "--all", *YES, "--alarm", "lag")
        assert done.code == 2
        assert "in ALARM: lag (messages grow old); nothing was sent" in done.stderr
        assert not any(simulated.accepted().values())
    assert Cli(tmp_path).run_folders() == []


def test_a_gate_that_halts_before_the_first_update(tmp_path: Path, inside: Inside) -> None:
    with Simulated(mappings=10) as simulated:
        gate = "echo $BULK_ESM_GATE_STAGE $BULK_ESM_GATE_WAVE; exit 1"
        done = inside(simulated.environment, "pause", "--all", *YES, "--gate", gate)
        run = Cli(tmp_path).last_run()
        assert done.code == 3
        assert set(run.outcomes.values()) == {"not_started", "unchanged"}
        assert not any(simulated.accepted().values())
        assert "because: before the first update, gate" in done.stderr
        assert "exited with 1: before 0" in done.stderr
        assert "asked before the first update, and each 0:30 from then on: gate" in done.stderr


def test_a_gate_that_is_missing(tmp_path: Path, inside: Inside) -> None:
    with Simulated(mappings=10) as simulated:
        (tmp_path / "gate.sh").write_text("#!/bin/sh\n", encoding="utf-8")
        (tmp_path / "gate.sh").chmod(0o755)
        assert inside(simulated.environment, "pause", "--all", *YES, "--gate", "./gate.sh; false").code == 3
        (tmp_path / "gate.sh").unlink()
        sent = simulated.requests()
        again = inside(simulated.environment, "continue", "last", *YES)
        assert (again.code, simulated.requests()) == (2, sent)
        assert "--gate './gate.sh; false': there is no ./gate.sh" in again.stderr


def test_a_gate_that_cannot_tell_three_times(tmp_path: Path, inside: Inside) -> None:
    with Simulated(mappings=10) as simulated:
        gate = 'echo >> asked; test "$(wc -l < asked)" -gt 3 || exit 75'
        done = inside(simulated.environment, "pause", "--all", *YES, "--gate", gate, "--gate-interval", "0.05s")
        assert done.code == 0
        assert done.stderr.count("gate_cannot_tell") == 1
        run = Cli(tmp_path).last_run()
        found = records((run.path / "log.jsonl").read_text(encoding="utf-8"))
        answers = [event for event in found if event["event"] == "gate_answered"]
        assert [event["step"] for event in answers][:4] == ["wait", "wait", "wait", "go"]
        assert {event["stage"] for event in answers[:4]} == {"before"}


@pytest.mark.parametrize(("then", "code"), [("halt", 3), ("go", 0)])
def test_a_gate_that_does_not_end(then: str, code: int, tmp_path: Path, inside: Inside) -> None:
    with Simulated(mappings=10) as simulated:
        gate = "echo waiting for Godot; test $BULK_ESM_GATE_STAGE != before || sleep 600 & wait"
        limits = ("--gate-timeout", "0.5s", "--inconclusive-for", "0.1s", "--on-inconclusive", then)
        done = inside(simulated.environment, "pause", "--all", *YES, "--gate", gate, *limits)
        assert done.code == code
        assert "did not end within 0.5 s" in done.stderr
        assert ("because: before the first update, inconclusive for" in done.stderr) == (then == "halt")


def test_an_alarm_that_rings_meanwhile_has_all_put_back(tmp_path: Path) -> None:
    """In the bake, or on a slow machine in the middle of the wave."""
    with Simulated(mappings=60) as simulated:
        before = without_dates(simulated)
        simulated.ask(lambda: simulated.simulator.set_alarm("lag", "OK"))
        cli = Cli(tmp_path, simulated.environment)
        watched = ("--alarm", "lag", "--bake", "1h", "--gate-interval", "0.1s", "--on-halt", "rollback")
        with cli.start("pause", "--all", *YES, *watched) as process:
            simulated.wait_until(lambda report: any(mapping.accepted_count for mapping in report.mappings))
            simulated.ask(lambda: simulated.simulator.set_alarm("lag", "ALARM", reason="messages grow old"))
            done = finish(process)
        halted, back = (RunFiles(folder) for folder in cli.run_folders())
        assert done.code == 3
        assert "in ALARM: lag (messages grow old)" in halted.record["reason"]
        assert (halted.record["status"], back.record["status"]) == ("halted", "finished")
        assert without_dates(simulated) == before


def test_an_alarm_in_the_middle_of_a_wave_of_2000(tmp_path: Path) -> None:
    """At 60 requests/s, so that it would take 33 s; when it stops is held against a clock in `tests/api`."""
    with Simulated(fleet=queues(2000)) as simulated:  # all Enabled: few results come before the alarm
        before = without_dates(simulated)
        simulated.ask(lambda: simulated.simulator.set_alarm("lag", "OK"))
        cli = Cli(tmp_path, simulated.environment)
        watched = ("--alarm", "lag", "--gate-interval", "0.1s", "--on-halt", "rollback", "--rate", "60")
        with cli.start("pause", "--all", "--yes", *watched) as process:
            simulated.wait_until(lambda report: sum(one.accepted_count > 0 for one in report.mappings) >= 20)
            simulated.ask(lambda: simulated.simulator.set_alarm("lag", "ALARM", reason="messages grow old"))
            done = finish(process)
        halted, back = (RunFiles(folder) for folder in cli.run_folders())
        assert done.code == 3
        assert halted.record["reason"] == "in wave 1, in ALARM: lag (messages grow old)"
        assert halted.record["counts"]["updated"] == back.record["counts"]["updated"]
        assert halted.record["counts"]["not_started"] > 0
        assert without_dates(simulated) == before


def test_a_run_killed_in_its_bake_is_continued_into_its_bake(tmp_path: Path, inside: Inside) -> None:
    with Simulated(mappings=20) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        with cli.start("pause", "--all", *YES, "--bake", "1h") as process:
            wait_until(lambda: any('"bake_began"' in log.read_text() for log in cli.runs_dir.glob("*/log.jsonl")))
            process.send_signal(signal.SIGKILL)
            assert finish(process).code == -signal.SIGKILL
        run = cli.last_run()
        assert run.record["status"] == "running"
        run.edit_record(rollout=run.record["rollout"] | {"bake_s": 0.2})
        done = inside(simulated.environment, "continue", "last", *YES)
        assert done.code == 0
        assert "0 are left" in done.stderr
        assert "its bake of 0:00 begins anew when all is done" in done.stderr
        assert [event for event in events(run) if "bake" in event] == ["bake_began", "bake_began", "bake_ended"]
        assert run.record["status"] == "finished"
        assert max(simulated.accepted().values()) == 1


def test_the_least_time_counts_all_that_is_waited_for(inside: Inside) -> None:
    with Simulated(mappings=10) as simulated:
        rollout = ("--waves", "linear:25%", "--soak", "2m", "--bake", "10m", "--ramp", "1m")
        done = inside(simulated.environment, "pause", "--all", "--dry-run", *rollout)
        assert done.code == 0
        assert "all of it takes at least 17:00, with soaks, the ramp, the bake" in done.stderr
        alone = inside(simulated.environment, "pause", "--all", "--dry-run")
        assert "all of it" not in alone.stderr


def test_a_flood_leaves_the_terminal_whole(tmp_path: Path) -> None:
    with Simulated(mappings=10) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        gate = "yes $(printf '\\033[2J\\033[31mflood') | head -c 10000000; echo; echo the end"
        code, shown = at_terminal(cli, "pause", "--all", *YES, "--gate", gate)
        assert code == 0
        assert "the end" in shown
        assert "left out" in shown
        assert "\x1b[2J" not in shown
        assert shown.index("the end") < shown.index("pause finished")
        assert len(shown) < 1_000_000
