"""Which mappings runs paused, and which are still paused, from the files of runs over shards and at home."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from runs_toy import item_of, shard

from bulk_esm.errors import RunFolderError, UsageError
from bulk_esm.model.plan import Plan, PlanItem
from bulk_esm.model.records import FleetRecord, RunRecord, ShardEntry
from bulk_esm.model.result import Outcome, Result
from bulk_esm.model.shard import Shard
from bulk_esm.runs.resuming import all_paused, paused_anything, paused_by_runs, runs_still_pausing
from bulk_esm.store.finding import all_runs, find_run
from bulk_esm.store.run_files import RunFiles

A, B = shard(1), shard(2)
A_ELSEWHERE = shard(1, region="us-east-1")
PLACE_A, PLACE_B = (A.account_id, A.region), (B.account_id, B.region)
UPDATED, FAILED, TIMED_OUT = Outcome.UPDATED, Outcome.FAILED, Outcome.TIMED_OUT


def items_of(where: Shard, *, enabled: bool = False) -> list[PlanItem]:
    items = [item_of(where, number) for number in range(3)]
    return [msgspec.structs.replace(item, request={"Enabled": enabled}) for item in items]


def uuids(where: Shard, *numbers: int) -> frozenset[str]:
    return frozenset(items_of(where)[number].uuid for number in numbers)


def a_run(
    runs_dir: Path, name: str, *ended: tuple[Shard, tuple[Outcome, ...]], command: str = "pause", at_home: bool = False
) -> RunFiles:
    """A run whose shards' mappings ended so, in their order; those without an outcome have no result."""
    record = RunRecord(
        run_id=name,
        command=command,
        argv=(),
        version="0",
        account_id=ended[0][0].account_id,
        region=ended[0][0].region,
        started_at=name,
    )
    files = RunFiles.begin(runs_dir, name)
    for where, _ in ended:
        plan = Plan(tuple(items_of(where, enabled=command == "resume")))
        if at_home:
            files.add_home(plan)
        else:
            files.add(where.name, record, plan)
    entries = tuple(ShardEntry(shard=where) for where, _ in ended)
    groups = (tuple(where.name for where, _ in ended),)
    files.publish(record, None if at_home else FleetRecord(shards=entries, groups=groups))
    for where, outcomes in ended:
        with files.shard(where).open_results() as results, files.shard(where).open_begun() as begun:
            items = files.shard(where).plan().items
            begun.begin([item.uuid for item in items], wave=1)
            for item, outcome in zip(items, outcomes, strict=False):
                results.append(result_of(item, where, outcome, run_id=name))
    return files


def result_of(item: PlanItem, where: Shard, outcome: Outcome, *, run_id: str) -> Result:
    return Result(
        run_id=run_id,
        uuid=item.uuid,
        function_arn=item.function_arn,
        event_source_arn=item.event_source_arn,
        source_type=item.source_type,
        account_id=where.account_id,
        region=where.region,
        wave=1,
        outcome=outcome,
        state=None,
        request=item.request,
    )


def test_what_a_run_over_shards_paused_by_place(tmp_path: Path) -> None:
    paused = paused_by_runs([a_run(tmp_path, "1", (A, (UPDATED, FAILED, TIMED_OUT)), (B, (FAILED, UPDATED)))])
    assert paused.has_shards
    assert paused.shards == (A, B)
    assert paused.by_place == {PLACE_A: uuids(A, 0, 2), PLACE_B: uuids(B, 1, 2)}  # what has no result may be paused
    assert paused.uuids == uuids(A, 0, 2) | uuids(B, 1, 2)


def test_a_shard_in_which_nothing_was_paused_is_left_out(tmp_path: Path) -> None:
    paused = paused_by_runs([a_run(tmp_path, "1", (A, (FAILED,) * 3), (B, (UPDATED,) * 3))])
    assert paused.shards == (B,)
    assert paused.by_place.keys() == {PLACE_B}


def test_several_runs_come_to_all_that_they_paused(tmp_path: Path) -> None:
    first = a_run(tmp_path, "1", (A, (UPDATED, FAILED, FAILED)))
    second = a_run(tmp_path, "2", (B, (UPDATED, FAILED, FAILED)), (A, (FAILED, UPDATED, FAILED)))
    paused = paused_by_runs([first, second])
    assert paused.shards == (A, B)
    assert paused.by_place == {PLACE_A: uuids(A, 0, 1), PLACE_B: uuids(B, 0)}


def test_at_home_the_place_is_that_of_the_record(tmp_path: Path) -> None:
    paused = paused_by_runs([a_run(tmp_path, "1", (A, (UPDATED, FAILED, FAILED)), at_home=True)])
    assert not paused.has_shards
    assert paused.by_place == {PLACE_A: uuids(A, 0)}


def test_a_run_that_paused_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="1-resume did not pause anything"):
        paused_by_runs([a_run(tmp_path, "1-resume", (A, (UPDATED,) * 3), command="resume")])
    with pytest.raises(UsageError, match="3-pause did not pause anything"):  # all were refused
        paused_by_runs([a_run(tmp_path, "3-pause", (A, (FAILED,) * 3))])
    paused = paused_by_runs([a_run(tmp_path, "2-apply", (A, (UPDATED,) * 3), command="apply")])
    assert paused.uuids == uuids(A, 0, 1, 2)  # whatever it was called


def test_runs_of_different_kinds_and_places_come_to_one_run_over_shards(tmp_path: Path) -> None:
    at_home = a_run(tmp_path, "1", (A, (UPDATED, FAILED, FAILED)), at_home=True)
    assert not paused_by_runs([at_home]).has_shards
    by_role = msgspec.structs.replace(A, role_arn="arn:aws:iam::000000000001:role/bulk-esm")
    with_fleet = paused_by_runs([at_home, a_run(tmp_path, "2", (by_role, (FAILED, UPDATED, FAILED)))])
    assert (with_fleet.has_shards, with_fleet.shards) == (True, (by_role,))  # whichever came first
    assert with_fleet.by_place == {PLACE_A: uuids(A, 0, 1)}
    elsewhere = a_run(tmp_path, "3", (A_ELSEWHERE, (UPDATED, FAILED, FAILED)), at_home=True)
    both = paused_by_runs([at_home, elsewhere])
    assert (both.has_shards, both.shards) == (True, (A, A_ELSEWHERE))


def test_what_is_within_a_fleet_is_reached_as_the_fleet_says(tmp_path: Path) -> None:
    a_run(tmp_path, "1", (A, (UPDATED, FAILED, FAILED)), at_home=True)
    a_run(tmp_path, "2", (B, (UPDATED, FAILED, FAILED)))
    by_role = msgspec.structs.replace(A, role_arn="arn:aws:iam::000000000001:role/bulk-esm")
    paused = all_paused(all_runs(tmp_path)).within([by_role, A_ELSEWHERE])
    assert (paused.shards, paused.by_place) == ((by_role,), {PLACE_A: uuids(A, 0)})
    assert [run.path.name for run in paused.runs] == ["1"]
    with pytest.raises(UsageError, match="in these accounts and Regions"):
        paused.within([B])


@pytest.mark.parametrize("at_home", [False, True])
def test_which_runs_still_pause_something(tmp_path: Path, *, at_home: bool) -> None:
    a_run(tmp_path, "1", (A, (UPDATED, UPDATED, FAILED)), at_home=at_home)
    a_run(tmp_path, "2", (A_ELSEWHERE, (UPDATED,) * 3))
    resumed = a_run(tmp_path, "3", (A, (FAILED, FAILED, UPDATED)))
    found = runs_still_pausing(all_runs(tmp_path), paused_by_runs([resumed]))
    assert [(one.run.path.name, one.count) for one in found] == [("1", 2), ("2", 3)]


def test_what_was_resumed_since_is_no_longer_paused(tmp_path: Path) -> None:
    a_run(tmp_path, "1", (A, (UPDATED, UPDATED, FAILED)))
    a_run(tmp_path, "2", (A, (UPDATED, UPDATED, FAILED)), command="resume")
    last = a_run(tmp_path, "3", (A, (FAILED, FAILED, UPDATED)))
    assert runs_still_pausing(all_runs(tmp_path), paused_by_runs([last])) == []


def test_what_is_resumed_now_does_not_count(tmp_path: Path) -> None:
    a_run(tmp_path, "1", (A, (UPDATED, FAILED, FAILED)), (B, (FAILED,) * 3))
    last = a_run(tmp_path, "2", (A, (UPDATED, UPDATED, FAILED)))
    assert runs_still_pausing(all_runs(tmp_path), paused_by_runs([last])) == []


def test_each_place_is_told_by_itself(tmp_path: Path) -> None:
    """UUIDs are the same in both places here, so that one taken for the other would show."""
    a_run(tmp_path, "1", (A, (UPDATED, FAILED, FAILED)))
    a_run(tmp_path, "2", (A_ELSEWHERE, (UPDATED, FAILED, FAILED)))
    last = a_run(tmp_path, "3", (A, (FAILED, UPDATED, FAILED)), (A_ELSEWHERE, (FAILED, UPDATED, FAILED)))
    found = runs_still_pausing(all_runs(tmp_path), paused_by_runs([last]))
    assert [one.run.path.name for one in found] == ["1", "2"]


def test_all_that_is_still_paused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run here still holds a paused mapping"):
        all_paused(all_runs(tmp_path))
    a_run(tmp_path, "1", (A, (UPDATED, UPDATED, FAILED)), (B, (UPDATED, FAILED, FAILED)))
    a_run(tmp_path, "2", (A, (UPDATED, FAILED, FAILED)), command="resume")
    a_run(tmp_path, "3", (A, (FAILED, FAILED, UPDATED)))
    paused = all_paused(all_runs(tmp_path))
    assert [run.path.name for run in paused.runs] == ["1", "3"]
    assert paused.by_place == {PLACE_A: uuids(A, 1, 2), PLACE_B: uuids(B, 0)}
    assert {item.uuid for item in paused.items_of(PLACE_A)} == uuids(A, 1, 2)


def test_what_is_paused_in_several_places_is_taken_together(tmp_path: Path) -> None:
    a_run(tmp_path, "1", (A, (UPDATED,) * 3), at_home=True)
    a_run(tmp_path, "2", (A_ELSEWHERE, (UPDATED,) * 3), at_home=True)
    a_run(tmp_path, "3", (A, (TIMED_OUT,) * 3), at_home=True)
    a_run(tmp_path, "4", (B, (UPDATED,) * 3))
    paused = all_paused(all_runs(tmp_path))
    assert [run.path.name for run in paused.runs] == ["2", "3", "4"]  # it has all of the first one's now
    assert sorted(shard.name for shard in paused.shards) == sorted(shard.name for shard in (A, A_ELSEWHERE, B))


def test_last_is_the_newest_run_that_paused_something(tmp_path: Path) -> None:
    with_path = a_run(tmp_path, "1", (A, (UPDATED, UPDATED, FAILED)))
    a_run(tmp_path, "2", (A, (UPDATED,) * 3), command="resume")
    a_run(tmp_path, "3", (A, (FAILED,) * 3))
    assert find_run(tmp_path, "last", is_meant=paused_anything).path == with_path.path
    with pytest.raises(RunFolderError, match="did not pause anything"):
        find_run(tmp_path, "last", is_meant=lambda _: False)
