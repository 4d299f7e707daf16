"""Damage is told: a file is read as it was written, refused, or salvaged with a word; never silently less."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulk_esm.errors import RunFolderError
from bulk_esm.model.mapping import SourceType
from bulk_esm.model.plan import Action, Plan, PlanItem
from bulk_esm.model.records import FleetRecord, RunRecord, ShardEntry
from bulk_esm.model.result import Outcome, Result
from bulk_esm.model.shard import Shard
from bulk_esm.store.begun import BEGUN
from bulk_esm.store.run_files import FLEET, RunFiles
from bulk_esm.store.saved_plan import read_plan, save_plan
from bulk_esm.store.shard_files import OLD_RESULTS, PLAN, RECORD, RESULTS, ShardFiles

HOME = Shard(account_id="123456789012", region="us-east-1")
OTHER = Shard(account_id="222222222222", region="us-east-1")
RECORD_OF_RUN = RunRecord(
    run_id="20260102T030405Z-pause-abc123",
    command="pause",
    argv=("pause", "--all"),
    version="0",
    account_id=HOME.account_id,
    region=HOME.region,
    started_at="2026-01-02T03:04:05.000Z",
)


def item(uuid: str) -> PlanItem:
    return PlanItem(
        uuid=uuid,
        function_arn="arn:f",
        event_source_arn=None,
        source_type=SourceType.SQS,
        state="Enabled",
        action=Action.UPDATE,
        request={"Enabled": False},
    )


def result(uuid: str, outcome: Outcome = Outcome.UPDATED) -> Result:
    return Result(
        run_id=RECORD_OF_RUN.run_id,
        uuid=uuid,
        function_arn=None,
        event_source_arn=None,
        source_type=SourceType.SQS,
        account_id=None,
        region=HOME.region,
        wave=1,
        outcome=outcome,
        state=None,
        request={"Enabled": False},
        update_calls=1,
    )


PLAN_OF_HOME = Plan(tuple(item(f"u-{number}") for number in range(4)))
PLAN_OF_OTHER = Plan((item("v-0"), item("v-1")))


def home_run(runs_dir: Path) -> RunFiles:
    files = RunFiles.begin(runs_dir, RECORD_OF_RUN.run_id)
    digest = files.add_home(PLAN_OF_HOME)
    files.publish(msgspec.structs.replace(RECORD_OF_RUN, plan=digest), None)
    with files.shard(HOME).open_begun() as begun, files.shard(HOME).open_results() as results:
        begun.begin(["u-0", "u-1"], wave=1)
        begun.begin(["u-2"], wave=1)
        for uuid in ("u-0", "u-1"):
            results.append(result(uuid))
    return RunFiles(files.path)


def fleet_run(runs_dir: Path) -> RunFiles:
    files = RunFiles.begin(runs_dir, RECORD_OF_RUN.run_id)
    plans = ((HOME, PLAN_OF_HOME), (OTHER, PLAN_OF_OTHER))
    entries = tuple(ShardEntry(shard=s, plan=files.add(s.name, RECORD_OF_RUN, plan)) for s, plan in plans)
    files.publish(RECORD_OF_RUN, FleetRecord(shards=entries, groups=((HOME.name,), (OTHER.name,))))
    return RunFiles(files.path)


# What one kind of damage after another does to a plan


class Damage(NamedTuple):
    name: str
    does: Callable[[bytes], bytes]
    refused: str
    left: tuple[str, ...]
    told: str


def lines(content: bytes) -> list[bytes]:
    return content.splitlines(keepends=True)


DAMAGES = [
    Damage(
        "cut at a line break",
        lambda whole: b"".join(lines(whole)[:2]),
        "it has 2 lines, and 4 were written; --salvage",
        ("u-0", "u-1"),
        "of 2 lines nothing is known",
    ),
    Damage(
        "emptied", lambda _: b"", "it has 0 lines, and 4 were written; --salvage", (), "of 4 lines nothing is known"
    ),
    Damage(
        "a line twice",
        lambda whole: lines(whole)[0] + whole,
        "it has 5 lines, and 4 were written; --salvage",
        ("u-0", "u-1", "u-2", "u-3"),
        "it names mappings twice",
    ),
    Damage(
        "a line for another",
        lambda whole: lines(whole)[0] * 2 + b"".join(lines(whole)[2:]),
        "a line is not what was written; --salvage",
        ("u-0", "u-2", "u-3"),
        "of 1 lines nothing is known",
    ),
    Damage(
        "torn",
        lambda whole: whole[:-9],
        "a line is not what was written; --salvage",
        ("u-0", "u-1", "u-2"),
        "of 1 lines nothing is known",
    ),
    Damage(
        "edited",
        lambda whole: whole.replace(b'"Enabled":false', b'"Enabled":true', 1),
        "a line is not what was written; --salvage",
        ("u-0", "u-1", "u-2", "u-3"),
        "a line is not what was written, and which one cannot be told",
    ),
    Damage(
        "no text",
        lambda whole: b"\xff\xfe\n" + b"".join(lines(whole)[1:]),
        "a line is not what was written; --salvage",
        ("u-1", "u-2", "u-3"),
        "of 1 lines nothing is known",
    ),
]


@pytest.mark.parametrize("in_fleet", [False, True], ids=["home", "fleet"])
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_a_damaged_plan_is_refused_or_salvaged_and_told(tmp_path: Path, damage: Damage, *, in_fleet: bool) -> None:
    there = (fleet_run if in_fleet else home_run)(tmp_path)
    path = there.shard(HOME).path / PLAN
    path.write_bytes(damage.does(path.read_bytes()))
    with pytest.raises(RunFolderError) as caught:
        RunFiles(there.path).shard(HOME).plan()  # whoever asks for a shard first has its digest too
    assert str(caught.value).startswith(f"{path} is damaged: {damage.refused}")
    salvaging = RunFiles(there.path, salvage=True)
    assert tuple(each.uuid for each in salvaging.shard(HOME).plan().items) == damage.left
    [told] = salvaging.damages
    assert told.startswith(f"{path}: {damage.told}")


def test_a_plan_of_an_older_version_has_no_digest_and_is_taken(tmp_path: Path) -> None:
    files = home_run(tmp_path)
    files.write_record(RECORD_OF_RUN)
    assert RunFiles(files.path).shard(HOME).plan() == PLAN_OF_HOME


def test_groups_that_lack_shards_are_refused_or_salvaged_as_one_group(tmp_path: Path) -> None:
    there = fleet_run(tmp_path)
    path = there.path / FLEET
    path.write_bytes(msgspec.json.encode({**msgspec.json.decode(path.read_bytes()), "groups": []}) + b"\n")
    with pytest.raises(RunFolderError, match=r"fleet\.json is damaged: a line is not what was written; --salvage"):
        RunFiles(there.path).planned()
    old = RunFiles(there.path)
    old.write_record(RECORD_OF_RUN)  # as an older version did
    with pytest.raises(RunFolderError, match=r"do not have each of its 2 shards once; --salvage"):
        old.planned()


def test_shards_that_fleet_json_lost_are_told_of(tmp_path: Path) -> None:
    there = fleet_run(tmp_path)
    path = there.path / FLEET
    fleet = msgspec.json.decode(path.read_bytes())
    path.write_bytes(msgspec.json.encode({**fleet, "shards": fleet["shards"][:1], "groups": []}) + b"\n")
    files = RunFiles(there.path, salvage=True)
    assert files.fleet().groups == ((HOME.name,),)
    assert files.damages == [f"{path}: it is not what was written, and shards may be missing"]


# Results and what was begun: files that grow


def test_what_goes_from_the_results_is_durable_elsewhere_before_it_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = ShardFiles(tmp_path)
    files.write_record(RECORD_OF_RUN)
    with files.open_results() as results:
        results.append(result("a"))
        results.append(result("b", Outcome.TIMED_OUT))
    replace, happened = Path.replace, list[tuple[str, set[str]]]()

    def watched(path: Path, target: Path) -> Path:
        old = tmp_path / OLD_RESULTS
        happened.append((target.name, set(old.read_text().splitlines()) if old.exists() else set()))
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", watched)
    goes = (tmp_path / RESULTS).read_text().splitlines()[1]
    files.keep_results([result("a")])
    assert happened == [(OLD_RESULTS, set()), (RESULTS, {goes})]
    assert list(files.results()) == [result("a")]


def test_what_a_run_that_is_continued_again_gives_up_is_added_to_what_it_gave_up_before(tmp_path: Path) -> None:
    files = ShardFiles(tmp_path)
    files.write_record(RECORD_OF_RUN)
    for uuid in ("a", "b"):
        with files.open_results() as results:
            results.append(result(uuid, Outcome.TIMED_OUT))
        files.keep_results([])
    old = [msgspec.json.decode(line, type=Result).uuid for line in (tmp_path / OLD_RESULTS).read_bytes().splitlines()]
    assert old == ["a", "b"]


def test_lines_that_are_no_results_are_kept_as_they_were_when_a_salvaged_run_goes_on(tmp_path: Path) -> None:
    path, damaged = tmp_path / RESULTS, [b'{"run_id":"what', b"\xff\xfe", b'{"uuid":1}']
    ShardFiles(tmp_path).write_record(RECORD_OF_RUN)
    with ShardFiles(tmp_path).open_results() as results:
        results.append(result("a"))
    path.write_bytes(b"".join([path.read_bytes(), *(line + b"\n" for line in damaged), b'{"run_id":"torn']))
    files = ShardFiles(tmp_path, salvage=True)
    files.keep_results([result("a")])
    assert (tmp_path / OLD_RESULTS).read_bytes().splitlines() == damaged
    assert list(ShardFiles(tmp_path).results()) == [result("a")]
    path.write_bytes(b"again\n" + path.read_bytes())
    files.keep_results([])
    old = (tmp_path / OLD_RESULTS).read_bytes().splitlines()
    assert old == [*damaged, b"again", msgspec.json.encode(result("a"))]


def of_an_older_version(run: RunFiles) -> None:
    """Take away the digests of run.json and begun.jsonl."""
    members = msgspec.json.decode((run.path / RECORD).read_bytes())
    del members["sha256"]
    (run.path / RECORD).write_bytes(msgspec.json.encode(members) + b"\n")
    first, *others = (run.path / BEGUN).read_bytes().splitlines(keepends=True)
    assert b"sha256" in first
    (run.path / BEGUN).write_bytes(b"".join(others))


def test_of_an_older_version_what_had_begun_lacks_what_results_tell_of_so_all_may_have(tmp_path: Path) -> None:
    there = home_run(tmp_path)
    of_an_older_version(there)
    assert there.shard(HOME).begun() == frozenset(["u-0", "u-1", "u-2"])
    path = there.path / BEGUN
    path.write_bytes(b"")
    files = RunFiles(there.path)
    assert files.shard(HOME).begun() is None
    assert files.damages == [f"{path}: it lacks mappings that have results; so each mapping of it is looked at"]


@pytest.mark.parametrize("does", [lambda _: None, lambda path: path.write_bytes(b"what\n" + path.read_bytes())])
def test_what_had_begun_and_is_missing_or_damaged_is_written_anew(
    tmp_path: Path, does: Callable[[Path], object]
) -> None:
    there = home_run(tmp_path)
    path = there.path / BEGUN
    if does(path) is None:
        path.unlink()
    RunFiles(there.path, salvage=True).shard(HOME).keep_begun({"u-0", "u-3"})
    assert RunFiles(there.path).shard(HOME).begun() is None  # a result tells of u-1
    (there.path / RESULTS).unlink()
    assert RunFiles(there.path).shard(HOME).begun() == frozenset(["u-0", "u-3"])


def test_what_had_begun_is_added_to(tmp_path: Path) -> None:
    there = home_run(tmp_path)
    before = (there.path / BEGUN).read_bytes()
    there.shard(HOME).keep_begun({"u-0"})
    assert (there.path / BEGUN).read_bytes() == before
    there.shard(HOME).keep_begun({"u-0", "u-3"})
    assert there.shard(HOME).begun() == frozenset(["u-0", "u-1", "u-2", "u-3"])


def test_a_damaged_list_of_what_was_begun_is_refused_or_all_is_looked_at(tmp_path: Path) -> None:
    there = home_run(tmp_path)
    path = there.path / BEGUN
    path.write_bytes(b"what\n" + path.read_bytes())
    with pytest.raises(RunFolderError, match=r"begun\.jsonl, line 1: "):
        there.shard(HOME).begun()
    salvaging = RunFiles(there.path, salvage=True)
    assert salvaging.shard(HOME).begun() is None
    [told] = salvaging.damages
    assert told.endswith("so each mapping of it is looked at")


# Plans that were saved


@pytest.mark.parametrize(
    ("does", "complaint", "left"),
    [
        (lambda whole: b"".join(lines(whole)[:2]), "has no closing line", ("u-0", "u-1")),
        (lambda whole: whole.replace(b'"Enabled":false', b'"Enabled":true', 1), "is not as it was saved", "all"),
        (lambda whole: lines(whole)[0] + whole, "is not as it was saved", "all"),
        (
            lambda whole: b"".join([*lines(whole)[:1], *lines(whole)[2:]]),
            "is not as it was saved",
            ("u-0", "u-2", "u-3"),
        ),
        (lambda _: b"", "the plan is empty", ()),
    ],
    ids=["cut", "edited", "a line twice", "a line less", "emptied"],
)
def test_a_saved_plan_that_was_cut_or_edited(
    tmp_path: Path, does: Callable[[bytes], bytes], complaint: str, left: tuple[str, ...] | str
) -> None:
    path = tmp_path / "plan.jsonl"
    save_plan(path, PLAN_OF_HOME.items)
    path.write_bytes(does(path.read_bytes()))
    with pytest.raises(RunFolderError, match=complaint):
        read_plan(path)
    told: list[str] = []
    found = tuple(each.uuid for each in read_plan(path, salvage=True, told=told.append).items)
    assert found == (tuple(each.uuid for each in PLAN_OF_HOME.items) if left == "all" else left)
    assert told == [f"{path}: it is not as it was saved; {len(found)} mappings have lines that are whole"]


def test_nothing_is_salvaged_of_a_whole_plan_nor_of_none(tmp_path: Path) -> None:
    path = tmp_path / "plan.jsonl"
    save_plan(path, PLAN_OF_HOME.items)
    told: list[str] = []
    assert read_plan(path, salvage=True, told=told.append) == PLAN_OF_HOME
    with pytest.raises(RunFolderError, match="cannot be read: No such file"):
        read_plan(tmp_path / "none", salvage=True, told=told.append)
    assert told == []


# Any damage


@st.composite
def damages(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """What may happen to a file: cut anywhere, a line twice or less, a byte that is another, nothing left."""
    kind = draw(st.sampled_from(["cut", "twice", "less", "flip", "empty"]))
    place = draw(st.floats(0, 1, exclude_max=True))
    bits = draw(st.integers(1, 255))

    def damage(whole: bytes) -> bytes:
        at, parts = int(place * len(whole)), lines(whole)
        line = int(place * len(parts))
        match kind:
            case "cut":
                return whole[:at]
            case "twice":
                return b"".join([*parts[: line + 1], *parts[line:]])
            case "less":
                return b"".join([*parts[:line], *parts[line + 1 :]])
            case "flip":
                return whole[:at] + bytes([whole[at] ^ bits]) + whole[at + 1 :]
        return b""

    return damage


@settings(deadline=None, max_examples=300)
@given(damage=damages(), name=st.sampled_from([PLAN, RECORD, FLEET, f"shards/{OTHER.name}/{PLAN}", "saved"]))
def test_what_was_written_once_is_read_as_it_was_written_or_refused(
    damage: Callable[[bytes], bytes], name: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        there = (home_run if name in {PLAN, RECORD} else fleet_run)(Path(folder))
        save_plan(there.path / "saved", PLAN_OF_HOME.items)
        path = there.path / name
        path.write_bytes(damage(path.read_bytes()))
        try:
            files = RunFiles(there.path)
            found = [(shard, files.shard(shard).plan()) for shard in files.planned()]
            saved = read_plan(there.path / "saved")
        except RunFolderError:
            return
        assert saved == PLAN_OF_HOME
        if files.has_shards:
            assert found == [(HOME, PLAN_OF_HOME), (OTHER, PLAN_OF_OTHER)]
        else:
            assert [plan for _, plan in found] == [PLAN_OF_HOME]


@settings(deadline=None, max_examples=200)
@given(damage=damages(), name=st.sampled_from([BEGUN, RESULTS]))
def test_files_that_grow_are_read_or_refused_and_what_they_lost_at_the_end_is_looked_at(
    damage: Callable[[bytes], bytes], name: str
) -> None:
    """A crash may leave less of them than was written, so nothing can tell a cut at a line break from one."""
    with tempfile.TemporaryDirectory() as folder:
        there = home_run(Path(folder))
        path = there.path / name
        whole = path.read_bytes()
        path.write_bytes(damage(whole))
        if whole.count(b"\n") == path.read_bytes().count(b"\n") and path.stat().st_size == len(whole):
            return  # a byte is another: only a digest tells, and what grows has none
        files = RunFiles(there.path).shard(HOME)
        try:
            begun, results = files.begun() or frozenset(), [each.uuid for each in files.results()]
        except RunFolderError:
            return
        assert begun <= {"u-0", "u-1", "u-2"}
        assert set(results) <= {"u-0", "u-1"}
        assert name == BEGUN or begun == {"u-0", "u-1", "u-2"}


def test_a_folder_of_which_a_file_is_gone(tmp_path: Path) -> None:
    there = fleet_run(tmp_path)
    for name in (FLEET, RECORD, f"shards/{OTHER.name}/{PLAN}"):
        copy = tmp_path / f"without-{Path(name).name}"
        shutil.copytree(there.path, copy)
        (copy / name).unlink()
        files = RunFiles(copy)
        with pytest.raises(RunFolderError, match="cannot be read: No such file"):
            [files.shard(shard).plan() for shard in files.planned()]
