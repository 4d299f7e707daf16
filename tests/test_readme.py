"""The README runs: its Python code against the simulator, its commands as far as the parser, its policy as JSON."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
from cli_harness import FAST, Inside, Simulated

from bulk_esm.cli.app import make_app
from bulk_esm.simulator import Simulator

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.fixture
async def environment() -> AsyncIterator[dict[str, str]]:
    async with Simulator(mappings=200, speed=200, region="eu-west-1") as simulator:
        yield {"PATH": os.environ["PATH"], **simulator.environment}


@pytest.mark.parametrize("code", blocks("python"), ids=("home", "fleet", "script", "simulator"))
async def test_python_code_runs(code: str, environment: dict[str, str], tmp_path: Path) -> None:
    done = await anyio.run_process([sys.executable, "-c", code], env=environment, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert re.search(rb"updated|^50$", done.stdout), done.stdout


def commands(prompt: str = r"(?:\$ )?") -> list[str]:
    text = README.replace("\\\n", " ")
    found = re.findall(rf"^    {prompt}(bulk-esm .*)$", text, re.MULTILINE)
    return [re.sub(r"\s+(#|>).*$", "", command) for command in found]


@pytest.mark.parametrize("command", commands())
def test_commands_parse(command: str) -> None:
    words = shlex.split(command)[1:]
    make_app(words[0]).parse_args(words, exit_on_error=False, print_error=False)


NOT_SIMULATED = ("--alarm", "--gate", "--ou", "--fleet", "simulate")


def test_commands_do_something_when_they_are_pasted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One after another, against the simulator that the page tells of."""
    inside = Inside(tmp_path, monkeypatch, capsys)
    pasted = [command for command in commands(prompt="") if not any(word in command for word in NOT_SIMULATED)]
    assert len(pasted) >= 8
    with Simulated(mappings=150) as simulated:
        for command in pasted:
            words = shlex.split(re.sub(r" --(yes|rate 240)\b", "", command))[1:]
            words += {"plan": FAST, "list": FAST, "doctor": (), "show": ()}.get(words[0], ("--yes", *FAST))
            done = inside(simulated.environment, *words)
            assert done.code == 0, (command, done.stderr)
            assert "warning: " not in done.stderr, command  # of a name that matches nothing
            assert not re.search(r"^0 mappings selected", done.stderr, re.MULTILINE), command
            assert " 0 to update" not in done.stderr or "--dry-run" in command, command


def test_what_a_crontab_is_shown() -> None:
    [crontab] = blocks("crontab")
    for line in crontab.splitlines():
        *times, command = line.split(None, 5)
        assert len(times) == 5
        assert "%" not in command.replace("\\%", "")  # cron ends the command there
        words = shlex.split(command.replace("\\%", "%"))
        make_app(words[1]).parse_args(words[1:], exit_on_error=False, print_error=False)


def test_what_python_code_imports_is_installed_or_said() -> None:
    """A user has bulk_esm and its dependencies, and not those of its tests."""
    for code in blocks("python"):
        for line in re.findall(r"^import .*|^from .* import .*", code, re.MULTILINE):
            name = line.split()[1].partition(".")[0]
            assert name in {"bulk_esm", *sys.stdlib_module_names} or f"# pip install {name}" in line


def test_there_is_code_to_run() -> None:
    assert len(blocks("python")) == 4
    assert len(commands()) >= 8


def test_policy_is_json() -> None:
    [policy] = blocks("json")
    assert {statement["Effect"] for statement in json.loads(policy)["Statement"]} == {"Allow"}


def test_scripts_of_the_readme_are_there() -> None:
    for name in ("demo", "probe", "test"):
        script = Path(__file__).parent.parent / "scripts" / name
        assert f"scripts/{name}" in README
        assert subprocess.run(["sh", "-n", script], check=False).returncode == 0
