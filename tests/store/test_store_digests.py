"""What each file of a run knows of itself or of another, so that its damage is told."""

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from test_store_damage import HOME, PLAN_OF_HOME, RECORD_OF_RUN, home_run, lines, result

from bulk_esm.errors import RunFolderError
from bulk_esm.model.records import RunStatus
from bulk_esm.store.begun import BEGUN
from bulk_esm.store.finding import all_runs, find_run, records_of
from bulk_esm.store.run_files import RunFiles
from bulk_esm.store.shard_files import OLD_RESULTS, PLAN, RECORD, RESULTS

Damage = Callable[[bytes], bytes]


def ended_run(runs_dir: Path) -> RunFiles:
    """All of its four mappings have results, of which `run.json` has the digest."""
    files = home_run(runs_dir)
    shard = files.shard(HOME)
    with shard.open_results() as results:
        for uuid in ("u-2", "u-3"):
            results.append(result(uuid))
    digest = shard.results_digest()
    record = msgspec.structs.replace(files.record(), status=RunStatus.FINISHED, results=digest)
    files.write_record(record)
    return RunFiles(files.path)


def salvaged(files: RunFiles) -> RunFiles:
    return RunFiles(files.path, salvage=True)


# run.json


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole.replace(b'"pause"', b'"apply"', 1),
        lambda whole: whole.replace(b"us-east-1", b"eu-west-1"),
        lambda whole: whole.replace(b'"as_given":false', b'"as_given":true'),
        lambda whole: msgspec.json.encode({**msgspec.json.decode(whole), "undoes": "x"}),
    ],
)
def test_a_record_that_was_edited_is_told(damage: Damage, tmp_path: Path) -> None:
    files = home_run(tmp_path)
    path = files.path / RECORD
    assert damage(path.read_bytes()) != path.read_bytes()
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(RunFolderError, match=r"run\.json is damaged: it is not what was written; --salvage"):
        RunFiles(files.path).record()
    there = salvaged(files)
    there.record()
    assert there.damages == [f"{path} is damaged: it is not what was written"]


def test_a_record_of_another_form_or_version_is_the_same_record(tmp_path: Path) -> None:
    files = home_run(tmp_path)
    path = files.path / RECORD
    members = msgspec.json.decode(path.read_bytes())
    path.write_bytes(msgspec.json.format(msgspec.json.encode(dict(reversed(members.items()))), indent=-1))
    assert RunFiles(files.path).record() == files.record()
    path.write_bytes(msgspec.json.encode({name: value for name, value in members.items() if name != "sha256"}))
    assert RunFiles(files.path).record() == files.record()  # of an older version


def test_a_record_of_another_run_is_refused_and_a_copy_is_not(tmp_path: Path) -> None:
    files = home_run(tmp_path)
    shutil.copytree(files.path, tmp_path / "20270101T000000Z-pause-abcdef")
    with pytest.raises(RunFolderError, match=f"it is that of {RECORD_OF_RUN.run_id}"):
        RunFiles(tmp_path / "20270101T000000Z-pause-abcdef").record()
    shutil.copytree(files.path, tmp_path / "a-copy")
    assert find_run(tmp_path, str(tmp_path / "a-copy")).record().run_id == RECORD_OF_RUN.run_id


def test_a_run_without_its_record_is_listed(tmp_path: Path) -> None:
    files = home_run(tmp_path)
    (files.path / RECORD).unlink()
    [(found, error)] = records_of(all_runs(tmp_path))
    assert (found.path, type(error)) == (files.path, RunFolderError)


@pytest.mark.parametrize("at", ["2026-02-30T00:00:00Z", "yesterday", "2026-01-02T03:04:05"])
def test_a_time_that_is_none(at: str, tmp_path: Path) -> None:
    files = home_run(tmp_path)
    members = {"ended_at": at}
    (files.path / RECORD).write_bytes(msgspec.json.encode(msgspec.to_builtins(RECORD_OF_RUN) | members))
    with pytest.raises(RunFolderError, match=r"run\.json, line 1: "):
        RunFiles(files.path).record()


# Results


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"".join(lines(whole)[:2]),
        lambda whole: whole + lines(whole)[0],
        lambda _: b"",
        lambda whole: whole.replace(b'"updated"', b'"blocked"', 1),
    ],
    ids=["cut", "twice", "emptied", "edited"],
)
def test_results_of_a_run_that_ended_are_as_they_were(damage: Damage, tmp_path: Path) -> None:
    files = ended_run(tmp_path)
    assert len(list(files.results())) == 4
    path = files.path / RESULTS
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(RunFolderError, match=r"results\.jsonl is damaged: "):
        list(RunFiles(files.path).results())
    there = salvaged(files)
    assert len({each.uuid for each in there.results()}) == len(list(there.results())) <= 4
    assert "results.jsonl: it is not what was written" in there.damages[0]


def test_results_that_are_gone_are_missed(tmp_path: Path) -> None:
    files = ended_run(tmp_path)
    (files.path / RESULTS).unlink()
    with pytest.raises(RunFolderError, match="No such file"):
        list(RunFiles(files.path).results())


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda whole: whole + lines(whole)[0], "it has two results of u-0"),
        (lambda whole: whole.replace(b'"u-1"', b'"v-1"'), "it has a result of v-1, which the plan does not have"),
        (lambda whole: whole.replace(b"-pause-abc123", b"-pause-ddd444", 1), "it has a result of 20260102T030405Z"),
    ],
)
def test_results_of_a_run_that_did_not_end_are_its_own(damage: Damage, what: str, tmp_path: Path) -> None:
    files = home_run(tmp_path)
    path = files.path / RESULTS
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(RunFolderError, match=rf"results\.jsonl is damaged: {what}"):
        list(RunFiles(files.path).results())


def test_a_run_that_is_continued_may_have_other_results(tmp_path: Path) -> None:
    files = ended_run(tmp_path)
    shard = files.shard(HOME)
    shard.keep_results([each for each in shard.results() if each.uuid == "u-0"])
    assert [each.uuid for each in RunFiles(files.path).results()] == ["u-0"]


def test_what_cannot_be_read_of_old_results_stays_there(tmp_path: Path) -> None:
    files = home_run(tmp_path)
    path = files.path / OLD_RESULTS
    path.write_bytes(b"what\n")
    files.shard(HOME).keep_results([])
    assert lines(path.read_bytes())[0] == b"what\n"
    assert len(lines(path.read_bytes())) == 3


# What was begun


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda whole: b"".join(lines(whole)[:2]), "it has 1 lines, and 2 were written"),
        (lambda whole: b"".join(lines(whole)[1:]), "its first line is missing"),
        (lambda _: b"", "its first line is missing"),
        (lambda whole: whole.replace(b'"u-2"', b'"u-3"'), "a line is not what was written"),
        (lambda whole: lines(whole)[0] + lines(whole)[2] * 2, "a line is not what was written"),
        (
            lambda whole: whole.replace(b"-pause-abc123", b"-pause-ddd444"),
            "it is that of 20260102T030405Z-pause-ddd444",
        ),
    ],
)
def test_what_was_begun_and_is_lost_is_missed(damage: Damage, what: str, tmp_path: Path) -> None:
    files = home_run(tmp_path)
    path = files.path / BEGUN
    assert files.shard(HOME).begun() == frozenset({"u-0", "u-1", "u-2"})
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(RunFolderError, match=rf"begun\.jsonl is damaged: {what}"):
        RunFiles(files.path).shard(HOME).begun()
    assert salvaged(files).shard(HOME).begun() is None  # so all is looked at


def test_a_line_that_a_crash_kept_from_being_counted_counts(tmp_path: Path) -> None:
    files = home_run(tmp_path)
    path = files.path / BEGUN
    path.write_bytes(path.read_bytes() + b'{"wave":2,"uuids":["u-3"]}\n{"wave":2,"uui')
    assert files.shard(HOME).begun() == frozenset({"u-0", "u-1", "u-2", "u-3"})
    with files.shard(HOME).open_begun() as begun:
        begun.begin(["u-1"], wave=3)
    assert len(lines(path.read_bytes())) == 5
    assert RunFiles(files.path).shard(HOME).begun() == frozenset({"u-0", "u-1", "u-2", "u-3"})
    path.write_bytes(b"".join(lines(path.read_bytes())[:4]))
    with pytest.raises(RunFolderError, match="it has 3 lines, and 4 were written"):
        files.shard(HOME).begun()


def test_a_file_that_is_begun_anew_says_what_may_have_been_sent_before(tmp_path: Path) -> None:
    files = home_run(tmp_path)
    shard = files.shard(HOME)
    shard.keep_begun({"u-0", "u-1"})
    with shard.open_begun() as begun:
        begun.begin(["u-2"], wave=1)
    assert RunFiles(files.path).shard(HOME).begun() == frozenset({"u-0", "u-1", "u-2"})


# Lines of a plan


@pytest.mark.parametrize(
    "members",
    [
        {"before": 5},
        {"before": {"SourceAccessConfigurations": [1]}},
        {"before": {"FunctionArn": {}}},
        {"request": {"BatchSize": "x"}},
        {"request": {"UUID": "another"}},
        {"request": {"FilterCriteria": {"Filters": [5]}}},
    ],
    ids=str,
)
def test_a_line_of_other_types_below_the_top_is_none(members: dict[str, object], tmp_path: Path) -> None:
    files = home_run(tmp_path)
    path = files.path / PLAN
    first, *others = lines(path.read_bytes())
    path.write_bytes(b"".join([msgspec.json.encode(msgspec.json.decode(first) | members) + b"\n", *others]))
    files.write_record(RECORD_OF_RUN)  # an older version, which had no digest
    with pytest.raises(RunFolderError, match=r"plan\.jsonl, line 1: "):
        RunFiles(files.path).shard(HOME).plan()
    assert len(salvaged(files).shard(HOME).plan().items) == len(PLAN_OF_HOME.items) - 1


def test_a_file_that_cannot_be_replaced_leaves_nothing_beside_it(tmp_path: Path) -> None:
    files = home_run(tmp_path)
    (files.path / BEGUN).unlink()
    (files.path / BEGUN).mkdir()
    before = sorted(path.name for path in files.path.iterdir())
    with pytest.raises(RunFolderError, match="cannot be written: Is a directory"):
        files.shard(HOME).write_plan(PLAN_OF_HOME, run_id=files.record().run_id)
    assert sorted(path.name for path in files.path.iterdir()) == before


def test_a_shard_whose_name_would_lead_elsewhere_is_none(tmp_path: Path) -> None:
    files = home_run(tmp_path)
    for members in ({"region": "../../x"}, {"account_id": "../.."}, {"region": "us-east-1\n"}):
        shard = {"account_id": "123456789012", "region": "us-east-1"} | members
        (files.path / "fleet.json").write_bytes(msgspec.json.encode({"shards": [{"shard": shard}], "groups": []}))
        files.write_record(RECORD_OF_RUN)
        with pytest.raises(RunFolderError, match=r"fleet\.json, line 1: .* does not match regex|matching regex"):
            RunFiles(files.path).fleet()
