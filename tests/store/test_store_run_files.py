"""The folder of a run: one layout for the home shard, one where fleet flags were given; neither is there half."""

import os
import stat
from pathlib import Path

import pytest

from bulk_esm.errors import RunFolderError
from bulk_esm.model.mapping import SourceType
from bulk_esm.model.plan import Action, Plan, PlanItem
from bulk_esm.model.records import FleetRecord, RunRecord, ShardEntry
from bulk_esm.model.shard import Problem, Shard
from bulk_esm.store.finding import all_runs, find_run
from bulk_esm.store.run_files import RunFiles

HOME = Shard(account_id="123456789012", region="us-east-1")
OTHER = Shard(account_id="222222222222", region="us-east-1", role_arn="arn:aws:iam::222222222222:role/x")
RECORD = RunRecord(
    run_id="20260102T030405Z-pause-abc123",
    command="pause",
    argv=("pause", "--all"),
    version="0",
    account_id=HOME.account_id,
    region=HOME.region,
    started_at="2026-01-02T03:04:05.000Z",
)


def item(uuid: str, action: Action = Action.UPDATE) -> PlanItem:
    return PlanItem(
        uuid=uuid,
        function_arn="arn:f",
        event_source_arn=None,
        source_type=SourceType.SQS,
        state="Enabled",
        action=action,
    )


PLAN = Plan((item("u-1"), item("u-2", Action.BLOCKED)))
FLEET = FleetRecord(
    shards=(ShardEntry(shard=HOME, items=2, updates=1), ShardEntry(shard=OTHER, items=1, updates=1)),
    groups=((OTHER.name,), (HOME.name,)),
    most_failed_shards=1,
)


def home_run(runs_dir: Path) -> RunFiles:
    files = RunFiles.begin(runs_dir, RECORD.run_id)
    files.add_home(PLAN)
    files.publish(RECORD, None)
    return files


def fleet_run(runs_dir: Path, fleet: FleetRecord = FLEET) -> RunFiles:
    files = RunFiles.begin(runs_dir, RECORD.run_id)
    files.add(HOME.name, RECORD, PLAN)
    files.add(OTHER.name, RECORD, Plan((item("u-3"),)))
    files.publish(RECORD, fleet)
    return files


def tree(path: Path) -> list[str]:
    return sorted(str(each.relative_to(path)) for each in path.rglob("*") if each.is_file())


def test_the_home_shards_files_lie_at_the_top(tmp_path: Path) -> None:
    files = home_run(tmp_path)
    assert files.path == tmp_path / RECORD.run_id
    assert tree(tmp_path / RECORD.run_id) == ["begun.jsonl", "plan.jsonl", "run.json"]
    assert not files.has_shards
    assert files.record() == RECORD
    assert files.shard(HOME).path == files.path
    assert files.shard(HOME).plan() == PLAN
    assert files.planned() == [HOME]
    assert files.fleet() == FleetRecord(shards=(ShardEntry(shard=HOME, items=2, updates=1),), groups=((HOME.name,),))
    assert [each.uuid for each in files.items()] == ["u-1", "u-2"]


def test_where_fleet_flags_were_given_each_shard_has_a_folder(tmp_path: Path) -> None:
    files = fleet_run(tmp_path)
    assert tree(files.path) == [
        "fleet.json",
        "run.json",
        f"shards/{HOME.name}/begun.jsonl",
        f"shards/{HOME.name}/plan.jsonl",
        f"shards/{HOME.name}/run.json",
        f"shards/{OTHER.name}/begun.jsonl",
        f"shards/{OTHER.name}/plan.jsonl",
        f"shards/{OTHER.name}/run.json",
    ]
    assert files.has_shards
    assert files.fleet() == FLEET
    assert files.planned() == [HOME, OTHER]
    assert files.shard(OTHER).path == files.path / "shards" / OTHER.name
    assert [each.uuid for each in files.items()] == ["u-1", "u-2", "u-3"]


def test_one_shard_that_flags_named_has_a_folder_too(tmp_path: Path) -> None:
    files = RunFiles.begin(tmp_path, RECORD.run_id)
    files.add(HOME.name, RECORD, PLAN)
    files.publish(RECORD, FleetRecord(shards=(ShardEntry(shard=HOME),), groups=((HOME.name,),)))
    assert files.has_shards
    folder = f"shards/{HOME.name}"
    assert tree(files.path)[2:] == [f"{folder}/begun.jsonl", f"{folder}/plan.jsonl", f"{folder}/run.json"]


def test_a_fleet_in_which_no_shard_could_be_planned_is_one_all_the_same(tmp_path: Path) -> None:
    files = RunFiles.begin(tmp_path, RECORD.run_id)
    entry = ShardEntry(shard=OTHER, problem=Problem(reason="denied"))
    files.publish(RECORD, FleetRecord(shards=(entry,), groups=((OTHER.name,),)))
    assert files.has_shards
    assert files.planned() == []


def test_all_folders_are_their_owners_alone(tmp_path: Path) -> None:
    files = fleet_run(tmp_path)
    folders = [files.path, *(each for each in files.path.rglob("*") if each.is_dir())]
    assert {stat.S_IMODE(each.stat().st_mode) for each in folders} == {0o700}
    assert len(folders) == 4


def test_a_run_is_hidden_until_it_is_published(tmp_path: Path) -> None:
    files = RunFiles.begin(tmp_path, RECORD.run_id)
    files.add(HOME.name, RECORD, PLAN)
    files.write_record(RECORD)
    assert all_runs(tmp_path) == []
    with pytest.raises(RunFolderError, match="there are no runs"):
        find_run(tmp_path, RECORD.run_id)
    files.publish(RECORD, FLEET)
    assert [found.path for found in all_runs(tmp_path)] == [files.path]
    assert [each.name for each in tmp_path.iterdir()] == [RECORD.run_id]


def test_what_is_not_published_after_all_leaves_nothing(tmp_path: Path) -> None:
    files = RunFiles.begin(tmp_path, RECORD.run_id)
    files.add(HOME.name, RECORD, PLAN)
    files.discard()
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_shard_stands_for_its_run_with_that_shard_alone(tmp_path: Path) -> None:
    whole = fleet_run(tmp_path)
    files = RunFiles.of(whole.shard(OTHER).path)
    assert (files.path, files.only) == (whole.path, OTHER.name)
    assert [entry.shard for entry in files.fleet().shards] == [OTHER]
    assert files.fleet().groups == ((OTHER.name,),)
    assert files.planned() == [OTHER]
    assert [each.uuid for each in files.items()] == ["u-3"]
    assert RunFiles.of(whole.path).only is None


def test_a_folder_named_as_a_shards_is_the_run_that_it_is(tmp_path: Path) -> None:
    """Whoever keeps runs in a folder called `shards` has no fleet."""
    files = home_run(tmp_path / "shards")
    assert RunFiles.of(files.path).path == files.path
    assert RunFiles.of(files.path).only is None


def test_a_relative_path_of_a_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fleet_run(tmp_path)
    monkeypatch.chdir(whole.path / "shards")
    assert RunFiles.of(Path(OTHER.name)).planned() == [OTHER]


def test_the_plan_is_safe_on_disk_before_its_name_and_the_record_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a crash leaves, a plan that has its name is whole, and a folder that has its name has all of it."""
    happened: list[str] = []
    fsync, replace, rename = os.fsync, Path.replace, Path.rename

    def watched_fsync(descriptor: int) -> None:
        happened.append(f"fsync {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
        fsync(descriptor)

    def watched_replace(path: Path, target: Path) -> Path:
        happened.append(f"rename {path.name} {target.name}")
        return replace(path, target)

    def watched_rename(path: Path, target: Path) -> Path:
        happened.append(f"rename {path.name} {target.name}")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(Path, "replace", watched_replace)
    monkeypatch.setattr(Path, "rename", watched_rename)
    home_run(tmp_path)
    hidden = f".{RECORD.run_id}.planning"
    assert happened == [
        "fsync begun.jsonl.tmp",
        "rename begun.jsonl.tmp begun.jsonl",
        f"fsync {hidden}",
        "fsync plan.jsonl.tmp",
        "rename plan.jsonl.tmp plan.jsonl",
        f"fsync {hidden}",
        "fsync run.json.tmp",
        "rename run.json.tmp run.json",
        f"fsync {hidden}",
        f"rename {hidden} {RECORD.run_id}",
        f"fsync {tmp_path.name}",
    ]


@pytest.mark.parametrize("in_the_way", ["runs", f"runs/.{RECORD.run_id}.planning"])
def test_a_folder_that_cannot_be_written(tmp_path: Path, in_the_way: str) -> None:
    path = tmp_path / in_the_way
    path.parent.mkdir(exist_ok=True)
    path.write_text("in the way")
    with pytest.raises(RunFolderError) as caught:
        home_run(tmp_path / "runs")
    assert "planning cannot be written: File exists" in str(caught.value)
    assert "--runs-dir" in str(caught.value)


def test_a_name_that_is_taken_is_refused_and_the_run_that_has_it_stays(tmp_path: Path) -> None:
    there = home_run(tmp_path)
    with pytest.raises(RunFolderError, match=f"{RECORD.run_id} cannot be written: Directory not empty"):
        fleet_run(tmp_path)
    assert there.shard(HOME).plan() == PLAN


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(b"", "it has 0 lines, and 1 were written; --salvage"), (b"{}", "a line is not what was written")],
)
def test_a_list_of_shards_that_cannot_be_read(tmp_path: Path, content: bytes, complaint: str) -> None:
    files = fleet_run(tmp_path)
    (files.path / "fleet.json").write_bytes(content)
    with pytest.raises(RunFolderError, match=complaint):
        files.fleet()
