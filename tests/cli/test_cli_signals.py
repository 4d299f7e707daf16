"""SIGTERM twice and then SIGINT, at instants from the first import to the last: 130, no traceback, and nothing lost."""

import subprocess
import sys
from pathlib import Path

import pytest
from cli_harness import FAST, LONGEST_S, Cli, Done, Inside, Simulated

from bulk_esm.simulator import Faults

INSTANTS = 16
# Sends itself the signals when it imports, opens or renames for the n-th time.
COMMAND = """
import os, signal, sys
from bulk_esm.cli import main

left, told = int(sys.argv.pop(1)), sys.argv.pop(1)

def hook(event, arguments):
    global left
    if event in ("import", "open", "os.rename"):
        left -= 1
        if left == 0:
            for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
                os.kill(os.getpid(), number)

sys.addaudithook(hook)
try:
    main()
finally:
    with open(told, "w") as file:
        file.write(str(left))
"""


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


def signalled(cli: Cli, at: int, *arguments: str) -> Done:
    found = subprocess.run(
        [sys.executable, "-c", COMMAND, str(at), "left", *arguments],
        cwd=cli.home,
        env=cli.whole_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=LONGEST_S,
    )
    assert "Traceback" not in found.stderr
    assert "Exception" not in found.stderr
    return Done(found.returncode, found.stdout, found.stderr)


def lines(run: Path, name: str) -> int:
    return sum(path.read_bytes().count(b"\n") for path in run.rglob(name))


@pytest.mark.parametrize("more", [(), ("--executor", "process")], ids=["local", "process"])
def test_signals_at_every_instant(tmp_path: Path, inside: Inside, more: tuple[str, ...]) -> None:
    with Simulated(mappings=10) as simulated:
        cli = Cli(tmp_path, simulated.environment | {"TMPDIR": str(tmp_path / "tmp")})
        (tmp_path / "tmp").mkdir()
        regions = ("--regions", "us-east-1") if more else ()
        pause = ("pause", "--all", "--yes", *FAST, *regions, *more)
        assert signalled(cli, 1_000_000, *pause).code == 0
        events = 1_000_000 - int((tmp_path / "left").read_text())
        assert inside(cli.environment, "rollback", "last", "--yes", *FAST).code == 0
        for number in range(INSTANTS):
            done = signalled(cli, 1 + number * events // INSTANTS, *pause)
            assert done.code == 130, (number, done)
        assert list((tmp_path / "tmp").iterdir()) == []
        begun = [run for run in cli.run_folders() if (run / "run.json").exists() and "pause" in run.name]
        for run in begun[1:]:
            assert inside(cli.environment, "continue", run.name, "--yes", *FAST).code == 0
            assert lines(run, "results.jsonl") == lines(run, "plan.jsonl") == 10


@pytest.mark.parametrize("command", [("simulate",), ("list",), ("runs",), ("--help",)])
def test_signals_at_the_first_import(tmp_path: Path, command: tuple[str, ...]) -> None:
    for number in (1, 2, 10, 30):
        assert signalled(Cli(tmp_path), number, *command).code == 130


def test_a_killed_run_with_processes_leaves_no_folder(tmp_path: Path) -> None:
    with Simulated(mappings=10, faults=Faults(stuck_share=1)) as simulated:
        (tmp_path / "tmp").mkdir()
        cli = Cli(tmp_path, simulated.environment | {"TMPDIR": str(tmp_path / "tmp")})
        pause = ("pause", "--all", "--yes", *FAST, "--regions", "us-east-1", "--executor", "process")
        with cli.start(*pause) as process:
            simulated.wait_until(lambda report: any(mapping.accepted_count for mapping in report.mappings))
            process.kill()
        assert list((tmp_path / "tmp").iterdir()) == []
