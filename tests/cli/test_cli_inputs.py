"""The pure parts of input and output: durations, selections, changes, tables and CSV."""

import csv
import io
import json
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


LISTED = {"EventSourceMappings": [{"UUID": uuid, "FunctionArn": FUNCTION} for uuid in UUIDS[:2]]}
AS_PEOPLE_HAVE_THEM = {
    "what the AWS CLI prints": json.dumps(LISTED, indent=4),
    "that in a line": json.dumps(LISTED),
    "its text": f"{UUIDS[0]}\t{UUIDS[1]}\n",
    "its text in pages": f"{UUIDS[0]}\n{UUIDS[1]}",
    "an array of strings": json.dumps(UUIDS[:2]),
    "an array of objects": json.dumps([{"Uuid": UUIDS[0]}, {"uuid": UUIDS[1]}], indent=1),
    "CSV": f'uuid,function,source,type,state\n{UUIDS[0]},f,q,sqs,Enabled\n{UUIDS[1]},\'=f,"a\nb",sqs,Enabled\n',
    "CSV of a fleet": f"uuid,account,region\r\n{UUIDS[0]},1,r\r\n{UUIDS[1]},2,r\r\n",
    "JSON-lines with ends of lines in strings": "".join(
        json.dumps({"uuid": uuid, "configuration": {"Pattern": "\u2028\x85\x0b\t\U0001f600"}}, ensure_ascii=False)
        + "\n"
        for uuid in UUIDS[:2]
    ),
    "a byte order mark": f"\ufeff{UUIDS[0]}\n{UUIDS[1]}\n",
}


@pytest.mark.parametrize("text", AS_PEOPLE_HAVE_THEM.values(), ids=AS_PEOPLE_HAVE_THEM)
@pytest.mark.parametrize("from_stdin", [False, True])
def test_mappings_are_named_by_whatever_people_have(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, from_stdin: bool
) -> None:
    (tmp_path / "file").write_text(text, encoding="utf-8", newline="")
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    selection = read_selection(SelectOptions(from_file=("-" if from_stdin else str(tmp_path / "file"),)))
    assert selection.uuids == frozenset(UUIDS[:2])


@pytest.mark.parametrize("name", ["UUID", "Uuid", "uuid"])
@pytest.mark.parametrize("is_array", [False, True])
def test_requests_as_people_write_them(name: str, tmp_path: Path, *, is_array: bool) -> None:
    requests = [{name: uuid, "BatchSize": 5} for uuid in UUIDS[:2]]
    text = json.dumps(requests, indent=2) if is_array else "\n".join(map(json.dumps, requests))
    (tmp_path / "file").write_text(text)
    changes = read_change(ChangeOptions(requests=str(tmp_path / "file")))
    assert changes == dict.fromkeys(UUIDS[:2], Change({"BatchSize": 5}))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f'{{"UUID": "{UUIDS[0]}", "BatchSize": 5, "BatchSize": 6}}', "line 1: the key 'BatchSize' is given twice"),
        (f'[{{"UUID": "{UUIDS[0]}", "UUID": 1}}]', "the key 'UUID' is given twice"),
        (
            json.dumps([{"UUID": UUIDS[0], "EventSourceMappingArn": "arn:x", "BatchSize": 5}]),
            "item 1: that is what a mapping is, not what to change of it; select with --from-file",
        ),
        (json.dumps([5]), "item 1: not a JSON object"),
    ],
)
def test_requests_that_are_none(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text(text)
    with pytest.raises(UsageError) as caught:
        read_change(ChangeOptions(requests=str(tmp_path / "file")))
    assert says in str(caught.value)


def test_a_page_of_several_is_not_all(tmp_path: Path) -> None:
    (tmp_path / "file").write_text(json.dumps(LISTED | {"NextToken": "x"}))
    with pytest.raises(UsageError, match="it is one page of several"):
        read_selection(SelectOptions(from_file=(str(tmp_path / "file"),)))


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
