import errno
import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bulk_esm.errors import RecordingError, RunFolderError
from bulk_esm.model.differences import Difference
from bulk_esm.model.mapping import SourceType
from bulk_esm.model.plan import Action, Plan, PlanItem
from bulk_esm.model.records import RunRecord, RunStatus
from bulk_esm.model.result import ErrorRecord, Outcome, Result
from bulk_esm.store import disk
from bulk_esm.store.jsonl import read_lines, write_durably
from bulk_esm.store.shard_files import ShardFiles

RECORD = RunRecord(
    run_id="20260102T030405Z-pause-abc123",
    command="pause",
    argv=("pause", "--all"),
    version="0",
    account_id="123456789012",
    region="us-east-1",
    started_at="2026-01-02T03:04:05.000Z",
)
ITEM = PlanItem(
    uuid="u-1",
    function_arn="arn:f",
    event_source_arn=None,
    source_type=SourceType.KAFKA,
    state="Enabled",
    action=Action.UPDATE,
    request={"Enabled": False},
    diff=(Difference("Enabled", True, False),),
    before_json=msgspec.Raw('{"UUID":"u-1","LastModified":1.5,"Ö":[null,{}]}'.encode()),
)
BLOCKED = msgspec.structs.replace(ITEM, uuid="u-2", action=Action.BLOCKED, request={}, problems=("no",))
PLAN = Plan((ITEM, BLOCKED))


def result(uuid: str = "u-1", **members: Any) -> Result:
    return Result(
        **{
            "run_id": RECORD.run_id,
            "uuid": uuid,
            "function_arn": "arn:f",
            "event_source_arn": None,
            "source_type": SourceType.KAFKA,
            "account_id": "123456789012",
            "region": "us-east-1",
            "wave": 1,
            "outcome": Outcome.UPDATED,
            "state": "Disabled",
            "request": {"Enabled": False},
            **members,
        }
    )


@pytest.fixture
def files(tmp_path: Path) -> ShardFiles:
    found = ShardFiles(tmp_path)
    found.write_plan(PLAN, run_id="run")
    found.write_record(RECORD)
    return found


def test_the_files_have_the_members_of_the_contract(files: ShardFiles) -> None:
    with files.open_results() as results:
        results.append(result(error=ErrorRecord(code="c", message="m", request_id="r")))
    lines = {name: (files.path / name).read_bytes().splitlines() for name in ("run.json", "plan.jsonl")}
    (record,) = map(msgspec.json.decode, lines["run.json"])
    assert record.keys() == {
        "run_id", "command", "argv", "version", "account_id", "region", "started_at", "ended_at", "status", "counts",
        "requests", "reason", "rollout", "undoes", "executor", "scheduler", "continued_at", "shards", "plan", "user",
        "host", "principal_arn", "invocations", "puts_back",
        "results", "sha256",
    }  # fmt: skip
    first, second = map(msgspec.json.decode, lines["plan.jsonl"])
    assert first.keys() == {
        "uuid", "function_arn", "event_source_arn", "source_type", "state", "action", "request", "diff", "problems",
        "before",
    }  # fmt: skip
    assert first["diff"] == [{"parameter": "Enabled", "before": True, "after": False}]
    assert (first["action"], second["action"], second["problems"]) == ("update", "blocked", ["no"])
    (line,) = map(msgspec.json.decode, (files.path / "results.jsonl").read_bytes().splitlines())
    assert line.keys() == {
        "run_id", "uuid", "function_arn", "event_source_arn", "source_type", "account_id", "region", "wave", "outcome",
        "state", "request", "error", "update_calls", "accepted_at", "settled_at", "ended_at", "duration_s",
    }  # fmt: skip
    assert line["error"] == {"code": "c", "message": "m", "request_id": "r"}


def test_the_record_is_replaced_whole(files: ShardFiles) -> None:
    done = msgspec.structs.replace(
        RECORD, status=RunStatus.FINISHED, counts={"updated": 1}, ended_at="2026-01-02T03:05:05.000Z"
    )
    files.write_record(done)
    assert files.record() == done
    assert sorted(path.name for path in files.path.iterdir()) == ["begun.jsonl", "plan.jsonl", "run.json"]


def test_results_are_appended_each_as_one_line_in_one_write(files: ShardFiles) -> None:
    expected = [result("u-1"), result("u-2", outcome=Outcome.FAILED, error=ErrorRecord(code="c", message="a\nb"))]
    with files.open_results() as results:
        for number, one in enumerate(expected, start=1):
            results.append(one)
            assert (files.path / "results.jsonl").read_bytes().count(b"\n") == number  # not held back
    with files.open_results() as results:
        results.append(result("u-3"))
    assert list(files.results()) == [*expected, result("u-3")]


def test_results_that_stay_replace_the_others(files: ShardFiles) -> None:
    with files.open_results() as results:
        for uuid in ("u-1", "u-2"):
            results.append(result(uuid))
    files.keep_results([result("u-2")])
    with files.open_results() as results:
        results.append(result("u-3"))
    assert [one.uuid for one in files.results()] == ["u-2", "u-3"]


def test_a_torn_last_line_is_left_out(files: ShardFiles) -> None:
    with files.open_results() as results:
        results.append(result("u-1"))
        results.append(result("u-2"))
    path = files.path / "results.jsonl"
    whole = path.read_bytes()
    end_of_first = whole.index(b"\n") + 1
    for end in range(end_of_first, len(whole)):
        path.write_bytes(whole[:end])
        assert [one.uuid for one in files.results()] == ["u-1"]


def test_what_is_appended_after_a_torn_line_is_not_lost_with_it(files: ShardFiles) -> None:
    path = files.path / "results.jsonl"
    with files.open_results() as results:
        results.append(result("u-1"))
    path.write_bytes(path.read_bytes() + b'{"run_id": "torn')
    with files.open_results() as results:
        results.append(result("u-2"))
    assert [one.uuid for one in files.results()] == ["u-1", "u-2"]
    path.write_bytes(b"torn")
    with files.open_results() as results:
        results.append(result("u-3"))
    assert [one.uuid for one in files.results()] == ["u-3"]


def test_results_of_a_run_that_was_killed_at_once(files: ShardFiles) -> None:
    assert list(files.results()) == []
    with files.open_results():
        pass
    assert list(files.results()) == []


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("results.jsonl", b'{"run_id": 1}\n', "line 1: "),
        ("results.jsonl", b"\n\n[]\n", "line 3: "),
        ("results.jsonl", b"what\n", "line 1: "),
        ("results.jsonl", b"\xff\xfe\n", "line 1: "),
        ("plan.jsonl", b"{}\n", "line 1: "),
        ("plan.jsonl", b'{"uuid": "torn', "line 1: "),
        ("run.json", b"{}", "line 1: "),
        ("run.json", b"", "is empty"),
    ],
)
def test_what_cannot_be_read_is_named_by_its_line(files: ShardFiles, name: str, content: bytes, complaint: str) -> None:
    path = files.path / name
    path.write_bytes(content)
    read = {"results.jsonl": lambda: list(files.results()), "plan.jsonl": files.plan, "run.json": files.record}
    with pytest.raises(RunFolderError) as caught:
        read[name]()
    assert str(path) in str(caught.value)
    assert complaint in str(caught.value)


def test_a_plan_that_is_whole_needs_no_last_line_break(tmp_path: Path) -> None:
    write_durably(tmp_path / "plan.jsonl", PLAN.items)
    path = tmp_path / "saved.jsonl"
    path.write_bytes((tmp_path / "plan.jsonl").read_bytes().rstrip(b"\n"))
    assert list(read_lines(path, PlanItem)) == list(PLAN.items)


def test_files_that_cannot_be_written(files: ShardFiles) -> None:
    for name in ("results.jsonl", "run.json.tmp"):
        (files.path / name).mkdir()
    with pytest.raises(RunFolderError, match=r"results\.jsonl cannot be written: Is a directory"):
        files.open_results()
    with pytest.raises(RunFolderError, match=r"run\.json cannot be written: Is a directory"):
        files.write_record(RECORD)


@pytest.mark.parametrize("room", [0, 20])
def test_a_full_disk(files: ShardFiles, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    def write(file: io.RawIOBase, data: bytes) -> None:
        file.write(data[:room])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with files.open_results() as results:
        results.append(result("u-1"))
        with monkeypatch.context() as patch:
            patch.setattr(disk, "write", write)
            with pytest.raises(RunFolderError, match=r"results\.jsonl cannot be written: No space left on device"):
                results.append(result("u-2"))
        with pytest.raises(RunFolderError, match="No space left on device"):
            results.append(result("u-3"))  # there is room again, but it would follow a torn line
    assert [one.uuid for one in files.results()] == ["u-1"]
    with files.open_results() as results:
        results.append(result("u-2"))
    assert [one.uuid for one in files.results()] == ["u-1", "u-2"]


class Unfit:
    """A file that takes nothing, and says so by a number."""

    def write(self, _: bytes) -> int:
        return 0


def test_a_file_that_takes_nothing_is_not_waited_for() -> None:
    with pytest.raises(OSError, match="No space left"):
        disk.write(Unfit(), b"x")  # type: ignore[arg-type]


def test_results_that_do_not_reach_the_disk(files: ShardFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    results = files.open_results()
    results.append(result("u-1"))
    monkeypatch.setattr(os, "fsync", no_room)
    with pytest.raises(RunFolderError, match=r"results\.jsonl cannot be written: No space left"), results:
        pass
    with pytest.raises(ValueError, match="closed"):
        results._file.descriptor  # noqa: B018 - it tells


def move(folder: Path) -> None:
    folder.rename(folder.parent / "elsewhere")


def replace_files(folder: Path) -> None:
    for path in folder.glob("*.jsonl"):
        path.with_name("copy").write_bytes(path.read_bytes())
        path.with_name("copy").replace(path)


@pytest.mark.parametrize("lose", [shutil.rmtree, move, replace_files])
def test_what_nobody_would_find_again_is_not_written_on(tmp_path: Path, lose: Callable[[Path], None]) -> None:
    files = ShardFiles(tmp_path / "run")
    files.path.mkdir()
    files.write_plan(PLAN, run_id="run")
    with files.open_results() as results, files.open_begun() as begun:
        results.append(result("u-1"))
        results.require_room(1)
        begun.begin(["u-1"], wave=1)
        lose(files.path)
        writes: tuple[Callable[[], None], ...] = (
            lambda: results.append(result("u-2")),
            lambda: results.require_room(1),
            lambda: begun.begin(["u-1"], wave=1),  # told before
            lambda: begun.begin(["u-2"], wave=1),
        )
        for write in writes:
            with pytest.raises(RecordingError, match="was removed, moved or replaced, so nothing more is sent"):
                write()
