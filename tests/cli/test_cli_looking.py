"""Who we are is asked before anything is read, and a reading that takes its time says how far it is."""

import io
import math
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import anyio
import pytest
from cli_harness import ACCOUNT, FAST, Cli, Inside, Simulated
from rich.console import Console

from bulk_esm import bulk as bulk_module
from bulk_esm.bulk import BulkEsm
from bulk_esm.cli.looking import Looking, looking

OTHER = "210987654321"
MAPPINGS = 250


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize("sts", [True, False])
def test_credentials_of_another_account(
    sts: bool,  # noqa: FBT001 - a parameter of the test
    inside: Inside,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bulk_module, "_WHO_WE_ARE_WITHIN_S", 10.0 if sts else 0.05)
    commands = (("verify",), ("rollback", "--yes"), ("continue", "--yes"), ("resume", "--yes", "--run"))
    with Simulated(mappings=MAPPINGS, speed=1000.0) as simulated:
        assert inside(simulated.environment, "pause", "--all", "--yes", "--quiet", "--rate", "12000").code == 0
        (run,) = Cli(tmp_path).run_folders()
        others = simulated.environment | {"AWS_ACCESS_KEY_ID": OTHER}
        if not sts:
            others["AWS_ENDPOINT_URL_STS"] = "http://127.0.0.1:9"
        for command in commands:
            before = simulated.report()
            done = inside(others, *command, str(run), *FAST)
            after = simulated.report()
            assert done.code == 2, done.stderr
            assert f"that was planned in account {ACCOUNT}, and these credentials are of {OTHER}" in done.stderr
            assert after.count("list") - before.count("list") == (0 if sts else 1)
            assert after.count("get") == before.count("get")


def a_bulk(requests: Counter[tuple[str, str]], *, shards: int = 1) -> BulkEsm:
    control_plane = SimpleNamespace(requests=requests)
    return cast(
        "BulkEsm",
        SimpleNamespace(
            shards=[None] * shards,
            fleet=SimpleNamespace(is_named=shards > 1),
            home=SimpleNamespace(control_plane=control_plane),
        ),
    )


def test_how_far_a_reading_is_in_words() -> None:
    requests = Counter({("list", "ok"): 7, ("get", "ok"): 3})
    found = Looking(a_bulk(requests), mappings=3050)
    assert found.line() == "looking: 0 of 31 pages"
    requests["list", "ok"] += 12
    assert found.line() == "looking: 12 of 31 pages"
    requests["list", "ok"] += 20
    requests["get", "ok"] += 1200
    assert found.line() == "looking: 32 pages, 1,200 mappings by Get"
    alone = Looking(a_bulk(requests))
    requests["list", "ok"] += 1
    assert alone.line() == "looking: 1 page"
    many = Looking(a_bulk(requests, shards=57))
    many.shards = 12
    assert many.line() == "looking: 12 of 57 shards"


class Turns:
    """Sleeps that last until a test says so."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self._turn = anyio.Event()

    async def sleep(self, seconds: float) -> None:
        self.asked.append(seconds)
        turn = self._turn
        await turn.wait()

    async def pass_(self) -> None:
        await anyio.wait_all_tasks_blocked()
        turn, self._turn = self._turn, anyio.Event()
        turn.set()
        await anyio.wait_all_tasks_blocked()


@pytest.mark.parametrize("terminal", [True, False])
async def test_it_is_shown_after_a_moment(
    terminal: bool,  # noqa: FBT001 - a parameter of the test
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    requests: Counter[tuple[str, str]] = Counter()
    turns = Turns()
    console = Console(file=screen, force_terminal=terminal, width=80)
    async with looking(a_bulk(requests), quiet=False, mappings=3050, sleep=turns.sleep, console=console):
        requests["list", "ok"] = 12
        await anyio.wait_all_tasks_blocked()
        assert screen.getvalue() == ""
        for _ in range(2):
            await turns.pass_()
    assert turns.asked[0] == 1.0
    assert "looking: 12 of 31 pages" in screen.getvalue()


@pytest.mark.parametrize("quiet", [True, False])
async def test_what_is_over_at_once_or_was_not_asked_for_shows_nothing(
    quiet: bool,  # noqa: FBT001 - a parameter of the test
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)

    async def sleep(_: float) -> None:
        await anyio.sleep(0 if quiet else math.inf)

    async with looking(a_bulk(Counter()), quiet=quiet, sleep=sleep):
        await anyio.wait_all_tasks_blocked()
    assert screen.getvalue() == ""
