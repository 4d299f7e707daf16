import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bulk_esm.errors import ForeignRunError, RunFolderError
from bulk_esm.model.plan import Plan
from bulk_esm.model.records import RunRecord
from bulk_esm.store.finding import all_runs, find_run, new_run_id, readable_runs, records_of
from bulk_esm.store.run_files import RunFiles

AT = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
IDS = ["20260102T030405Z-pause-aaa111", "20260102T030405Z-resume-bbb222", "20260301T000000Z-apply-ccc333"]


def make(runs_dir: Path, run_id: str, started_at: str = "2026-01-02T03:04:05.000Z") -> RunFiles:
    record = RunRecord(
        run_id=run_id, command="pause", argv=(), version="0", account_id=None, region="r", started_at=started_at
    )
    files = RunFiles.begin(runs_dir, run_id)
    files.add_home(Plan(()))
    files.publish(record, None)
    return files


@pytest.fixture
def runs_dir(tmp_path: Path) -> Path:
    for run_id in IDS:
        make(tmp_path / "runs", run_id, started_at=run_id)
    return tmp_path / "runs"


def test_names_sort_by_time_and_are_never_the_same() -> None:
    names = [new_run_id("pause", AT) for _ in range(100)]
    assert len(set(names)) == 100
    assert all(re.fullmatch(r"20260102T030405Z-pause-[0-9a-f]{6}", name) for name in names)
    assert max(names) < new_run_id("apply", AT + timedelta(seconds=1))


def test_all_runs_the_oldest_first(runs_dir: Path) -> None:
    (runs_dir / "notes.txt").write_text("not a run")
    (runs_dir / "20270101T000000Z-no-record").mkdir()
    assert [folder.path.name for folder in all_runs(runs_dir)] == IDS
    assert all_runs(runs_dir / "nowhere") == []
    assert all_runs(runs_dir / "notes.txt") == []


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("last", IDS[2]),
        (IDS[0], IDS[0]),
        ("20260102T030405Z-p", IDS[0]),
        ("20260102T030405Z-r", IDS[1]),
        ("202603", IDS[2]),
    ],
)
def test_a_run_as_a_user_names_it(runs_dir: Path, wanted: str, found: str) -> None:
    assert find_run(runs_dir, wanted).path == runs_dir / found


def test_a_path_goes_before_everything_else(runs_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = make(tmp_path / "elsewhere", "x").path
    assert find_run(runs_dir, str(elsewhere)).path == elsewhere
    monkeypatch.chdir(elsewhere)
    assert find_run(runs_dir, ".").record().run_id == "x"
    assert find_run(tmp_path / "none", str(elsewhere)).path == elsewhere
    assert find_run(runs_dir, f"{runs_dir}{os.sep}{IDS[1]}").path.name == IDS[1]


def test_an_id_that_begins_another(runs_dir: Path) -> None:
    make(runs_dir, f"{IDS[0]}-and-more")
    assert find_run(runs_dir, IDS[0]).path.name == IDS[0]


def test_the_last_run_is_the_last_to_start_whatever_its_name(runs_dir: Path) -> None:
    make(runs_dir, "00-copied", started_at="9999")
    assert find_run(runs_dir, "last").path.name == "00-copied"


def test_a_prefix_of_several(runs_dir: Path) -> None:
    with pytest.raises(RunFolderError) as caught:
        find_run(runs_dir, "20260102")
    assert str(caught.value) == f"'20260102' fits 2 runs: {IDS[0]}, {IDS[1]}; give more of the id"


def test_a_prefix_of_very_many(runs_dir: Path) -> None:
    for number in range(20):
        make(runs_dir, f"many-{number:02}")
    with pytest.raises(RunFolderError) as caught:
        find_run(runs_dir, "many")
    assert "fits 20 runs" in str(caught.value)
    assert str(caught.value).count("many-") == 5


@pytest.mark.parametrize("wanted", ["nothing", "", IDS[0] + "x"])
def test_no_such_run(runs_dir: Path, wanted: str) -> None:
    with pytest.raises(RunFolderError, match="there is no run"):
        find_run(runs_dir, wanted)


@pytest.mark.parametrize("wanted", ["last", "20260102"])
def test_no_runs_at_all(tmp_path: Path, wanted: str) -> None:
    with pytest.raises(RunFolderError, match=r"there are no runs in .*--runs-dir"):
        find_run(tmp_path / "nowhere", wanted)
    with pytest.raises(RunFolderError, match="there are no runs in"):
        find_run(tmp_path, wanted)


UNREADABLE = [b"", b"{", b"\xff\xfe", b'{"run_id":1}', b'{"run_id":"x","status":"of-the-future"}', b"[" * 100_000]


@pytest.mark.parametrize("content", UNREADABLE)
def test_a_record_that_cannot_be_read_hides_only_itself(runs_dir: Path, content: bytes) -> None:
    (runs_dir / IDS[0] / "run.json").write_bytes(content)
    assert [record.run_id for _, record in readable_runs(runs_dir)] == IDS[1:]
    assert find_run(runs_dir, "last").path.name == IDS[2]
    found = [type(record) for _, record in records_of(all_runs(runs_dir))]
    assert found == [RunFolderError, RunRecord, RunRecord]


def test_an_earlier_run_is_not_taken_for_the_last(runs_dir: Path) -> None:
    last = "20260401T000000Z-apply-ddd444"
    (make(runs_dir, last).path / "run.json").write_text("{")
    with pytest.raises(RunFolderError, match=rf"the last run may be {last}, and .*name the run that is meant"):
        find_run(runs_dir, "last")
    (runs_dir / last).rename(runs_dir / "of-something-else")
    assert find_run(runs_dir, "last").path.name == IDS[2]


def test_a_run_that_others_can_write_is_never_the_last(runs_dir: Path) -> None:
    (runs_dir / IDS[2]).chmod(0o777)
    assert find_run(runs_dir, "last").path.name == IDS[1]
    for wanted in (IDS[2], str(runs_dir / IDS[2])):
        with pytest.raises(ForeignRunError, match="others can write"):
            find_run(runs_dir, wanted)


def test_no_run_that_can_be_read(runs_dir: Path) -> None:
    for run_id in IDS:
        (runs_dir / run_id / "run.json").write_text("{")
    with pytest.raises(RunFolderError, match="name the run that is meant"):
        find_run(runs_dir, "last")


def test_a_shard_of_a_run_that_others_can_write(runs_dir: Path) -> None:
    run = runs_dir / IDS[0]
    shard = run / "shards" / "one"
    shard.mkdir(parents=True)
    (run / "fleet.json").write_text("")
    (shard / "run.json").write_text("")
    run.chmod(0o770)
    with pytest.raises(ForeignRunError, match="others can write"):
        find_run(runs_dir, str(shard))


@pytest.mark.parametrize("there", [True, False])
def test_the_whole_name_of_a_run_in_a_bucket_is_told_how_to_say_it(
    runs_dir: Path, tmp_path: Path, *, there: bool
) -> None:
    """Summaries show it as the run's folder, and where runs are kept is not said by it."""
    place = runs_dir if there else tmp_path / "nowhere"
    with pytest.raises(RunFolderError, match=rf"; name it as {IDS[0]} --runs-dir s3://bucket/a/b\Z"):
        find_run(place, f"s3://bucket/a/b/{IDS[0]}")
