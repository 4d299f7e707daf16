"""The pure parts of input and output: durations, selections, changes, tables and CSV."""

import csv
import io
import sys
from pathlib import Path

import pytest
from cli_harness import ACCOUNT, NO_SUCH_UUID
from hypothesis import given
from hypothesis import strategies as st

from bulk_esm import (
    Change,
    SourceType,
    UsageError,
)
from bulk_esm.cli.durations import format_duration, parse_duration
from bulk_esm.cli.inputs import check_uuid, read_change, read_selection, reads_stdin, require_selection
from bulk_esm.cli.options import ChangeOptions, SelectOptions
from bulk_esm.cli.output import Results, form_for, tail_of

UUIDS = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(20)]
FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:orders:live"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:orders-queue"


# Durations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("15m", 900), ("2h", 7200), ("1.5h", 5400), (" 1s ", 1), ("0.5s", 0.5), ("1d", 86400)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "15", "m", "15 m", "-15m", "15M", "1h30m", "0m", "0.0s", "infs", "1e3s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(UsageError, match="write it like 90s, 15m, 2h or 1d") as raised:
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
