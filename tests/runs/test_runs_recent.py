"""What runs of late changed, as their files say it; and how long what one sent may be on its way."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest
from runs_toy import (
    ToyExecutor,
    fleet_of,
    item_of,
    left_running,
    of_an_older_version,
    plan_of,
    planned,
    shard,
)

from bulk_esm.model.doubts import NO_DOUBTS, Doubts
from bulk_esm.model.records import Intent, RunStatus
from bulk_esm.model.shard import Shard
from bulk_esm.runs.recent import ON_ITS_WAY_S, RECENT_S, recent_doubts, seconds_to_wait
from bulk_esm.runs.run import Run
from bulk_esm.store.begun import write_begun
from bulk_esm.store.run_files import RunFiles

A, B = shard(1), shard(2)
NOW_S = 1_760_000_000.0
ALL = {item_of(A, 0).uuid, item_of(A, 1).uuid}


async def a_run(runs_dir: Path, *, age_s: float = 0.0, status: RunStatus = RunStatus.FINISHED) -> RunFiles:
    """A run that paused two mappings in a shard and one in another, so long ago; still running if it was killed."""
    executor = ToyExecutor({A.name: plan_of(A, 2), B.name: plan_of(B, 1)})
    fleet = fleet_of(executor, (A, B))
    with await planned(fleet, runs_dir) as plan:
        run = Run(fleet, plan.publish(Intent(command="pause"), [(A, B)], None))
        await run.carry_out()
    if status is RunStatus.RUNNING:
        (run.files.shard(A).path / "results.jsonl").write_bytes(b"")
        left_running(run.files.shard(A))
    run.files.write_record(msgspec.structs.replace(run.record, status=status))
    for path in (*run.path.rglob("*"), run.path):
        os.utime(path, (NOW_S - age_s, NOW_S - age_s))
    return RunFiles(run.path)


def doubts(runs_dir: Path, where: Shard = A, *, also: tuple[RunFiles, ...] = ()) -> Doubts:
    return recent_doubts(runs_dir, where, now_s=NOW_S, also=also)


async def test_what_a_run_changed_is_doubted_until_its_stamp_is_newer_in_its_shard_alone(tmp_path: Path) -> None:
    await a_run(tmp_path, age_s=RECENT_S - 1)
    assert doubts(tmp_path).stamps.keys() == ALL
    assert doubts(tmp_path, B).stamps.keys() == {item_of(B, 0).uuid}
    assert doubts(tmp_path, shard(3)) == NO_DOUBTS
    assert doubts(tmp_path, Shard(account_id=A.account_id, region="us-east-1")) == NO_DOUBTS
    of_any = doubts(tmp_path, Shard(account_id=None, region=A.region))  # whose account is not known yet
    assert of_any.stamps.keys() == ALL | {item_of(B, 0).uuid}


@pytest.mark.parametrize("status", [RunStatus.FINISHED, RunStatus.HALTED, RunStatus.RUNNING])
async def test_what_was_sent_long_ago_is_believed(tmp_path: Path, status: RunStatus) -> None:
    await a_run(tmp_path, age_s=RECENT_S + 1, status=status)
    assert doubts(tmp_path) == NO_DOUBTS


async def test_what_a_killed_run_may_have_sent_is_told_by_get(tmp_path: Path) -> None:
    await a_run(tmp_path, status=RunStatus.RUNNING)
    assert doubts(tmp_path) == Doubts(by_get=frozenset(ALL))


async def test_a_run_that_is_kept_elsewhere_counts_where_it_is_named_and_no_run_twice(tmp_path: Path) -> None:
    run = await a_run(tmp_path / "there")
    assert doubts(tmp_path / "here") == NO_DOUBTS
    assert doubts(tmp_path / "here", also=(run,)) == doubts(tmp_path / "there") != NO_DOUBTS
    assert doubts(tmp_path / "there", also=(run,)) == doubts(tmp_path / "there")


async def test_a_damaged_run_counts_as_far_as_it_is_whole_and_hides_no_other(tmp_path: Path) -> None:
    run = await a_run(tmp_path)
    plan = run.shard(A).path / "plan.jsonl"
    plan.write_bytes(b"what\n" + plan.read_bytes())
    assert doubts(tmp_path).stamps.keys() == ALL
    plan.unlink()
    (await a_run(tmp_path)).path.joinpath("run.json").write_bytes(b"what\n")
    await a_run(tmp_path)
    assert doubts(tmp_path).stamps.keys() == ALL


async def test_only_what_a_killed_run_sent_last_is_waited_for(tmp_path: Path) -> None:
    run = await a_run(tmp_path / "finished", age_s=1)
    assert seconds_to_wait(run, now_s=NOW_S, max_per_second=12) == 0
    run = await a_run(tmp_path / "killed", age_s=10, status=RunStatus.RUNNING)
    assert seconds_to_wait(run, now_s=NOW_S, max_per_second=12) == ON_ITS_WAY_S - 10
    assert seconds_to_wait(run, now_s=NOW_S, max_per_second=150) == 0  # as a control plane so fast takes 6 s
    assert seconds_to_wait(run, now_s=NOW_S - 5, max_per_second=150) == 1
    assert seconds_to_wait(run, now_s=NOW_S + 50, max_per_second=12) == 0
    assert seconds_to_wait(run, now_s=NOW_S - 1000, max_per_second=12) == ON_ITS_WAY_S  # the file's clock is ahead


async def test_where_all_that_began_has_its_result_nothing_is_on_its_way(tmp_path: Path) -> None:
    run = await a_run(tmp_path, age_s=1, status=RunStatus.RUNNING)
    write_begun(run.shard(A).path / "begun.jsonl", run.record().run_id)
    assert seconds_to_wait(RunFiles(run.path), now_s=NOW_S, max_per_second=12) == 0
    of_an_older_version(run.shard(A))  # which kept no such list, and may have sent anything
    (run.shard(A).path / "begun.jsonl").unlink()
    os.utime(run.shard(A).path / "results.jsonl", (NOW_S - 1, NOW_S - 1))
    assert seconds_to_wait(RunFiles(run.path), now_s=NOW_S, max_per_second=12) == ON_ITS_WAY_S - 1
