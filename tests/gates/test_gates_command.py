import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest

from bulk_esm.gates.command import CommandGate
from bulk_esm.gates.gate import WaveEnd
from bulk_esm.gates.output import capturing
from bulk_esm.logs import logging_to_file
from bulk_esm.model.gating import GateAnswer, Inconclusive
from bulk_esm.model.result import Outcome

END = WaveEnd(wave=2, waves=5, next_updates=400, outcomes={Outcome.UPDATED: 150, Outcome.FAILED: 3})
RUN_ID = "20260102T030405Z-pause-aaa111"


def gate(command: str, folder: Path = Path("/runs/one")) -> CommandGate:
    return CommandGate(command, run_id=RUN_ID, folder=folder)


def written(path: Path) -> bool:
    return path.exists() and path.read_text().endswith("\n")


def is_running(pid: int) -> bool:
    """Whether there is such a process; one that ended and that nobody has waited for is not running."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Timeout:
    """In place of a timeout: it is over when something has happened."""

    def __init__(self, over: anyio.Event) -> None:
        self._over = over
        self.asked_for: list[float] = []

    @contextmanager
    def __call__(self, seconds: float) -> Iterator[None]:
        self.asked_for.append(seconds)
        scope = anyio.CancelScope()

        async def end() -> None:
            await self._over.wait()
            scope.cancel()

        ending = asyncio.ensure_future(end())
        with scope:
            yield
        ending.cancel()


async def comes(happened: Callable[[], bool]) -> bool:
    """Whether something happens within a few seconds."""
    for _ in range(300):
        if happened():
            return True
        await anyio.sleep(0.01)
    return False


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("true", None),
        ("exit 0", None),
        ("false", "gate 'false' exited with 1"),
        ("exit 7", "gate 'exit 7' exited with 7"),
        ("exit 75", Inconclusive("gate 'exit 75' exited with 75")),
        ("kill -9 $$", "gate 'kill -9 $$' exited with -9"),
        ("exec 2>&-; no-such-command", "gate 'exec 2>&-; no-such-command' exited with 127"),
    ],
)
async def test_the_exit_code_decides(command: str, reason: GateAnswer) -> None:
    assert await gate(command).check(END) == reason


async def test_what_a_command_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_THE_USER", "stays")
    monkeypatch.setenv("BULK_ESM_GATE_UPDATED", "of an outer run")
    monkeypatch.chdir(tmp_path)
    assert await gate("env > told", folder=Path("runs/one")).check(END) is None
    told = dict(line.split("=", 1) for line in (tmp_path / "told").read_text().splitlines() if "=" in line)
    counts = {f"BULK_ESM_GATE_{outcome.value.upper()}": "0" for outcome in Outcome}
    expected = {
        **counts,
        "BULK_ESM_GATE_RUN_ID": RUN_ID,
        "BULK_ESM_GATE_RUN_FOLDER": str(tmp_path / "runs" / "one"),
        "BULK_ESM_GATE_STAGE": "between",
        "BULK_ESM_GATE_WAVE": "2",
        "BULK_ESM_GATE_WAVES": "5",
        "BULK_ESM_GATE_UPDATED": "150",
        "BULK_ESM_GATE_FAILED": "3",
        "OF_THE_USER": "stays",
    }
    assert {name: told.get(name) for name in expected} == expected
    assert all(name.replace("_", "").isalpha() for name in counts)  # so that a shell can name it


async def test_output_goes_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    assert await gate("echo result; echo problem >&2").check(END) is None
    assert capfd.readouterr() == ("", "result\nproblem\n")


async def test_output_goes_where_it_is_told_to(capfd: pytest.CaptureFixture[str]) -> None:
    lines: list[str] = []
    command = "echo result; echo problem >&2; printf '\\377 and no end'"
    assert await CommandGate(command, run_id=RUN_ID, folder=Path(), told=lines.append).check(END) is None
    assert lines == ["result", "problem", "\ufffd and no end"]
    assert capfd.readouterr() == ("", "")


async def test_output_comes_while_the_command_runs(tmp_path: Path) -> None:
    """The command waits for what whoever is told does."""
    command = f"echo begun; until test -e {tmp_path / 'go'}; do sleep 0.01; done"
    told = CommandGate(command, run_id=RUN_ID, folder=Path(), told=lambda _: (tmp_path / "go").touch())
    assert await told.check(END) is None


async def test_the_log_has_the_last_lines(tmp_path: Path) -> None:
    with logging_to_file(tmp_path / "log.jsonl"):
        assert await CommandGate("seq 1000; exit 3", run_id=RUN_ID, folder=Path(), told=lambda _: None).check(END)
    event = json.loads((tmp_path / "log.jsonl").read_text())
    assert (event["event"], event["command"], event["exit_code"]) == ("gate_ended", "seq 1000; exit 3", 3)
    assert event["last_lines"] == [str(number) for number in range(981, 1001)]


async def test_before_there_is_a_run_there_is_nothing_to_tell_a_command() -> None:
    assert await gate("false").check(None) is None


async def test_a_gate_may_be_asked_again(tmp_path: Path) -> None:
    once = gate(f"mkdir {tmp_path / 'made'} 2>/dev/null")
    assert await once.check(END) is None
    assert await once.check(END) is not None


async def test_others_go_on_meanwhile(tmp_path: Path) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(gate(f"until test -e {tmp_path / 'go'}; do sleep 0.01; done").check, END)
        await anyio.sleep(0.05)
        (tmp_path / "go").touch()


async def cancelled(command: str, pid_file: Path) -> int:
    """Cancel a gate once its command has written the id of a process that is running; that id."""
    async with anyio.create_task_group() as group:
        group.start_soon(gate(command).check, END)
        assert await comes(lambda: written(pid_file))
        pid = int(await anyio.Path(pid_file).read_text())
        assert is_running(pid)
        group.cancel_scope.cancel()
    return pid


async def test_a_gate_that_is_cancelled_is_killed(tmp_path: Path) -> None:
    pid = await cancelled(f"echo $$ > {tmp_path / 'pid'}; exec sleep 60", tmp_path / "pid")
    assert await comes(lambda: not is_running(pid))


async def test_what_a_cancelled_gate_has_started_is_killed_too(tmp_path: Path) -> None:
    pid = await cancelled(f"sleep 60 & echo $! > {tmp_path / 'pid'}; wait", tmp_path / "pid")
    gone = await comes(lambda: not is_running(pid))
    if not gone:
        os.kill(pid, signal.SIGKILL)
    assert gone


async def test_the_reason_has_the_last_lines() -> None:
    said = "echo 1; echo 2; echo; printf '\\033[31mlag is %s' 9; echo; echo of orders; exit 3"
    reason = await gate(said).check(END)
    assert isinstance(reason, str)
    assert reason.endswith(" exited with 3: 2 / \\u001b[31mlag is 9 / of orders")


HANGS = {
    "hangs": "echo $$ > pids; echo so far; sleep 600; true",
    "forks and hangs": "sleep 600 & echo $! > pids; sleep 600 & echo $! >> pids; echo so far; wait",
    "leaves and hangs": "setsid sh -c 'echo $$ > pids; sleep 600; true' & echo so far; wait",
    "leaves behind": "(setsid setsid sh -c 'echo $$ > pids; exec sleep 600' &); echo so far; sleep 600",
    "ignores what it is told": "trap '' TERM INT HUP; echo $$ > pids; echo so far; while true; do sleep 600; done",
}


@pytest.mark.parametrize("how", HANGS)
async def test_a_gate_that_does_not_end_is_stopped_with_all_it_started(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long it takes to begin: it is stopped when it has."""
    monkeypatch.chdir(tmp_path)
    stopped = anyio.Event()

    async def wait_until_it_runs() -> None:
        assert await comes(lambda: written(Path("pids")) and "so far\n" in lines)
        stopped.set()

    lines: list[str] = []
    timeout = Timeout(stopped)
    monkeypatch.setattr("bulk_esm.gates.command.anyio.move_on_after", timeout)
    asked = CommandGate(
        HANGS[how], run_id=RUN_ID, folder=Path(), told=lambda line: lines.append(f"{line}\n"), timeout_s=3
    )
    async with anyio.create_task_group() as group:
        group.start_soon(wait_until_it_runs)
        answer = await asked.check(END)
    assert answer == Inconclusive(f"gate {HANGS[how]!r} did not end within 3 s: so far")
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert pids
    assert await comes(lambda: not any(is_running(pid) for pid in pids))


async def test_a_gate_that_does_not_end_in_time() -> None:
    asked = CommandGate("exec sleep 600", run_id=RUN_ID, folder=Path(), timeout_s=0.01)
    assert await asked.check(END) == Inconclusive("gate 'exec sleep 600' did not end within 0.01 s")


async def test_a_flood_is_cut_and_its_end_is_kept(tmp_path: Path) -> None:
    told: list[str] = []
    flood = CommandGate(
        "yes 0123456789 | head -c 10000000; echo; echo the end; exit 4", run_id=RUN_ID, folder=Path(), told=told.append
    )
    with logging_to_file(tmp_path / "log.jsonl"):
        reason = await flood.check(END)
    assert isinstance(reason, str)
    assert reason.endswith(" / the end")
    assert told[-1] == "the end"
    event = json.loads((tmp_path / "log.jsonl").read_text())
    assert len(event["last_lines"]) == 20


def test_what_comes_faster_than_it_can_be_read_is_left_out() -> None:
    told: list[str] = []
    with capturing(told.append) as output:
        os.write(output.file, b"x\n" * 5_000_000 + b"y" * 100 + b"\nno end")
        output._look()
        assert told[:2] == [f"[{10_000_107 - 65_536:,} bytes left out]", "[31,716 lines left out]"]
        assert len(told) == 1002
        assert (told[-2], told[-1], output.last_lines[-1]) == ("x", "y" * 100, "y" * 100)
        output._look()
        assert len(told) == 1002


KILLED = """
import sys
from pathlib import Path
import anyio
from bulk_esm.gates.command import CommandGate
from bulk_esm.gates.gate import WaveEnd

gate = CommandGate(sys.argv[1], run_id="one", folder=Path("one"))
anyio.run(gate.check, WaveEnd(wave=1, waves=1, next_updates=0, outcomes={}))
"""


@pytest.mark.parametrize("start", ["sleep 600", "setsid sleep 600"])
async def test_a_gate_does_not_outlive_a_killed_run(start: str, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    command = f"{start} & echo $$ $! > {pids}; wait"
    run = await anyio.open_process([sys.executable, "-c", KILLED, command], start_new_session=True)
    assert await comes(lambda: written(pids))
    gate_pids = [int(pid) for pid in pids.read_text().split()]
    assert [is_running(pid) for pid in gate_pids] == [True, True]
    os.killpg(run.pid, signal.SIGKILL)
    await run.wait()
    assert await comes(lambda: not any(is_running(pid) for pid in gate_pids))


async def test_what_a_gate_leaves_on_purpose_stays(tmp_path: Path) -> None:
    """Such as a server that it started, and that writes: only a run that is killed takes all with it."""
    pids = tmp_path / "pids"
    served = f"echo served; touch {tmp_path / 'served'}; exec sleep 600"
    assert (
        await gate(f"(until test -e {tmp_path / 'go'}; do sleep 0.01; done; {served}) & echo $! > {pids}").check(END)
        is None
    )
    (tmp_path / "go").touch()
    assert await comes((tmp_path / "served").exists)
    left = int(pids.read_text())
    assert is_running(left)
    os.kill(left, signal.SIGKILL)
