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


def commands() -> list[str]:
    text = README.replace("\\\n", " ")
    found = re.findall(r"^    (?:\$ )?(bulk-esm .*)$", text, re.MULTILINE)
    return [re.sub(r"\s+(#|>).*$", "", command) for command in found]


@pytest.mark.parametrize("command", commands())
def test_commands_parse(command: str) -> None:
    words = shlex.split(command)[1:]
    make_app(words[0]).parse_args(words, exit_on_error=False, print_error=False)


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
