"""`runs` and `show` tell a run that is at work from one whose process is gone, and say which shards failed."""

import re
import signal
from pathlib import Path

import pytest
from cli_harness import ACCOUNT, FAST, Cli, Inside, Simulated, wait_until

from bulk_esm.simulator import Faults
from bulk_esm.store.at_work import at_work, is_at_work

YES = ("--yes", *FAST)


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


def test_a_run_is_running_until_its_process_is_gone(tmp_path: Path, inside: Inside) -> None:
    with Simulated(mappings=20) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        blocks = "test $BULK_ESM_GATE_WAVE = 0 || { touch began; while ! test -e go; do sleep 0.05; done; }"
        gate = ("--waves", "1,100%", "--gate", blocks, "--no-lock")
        with cli.start("pause", "--all", *YES, *gate) as process:
            try:
                wait_until((tmp_path / "began").exists)
                assert [run["status"] for run in inside({}, "runs", "--output", "jsonl").records] == ["running"]
                shown = inside({}, "show", "last").stderr
                assert "pause is still running; so far: " in shown
                assert "to steer it: bulk-esm hold, go or stop " in shown
                assert re.search(r"\d+ of 20 mappings have no result yet\n", shown)
                assert not re.search("continue|rollback|resume|not known", shown), "none of that makes sense as yet"
            finally:
                process.send_signal(signal.SIGKILL)
                process.communicate()
        assert [run["status"] for run in inside({}, "runs", "--output", "jsonl").records] == ["killed"]
        shown = inside({}, "show", "last").stderr
        assert "pause did not end: it was killed; so far: " in shown
        assert re.search("to finish it: bulk-esm continue .* mappings have no result, so ", shown, re.DOTALL)
        assert cli.last_run().record["status"] == "running"  # nobody has written since
        (tmp_path / "go").touch()
        assert inside(simulated.environment, "continue", "last", *YES).code == 0


def test_shards_that_failed_are_told_of(inside: Inside) -> None:
    denied = "222222222222"
    with Simulated(mappings=5, faults=Faults(denied_accounts=frozenset({denied}))) as simulated:
        fleet = ("--accounts", f"{ACCOUNT},{denied}", "--regions", "us-east-1,eu-west-1", "--role-name", "x")
        assert inside(simulated.environment, "pause", *fleet, "--all", *YES).code == 1
    assert "finished; 2 of 4 shards unreachable" in inside({}, "runs", "--output", "table").stdout
    assert inside({}, "runs", "--output", "jsonl").records[0]["shards"] == {"finished": 2, "unreachable": 2}


def test_nobody_can_tell_of_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert is_at_work(tmp_path / "none") is None
    with at_work(tmp_path / "none"):
        pass
    with at_work(tmp_path):
        assert is_at_work(tmp_path) is True
    assert is_at_work(tmp_path) is False
