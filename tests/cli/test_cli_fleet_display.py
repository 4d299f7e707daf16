"""What a person sees of a fleet: the display by shard, at any size."""

import io
import sys
from collections.abc import Callable, Sequence
from typing import Any

import anyio
import pytest
from cli_display import a_run
from rich.console import Console, RenderableType

from bulk_esm import Outcome, Problem, Shard
from bulk_esm.cli.display import run_picture, run_progress
from bulk_esm.cli.look import RunLook, ShardLook, ShardState, pace_text, ranked, table_lines, time_left
from bulk_esm.cli.planning_display import PlanningProgress, planning_progress
from bulk_esm.cli.watch import Watch
from bulk_esm.errors import RunFolderError
from bulk_esm.executors.tasks import ShardStatus
from bulk_esm.model.records import ShardEntry
from bulk_esm.runs.shard_progress import ShardProgress

REGIONS = ("ap-southeast-1", "eu-west-1", "us-east-1")


def shard_of(number: int) -> Shard:
    return Shard(account_id=f"{111111111111 + number // len(REGIONS)}", region=REGIONS[number % len(REGIONS)])


def look_of(number: int, state: ShardState = ShardState.AT_WORK, **values: Any) -> ShardLook:
    shard = shard_of(number)
    return ShardLook(account_id=shard.account_id, region=shard.region, state=state, **{"total": 500, **values})


def looks(count: int) -> list[ShardLook]:
    """Some of everything, with the longest words there are."""
    failed = {Outcome.UPDATED: 11_000, Outcome.FAILED: 1_000, Outcome.TIMED_OUT: 300, Outcome.CONFLICT: 45}
    kinds: list[dict[str, Any]] = [
        {"state": ShardState.AT_WORK, "total": 12_345, "done": 1_000, "rate": 7.2, "is_slowed": True, "left_s": 1800.0},
        {"state": ShardState.AT_WORK, "total": 12_345, "done": 12_345, "outcomes": failed, "rate": 12.0},
        {"state": ShardState.FAILED, "total": 500, "done": 500, "reason": "it was refused\n" + "because " * 30},
        {"state": ShardState.WAITING},
        {"state": ShardState.DONE, "done": 500},
    ]
    return [look_of(number, **kinds[number % len(kinds)]) for number in range(count)]


def screen(picture: RenderableType, *, width: int = 80, height: int = 24) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)
    with console.capture() as captured:
        console.print(picture)
    return captured.get().splitlines()


def shown(look: RunLook, *, width: int = 80, height: int = 24) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True)
    return screen(
        run_picture("pause pause-20250101-000000-0a1b", look, "", console, by_shard=True), width=width, height=height
    )


# The display of a run


@pytest.mark.parametrize("size", [(80, 24), (200, 50), (60, 24), (40, 12)], ids=str)
@pytest.mark.parametrize("count", [1, 5, 60, 500])
def test_it_fits_the_screen(count: int, size: tuple[int, int]) -> None:
    width, height = size
    look = RunLook(shards=looks(count), rate=6789.1, throttles=123_456, elapsed_s=7384, eta_s=5025)
    lines = shown(look, width=width, height=height)
    assert len(lines) < height
    assert max(map(len, lines)) <= width
    assert lines[0].startswith("pause pause-20250101-000000-0a1b")
    if width >= 80:
        assert f"{look.done:,} of {look.total:,}" in lines[0]
        assert "6,789.1 requests/s, 123,456 throttles, 2:03:04 elapsed, about 1:23:45 left" in lines
        rows = [line for line in lines if line[:12].isdigit()]
        assert len(rows) == min(count, 12)
        assert all(any(region in row for region in REGIONS) for row in rows)


def test_the_totals() -> None:
    lines = shown(RunLook(shards=looks(60)))
    assert " ".join(lines[2:4]).startswith("132,000 updated, 12,000 failed, 3,600 timed_out, 540 conflict, 0 sending")
    assert lines[4] == "60 shards: 12 done, 24 at work, 12 waiting, 12 failed"
    assert "and 48 more: 12 done, 20 at work, 12 waiting, 4 failed" in lines
    stage = run_picture(
        "pause", RunLook(shards=looks(1)), "soaking, 0:40 left", Console(width=80, height=24), by_shard=True
    )
    assert screen(stage)[4] == "soaking, 0:40 left"


def test_few_shards_keep_their_places() -> None:
    few = looks(12)
    assert ranked(few, 12) == few


def test_the_failing_come_first_and_then_the_slowest() -> None:
    conflict = look_of(1, ShardState.DONE, outcomes={Outcome.CONFLICT: 2})
    failed = look_of(2, ShardState.WAITING, outcomes={Outcome.FAILED: 3})
    lost = look_of(3, ShardState.FAILED, reason="it was lost")
    never = look_of(4, ShardState.FAILED, total=0, reason="it was denied")
    slow, slower = look_of(5, left_s=100.0), look_of(6, left_s=200.0)
    quiet = [look_of(number, ShardState.DONE) for number in range(7, 30)]
    assert ranked([*quiet, conflict, failed, slow, slower, never, lost], 12) == [
        lost,
        failed,
        conflict,
        never,
        slower,
        slow,
    ]


def test_many_failing_shards_leave_room_for_the_slowest() -> None:
    failing = [look_of(number, ShardState.FAILED) for number in range(100)]
    slow = [look_of(number, left_s=1.0) for number in range(100, 200)]
    assert [shard.is_failing for shard in ranked([*failing, *slow], 12)] == [True] * 8 + [False] * 4
    assert ranked([*failing, slow[0]], 12) == [*failing[:11], slow[0]]
    assert ranked(failing, 12) == failing[:12]


def test_rows_stay_where_they_are_while_shards_are_alike() -> None:
    def some(seconds: Callable[[int], float]) -> list[str]:
        return [shard.name for shard in ranked([look_of(n, left_s=seconds(n)) for n in range(100)], 12)]

    assert some(lambda n: 40.0 + n % 3) == some(lambda n: 42.0 - n % 3) == [look_of(n).name for n in range(12)]


def test_columns_stay_where_they_are_whoever_is_shown() -> None:
    shards = looks(60)
    heading, *rows, _ = [line for line, _ in table_lines(shards, 12)]
    for row in (row for row in rows if "slowed" in row):
        assert row.index("slowed") + len("slowed") == heading.index("requests/s") + len("requests/s")
    assert table_lines(shards, 0) == table_lines([], 12) == []


def test_why_a_shard_failed_is_told_in_its_row() -> None:
    denied = look_of(0, ShardState.FAILED, total=0, reason="it was\n  denied")
    lost = look_of(1, ShardState.FAILED, done=500, reason="its worker was lost")
    waits = look_of(2, ShardState.WAITING, done=3, outcomes={Outcome.FAILED: 1, Outcome.UPDATED: 2})
    mixed = look_of(3, ShardState.DONE, done=3, outcomes={Outcome.FAILED: 1, Outcome.CONFLICT: 2})
    assert [line.split(maxsplit=2)[2] for line, is_bad in table_lines([denied, lost, waits, mixed], 5) if is_bad] == [
        "it was denied",
        "500/500: its worker was lost",
        "3/500               waiting  1 failed",
        "3/500                  done  3 not well",
    ]


# Looks at a run


def progress_of(number: int, updates: int = 100, problem: Problem | None = None) -> ShardProgress:
    return ShardProgress(ShardEntry(shard=shard_of(number), items=updates, updates=updates, problem=problem))


def works(progress: ShardProgress, sent: int, rate: float = 12.0, throttles: int = 0, **more: Any) -> None:
    requests = {"update": sent, "throttled": throttles}
    progress.at_work = True
    progress.status = ShardStatus(shard=progress.name, requests=requests, rate=rate, **more)


def test_the_rate_is_that_of_all_shards_however_often_each_is_opened() -> None:
    seconds = 0.0
    progress_by_shard = [progress_of(n) for n in range(3)]
    watch = Watch(lambda: progress_by_shard, clock=lambda: seconds)
    works(progress_by_shard[0], 20, throttles=2)
    works(progress_by_shard[1], 30)
    seconds = 5.0
    assert watch.look().rate == 10
    progress_by_shard[0].requests.update(
        {"update": 20, "get": 2, "throttled": 3, "errors": 1}
    )  # it ended, and counts all
    progress_by_shard[0].rest()
    works(progress_by_shard[1], 48)
    seconds = 7.0
    assert watch.look().rate == 10
    works(progress_by_shard[0], 5, throttles=1)  # opened again, for its next wave
    progress_by_shard[1].rest()  # its worker was lost
    seconds = 7.5
    look = watch.look()
    assert look.rate == 10
    assert look.throttles == 4
    seconds = 100.0
    watch.look()
    seconds = 120.0
    assert watch.look().rate == 0  # only the last moments count


def test_a_look_at_each_shard() -> None:
    denied, working, over, waiting = progress_by_shard = [
        progress_of(0, 0, Problem(reason="denied")),
        progress_of(1),
        progress_of(2, 5),
        progress_of(3),
    ]
    watch = Watch(lambda: progress_by_shard, clock=lambda: 0.0)
    works(working, 90, rate=12.0)
    watch.look()
    working.outcomes[Outcome.UPDATED] = 30
    works(working, 120, rate=6.0, sending=5, settling=10)
    over.outcomes[Outcome.UPDATED] = 5
    shards = watch.look().shards
    assert [shard.state for shard in shards] == ["failed", "at work", "done", "waiting"]
    assert shards[0].reason == "denied"
    assert (shards[1].done, shards[1].sending, shards[1].settling, shards[1].is_slowed) == (30, 5, 10, True)
    assert shards[1].left_s == pytest.approx(60 * (120 / 45) / 6.0)
    assert denied.name == "111111111111-ap-southeast-1"
    assert not waiting.outcomes


def test_the_time_that_is_left() -> None:
    largest = look_of(0, total=1000, left_s=90.0)
    shards = [largest, *(look_of(n, ShardState.WAITING, total=100) for n in range(1, 11))]
    assert time_left(shards, rate=0.0, spent=1.0) == 90  # nothing was measured yet
    assert time_left(shards, rate=120.0, spent=1.0) == 90  # the largest decides
    assert time_left(shards, rate=12.0, spent=1.2) == pytest.approx(200)  # they cannot all work at once
    over = look_of(0, total=40, done=30, settling=10)
    assert time_left([over], rate=12.0, spent=1.0) == 0
    assert pace_text(RunLook(shards=[over])).endswith("waiting for the last to settle")


# Live, in plain lines, and not at all


class Seconds:
    """A clock that goes on whenever somebody sleeps, and stops after so many sleeps."""

    def __init__(self, sleeps: int) -> None:
        self.now = 0.0
        self.sleeps = sleeps
        self.enough = anyio.Event()

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        await anyio.lowlevel.checkpoint()
        self.now += seconds
        self.sleeps -= 1
        if self.sleeps < 0:
            self.enough.set()
            await anyio.sleep_forever()


async def show_run(console: Console, progress_by_shard: Sequence[ShardProgress], stage: str = "") -> None:
    seconds = Seconds(3)
    run = a_run(progress_by_shard, stage=stage)
    async with run_progress(run, clock=seconds.clock, sleep=seconds.sleep, console=console) as display:
        await seconds.enough.wait()
        with display.hidden():
            console.print("a question")


async def test_a_run_in_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    progress_by_shard = [progress_of(0), progress_of(1, 0, Problem(reason="denied"))]
    progress_by_shard[0].outcomes.update({Outcome.UPDATED: 40, Outcome.UNCHANGED: 3})
    works(progress_by_shard[0], 50, settling=20)
    await show_run(Console(stderr=True), progress_by_shard)
    *lines, question = capsys.readouterr().err.splitlines()
    assert question == "a question"
    assert lines[0] == (
        "40/100 done: 40 updated, 3 unchanged, 0 sending, 20 settling; shards: 1 at work, 1 failed; "
        "0.0 requests/s, 0 throttles, 0:10 elapsed, about 0:03 left"
    )
    assert [line.count("0:20") + line.count("0:30") for line in lines] == [0, 1, 1]
    await show_run(Console(stderr=True), progress_by_shard, "soaking")
    assert capsys.readouterr().err.splitlines()[0].endswith("; soaking")


async def test_a_run_at_a_terminal() -> None:
    screen = io.StringIO()
    progress_by_shard = [progress_of(number) for number in range(100)]
    await show_run(Console(file=screen, force_terminal=True, width=80, height=24), progress_by_shard)
    assert "100 shards: 100 waiting" in screen.getvalue()
    assert "0 of 10,000" in screen.getvalue()
    assert "a question" in screen.getvalue()


async def test_nothing_is_shown_where_all_is_to_be_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    async with (
        run_progress(a_run([]), clock=lambda: 0.0, console=Console(stderr=True, quiet=True)),
        planning_progress(1, clock=lambda: 0.0, console=Console(stderr=True, quiet=True)) as progress,
    ):
        progress.planned("x", 1, 1, None)
    assert capsys.readouterr().err == ""


async def test_planning_in_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    seconds = Seconds(1)
    async with planning_progress(
        4, clock=seconds.clock, sleep=seconds.sleep, console=Console(file=sys.stderr)
    ) as progress:
        for number, count in enumerate((5, 6, 7)):
            progress.waiting(shard_of(number).name, count)
        progress.planned(shard_of(0).name, 1_500, 1_200, None)
        progress.planned(shard_of(3).name, 0, 0, Problem(reason="denied"))
        await seconds.enough.wait()
    line = "2/4 shards planned, 1,500 mappings found, 1,200 to update, 1 failed, 2 wait for 13 mappings in transition"
    assert capsys.readouterr().err.splitlines() == [f"{line}, 0:10 elapsed"]


def test_planning_fits_the_screen() -> None:
    progress = PlanningProgress(500, clock=lambda: 0.0)
    for number in range(400):
        progress.waiting(shard_of(number).name, number)
        if number % 2:
            problem = Problem(reason="it was refused\n" + "because " * 30) if number % 7 == 0 else None
            progress.planned(shard_of(number).name, 500, 400, problem)
    lines = screen(progress.picture(Console(width=80, height=24)))
    assert len(lines) < 24
    assert max(map(len, lines)) <= 80
    assert lines[0] == "planning  200 of 500 shards"
    assert "111111111113-eu-west-1: it was refused because" in lines[4]
    assert lines[9:11] == ["and 24 more", "111111111243-us-east-1 waits for 398 mappings in transition"]
    assert lines[-1] == "and 195 more"


async def test_what_ends_the_planning_is_raised_as_it_is() -> None:
    with pytest.raises(RunFolderError, match="the disk is full"):
        async with planning_progress(1, clock=lambda: 0.0, console=Console(file=io.StringIO())):
            raise RunFolderError("the disk is full")
