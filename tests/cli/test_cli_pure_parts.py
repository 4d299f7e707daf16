"""The pure parts: durations, files of input, rows and summaries, progress, consent and rates."""

import csv
import io
import math
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from bulk_esm.cli.conduct import exit_code
from bulk_esm.cli.progress import Standing, counts_text, progress, rate_text
from cli_harness import ACCOUNT, NO_SUCH_UUID, Inside, Simulated, listening
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from bulk_esm import Action, Change, Outcome, PlanItem, Result, RunRecord, RunStatus, SourceType, UsageError
from bulk_esm.aws.pacing import PacerStatistics
from bulk_esm.cli import carry_out
from bulk_esm.cli.durations import format_duration, parse_duration
from bulk_esm.cli.inputs import check_uuid, read_change, read_selection, reads_stdin, require_selection
from bulk_esm.cli.options import AwsOptions, ChangeOptions, SelectOptions
from bulk_esm.cli.output import Results, form_for, tail_of
from bulk_esm.cli.streams import say
from bulk_esm.cli.summary import Pace, plan_row, plan_summary, result_row, run_summary
from bulk_esm.engine.settings import EngineStatistics
from bulk_esm.model.change import Difference
from bulk_esm.model.result import ErrorRecord

UUIDS = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(20)]
FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:orders:live"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:orders-queue"


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


# Durations


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("2h", 7200), ("1.5h", 5400), (" 1s ", 1), ("0.5s", 0.5)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "15", "m", "15 m", "-15m", "15M", "1h30m", "0m", "0.0s", "infs", "1e3s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(UsageError, match="write it like 90s, 15m or 2h") as raised:
        parse_duration(text, "--timeout")
    assert str(raised.value).startswith("--timeout ")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (7.4, "0:07"), (134, "2:14"), (59.6, "1:00"), (3723, "1:02:03"), (3599.9, "1:00:00")],
)
def test_shown_durations(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.integers(min_value=1, max_value=10**6), st.sampled_from("smh"))
def test_every_whole_number_with_a_unit_is_a_duration(number: int, unit: str) -> None:
    assert parse_duration(f"{number}{unit}") == number * {"s": 1, "m": 60, "h": 3600}[unit]


# Inputs


def test_identifiers() -> None:
    arn = f"arn:aws-cn:lambda:cn-north-1:{ACCOUNT}:event-source-mapping:{NO_SUCH_UUID}"
    for text in (NO_SUCH_UUID, f" {NO_SUCH_UUID.upper()}\t", arn):
        assert check_uuid(text, "here") == NO_SUCH_UUID
    for wrong in ("", "orders", NO_SUCH_UUID[:-1], NO_SUCH_UUID + "0", FUNCTION):
        with pytest.raises(UsageError, match=r"^here: "):
            check_uuid(wrong, "here")
    for missing in (None, 5, ["x"]):
        with pytest.raises(UsageError, match=r"^here: a UUID is missing"):
            check_uuid(missing, "here")


def test_a_selection_from_all_flags(tmp_path: Path) -> None:
    (tmp_path / "uuids").write_text(f'{UUIDS[0]}\r\n# a comment\r\n\r\n{{"UUID": "{UUIDS[1]}"}}\r\n', encoding="utf-8")
    selection = read_selection(
        SelectOptions(
            function=("orders-*", "arn:*"),
            source_type=("sqs-fifo",),
            state=("disabled", "ENABLED"),
            uuid=(UUIDS[2],),
            from_file=(str(tmp_path / "uuids"),),
        )
    )
    assert selection.functions == ("orders-*", "arn:*")
    assert selection.source_types == (SourceType.SQS_FIFO,)
    assert selection.states == ("Disabled", "Enabled")
    assert selection.uuids == frozenset(UUIDS[:3])
    require_selection(selection)


def test_requests_select_and_other_uuids_narrow_them() -> None:
    requests = {uuid: Change({"BatchSize": 5}) for uuid in UUIDS[:3]}
    assert read_selection(SelectOptions(), requests).uuids == frozenset(UUIDS[:3])
    assert read_selection(SelectOptions(uuid=(UUIDS[1], UUIDS[9])), requests).uuids == frozenset({UUIDS[1]})


def test_nothing_selected() -> None:
    for options in (SelectOptions(), SelectOptions(exclude=("orders-*",))):
        with pytest.raises(UsageError, match="--all"):
            require_selection(read_selection(options))
    require_selection(read_selection(SelectOptions(all_=True, exclude=("orders-*",))))


def test_flags_win_over_the_file_and_merge_with_it(tmp_path: Path) -> None:
    (tmp_path / "change.yaml").write_text("BatchSize: 5\nScalingConfig: {MaximumConcurrency: 9}\n", encoding="utf-8")
    options = ChangeOptions(change=tmp_path / "change.yaml", set_=("BatchSize=7",), unset=("FilterCriteria",))
    change = read_change(options)
    assert change == Change({"BatchSize": 7, "ScalingConfig": {"MaximumConcurrency": 9}}, ("FilterCriteria",))


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "change.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="not text in UTF-8"):
        read_change(ChangeOptions(change=tmp_path / "change.yaml"))


def test_who_reads_stdin() -> None:
    assert not reads_stdin(SelectOptions(from_file=("file",)), "file")
    assert reads_stdin(SelectOptions(from_file=("-", "file")))
    assert reads_stdin(SelectOptions(), "-")
    with pytest.raises(UsageError, match="only once"):
        reads_stdin(SelectOptions(from_file=("-",)), "-")


# Output


def test_tails_of_arns() -> None:
    assert tail_of(FUNCTION) == "orders:live"
    assert tail_of(QUEUE) == "orders-queue"
    assert tail_of("arn:aws:kinesis:us-east-1:1:stream/a") == "stream/a"
    assert tail_of(None) == "-"


def test_csv_quotes_what_needs_quotes(monkeypatch: pytest.MonkeyPatch) -> None:
    stdout = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stdout)
    results = Results("csv", ("a", "b"), lambda record: record)
    rows = [("x,y", 'say "z"'), ("line\nbreak", "")]
    results.add_all(rows)
    results.finish()
    assert list(csv.reader(io.StringIO(stdout.getvalue()))) == [["a", "b"], *map(list, rows)]


def test_a_table_shows_markup_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    results = Results("table", ("a", "b"), lambda record: record)
    results.add(("[red]x[/red]", "y" * 300))
    results.finish()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[1].split() == ["[red]x[/red]", "y" * 300]


def test_the_form_without_a_terminal() -> None:
    assert form_for(None) == "jsonl"
    assert form_for("csv") == "csv"


# Summaries


def item(number: int, action: Action, **more: Any) -> PlanItem:
    return PlanItem(
        uuid=UUIDS[number],
        function_arn=FUNCTION,
        event_source_arn=QUEUE,
        source_type=SourceType.SQS,
        state="Enabled",
        action=action,
        **more,
    )


def result(number: int, outcome: Outcome, error: ErrorRecord | None = None) -> Result:
    return Result(
        run_id="run",
        uuid=UUIDS[number],
        function_arn=FUNCTION,
        event_source_arn=QUEUE,
        source_type=SourceType.SQS,
        account_id=ACCOUNT,
        region="us-east-1",
        wave=1,
        outcome=outcome,
        state=None,
        request={},
        error=error,
    )


def test_rows() -> None:
    difference = Difference("MaximumBatchingWindowInSeconds", None, 5, irreversible=True)
    row = plan_row(item(0, Action.UPDATE, diff=(difference, Difference("BatchSize", 5, 7))))
    assert row[:6] == (UUIDS[0], "orders:live", "orders-queue", "sqs", "Enabled", "update")
    assert row[6] == "MaximumBatchingWindowInSeconds: unset -> 5 (irreversible); BatchSize: 5 -> 7"
    assert plan_row(item(0, Action.BLOCKED, diff=(difference,), problems=("a", "b")))[6] == "a; b"
    long = plan_row(item(0, Action.UPDATE, diff=(Difference("KMSKeyArn", None, "k" * 100),)))[6]
    assert long.endswith("...")
    failed = result(0, Outcome.FAILED, ErrorRecord(code="InvalidParameterValueException", message="too small"))
    assert result_row(failed)[4:] == ("failed", "-", "InvalidParameterValueException: too small")
    assert result_row(result(0, Outcome.UPDATED))[6] == ""


def test_the_summary_of_a_plan() -> None:
    updates = [
        item(n, Action.UPDATE, request={"BatchSize": 7}, diff=(Difference("BatchSize", 5, 7),)) for n in range(6)
    ]
    blocked = [item(n, Action.BLOCKED, problems=(f"reason {n}",)) for n in range(6, 16)]
    lines = list(plan_summary((*updates, *blocked, item(16, Action.UNCHANGED)), pace=Pace.of(len(updates), 0.1)))
    assert lines[0] == "17 mappings selected: 6 to update, 1 already as asked, 10 blocked"
    assert "  6 x BatchSize: 5 -> 7" in lines
    assert "6 updates and about 1 looks take at least 1:06 at 0.1 requests/s" in lines
    assert lines[-10] == "blocked:"
    assert lines[-1] == "  and 2 more"
    assert list(plan_summary((), pace=Pace.of(0, 12))) == [
        "0 mappings selected: 0 to update, 0 already as asked, 0 blocked"
    ]


def record_of(**values: Any) -> RunRecord:
    return RunRecord(
        run_id="run",
        command="pause",
        argv=(),
        version="1",
        account_id=ACCOUNT,
        region="us-east-1",
        started_at="2025-01-01T00:00:00.000Z",
        **values,
    )


def test_the_summary_of_a_run_groups_failures_by_cause() -> None:
    small = ErrorRecord(code="InvalidParameterValueException", message="too small")
    late = ErrorRecord(code="TimedOut", message="still Disabling")
    results = [
        result(0, Outcome.UPDATED),
        result(1, Outcome.TIMED_OUT, late),
        result(2, Outcome.FAILED, small),
        result(3, Outcome.FAILED, small),
        result(4, Outcome.BLOCKED, ErrorRecord(code="Blocked", message="cannot")),
    ]
    record = record_of(
        status=RunStatus.FINISHED,
        ended_at="2025-01-01T00:02:14.000Z",
        counts={"timed_out": 1, "updated": 1234, "failed": 2, "blocked": 1},
        requests={"list": 3, "get": 4, "update": 5, "throttled": 6, "errors": 7},
    )
    assert list(run_summary(record, results, folder=Path("runs/x"))) == [
        "pause finished in 2:14: 1,234 updated, 1 blocked, 2 failed, 1 timed_out",
        "  2 failed: InvalidParameterValueException: too small",
        f"    such as {UUIDS[2]} (orders:live)",
        "  1 timed_out: TimedOut: still Disabling",
        f"    such as {UUIDS[1]} (orders:live)",
        "  1 blocked: Blocked: cannot",
        f"    such as {UUIDS[4]} (orders:live)",
        "  requests: 3 list, 4 get, 5 update; 6 throttled, 7 errors",
        "  folder: runs/x",
    ]


def test_the_summary_of_a_run_keeps_to_a_page() -> None:
    results = [result(n, Outcome.FAILED, ErrorRecord(code=f"Code{n}", message="x")) for n in range(20)]
    lines = list(run_summary(record_of(reason="the token expired"), results, folder=Path("runs/x")))
    assert lines[0].startswith("pause did not end: it was killed, or is still running")
    assert lines[1] == "  because: the token expired"
    assert lines[-4:] == [
        "  and 12 more causes; see results.jsonl",
        "  folder: runs/x",
        "  to finish it: bulk-esm continue runs/x",
        "  to put back what it changed: bulk-esm rollback runs/x",
    ]
    assert len(lines) == 2 + 2 * 8 + 4


# Progress


def standing(*, rate: float = 12.0, **engine: Any) -> Standing:
    found: dict[str, Any] = {"total": 100, "sending": 0, "settling": 0, "outcomes": {}, **engine}
    pacer = PacerStatistics(rate=rate, max_per_second=12, granted=0, waiting=0, throttles=1234, episodes=1)
    return Standing(engine=EngineStatistics(**found), pacer=pacer, rate=11.96, elapsed_s=75)


def test_progress_in_words() -> None:
    outcomes = {Outcome.UPDATED: 1500, Outcome.UNCHANGED: 7, Outcome.FAILED: 0}
    found = standing(outcomes=outcomes, sending=50, settling=30)
    assert counts_text(found) == "1,500 updated, 7 unchanged, 50 sending, 30 settling"
    assert found.done == 1500  # what needed no update is not progress
    text = rate_text(standing())
    assert text.startswith("12.0 of 12 requests/s, 1,234 throttles, 1:15 elapsed, about ")
    assert "slowed down" not in text
    assert "12.0 of 3.0 (slowed down) requests/s" in rate_text(standing(rate=3.0))


def test_the_time_that_is_left() -> None:
    assert standing().eta_s > standing(settling=50).eta_s > 0
    assert standing(rate=3.0).eta_s > standing().eta_s
    over = standing(outcomes={Outcome.UPDATED: 60}, settling=40)
    assert over.eta_s == 0
    assert rate_text(over).endswith("waiting for the last to settle")
    assert math.isfinite(standing(total=0).eta_s)


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

    found = standing(outcomes={Outcome.UPDATED: 5, Outcome.FAILED: 1})
    async with progress(
        lambda: (found.engine, found.pacer), title="pause run", clock=lambda: seconds, sleep=sleep, console=console
    ):
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


# Rates and exit codes


def warned(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, *, rate: float) -> list[str]:
    """What is said before any work is done: no request is made."""
    said: list[str] = []
    monkeypatch.setattr(carry_out, "say", said.append)
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

    assert carry_out.with_aws(AwsOptions(region="us-east-1", rate=rate), nothing) == 7
    return said


def test_a_rate_above_the_quota_is_warned_of_at_aws_only(monkeypatch: pytest.MonkeyPatch) -> None:
    (warning,) = warned({}, monkeypatch, rate=16)
    assert "--rate 16" in warning
    assert "15 requests/s" in warning
    assert warned({}, monkeypatch, rate=15) == []
    with listening() as listener:
        assert warned({"AWS_ENDPOINT_URL": listener.environment["AWS_ENDPOINT_URL"]}, monkeypatch, rate=300) == []
        assert not listener.was_called


@pytest.mark.parametrize(
    ("status", "counts", "code"),
    [
        (RunStatus.FINISHED, {}, 0),
        (RunStatus.FINISHED, {"updated": 1, "unchanged": 1, "blocked": 1}, 0),
        (RunStatus.FINISHED, {"updated": 1, "failed": 1}, 1),
        (RunStatus.FINISHED, {"timed_out": 1}, 1),
        (RunStatus.FINISHED, {"conflict": 1}, 1),
        (RunStatus.INTERRUPTED, {"failed": 1, "not_started": 1}, 130),
        (RunStatus.HALTED, {"failed": 1, "not_started": 1}, 3),
        (RunStatus.DEADLINE, {"failed": 1, "not_started": 1}, 4),
    ],
)
def test_exit_codes(status: RunStatus, counts: dict[str, int], code: int) -> None:
    assert exit_code(record_of(status=status, counts=counts)) == code


def test_a_folder_that_is_not_there_yet_is_not_made_too_soon(tmp_path: Path, inside: Inside) -> None:
    """Whoever says no at the prompt, or has no permission, is left without an empty folder."""
    with Simulated(mappings=5) as simulated:
        done = inside(simulated.environment, "pause", "--all", "--runs-dir", "a/b/c", "--dry-run")
    assert done.code == 0
    assert list(tmp_path.iterdir()) == []
