"""At a terminal: the question, the live display, and a table whose first column can be copied."""

import errno
import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from cli_harness import FAST, LONGEST_S, Cli, Simulated

from bulk_esm.simulator import Kind

COLUMNS = 80


@pytest.fixture
def simulated() -> Iterator[Simulated]:
    with Simulated(mappings=40) as found:
        yield found


def at_terminal(cli: Cli, *arguments: str, answers: Iterable[bytes] = (), asks: str = "[y/N] ") -> tuple[int, str]:
    """Run a command at a terminal, and answer its questions; `\\x03` is Ctrl-C, `\\x04` the end of input."""
    to_say = list(answers)
    answered = 0
    ours, theirs = pty.openpty()
    environment = cli.whole_environment() | {"TERM": "xterm", "COLUMNS": str(COLUMNS), "LINES": "24"}
    with subprocess.Popen(
        [sys.executable, "-c", TERMINAL, *arguments],
        cwd=cli.home,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        shown = b""
        while True:
            if not select.select([ours], [], [], LONGEST_S)[0]:
                process.kill()
                pytest.fail(f"nothing more is shown, and it does not end: {shown!r}")
            try:
                chunk = os.read(ours, 65536)
            except OSError as error:
                if error.errno != errno.EIO:  # how Linux says that the other end was closed
                    raise
                break
            if not chunk:
                break
            shown += chunk
            if to_say and shown.count(asks.encode()) > answered:
                os.write(ours, to_say.pop(0))
                answered += 1
        code = process.wait(LONGEST_S)
    os.close(ours)
    text = shown.decode().replace("\r\n", "\n")
    assert "Traceback" not in text
    return code, text


# The terminal must be the process's own for Ctrl-C to reach it.
TERMINAL = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from bulk_esm.cli import main
main()
"""


@pytest.mark.parametrize(("answer", "code"), [(b"\n", 2), (b"\x04", 2), (b"\x03", 130)], ids=repr)
def test_no_consent(answer: bytes, code: int, tmp_path: Path, simulated: Simulated) -> None:
    found, shown = at_terminal(Cli(tmp_path, simulated.environment), "pause", "--all", *FAST, answers=[answer])
    enabled = sum(state == "Enabled" for state in simulated.states().values())
    question = f"Update {enabled} mappings in account 123456789012, us-east-1, at {simulated.simulator.endpoint_url}?"
    assert found == code
    assert question in " ".join(shown.split())  # which is wrapped
    assert code == 130 or "nothing was changed" in shown
    assert simulated.report().count(Kind.UPDATE) == 0
    assert not (tmp_path / "bulk-esm-runs").exists()


def test_consent(tmp_path: Path, simulated: Simulated) -> None:
    cli = Cli(tmp_path, simulated.environment)
    code, shown = at_terminal(cli, "pause", "--all", *FAST, answers=[b"Yes\n"])
    assert code == 0
    assert set(simulated.states().values()) == {"Disabled"}
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert "requests/s" in plain
    assert "pause finished" in plain
    assert not any(uuid in plain for uuid in simulated.states())  # all went well: the summary is what matters
    folder, how_to_resume = plain.rstrip().splitlines()[-2:]
    assert folder.strip().startswith("folder: ")
    assert how_to_resume.strip() == f"to resume: bulk-esm resume --run {cli.last_run().path.name}"
    assert set(cli.last_run().outcomes.values()) == {"updated", "unchanged"}


def test_a_table_at_a_terminal(tmp_path: Path, simulated: Simulated) -> None:
    code, shown = at_terminal(Cli(tmp_path, simulated.environment), "list", "--source-type", "sqs")
    assert code == 0
    assert all(uuid[:8] in shown for uuid in simulated.mappings("sqs"))
    assert "{" not in shown
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert max(map(len, plain.splitlines())) <= COLUMNS


def test_nothing_to_do_asks_nothing(tmp_path: Path, simulated: Simulated) -> None:
    code, shown = at_terminal(Cli(tmp_path, simulated.environment), "pause", "--state", "Disabled", *FAST)
    assert code == 0
    assert "[y/N]" not in shown


@pytest.mark.parametrize(
    ("answers", "code", "updated"),
    [([b"y\n", b"y\n", b"yes\n"], 0, 32), ([b"y\n", b"y\n", b"n\n"], 3, 4), ([b"y\n", b"\n"], 3, 1)],
    ids=["yes", "no", "neither"],
)
def test_asked_before_each_wave(
    answers: list[bytes], code: int, updated: int, tmp_path: Path, simulated: Simulated
) -> None:
    enabled = sum(state == "Enabled" for state in simulated.states().values())
    cli = Cli(tmp_path, simulated.environment)
    found, shown = at_terminal(
        cli, "pause", "--all", "--waves", "1,10%,100%", "--confirm-waves", *FAST, answers=list(answers)
    )
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    updated = enabled if found == 0 else updated
    assert found == code
    assert plain.count("[y/N]") == len(answers)
    assert "wave 1 of 3 is done: " in plain
    assert re.search(r"Go on with wave 2, \d+ updates\?", plain)
    assert sum(simulated.accepted().values()) == updated
    assert list(cli.last_run().outcomes.values()).count("updated") == updated
    record = cli.last_run().record
    if code:
        assert record["reason"] == f"after wave {len(answers) - 1} the answer was not to go on"
        assert "to finish it: bulk-esm continue" in plain
