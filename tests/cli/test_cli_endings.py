"""With what a command ends, however it ends: the exit codes of the contract."""

import signal
from pathlib import Path

import pytest
from cli_harness import ACCOUNT, FAST, Cli, Inside, RunFiles, Simulated, finish

from bulk_esm.simulator import Faults, Kind

YES = ("--yes", *FAST)


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


def last_run(folder: Path) -> RunFiles:
    return Cli(folder).last_run()


def test_refused_updates_are_failures(tmp_path: Path) -> None:
    with Simulated(mappings=60, faults=Faults(refused_share=0.2)) as simulated:
        done = Cli(tmp_path, simulated.environment)("pause", "--all", *YES, "--max-failures", "100%")
        failed = [result for result in done.records if result["outcome"] == "failed"]
        assert (done.code, bool(failed)) == (1, True)
        assert {result["error"]["code"] for result in failed} == {"InvalidParameterValueException"}
        assert all(result["error"]["request_id"] for result in failed)
        assert f"{len(failed)} failed: InvalidParameterValueException" in done.stderr  # grouped by cause
        assert last_run(tmp_path).record["status"] == "finished"


def test_stuck_mappings_time_out(tmp_path: Path, inside: Inside) -> None:
    with Simulated(mappings=10, faults=Faults(stuck_share=1)) as simulated:
        done = inside(simulated.environment, "pause", "--source-type", "sqs", *YES, "--timeout", "1s")
        assert done.code == 1
        assert set(last_run(tmp_path).outcomes.values()) <= {"timed_out", "unchanged"}
        assert "timed_out" in done.stderr


def test_a_denied_account(tmp_path: Path) -> None:
    with Simulated(mappings=10, faults=Faults(denied_accounts=frozenset({ACCOUNT}))) as simulated:
        done = Cli(tmp_path, simulated.environment)("pause", "--all", *YES)
        assert (done.code, done.stdout) == (5, "")
        assert "lambda:ListEventSourceMappings" in done.stderr
        assert "AccessDeniedException" in done.stderr
        kinds = {kind: simulated.report().count(kind) for kind in Kind if simulated.report().count(kind)}
        assert kinds == {Kind.IDENTITY: 1, Kind.LIST: 1}  # who we are; and final, at once
        assert not (tmp_path / "bulk-esm-runs").exists()


class HandClock:
    """Virtual time that only a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("more", [(), ("--quiet",)])
def test_credentials_that_expire_meanwhile(more: tuple[str, ...], tmp_path: Path) -> None:
    clock = HandClock()
    faults = Faults(expires_after_s=1000, latency_s=0.2)
    with Simulated(mappings=40, clock=clock, quota_per_second=None, faults=faults) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        with cli.start("pause", "--all", *YES, "--concurrency", "2", *more) as process:
            simulated.wait_until(lambda report: any(mapping.accepted_count for mapping in report.mappings))
            clock.now = 1000.0
            done = finish(process)
        assert done.code == 5
        assert "ExpiredToken" in done.stderr.splitlines()[-1]
        run = last_run(tmp_path)
        assert run.record["status"] == "halted"
        assert "ExpiredToken" in run.record["reason"]
        assert "not_started" in run.outcomes.values()
        assert set(run.outcomes.values()) <= {"not_started", "timed_out", "unchanged"}


def test_credentials_that_expire_while_mappings_come_to_rest(tmp_path: Path) -> None:
    """The waits run side by side; the user is told of the one cause, not of the tasks."""
    clock = HandClock()
    with Simulated(mappings=5, clock=clock, faults=Faults(expires_after_s=1000), quota_per_second=None) as simulated:
        for uuid in simulated.states():
            simulated.change_behind(uuid, State="Updating")
        cli = Cli(tmp_path, simulated.environment)
        with cli.start("pause", "--all", *YES) as process:
            simulated.wait_until(lambda report: report.count(Kind.GET) > 0)
            clock.now = 1000.0
            done = finish(process)
        assert (done.code, done.stdout) == (5, "")
        assert "waiting for 5 mappings in transition" in done.stderr
        assert "ExpiredToken" in done.stderr
        assert "TaskGroup" not in done.stderr


def test_interrupted(tmp_path: Path, inside: Inside) -> None:
    with Simulated(mappings=60, faults=Faults(latency_s=0.2)) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        with cli.start("pause", "--all", *YES, "--concurrency", "2") as process:
            simulated.wait_until(lambda report: sum(mapping.accepted_count for mapping in report.mappings) >= 3)
            process.send_signal(signal.SIGINT)
            done = finish(process)
        assert done.code == 130
        run = last_run(tmp_path)
        assert run.record["status"] == "interrupted"
        assert run.record["ended_at"]
        assert len(run.outcomes) == 60
        assert "not_started" in run.outcomes.values()
        assert set(run.outcomes.values()) <= {"updated", "unchanged", "not_started"}
        assert "stopping" in done.stderr
        assert done.records == run.results
        accepted = {uuid for uuid, count in simulated.accepted().items() if count}
        assert accepted == {uuid for uuid, outcome in run.outcomes.items() if outcome == "updated"}

        # What it paused can be resumed, and nothing else is.
        assert inside(simulated.environment, "resume", "--run", "last", *YES).code == 0
        assert cli.last_run().outcomes.keys() == accepted


def test_interrupted_twice_leaves_at_once(tmp_path: Path) -> None:
    with Simulated(mappings=10, faults=Faults(stuck_share=1)) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        with cli.start("pause", "--all", *YES) as process:
            enabled = sum(state == "Enabled" for state in simulated.states().values())
            simulated.wait_until(lambda report: sum(m.accepted_count for m in report.mappings) == enabled)
            process.send_signal(signal.SIGTERM)
            assert process.stderr is not None
            while "stopping" not in process.stderr.readline():
                pass
            process.send_signal(signal.SIGINT)
            done = finish(process)
        assert done.code == 130
        run = last_run(tmp_path)
        assert run.record["status"] == "interrupted"
        assert set(run.outcomes.values()) <= {"timed_out", "unchanged"}
