"""Runs whose mappings show LastModified cut to the minute, as streams do (F§0.2), at every second of two minutes.

Within one minute a picture from before an update and one from after it bear the same stamp: a pause and the resume that
follows it at once are such, and so is a pause that follows somebody's change.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from engine_world import STARTED_AT, Home, engine_of, in_virtual_time, outcomes, world

from bulk_esm import Action, Change, Outcome, Result, Selection
from bulk_esm.engine.planning import make_plan
from bulk_esm.engine.settling import Asked, Verdict, judge
from bulk_esm.model.doubts import doubts_of
from bulk_esm.model.mapping import EventSourceMapping, SourceType, source_type_of
from bulk_esm.model.stamps import Age
from bulk_esm.simulator import Faults, Simulator, make_fleet

PAUSE, RESUME = Change({"Enabled": False}), Change({"Enabled": True})
EVERYTHING = Selection(all=True)
STREAMS = frozenset({SourceType.KINESIS, SourceType.DYNAMODB})
SEEDS = 5


def mappings_of(source_types: frozenset[SourceType], count: int, *, seed: int) -> list[dict[str, Any]]:
    """Some Enabled mappings of these source types."""
    fleet = make_fleet(20 * count, seed=seed, disabled_share=0.0)
    return [mapping for mapping in fleet.mappings if source_type_of(mapping) in source_types][:count]


@asynccontextmanager
async def world_at(second: float, **options: Any) -> AsyncIterator[tuple[Simulator, Home]]:
    """A world in which it is so many seconds past a whole minute."""
    lived_through_s = asyncio.get_running_loop().time()
    async with world(started_at=STARTED_AT + timedelta(seconds=second - lived_through_s), **options) as there:
        yield there


async def carried_out(home: Home, change: Change, **settings: Any) -> list[Result]:
    plan = await home.plan(EVERYTHING, change)
    results: list[Result] = []
    await engine_of(home, **settings).run(plan.items, results.append)
    assert len(results) == len(plan.items)
    return results


async def paused_and_resumed(simulator: Simulator, home: Home) -> None:
    """Pause everything and resume it as soon as that is done: each comes to what was asked, by one update each time."""
    count = len(simulator.snapshot())
    for times, (change, state) in enumerate(((PAUSE, "Disabled"), (RESUME, "Enabled")), start=1):
        results = await carried_out(home, change)
        assert outcomes(results) == {Outcome.UPDATED: count}
        report = simulator.report()
        assert report.states == {state: count}
        assert {mapping.accepted_count for mapping in report.mappings} == {times}
        assert report.count("update") == times * count


@pytest.mark.parametrize("quarter", range(4))
@in_virtual_time
async def test_a_run_over_all_source_types_that_starts_at_any_second_of_two_minutes(quarter: int) -> None:
    for second in range(30 * quarter, 30 * quarter + 30):
        fleet = make_fleet(8, seed=second % SEEDS, disabled_share=0.0)
        async with world_at(second, fleet=fleet, seed=second % SEEDS) as (simulator, home):
            assert len({mapping.source_type for mapping in simulator.report().mappings}) == 8
            await paused_and_resumed(simulator, home)


@in_virtual_time
async def test_a_resume_within_the_minute_of_its_pause_at_any_second_of_two_minutes() -> None:
    within_one = 0
    for second in range(120):
        fleet = mappings_of(STREAMS, 5, seed=second % SEEDS)
        async with world_at(second, fleet=fleet, seed=second % SEEDS) as (simulator, home):
            await paused_and_resumed(simulator, home)
            sent_at = [update.accepted_at for mapping in simulator.report().mappings for update in mapping.accepted]
            within_one += len({int(second + at - min(sent_at)) // 60 for at in sent_at}) == 1
    assert within_one > 60  # most of them are what this is about, and some do straddle
    assert within_one < 120


@pytest.mark.parametrize("count", [100, 300, 1000])
@in_virtual_time
async def test_a_list_that_lags_and_stamps_that_are_cut_cost_little(count: int) -> None:
    """A pause and the resume right after it, planning included: at most 1.3 requests a mapping each."""
    fleet = make_fleet(count, disabled_share=0.0)
    async with world_at(17.0, fleet=fleet, faults=Faults(list_lag_s=30.0)) as (simulator, home):
        before = 0
        for times, (change, state) in enumerate(((PAUSE, "Disabled"), (RESUME, "Enabled")), start=1):
            results = await carried_out(home, change)
            assert outcomes(results) == {Outcome.UPDATED: count}
            report = simulator.report()
            assert report.states == {state: count}
            assert {mapping.accepted_count for mapping in report.mappings} == {times}
            assert (report.count() - before) / count <= 1.3
            before = report.count()


@pytest.mark.parametrize("list_lag_s", [1.3, 30.0])
@in_virtual_time
async def test_what_list_may_show_from_before_the_pause_is_read_with_get_to_resume_it(list_lag_s: float) -> None:
    """A pause of one ends as soon as Get shows it settled, while List still shows it Enabled."""
    async with world_at(17.0, fleet=mappings_of(STREAMS, 1, seed=2), faults=Faults(list_lag_s=list_lag_s)) as (
        simulator,
        home,
    ):
        paused = await home.plan(EVERYTHING, PAUSE)
        results: list[Result] = []
        await engine_of(home).run(paused.items, results.append)
        assert outcomes(results) == {Outcome.UPDATED: 1}

        # Who does not say what was paused is shown by List that there is nothing to do.
        assert (await home.plan(EVERYTHING, RESUME)).count(Action.UNCHANGED) == 1

        (item,), (result,) = paused.items, results
        resuming = await make_plan(
            home.connection,
            EVERYTHING,
            RESUME,
            clock=home.clock,
            doubts=doubts_of([item], [result], None),
        )
        resumed: list[Result] = []
        await engine_of(home).run(resuming.items, resumed.append)
        assert outcomes(resumed) == {Outcome.UPDATED: 1}
        assert simulator.report().states == {"Enabled": 1}


# A Get that is not what it was taken for


def answers_from_before_once(home: Home) -> Callable[[], int]:
    """Have the first Get of each mapping show it at rest as it was planned, with the stamp that it has by now.

    Returns:
        Tells how many did.
    """
    there = home.control_plane
    get, done = there.get, set[str]()

    async def stale_once(uuid: str, **options: Any) -> EventSourceMapping:
        seen = await get(uuid, **options)
        if uuid in done:
            return seen
        done.add(uuid)
        return EventSourceMapping({**seen.configuration, "State": "Enabled"})

    there.get = stale_once  # type: ignore[method-assign]
    return lambda: len(done)


@pytest.mark.parametrize("second", [0, 20, 45])
@in_virtual_time
async def test_a_get_that_contradicts_once_with_a_cut_stamp_is_no_failure(second: int) -> None:
    async with world_at(second, fleet=mappings_of(STREAMS, 10, seed=3)) as (simulator, home):
        for mapping in simulator.snapshot():  # within this minute, so that no stamp tells before from after
            simulator.change_behind(mapping["UUID"], BatchSize=7)
        shown_old = answers_from_before_once(home)
        results = await carried_out(home, PAUSE)
        assert outcomes(results) == {Outcome.UPDATED: 10}
        assert shown_old() == 10
        assert simulator.report().states == {"Disabled": 10}


# These checks can fail: the same runs by rules that take a stamp for whole


def by_the_old_rule(asked: Asked, seen: EventSourceMapping, *, by_get: bool = False) -> Verdict:
    """Whatever is older than the 202 is stale."""
    return Verdict.STALE if seen.last_modified < asked.accepted_stamp else judge(asked, seen, by_get=by_get)


def whole(seen: float, *, planned: float, accepted: float) -> Age:
    """`age_of`, were all stamps whole."""
    if seen < accepted:
        return Age.OLD
    return Age.NEW if seen > planned else Age.UNKNOWN


@in_virtual_time
async def test_by_the_old_rule_no_pause_of_a_stream_ends_well() -> None:
    with patch("bulk_esm.engine.waits.judge", by_the_old_rule):
        async with world_at(41.355, fleet=mappings_of(STREAMS, 5, seed=1)) as (simulator, home):
            results = await carried_out(home, PAUSE, timeout_s=60.0)
            assert outcomes(results) == {Outcome.TIMED_OUT: 5}
            assert simulator.report().states == {"Disabled": 5}  # though all were


@in_virtual_time
async def test_with_stamps_taken_for_whole_no_resume_within_the_minute_ends_well() -> None:
    async with world_at(10.0, fleet=mappings_of(STREAMS, 5, seed=1)) as (simulator, home):
        assert outcomes(await carried_out(home, PAUSE, timeout_s=60.0)) == {Outcome.UPDATED: 5}
        with patch("bulk_esm.engine.settling.age_of", whole):
            assert outcomes(await carried_out(home, RESUME, timeout_s=60.0)) == {Outcome.TIMED_OUT: 5}
        assert simulator.report().states == {"Enabled": 5}


@in_virtual_time
async def test_believing_the_first_contradiction_fails_what_was_done() -> None:
    """The double above is no friend: were one Get enough, the run would call its own success a failure."""
    async with world_at(20.0, fleet=mappings_of(STREAMS, 5, seed=3)) as (simulator, home):
        for mapping in simulator.snapshot():
            simulator.change_behind(mapping["UUID"], BatchSize=7)
        answers_from_before_once(home)
        engine = engine_of(home)
        add = engine._waiter._waits.add

        def contradicted(asked: Asked, deadline: float, ended: Any) -> None:
            add(asked, deadline, ended)
            wait = engine._waiter._waits.get(asked.item.uuid)
            assert wait is not None
            wait.contradicted = True

        engine._waiter._waits.add = contradicted  # type: ignore[method-assign]
        results: list[Result] = []
        await engine.run((await home.plan(EVERYTHING, PAUSE)).items, results.append)
        assert outcomes(results) == {Outcome.FAILED: 5}
