"""Observers of a run: told in order, after what they are told of is on disk, and without a say in it."""

from __future__ import annotations

from pathlib import Path

import msgspec
from runs_toy import Seen, ToyExecutor, fleet_of, plan_of, planned, shard

from bulk_esm.model.events import MappingEnded, RunBegan, RunEnded, RunEvent, WaveBegan
from bulk_esm.model.records import Intent, RunStatus
from bulk_esm.model.result import Result
from bulk_esm.model.rollout import RolloutSettings
from bulk_esm.observers.observer import Observer
from bulk_esm.runs.run import Run
from bulk_esm.store.run_files import RunFiles

A, B = shard(1), shard(2)
INTENT = Intent(command="pause", rollout=RolloutSettings(waves=("1", "100%")))


async def carried_out(runs_dir: Path, *observers: Observer) -> Run:
    executor = ToyExecutor({each.name: plan_of(each, 3, unchanged=1) for each in (A, B)})
    fleet = fleet_of(executor, (A, B))
    with await planned(fleet, runs_dir, INTENT) as plan:
        run = Run(fleet, plan.publish(INTENT, [[A, B]], None))
        await run.carry_out(observers)
    return run


async def test_what_observers_are_told_and_when(tmp_path: Path) -> None:
    seen = Seen()
    run = await carried_out(tmp_path, seen)
    first, *between, last = seen.events
    assert isinstance(first, RunBegan)
    assert first.record.status is RunStatus.RUNNING
    assert last == RunEnded(run.record)
    assert run.record.status is RunStatus.FINISHED
    waves = [event for event in between if not isinstance(event, MappingEnded)]
    assert waves == [WaveBegan(wave=1, waves=2, updates=1), WaveBegan(wave=2, waves=2, updates=5)]
    places = [between.index(event) for event in waves]
    assert [type(event) for event in between[: places[0]]] == [MappingEnded] * 2  # to which nothing is sent
    told = [event.result for event in between[places[0] :] if isinstance(event, MappingEnded)]
    assert [result.wave for result in told] == [1, 2, 2, 2, 2, 2]
    assert places[1] == places[0] + 2


async def test_each_result_is_on_disk_before_it_is_told(tmp_path: Path) -> None:
    """As another process would find it, whatever became of this one."""
    missing: list[Result] = []
    found: list[Result] = []

    def look(event: RunEvent, /) -> None:
        if isinstance(event, MappingEnded):
            (folder,) = tmp_path.iterdir()
            on_disk = [
                msgspec.json.decode(line, type=Result)
                for path in folder.glob("shards/*/results.jsonl")
                for line in path.read_bytes().splitlines()
            ]
            (found if event.result in on_disk else missing).append(event.result)

    await carried_out(tmp_path, look)
    assert missing == []
    assert len(found) == 8


async def test_the_record_is_on_disk_before_the_end_is_told(tmp_path: Path) -> None:
    found: list[bool] = []

    def look(event: RunEvent, /) -> None:
        if isinstance(event, RunEnded):
            (folder,) = tmp_path.iterdir()
            found.append(RunFiles(folder).record() == event.record)

    await carried_out(tmp_path, look)
    assert found == [True]


async def test_one_that_fails_changes_nothing_and_is_warned_of_once(tmp_path: Path) -> None:
    told: list[RunEvent] = []

    def fails(event: RunEvent, /) -> None:
        told.append(event)
        if isinstance(event, MappingEnded):
            raise OSError("the disk of the report is full")

    seen = Seen()
    run = await carried_out(tmp_path, fails, seen)
    assert run.record.status is RunStatus.FINISHED
    assert run.record.counts == {"updated": 6, "unchanged": 2}
    assert len(seen.results) == 8
    assert [type(event) for event in told] == [RunBegan, MappingEnded]
    warnings = [line for line in (run.path / "log.jsonl").read_text().splitlines() if "observer_failed" in line]
    assert len(warnings) == 1
    assert "the disk of the report is full" in warnings[0]
