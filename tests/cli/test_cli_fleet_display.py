"""What a person sees of a fleet: the display by shard at any size, and the summaries before and after a run."""

import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from bulk_esm.cli.fleet_look import FleetLook, ShardLook, ShardState, pace_text, ranked, table_lines, time_left
from bulk_esm.cli.fleet_progress import PlanningProgress, fleet_picture, fleet_progress, planning_progress
from bulk_esm.cli.fleet_summary import fleet_plan_summary, fleet_run_summary, shard_problem_lines
from bulk_esm.cli.fleet_watch import Watch
from bulk_esm.store.fleet_folder import FleetFolder, FleetRecord, ShardEntry
from rich.console import Console, RenderableType

from bulk_esm import Action, Outcome, Plan, PlanItem, Result, RunRecord, RunStatus, SourceType
from bulk_esm.errors import RunFolderError
from bulk_esm.executors.tasks import ShardStatus
from bulk_esm.model.result import ErrorRecord
from bulk_esm.model.shard import Problem, Shard
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


def shown(look: FleetLook, *, width: int = 80, height: int = 24) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True)
    return screen(fleet_picture("pause pause-20250101-000000-0a1b", look, "", console), width=width, height=height)


# The display of a run


@pytest.mark.parametrize("size", [(80, 24), (200, 50), (60, 24), (40, 12)], ids=str)
@pytest.mark.parametrize("count", [1, 5, 60, 500])
def test_it_fits_the_screen(count: int, size: tuple[int, int]) -> None:
    width, height = size
    look = FleetLook(shards=looks(count), rate=6789.1, throttles=123_456, elapsed_s=7384, eta_s=5025)
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
    lines = shown(FleetLook(shards=looks(60)))
    assert " ".join(lines[2:4]).startswith("132,000 updated, 12,000 failed, 3,600 timed_out, 540 conflict, 0 sending")
    assert lines[4] == "60 shards: 12 done, 24 at work, 12 waiting, 12 failed"
    assert "and 48 more: 12 done, 20 at work, 12 waiting, 4 failed" in lines
    stage = fleet_picture("pause", FleetLook(shards=looks(1)), "soaking, 0:40 left", Console(width=80, height=24))
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


def standing_of(number: int, updates: int = 100, problem: Problem | None = None) -> ShardProgress:
    return ShardProgress(ShardEntry(shard=shard_of(number), items=updates, updates=updates, problem=problem))


def works(standing: ShardProgress, granted: int, rate: float = 12.0, **more: Any) -> None:
    standing.at_work = True
    standing.status = ShardStatus(shard=standing.name, granted=granted, rate=rate, **more)


def test_the_rate_is_that_of_all_shards_however_often_each_is_opened() -> None:
    seconds = 0.0
    progress_by_shard = [standing_of(n) for n in range(3)]
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
        standing_of(0, 0, Problem(reason="denied")),
        standing_of(1),
        standing_of(2, 5),
        standing_of(3),
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
    assert pace_text(FleetLook(shards=[over])).endswith("waiting for the last to settle")


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
    async with fleet_progress(
        lambda: progress_by_shard,
        stage=lambda: stage,
        title="pause run",
        clock=seconds.clock,
        sleep=seconds.sleep,
        console=console,
    ) as display:
        await seconds.enough.wait()
        with display.hidden():
            console.print("a question")


async def test_a_run_in_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    progress_by_shard = [standing_of(0), standing_of(1, 0, Problem(reason="denied"))]
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
    progress_by_shard = [standing_of(number) for number in range(100)]
    await show_run(Console(file=screen, force_terminal=True, width=80, height=24), progress_by_shard)
    assert "100 shards: 100 waiting" in screen.getvalue()
    assert "0 of 10,000" in screen.getvalue()
    assert "a question" in screen.getvalue()


async def test_nothing_is_shown_where_all_is_to_be_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    async with (
        fleet_progress(list, title="x", clock=lambda: 0.0, console=Console(stderr=True, quiet=True)),
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


# Summaries


DENIED = "arn:aws:iam::{account_id}:role/Ops was refused in {region} (request ...)"


def denied(number: int) -> Problem:
    shard = shard_of(number)
    role = f"arn:aws:iam::{shard.account_id}:role/Ops"
    return Problem(reason=f"{role} was refused in {shard.region} (request {number:08x}-0000-4000-8000-000000000000)")


def test_shards_that_cannot_be_reached_are_grouped_by_reason() -> None:
    entries = [ShardEntry(shard=shard_of(n), items=1, updates=1) for n in range(50)]
    entries += [ShardEntry(shard=shard_of(n), problem=denied(n)) for n in range(51, 58)]
    entries += [ShardEntry(shard=shard_of(58), problem=Problem(reason="500 in eu-west-1"))]
    assert list(shard_problem_lines(entries[:50])) == []
    assert list(shard_problem_lines(entries)) == [
        "8 of 58 shards could not be reached:",
        f"  111111111128 ({', '.join(REGIONS)}), 111111111129 (ap-southeast-1, eu-west-1) and 2 more: {DENIED}",
        "  111111111130 (eu-west-1): 500 in eu-west-1",
    ]
    many = [ShardEntry(shard=shard_of(n), problem=Problem(reason=f"reason {n}")) for n in range(20)]
    assert list(shard_problem_lines(many))[-1] == "  and 12 more shards, for 12 more reasons"


def test_the_summary_of_a_fleets_plan() -> None:
    entries = [ShardEntry(shard=shard_of(n), items=9, updates=[1_000, 40, 0][n % 3]) for n in range(6)]
    shards = [entry.shard for entry in entries]
    assert list(fleet_plan_summary(entries, [shards])) == [
        "6 shards: 2 accounts x 3 Regions",
        "  updates in a shard: 40 (111111111111 eu-west-1) to 1,000 (111111111112 ap-southeast-1)",
        "  nothing to do in 2: 111111111111 (us-east-1), 111111111112 (us-east-1)",
    ]
    assert list(fleet_plan_summary(entries[:5], [shards[:1], shards[1:5]]))[::3] == [
        "5 shards in 2 accounts and 3 Regions",
        "  one after another, in 2 groups of shards: 1 + 4",
    ]
    assert list(fleet_plan_summary(entries[2:3], [shards[2:3]])) == ["1 shard: 1 account x 1 Region"]


def record_of(**values: Any) -> RunRecord:
    return RunRecord(
        **{
            "run_id": "pause-1",
            "command": "pause",
            "argv": (),
            "version": "1",
            "account_id": None,
            "region": "eu-west-1",
            "started_at": "2025-01-01T00:00:00.000Z",
            "ended_at": "2025-01-01T00:01:02.000Z",
            **values,
        }
    )


def result_of(number: int, outcome: Outcome, message: str = "") -> Result:
    shard = shard_of(number)
    return Result(
        run_id="pause-1",
        uuid=f"{number:08x}-0000-4000-8000-000000000000",
        function_arn=f"arn:aws:lambda:{shard.region}:{shard.account_id}:function:orders",
        event_source_arn=None,
        source_type=SourceType.SQS,
        account_id=shard.account_id,
        region=shard.region,
        wave=1,
        outcome=outcome,
        state=None,
        request={},
        error=ErrorRecord(code="Failed", message=message) if message else None,
    )


def fleet_folder(
    runs_dir: Path,
    record: RunRecord,
    problems: dict[int, Problem],
    results: dict[int, list[Result]],
    lost: dict[int, str] | None = None,
) -> FleetFolder:
    """A run's folder with so many shards as are named."""
    folder = FleetFolder.begin(runs_dir, record.run_id)
    numbers = sorted({*problems, *results})
    for number in numbers:
        name = shard_of(number).name
        found = results.get(number, [])
        items = [
            PlanItem(
                uuid=result.uuid,
                function_arn=result.function_arn,
                event_source_arn=None,
                source_type=SourceType.SQS,
                state="Enabled",
                action=Action.UPDATE,
            )
            for result in found
        ]
        reason = (lost or {}).get(number) or (problems[number].reason if number in problems else None)
        status = RunStatus.UNREACHABLE if reason else record.status
        folder.add(name, record_of(status=status, reason=reason), Plan(tuple(items)))
        with folder.shard(name).open_results() as writer:
            for result in found:
                writer.append(result)
    shards = tuple(ShardEntry(shard=shard_of(n), items=1, updates=1, problem=problems.get(n)) for n in numbers)
    folder.publish(record, FleetRecord(shards=shards, groups=(tuple(entry.shard.name for entry in shards),)))
    return folder


def test_the_summary_of_a_run_over_many_shards(tmp_path: Path) -> None:
    record = record_of(
        status=RunStatus.FINISHED,
        counts={"updated": 27_500, "failed": 3, "not_started": 1},
        requests={"list": 3, "get": 4, "update": 27_504, "throttled": 6, "errors": 7},
        shards={"finished": 2, "unreachable": 4},
    )
    alone = "  nothing was planned in 3 shards; when they can be reached: the same command for them alone"
    small = "too small in {region} of {account_id}"

    def failed(number: int) -> Result:
        shard = shard_of(number)
        return result_of(number, Outcome.FAILED, small.format(account_id=shard.account_id, region=shard.region))

    folder = fleet_folder(
        tmp_path,
        record,
        {0: denied(0), 1: denied(1), 2: denied(2)},
        {3: [failed(3), result_of(30, Outcome.UPDATED)], 4: [failed(4), failed(34)], 5: []},
        lost={5: "every answer was 500"},
    )
    assert list(fleet_run_summary(record, folder)) == [
        "pause finished in 1:02: 27,500 updated, 3 failed, 1 not_started",
        "  2 of 6 shards finished, 4 unreachable",
        f"    111111111111 (ap-southeast-1, eu-west-1, us-east-1): {DENIED}",
        "    111111111112 (us-east-1): every answer was 500",
        "  not well in 2 shards: 111111111112 eu-west-1 (2), 111111111112 ap-southeast-1 (1)",
        "  3 failed: Failed: too small in {region} of {account_id}",
        "    such as 00000003-0000-4000-8000-000000000000 (orders in 111111111112 ap-southeast-1)",
        "  requests: 3 list, 4 get, 27,504 update; 6 throttled, 7 errors",
        f"  folder: {folder.path}",
        f"  to finish it: bulk-esm continue {folder.path}",
        f"  to put back what it changed: bulk-esm rollback {folder.path}",
        f"{alone}, with --accounts 111111111111 --regions ap-southeast-1,eu-west-1,us-east-1",
    ]


def test_shards_that_make_no_rectangle_are_done_by_the_same_command_again(tmp_path: Path) -> None:
    record = record_of(status=RunStatus.FINISHED, shards={"finished": 1, "unreachable": 2})
    folder = fleet_folder(tmp_path, record, {0: denied(0), 4: denied(4)}, {1: []})
    last = list(fleet_run_summary(record, folder))[-1]
    assert last.endswith("when they can be reached: the same command again (it leaves alone what is as asked)")


def test_shards_of_a_file_are_done_by_the_same_command_again(tmp_path: Path) -> None:
    """Accounts and Regions could not be named beside the file, and the role is in it."""
    record = msgspec.structs.replace(
        record_of(status=RunStatus.FINISHED, shards={"finished": 1, "unreachable": 1}),
        argv=("pause", "--fleet", "f.toml"),
    )
    folder = fleet_folder(tmp_path, record, {0: denied(0)}, {1: []})
    last = list(fleet_run_summary(record, folder))[-1]
    assert (
        last == "  nothing was planned in 1 shard; when they can be reached: the same command again (it leaves alone "
        "what is as asked)"
    )
    back = record_of(status=RunStatus.FINISHED, command="rollback", undoes="pause-0", shards=record.shards)
    assert ": bulk-esm rollback pause-0 " in list(fleet_run_summary(back, folder))[-1]


def test_the_summary_of_a_run_that_was_killed(tmp_path: Path) -> None:
    record = record_of(status=RunStatus.RUNNING, ended_at=None)
    many = {n: [result_of(n, Outcome.FAILED, f"reason {n}")] for n in range(20)}
    folder = fleet_folder(tmp_path, record, {}, many)
    lines = list(fleet_run_summary(record, folder))
    assert lines[0].startswith("pause did not end")
    assert lines[1] == "  20 shards"
    assert lines[2].endswith(
        "111111111112 us-east-1 (1), 111111111113 ap-southeast-1 (1), 111111111113 eu-west-1 (1) and 12 more"
    )
    assert "  and 12 more causes; see results.jsonl" in lines
    assert f"  to finish it: bulk-esm continue {folder.path}" in lines
    assert len(lines) == 3 + 2 * 8 + 1 + 3


def test_the_summary_of_a_run_that_went_well_reads_no_results(tmp_path: Path) -> None:
    record = record_of(status=RunStatus.FINISHED, counts={"updated": 2}, shards={"finished": 2})
    folder = fleet_folder(tmp_path, record, {}, {n: [result_of(n, Outcome.UPDATED)] for n in range(2)})
    (folder.path / "shards" / shard_of(0).name / "results.jsonl").write_text("no JSON\n", encoding="utf-8")
    assert list(fleet_run_summary(record, folder)) == [
        "pause finished in 1:02: 2 updated",
        "  2 of 2 shards finished",
        f"  folder: {folder.path}",
    ]
