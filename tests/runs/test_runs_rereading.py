"""Others' hands between reading and sending, in virtual time: looked for before each wave, and never overwritten."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import anyio
import pytest
from engine_world import MODELS, STARTED_AT, in_virtual_time, virtual_clock

from bulk_esm.api import connect
from bulk_esm.bulk import BulkEsm
from bulk_esm.model.change import Change
from bulk_esm.model.events import MappingEnded, RunEvent, WaveBegan
from bulk_esm.model.records import Intent
from bulk_esm.model.result import Outcome, Result
from bulk_esm.model.rollout import RolloutSettings
from bulk_esm.model.selection import Selection
from bulk_esm.simulator import Faults, Simulator

ARN = "arn:aws:{}:us-east-1:123456789012:{}"
CHANGE = Change({"BatchSize": 7, "MaximumBatchingWindowInSeconds": 1})
SEVERAL = 250  # of which the waves have more than there are pages of List
WAVES = ("1", "100%")


def queue(number: int, **members: Any) -> dict[str, Any]:
    return {
        "UUID": f"00000000-0000-4000-8000-{number:012}",
        "FunctionArn": ARN.format("lambda", "function:orders"),
        "EventSourceArn": ARN.format("sqs", f"orders-{number}"),
        "State": "Disabled",
        "LastModified": 1_700_000_000.125,
        "BatchSize": 10,
        **members,
    }


@asynccontextmanager
async def place(runs_dir: Path, count: int, **settings: Any) -> AsyncIterator[tuple[Simulator, BulkEsm]]:
    clock = virtual_clock()
    fleet = [queue(number) for number in range(count)]
    async with Simulator(clock=clock.monotonic, epoch=STARTED_AT.timestamp(), fleet=fleet, **settings) as there:
        with (
            patch.dict(os.environ, there.environment),
            patch("botocore.session.create_loader", lambda *_: MODELS),
        ):
            async with connect(clock=clock, runs_dir=runs_dir) as bulk:
                yield there, bulk


async def run(
    bulk: BulkEsm,
    *,
    waves: tuple[str, ...] = (),
    wait_s: float = 0.0,
    tell: Callable[[RunEvent], None] = lambda _: None,
) -> dict[str, Result]:
    """Plan, wait, and carry out; the results by UUID."""
    results: dict[str, Result] = {}

    def told(event: RunEvent) -> None:
        if isinstance(event, MappingEnded):
            results[event.result.uuid] = event.result
        tell(event)

    plan = await bulk.plan(Selection(all=True), CHANGE)
    ready = bulk.prepare(plan, intent=Intent(command="apply", rollout=RolloutSettings(waves=waves)))
    await bulk.fleet.clock.sleep(wait_s)
    await ready.carry_out([told])
    return results


def at_wave(number: int, do: Callable[[], None]) -> Callable[[RunEvent], None]:
    def tell(event: RunEvent) -> None:
        if isinstance(event, WaveBegan) and event.wave == number:
            do()

    return tell


@pytest.mark.parametrize("count", [8, SEVERAL])
@in_virtual_time
async def test_what_someone_changed_before_a_wave_is_a_conflict_and_is_not_overwritten(
    count: int, tmp_path: Path
) -> None:
    async with place(tmp_path, count) as (there, bulk):
        theirs: list[str] = []

        def someone() -> None:
            left = [mapping["UUID"] for mapping in there.snapshot() if mapping["BatchSize"] == 10]
            theirs.extend(left[:2])
            there.change_behind(theirs[0], BatchSize=77)
            there.change_behind(theirs[1], MaximumBatchingWindowInSeconds=9)

        results = await run(bulk, waves=WAVES, tell=at_wave(2, someone))
        says = ["BatchSize: 10 -> 77; plan it anew", "MaximumBatchingWindowInSeconds: 0 -> 9; plan it anew"]
        for uuid, what in zip(theirs, says, strict=True):
            found = results[uuid]
            assert (found.outcome, found.update_calls) == (Outcome.CONFLICT, 0)
            assert found.error is not None
            assert found.error.message.endswith(what)
        assert (there.get(theirs[0])["BatchSize"], there.get(theirs[1])["MaximumBatchingWindowInSeconds"]) == (77, 9)
        others = {result.outcome for uuid, result in results.items() if uuid not in theirs}
        assert (others, len(results)) == ({Outcome.UPDATED}, count)
        assert there.report().count("get") <= 20  # a sweep told, and not a Get of each


@pytest.mark.parametrize(("wait_s", "outcome"), [(0.0, Outcome.UPDATED), (61.0, Outcome.CONFLICT)])
@in_virtual_time
async def test_a_plan_that_is_no_longer_fresh_is_looked_through_before_the_first_wave(
    wait_s: float, outcome: Outcome, tmp_path: Path
) -> None:
    async with place(tmp_path, 8) as (there, bulk):
        uuid = there.snapshot()[3]["UUID"]

        def someone(event: RunEvent) -> None:
            if isinstance(event, WaveBegan):
                there.change_behind(uuid, ScalingConfig={"MaximumConcurrency": 5})

        results = await run(bulk, wait_s=wait_s, tell=someone)
        assert results[uuid].outcome is outcome
        error = results[uuid].error
        assert error is not None
        assert (error.code, 'ScalingConfig: unset -> {"MaximumConcurrency":5}' in error.message) == (
            "ChangedMeanwhile",
            True,
        )
        assert there.get(uuid)["ScalingConfig"] == {"MaximumConcurrency": 5}
        assert [result for result in results.values() if result.error is not None] == [results[uuid]]


@in_virtual_time
async def test_what_someone_did_already_is_unchanged_and_what_nobody_knows_is_no_conflict(tmp_path: Path) -> None:
    async with place(tmp_path, 8) as (there, bulk):
        left: list[str] = []

        def someone() -> None:
            left.extend(mapping["UUID"] for mapping in there.snapshot() if mapping["BatchSize"] == 10)
            there.change_behind(left[0], BatchSize=7, MaximumBatchingWindowInSeconds=1)
            there.change_behind(left[1], Novelty={"Level": 2})
            there.delete_behind(left[2])

        results = await run(bulk, waves=WAVES, tell=at_wave(2, someone))
        assert [results[uuid].outcome for uuid in left[:4]] == ["unchanged", "updated", "conflict", "updated"]
        assert results[left[0]].update_calls == 0


@in_virtual_time
async def test_a_list_that_lags_makes_no_conflict(tmp_path: Path) -> None:
    """It shows what was before the plan, which Get had told; only a later stamp counts without a Get."""
    async with place(tmp_path, SEVERAL, faults=Faults(list_lag_s=40.0)) as (there, bulk):
        await anyio.sleep(100)
        for mapping in there.snapshot()[:5]:
            there.change_behind(mapping["UUID"], BatchSize=9)
        await anyio.sleep(50)
        results = await run(bulk, waves=WAVES)
        assert {result.outcome for result in results.values()} == {Outcome.UPDATED}


@in_virtual_time
async def test_what_someone_changes_in_a_long_wave_is_a_conflict_minutes_later(tmp_path: Path) -> None:
    count = 2_000
    async with place(tmp_path, count) as (there, bulk):
        theirs: list[str] = []
        ended: list[str] = []

        def someone(event: RunEvent) -> None:
            if not isinstance(event, MappingEnded):
                return
            ended.append(event.result.uuid)
            if len(ended) == count // 10:
                sent = {mapping.uuid for mapping in there.report().mappings if mapping.accepted}
                theirs.extend([mapping["UUID"] for mapping in there.snapshot() if mapping["UUID"] not in sent][-2:])
                there.change_behind(theirs[0], BatchSize=77)
                there.change_behind(theirs[1], BatchSize=7, MaximumBatchingWindowInSeconds=1)

        results = await run(bulk, tell=someone)
        assert Counter(result.outcome for result in results.values()) == {
            "updated": count - 2,
            "conflict": 1,
            "unchanged": 1,
        }
        error = results[theirs[0]].error
        assert error is not None
        assert "BatchSize: 10 -> 77" in error.message
        assert there.get(theirs[0])["BatchSize"] == 77
        assert (results[theirs[1]].outcome, results[theirs[1]].update_calls) == (Outcome.UNCHANGED, 0)
