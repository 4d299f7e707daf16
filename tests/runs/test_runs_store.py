import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bulk_esm.store.folder import RunFolder

from bulk_esm.errors import RunFolderError
from bulk_esm.model.plan import Plan
from bulk_esm.model.records import RunRecord
from bulk_esm.store.finding import find_run, new_run_id, run_folders

AT = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
IDS = ["20260102T030405Z-pause-aaa111", "20260102T030405Z-resume-bbb222", "20260301T000000Z-apply-ccc333"]


def make(runs_dir: Path, run_id: str, started_at: str = "2026-01-02T03:04:05.000Z") -> RunFolder:
    record = RunRecord(
        run_id=run_id, command="pause", argv=(), version="0", account_id=None, region="r", started_at=started_at
    )
    return RunFolder.create(runs_dir, record, Plan(()))


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
    assert [folder.path.name for folder in run_folders(runs_dir)] == IDS
    assert run_folders(runs_dir / "nowhere") == []
    assert run_folders(runs_dir / "notes.txt") == []


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
