"""How a run of the home shard stands, what is said on stderr, and the rate that is warned of."""

import io
import math
import re
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from cli_display import a_run
from cli_harness import ACCOUNT, Inside, Simulated, listening
from rich.console import Console

from bulk_esm import (
    Outcome,
)
from bulk_esm.cli import opening
from bulk_esm.cli.display import run_progress
from bulk_esm.cli.fleet_options import FleetOptions
from bulk_esm.cli.live import answer_text, bar
from bulk_esm.cli.look import RunLook, ShardLook, ShardState, home_pace_text, outcomes_text, stopping_text
from bulk_esm.cli.options import AwsOptions
from bulk_esm.cli.streams import say
from bulk_esm.cli.watch import Watch
from bulk_esm.executors.tasks import ShardStatus
from bulk_esm.model.events import GateAnswered
from bulk_esm.model.records import ShardEntry
from bulk_esm.model.shard import Shard
from bulk_esm.runs.shard_progress import ShardProgress


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


HOME = Shard(account_id=None, region="us-east-1")


def look_of(*, rate: float = 12.0, **more: Any) -> RunLook:
    """The home shard, allowed so much, at full speed 12."""
    shard = ShardLook(
        account_id=None,
        region="us-east-1",
        state=ShardState.AT_WORK,
        **{"total": 100, "rate": rate, "is_slowed": rate < 12, **more},
    )
    return RunLook(shards=[shard], rate=11.96, throttles=1234, elapsed_s=75, eta_s=shard.left_s)


def test_progress_in_words() -> None:
    outcomes = {Outcome.UPDATED: 1500, Outcome.UNCHANGED: 7, Outcome.FAILED: 0}
    assert outcomes_text(look_of(outcomes=outcomes, sending=50, settling=30)) == (
        "1,500 updated, 7 unchanged, 50 sending, 30 settling"
    )
    text = home_pace_text(look_of(left_s=9.0))
    assert text == "12.0 of 12 requests/s, 1,234 throttles, 1:15 elapsed, about 0:09 left"
    assert "12.0 of 3.0 (slowed down) requests/s" in home_pace_text(look_of(rate=3.0))
    over = look_of(total=100, done=60, settling=40)
    assert home_pace_text(over).endswith("waiting for the last to settle")


def test_a_bar_has_two_tones() -> None:
    console = Console(width=80, force_terminal=True, file=io.StringIO(), color_system=None)
    assert bar(0, 100, console).plain == "░" * 60
    assert bar(50, 100, console, sent=25).plain == "█" * 30 + "▒" * 15 + "░" * 15
    assert bar(1, 10_000, console, sent=1).plain == "█" + "░" * 59
    assert bar(9_999, 10_000, console, sent=1).plain == "█" * 59 + "▒"
    assert bar(7, 7, console).plain == bar(0, 0, console, sent=0).plain.replace("░", "█") == "█" * 60
    assert len(bar(5, 10, Console(width=33))) == 33


def test_a_stop_in_words() -> None:
    assert stopping_text(look_of(settling=9), 18.2) == "stopping: 9 settling, at most 0:18"
    assert stopping_text(look_of(settling=9, sending=2), -1) == "stopping: 2 sending, 9 settling, at most 0:00"


def answered(stage: str = "between", step: str = "go", reason: str | None = None) -> GateAnswered:
    return GateAnswered(gate="gate './ok.sh'", wave=2, stage=stage, step=step, reason=reason)


def test_answers_of_gates_in_words() -> None:
    assert answer_text(answered("before")) == "before the first update: gate './ok.sh': well"
    assert answer_text(answered()) == "after wave 2: gate './ok.sh': well"
    assert answer_text(answered("during", "wait", "no data")) == ("in wave 2: gate './ok.sh': no data; is asked again")
    assert answer_text(answered("bake", "halt", "it is red")) == "in the bake: gate './ok.sh': it is red; halts"


async def test_only_news_of_gates_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    screen = io.StringIO()
    run = a_run([progress_of()], has_shards=False)
    async with run_progress(run, clock=lambda: 0.0, console=Console(file=screen, force_terminal=True)) as display:
        for event in (*[answered("during")] * 3, *[answered()] * 3, answered("during", "wait", "no data"), answered()):
            display(event)
    assert re.findall("wave 2: [^\r\n]*", screen.getvalue() + capsys.readouterr().err) == [
        "wave 2: gate './ok.sh': well",
        "wave 2: gate './ok.sh': no data; is asked again",
        "wave 2: gate './ok.sh': well",
    ]


async def test_a_soak_counts_down() -> None:
    screen = io.StringIO()
    run = a_run([progress_of()], has_shards=False, stage="soaking", stage_left_s=125.0)
    async with run_progress(run, clock=lambda: 0.0, console=Console(file=screen, force_terminal=True)) as display:
        await anyio.wait_all_tasks_blocked()
        display.stops_at = 18.0
    assert "soaking, 2:05 left" in screen.getvalue()


def progress_of(**counts: Any) -> ShardProgress:
    progress = ShardProgress(ShardEntry(shard=HOME, items=100, updates=100))
    progress.at_work = True
    progress.status = ShardStatus(shard=HOME.name, **{"rate": 12.0, **counts})
    return progress


def eta_s(progress: ShardProgress) -> float:
    return Watch(lambda: [progress], clock=lambda: 0.0).look().eta_s


def test_the_time_that_is_left() -> None:
    assert eta_s(progress_of()) > eta_s(progress_of(settling=50)) > 0
    assert eta_s(progress_of(rate=3.0)) > eta_s(progress_of())
    over = progress_of(settling=40)
    over.outcomes[Outcome.UPDATED] = 60
    assert eta_s(over) == 0
    empty = ShardProgress(ShardEntry(shard=HOME))
    assert math.isfinite(eta_s(empty))


def test_what_needed_no_update_is_not_progress() -> None:
    progress = progress_of()
    progress.outcomes.update({Outcome.UPDATED: 15, Outcome.UNCHANGED: 7})
    assert Watch(lambda: [progress], clock=lambda: 0.0).look().done == 15


async def shown_progress(console: Console, ticks: int) -> None:
    """Show so many looks, a second each."""
    seconds = 0.0
    enough = anyio.Event()

    async def sleep(seconds_asked: float) -> None:
        nonlocal seconds, ticks
        await anyio.lowlevel.checkpoint()
        seconds += seconds_asked
        ticks -= 1
        if ticks < 0:
            enough.set()
            await anyio.sleep_forever()

    progress = progress_of()
    progress.outcomes.update({Outcome.UPDATED: 5, Outcome.FAILED: 1})
    run = a_run([progress], has_shards=False)
    async with run_progress(run, clock=lambda: seconds, sleep=sleep, console=console):
        await enough.wait()


async def test_plain_progress_is_a_line_each_ten_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    await shown_progress(Console(stderr=True), ticks=3)
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition("/")[0] for line in lines] == ["6", "6", "6"]
    assert "0:10 elapsed" in lines[0]
    assert "0:30 elapsed" in lines[2]


async def test_live_progress_at_a_terminal() -> None:
    screen = io.StringIO()
    await shown_progress(Console(file=screen, force_terminal=True, width=100), ticks=3)
    assert "pause run" in screen.getvalue()
    assert "6 of 100" in screen.getvalue()


def test_nobody_listens_on_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stderr", full)
        say("x")
        say("y")


def warned(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, *, rate: float) -> list[str]:
    """What is said before any work is done: no request is made."""
    said: list[str] = []
    monkeypatch.setattr(opening, "say", said.append)
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_LAMBDA", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCOUNT)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "simulated")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    async def nothing(_: object) -> int:
        return 7

    assert opening.with_bulk(AwsOptions(region="us-east-1", rate=rate), FleetOptions(), nothing) == 7
    return said


def test_a_rate_above_the_quota_is_warned_of_at_aws_only(monkeypatch: pytest.MonkeyPatch) -> None:
    (warning,) = warned({}, monkeypatch, rate=16)
    assert "--rate 16" in warning
    assert "15 requests/s" in warning
    assert warned({}, monkeypatch, rate=15) == []
    with listening() as listener:
        assert warned({"AWS_ENDPOINT_URL": listener.environment["AWS_ENDPOINT_URL"]}, monkeypatch, rate=300) == []
        assert not listener.was_called


def test_a_folder_that_is_not_there_yet_is_not_made_too_soon(tmp_path: Path, inside: Inside) -> None:
    """Whoever says no at the prompt, or has no permission, is left without an empty folder."""
    with Simulated(mappings=5) as simulated:
        done = inside(simulated.environment, "pause", "--all", "--runs-dir", "a/b/c", "--dry-run")
    assert done.code == 0
    assert list(tmp_path.iterdir()) == []
