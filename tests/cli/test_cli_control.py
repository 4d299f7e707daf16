"""hold, go, stop and approve: a run that is steered from another process, as whoever steers it sees it."""

import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import msgspec
import pytest
from cli_harness import ACCOUNT, FAST, Cli, Done, Inside, RunFiles, Simulated, finish, records, wait_until

from bulk_esm.model.control import ControlStatus
from bulk_esm.simulator import make_fleet

FLEET = 400
# Results come at the end: a pipe that nobody reads meanwhile would be full.
SLOW = (
    "--all",
    "--yes",
    "--output",
    "table",
    "--rate",
    "60",
)  # what a hold finds in the middle of its work, however slow the machine is
ALL = ("--all", "--yes", "--output", "table", *FAST)
IN_WAVES = ("--waves", "1,100%", "--approve-waves")


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


@pytest.fixture
def simulated() -> Iterator[Simulated]:
    with Simulated(fleet=make_fleet(FLEET, disabled_share=0.0)) as found:
        yield found


def without_dates(simulated: Simulated) -> dict[str, bytes]:
    return {
        uuid: msgspec.json.encode({**mapping, "LastModified": None}, order="sorted")
        for uuid, mapping in simulated.mappings().items()
    }


def sent(simulated: Simulated) -> int:
    return sum(simulated.accepted().values())


def asked(run: RunFiles) -> list[str]:
    """What was asked of a run, as its log tells it, and that it tells who."""
    found = [each for each in records((run.path / "log.jsonl").read_text("utf-8")) if each["event"] == "asked"]
    assert all(each["by"]["user"] and each["by"]["host"] and each["at"] for each in found)
    return [each["action"] for each in found]


class Steered:
    """A run in a process of its own, and whoever steers it, who has neither credentials nor a Region."""

    def __init__(self, process: "subprocess.Popen[str]", folder: Path, inside: Inside) -> None:
        self.process = process
        self._runs_dir = folder / "bulk-esm-runs"
        self._inside = inside

    def __call__(self, *words: str, code: int = 0) -> Done:
        done = self._inside({}, *words[:1], "last", *words[1:])
        assert done.code == code, done.stderr
        return done

    @property
    def files(self) -> RunFiles:
        return RunFiles(max(self._runs_dir.glob("2*")))

    @property
    def awaits(self) -> int | None:
        """The wave that is awaiting approval."""
        for path in self._runs_dir.glob("2*/asked/status.json"):
            return msgspec.json.decode(path.read_bytes(), type=ControlStatus).awaits
        return None

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for what will be, as long as the run is at work."""

        def holds() -> bool:
            if condition():
                return True
            assert self.process.poll() is None, finish(self.process).stderr
            return False

        wait_until(holds)

    def finish(self, code: int) -> Done:
        done = finish(self.process)
        assert done.code == code, done.stderr
        return done


@contextmanager
def steering(simulated: Simulated, folder: Path, inside: Inside, *words: str) -> Iterator[Steered]:
    with Cli(folder, simulated.environment).start(*words) as process:
        try:
            yield Steered(process, folder, inside)
        finally:
            process.kill()


def at_rest(run: Steered, simulated: Simulated) -> int:
    """How many updates were sent when all of those have settled that were sent before a hold."""
    run.until(lambda: run("hold").records[0]["status"]["under_way"] == 0)  # once more is no mistake
    return sent(simulated)


def test_hold_and_go_from_another_process(tmp_path: Path, simulated: Simulated, inside: Inside) -> None:
    with steering(simulated, tmp_path, inside, "pause", *SLOW) as run:
        run.until(lambda: sent(simulated) > 0)
        held = run("hold")
        [answer] = held.records
        assert answer["status"]["held"]["action"] == "hold"
        assert answer["status"]["total"] == FLEET
        assert held.stderr.startswith("held: ")
        assert "to go on: bulk-esm go " in held.stderr
        then = at_rest(run, simulated)
        assert 0 < then < FLEET
        shown = run("show").stderr
        assert "held by " in shown
        assert "awaiting" not in shown
        assert at_rest(run, simulated) == then
        assert run("go").stderr.startswith("goes on: ")
        assert "is not held" in run("go", code=2).stderr
        run.until(lambda: sent(simulated) > then)
        run("stop")
        done = run.finish(3)
        assert "nothing more is sent until bulk-esm go" in done.stderr
        assert "lets it go on" in done.stderr
        files = run.files
    assert set(files.outcomes.values()) == {"updated", "not_started"}
    assert max(simulated.accepted().values()) == 1
    assert asked(files)[-2:] == ["go", "stop"]


def test_stop_puts_nothing_back_unless_it_is_asked_to(tmp_path: Path, simulated: Simulated, inside: Inside) -> None:
    with steering(simulated, tmp_path, inside, "pause", *SLOW, "--on-halt", "rollback") as run:
        run.until(lambda: sent(simulated) > 0)
        assert run("stop").stderr.startswith("stopping: ")
        done = run.finish(3)
        assert "because: stopped by " in done.stderr
        assert "putting back" not in done.stderr
        assert "to put back what it changed: bulk-esm rollback" in done.stderr
        files = run.files
    assert (files.record["status"], files.record["puts_back"]) == ("halted", False)
    assert set(files.outcomes.values()) == {"updated", "not_started"}
    assert "has ended: halted (stopped by " in inside({}, "hold", "last").stderr
    continued = inside(simulated.environment, "continue", "last", "--yes", *FAST)
    assert continued.code == 0, "a stop is over with the command that it stopped"
    assert files.record["puts_back"] is None
    assert set(files.outcomes.values()) == {"updated"}


def test_stop_and_put_back(tmp_path: Path, simulated: Simulated, inside: Inside) -> None:
    before = without_dates(simulated)
    with steering(simulated, tmp_path, inside, "pause", *SLOW) as run:
        run.until(lambda: sent(simulated) > 0)
        run("hold")
        stopped = run("stop", "--rollback", "--output", "csv")
        assert "then what it changed is put back" in stopped.stderr
        assert stopped.stdout.splitlines()[0] == "run,action,answered,sent,settling,of"
        done = run.finish(3)
    assert "putting back what it changed (stopped by " in done.stderr
    halted, back = (RunFiles(folder) for folder in Cli(tmp_path).run_folders())
    assert (halted.record["status"], back.record["status"]) == ("halted", "finished")
    assert asked(halted) == ["hold", "stop"]
    assert "updated" in back.outcomes.values()
    assert without_dates(simulated) == before


def test_a_run_that_waits_until_each_wave_is_approved(tmp_path: Path, simulated: Simulated, inside: Inside) -> None:
    with steering(simulated, tmp_path, inside, "pause", *ALL, "--waves", "1,50%,100%", "--approve-waves") as run:
        for wave in (2, 3):
            run.until(partial(awaits, run, wave))
            assert f"awaiting approval of wave {wave}: bulk-esm approve " in run("show").stderr
            assert run("approve").stderr.startswith(f"wave {wave} is approved: ")
        done = run.finish(0)
        files = run.files
    assert "each wave but the first waits for: bulk-esm approve RUN" in done.stderr
    assert asked(files) == ["approve", "approve"]
    assert {result["wave"] for result in files.results} == {1, 2, 3}


def awaits(run: Steered, wave: int) -> bool:
    return run.awaits == wave


def test_killed_while_held_it_is_continued_held(tmp_path: Path, simulated: Simulated, inside: Inside) -> None:
    with steering(simulated, tmp_path, inside, "pause", *SLOW) as run:
        run.until(lambda: sent(simulated) > 0)
        run("hold")
        then = at_rest(run, simulated)
        run.process.send_signal(signal.SIGKILL)
        run.finish(-signal.SIGKILL)
        assert "nobody works at " in run("go", code=2).stderr
    late = inside(simulated.environment, "continue", "last", *ALL[1:], "--deadline", "2s")
    assert late.code == 4
    assert "because: the deadline came while it was held by " in late.stderr
    holds = len(asked(run.files))
    with steering(simulated, tmp_path, inside, "continue", "last", *ALL[1:]) as run:
        run.until(lambda: len(asked(run.files)) > holds)  # it says anew that it is held
        assert sent(simulated) == then
        run("go")
        run.finish(0)
        files = run.files
    assert set(files.outcomes.values()) == {"updated"}
    assert max(simulated.accepted().values()) == 1


def test_workers_in_processes_are_held_and_a_signal_ends_that(
    tmp_path: Path, simulated: Simulated, inside: Inside
) -> None:
    fleet = ("--accounts", ACCOUNT, "--regions", "us-east-1", "--executor", "process")
    with steering(simulated, tmp_path, inside, "pause", *SLOW, *fleet, *IN_WAVES) as run:
        run.until(lambda: run.awaits == 2)
        run("hold")
        run("approve")
        assert at_rest(run, simulated) == 1
        run("go")
        run.until(lambda: sent(simulated) > 1)
        run("hold")
        run.process.send_signal(signal.SIGTERM)
        run.finish(130)
        assert run.files.record["status"] == "interrupted"
    assert 1 < sent(simulated) < FLEET


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("hold", "last"), "there are no runs in bulk-esm-runs"),
        (("pause", *ALL, "--approve-waves"), "--approve-waves comes between waves"),
        (("pause", *ALL, *IN_WAVES, "--confirm-waves"), "--approve-waves waits for bulk-esm approve"),
    ],
)
def test_what_makes_no_sense_is_refused(words: tuple[str, ...], reason: str, inside: Inside) -> None:
    refused = inside({}, *words)
    assert refused.code == 2
    assert reason in refused.stderr
