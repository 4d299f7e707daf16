"""The engine against the simulator with one thing going wrong after another, in virtual time."""

import asyncio
import math
from collections.abc import Callable
from typing import Any, cast

import anyio
import pytest
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError
from engine_world import (
    Home,
    a_mapping,
    accepted,
    check_what_always_holds,
    engine_of,
    in_virtual_time,
    outcomes,
    queues,
    world,
)

from bulk_esm import AccessError, Change, Outcome, Plan, Result, Selection
from bulk_esm.model.records import RunStatus
from bulk_esm.model.resuming import paused_by
from bulk_esm.simulator import Faults, Simulator

PAUSE = Change({"Enabled": False})
RESIZE = Change({"BatchSize": 5})
EVERYTHING = Selection(all=True)


async def carried_out(home: Home, plan: Plan, simulator: Simulator, **settings: Any) -> dict[str, Result]:
    """The results of a plan that is carried out to its end, by mapping."""
    results: list[Result] = []
    await engine_of(home, **settings).run(plan.items, results.append)
    check_what_always_holds(plan, results, simulator)
    return {result.uuid: result for result in results}


@in_virtual_time
async def test_pause_all() -> None:
    async with world(mappings=60) as (simulator, home):
        plan = await home.plan(EVERYTHING, PAUSE)
        enabled = {mapping["UUID"] for mapping in simulator.snapshot() if mapping["State"] == "Enabled"}
        results = await carried_out(home, plan, simulator)
        assert {uuid for uuid, result in results.items() if result.outcome is Outcome.UPDATED} == enabled
        assert {uuid for uuid, result in results.items() if result.outcome is Outcome.UNCHANGED} == (
            results.keys() - enabled
        )
        assert simulator.report().states == {"Disabled": 60}
        assert {results[uuid].update_calls for uuid in enabled} == {1}
        assert {results[uuid].state for uuid in enabled} == {"Disabled"}
        # No request was refused, so none was wasted on asking too often.
        counts = home.control_plane.request_counts()
        assert (counts["throttled"], counts["errors"], counts["update"]) == (0, 0, len(enabled))
        result = results[min(enabled)]
        assert (result.run_id, result.account_id, result.region, result.wave) == (
            "a-run",
            "123456789012",
            "us-east-1",
            1,
        )
        assert result.request == {"Enabled": False}
        assert (result.duration_s or 0) > 2


@in_virtual_time
async def test_only_what_was_selected_is_touched() -> None:
    async with world(mappings=60) as (simulator, home):
        plan = await home.plan(Selection(source_types=("kinesis", "mq")), RESIZE)
        before = {mapping["UUID"]: mapping for mapping in simulator.snapshot()}
        await carried_out(home, plan, simulator)
        assert 0 < len(accepted(simulator)) < 20
        assert all(
            mapping == before[mapping["UUID"]]
            for mapping in simulator.snapshot()
            if mapping["UUID"] not in accepted(simulator)
        )


WRONG = {
    "a few 500s": Faults(error_share=0.05),
    "many 500s": Faults(error_share=0.3),
    "cut before applying": Faults(cut_before_share=0.15),
    "cut after applying": Faults(cut_after_share=0.15),
    "some of everything": Faults(error_share=0.05, cut_before_share=0.05, cut_after_share=0.05),
    "lagging List": Faults(list_lag_s=120.0),
    "wrong List": Faults(list_wrong_share=1.0, list_wrong_for_s=60.0),
    "slow answers": Faults(latency_s=3.0, latency_share=0.5),
    "another caller": Faults(other_caller_share=0.5),
    "another caller at times": Faults(other_caller_share=1.5, other_caller_on_s=20.0, other_caller_off_s=20.0),
    "the other throttle": Faults(other_caller_share=0.5, throttle_code="ThrottlingException"),
    "retry after": Faults(other_caller_share=0.5, retry_after_s=2),
}


@pytest.mark.parametrize("faults", WRONG.values(), ids=WRONG)
@in_virtual_time
async def test_all_are_paused_for_all_that_goes_wrong(faults: Faults) -> None:
    async with world(fleet=queues(25), faults=faults) as (simulator, home):
        plan = await home.plan(EVERYTHING, PAUSE)
        results = await carried_out(home, plan, simulator)
        assert outcomes(list(results.values())) == {Outcome.UPDATED: 25}
        assert simulator.report().states == {"Disabled": 25}
        # What was cut was counted and, where it was an update, looked at by us and not sent again by the HTTP library.
        report = simulator.report()
        counts = home.control_plane.request_counts()
        assert {kind: counts[kind] for kind in ("list", "get", "update")} == {
            kind: report.count(kind) for kind in ("list", "get", "update")
        }
        assert sum(result.update_calls for result in results.values()) == report.count("update")


@in_virtual_time
async def test_another_caller_slows_us_down_and_no_more() -> None:
    async with world(fleet=queues(100), faults=Faults(other_caller_share=0.5)) as (simulator, home):
        plan = await home.plan(EVERYTHING, PAUSE)
        results = await carried_out(home, plan, simulator)
        assert outcomes(list(results.values())) == {Outcome.UPDATED: 100}
        statistics = home.control_plane.pacer.statistics()
        assert 0 < statistics.episodes < statistics.granted / 10
        report = simulator.report()
        assert home.control_plane.request_counts()["throttled"] == report.count(status=429) > 0


@in_virtual_time
async def test_mappings_that_never_settle_time_out() -> None:
    async with world(fleet=queues(40), faults=Faults(stuck_share=0.25)) as (simulator, home):
        plan = await home.plan(EVERYTHING, PAUSE)
        results = await carried_out(home, plan, simulator, timeout_s=60.0)
        stuck = {mapping["UUID"] for mapping in simulator.snapshot() if mapping["State"] == "Disabling"}
        assert 0 < len(stuck) < 40
        for uuid, result in results.items():
            assert result.outcome is (Outcome.TIMED_OUT if uuid in stuck else Outcome.UPDATED)
        example = results[min(stuck)]
        assert example.error is not None
        assert example.error.code == "TimedOut"
        assert "still Disabling after 60 s" in example.error.message
        assert (example.state, example.settled_at) == ("Disabling", None)
        assert example.accepted_at is not None
        assert (example.duration_s or 0) >= 60


@in_virtual_time
async def test_lambdas_refusal_is_the_result() -> None:
    async with world(fleet=queues(40), faults=Faults(refused_share=0.25)) as (simulator, home):
        plan = await home.plan(EVERYTHING, PAUSE)
        results = await carried_out(home, plan, simulator)
        counts = outcomes(list(results.values()))
        assert 0 < counts[Outcome.FAILED] < 40
        assert counts[Outcome.UPDATED] == 40 - counts[Outcome.FAILED] == len(accepted(simulator))
        for result in results.values():
            if result.outcome is Outcome.FAILED:
                assert result.error is not None
                assert result.error.code == "InvalidParameterValueException"
                assert result.error.message.startswith("Queue visibility timeout: 30 seconds")
                assert result.error.request_id
                assert (result.update_calls, result.accepted_at, result.state) == (1, None, "Enabled")


@pytest.mark.parametrize(
    ("behind", "outcome", "words"),
    [
        ({"BatchSize": 3, "State": "Enabled"}, Outcome.CONFLICT, "BatchSize is 3, not 5"),
        ({"BatchSize": 10, "State": "Enabled"}, Outcome.FAILED, "BatchSize is 10, not 5"),  # put back
        ({"FunctionResponseTypes": ["ReportBatchItemFailures"]}, Outcome.UPDATED, ""),  # not what was asked for
    ],
)
@in_virtual_time
async def test_someone_changes_a_mapping_while_it_settles(behind: dict[str, Any], outcome: Outcome, words: str) -> None:
    async with world(fleet=queues(3)) as (simulator, home):
        plan = await home.plan(EVERYTHING, RESIZE)
        uuid = plan.items[1].uuid
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_later, 1.5, lambda: simulator.change_behind(uuid, **behind))
            results = await carried_out(home, plan, simulator)
        result = results.pop(uuid)
        assert result.outcome is outcome
        assert words in (result.error.message if result.error else "")
        assert {other.outcome for other in results.values()} == {Outcome.UPDATED}


@in_virtual_time
async def test_someone_deletes_a_mapping_while_it_settles() -> None:
    async with world(fleet=queues(3)) as (simulator, home):
        plan = await home.plan(EVERYTHING, PAUSE)
        uuid = plan.items[1].uuid
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_later, 1.5, lambda: simulator.delete_behind(uuid))
            result = (await carried_out(home, plan, simulator))[uuid]
        assert result.outcome is Outcome.CONFLICT
        assert result.accepted_at is not None
        assert result.error is not None
        assert "deleted" in result.error.message


@in_virtual_time
async def test_someone_deleted_a_mapping_before_its_update() -> None:
    async with world(fleet=queues(3)) as (simulator, home):
        plan = await home.plan(EVERYTHING, PAUSE)
        uuid = plan.items[1].uuid
        simulator.delete_behind(uuid)
        result = (await carried_out(home, plan, simulator))[uuid]
        assert (result.outcome, result.update_calls, result.accepted_at) == (Outcome.CONFLICT, 1, None)
        assert result.error is not None
        assert "deleted" in result.error.message


def losing_answers(home: Home, then: Callable[[str], None], *, times: int = 1, applied: bool = True) -> None:
    """Lose the answers of the first updates, whether they were applied or not.

    Args:
        then: what happens next, with the mapping's UUID.
    """
    client = cast("Any", home.control_plane._client)
    send = client.update_event_source_mapping
    left = [times]

    async def send_and_lose(**request: Any) -> Any:
        if left[0] <= 0:
            return await send(**request)
        left[0] -= 1
        if applied:
            await send(**request)
        then(request["UUID"])
        raise ConnectionClosedError(endpoint_url="simulated")

    client.update_event_source_mapping = send_and_lose


@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize(
    ("settle_scale", "times"),
    [(0.0, 1), (1.0, 1), (1.0, 5)],
)
@in_virtual_time
async def test_an_update_whose_answer_was_lost_is_looked_at_before_it_is_sent_again(
    settle_scale: float, times: int, applied: bool  # noqa: FBT001 - parameters of the test
) -> None:  # fmt: skip
    async with world(fleet=queues(1), settle_scale=settle_scale) as (simulator, home):
        plan = await home.plan(EVERYTHING, PAUSE)
        losing_answers(home, lambda _: None, times=times, applied=applied)
        (result,) = (await carried_out(home, plan, simulator)).values()
        assert result.outcome is Outcome.UPDATED
        assert result.update_calls == (1 if applied else times + 1)
        assert simulator.report().count("update") == 1


@in_virtual_time
async def test_an_update_that_never_gets_an_answer_fails_in_the_end() -> None:
    async with world(fleet=queues(1)) as (simulator, home):
        plan = await home.plan(EVERYTHING, PAUSE)
        losing_answers(home, lambda _: None, times=1000, applied=False)
        (result,) = (await carried_out(home, plan, simulator)).values()
        assert result.error is not None
        # Every look, the last one too, found it as it was planned.
        assert (result.outcome, result.error.code) == (Outcome.FAILED, "ConnectionClosedError")
        assert result.update_calls == 8
        # 16 requests are 1.3 s of the rate; the rest is backing off.
        assert asyncio.get_running_loop().time() > 10


@pytest.mark.parametrize("applied", [True, False])
@in_virtual_time
async def test_someone_deletes_a_mapping_whose_update_is_in_doubt(applied: bool) -> None:  # noqa: FBT001 - a parameter
    async with world(fleet=queues(1)) as (simulator, home):
        plan = await home.plan(EVERYTHING, PAUSE)
        losing_answers(home, simulator.delete_behind, applied=applied)
        (result,) = (await carried_out(home, plan, simulator)).values()
        assert (result.outcome, result.update_calls) == (Outcome.CONFLICT, 1)


@in_virtual_time
async def test_someone_changes_a_mapping_whose_update_is_in_doubt() -> None:
    async with world(fleet=queues(1)) as (simulator, home):
        plan = await home.plan(EVERYTHING, PAUSE)
        losing_answers(home, lambda uuid: simulator.change_behind(uuid, BatchSize=7), applied=False)
        (result,) = (await carried_out(home, plan, simulator)).values()
        assert (result.outcome, result.update_calls) == (Outcome.CONFLICT, 1)
        assert simulator.report().count("update") == 0


@pytest.mark.parametrize("in_doubt", [True, False])
@in_virtual_time
async def test_a_look_that_fails_for_good_does_not_tell_that_the_update_failed(in_doubt: bool) -> None:  # noqa: FBT001
    """The mapping may well be paused: whoever resumes what was paused must find it among that."""
    async with world(fleet=queues(2)) as (simulator, home):
        plan = await home.plan(EVERYTHING, PAUSE)
        if in_doubt:
            losing_answers(home, lambda _: None, times=2)
        client = cast("Any", home.control_plane._client)

        async def no_answer(**_: Any) -> Any:
            raise ReadTimeoutError(endpoint_url="simulated")

        client.get_event_source_mapping = client.list_event_source_mappings = no_answer
        results = await carried_out(home, plan, simulator)
        assert {result.outcome for result in results.values()} == {Outcome.TIMED_OUT}
        assert {result.error.code for result in results.values() if result.error} == {"ReadTimeoutError"}
        assert paused_by(plan.items, results.values()) == {item.uuid for item in plan.items}


@pytest.mark.parametrize(
    ("request_of_other", "outcome"),
    [
        ({"FunctionName": "f0"}, Outcome.UPDATED),  # changes nothing, but takes its time
        ({"BatchSize": 7}, Outcome.CONFLICT),
        ({"Enabled": False}, Outcome.UNCHANGED),  # just what we want; not our doing
    ],
)
@in_virtual_time
async def test_a_mapping_in_use_is_waited_for_and_not_hammered(
    request_of_other: dict[str, Any], outcome: Outcome
) -> None:
    async with world(fleet=[a_mapping(EventSourceArn="arn:aws:mq:us-east-1:123456789012:broker:b:b-1")]) as (
        simulator,
        home,
    ):
        plan = await home.plan(EVERYTHING, PAUSE)
        (item,) = plan.items
        simulator._world.of(item.uuid).update(item.uuid, request_of_other, simulator.now)
        results: list[Result] = []
        await engine_of(home).run(plan.items, results.append)
        (result,) = results
        assert result.outcome is outcome
        report = simulator.report()
        assert report.count("update", 400) == 1
        assert report.count("get") <= 10
        assert result.update_calls == report.count("update") == (2 if outcome is Outcome.UPDATED else 1)
        assert (result.accepted_at is None) == (outcome is not Outcome.UPDATED)


@in_virtual_time
async def test_a_mapping_that_stays_in_use_times_out() -> None:
    async with world(fleet=queues(1), faults=Faults(stuck_share=1.0)) as (simulator, home):
        plan = await home.plan(EVERYTHING, PAUSE)
        (item,) = plan.items
        simulator._world.of(item.uuid).update(item.uuid, {"BatchSize": 7}, simulator.now)
        results: list[Result] = []
        await engine_of(home, timeout_s=60.0).run(plan.items, results.append)
        (result,) = results
        assert result.error is not None
        assert (result.outcome, result.error.code) == (Outcome.TIMED_OUT, "ResourceInUseException")
        assert "stayed Updating" in result.error.message
        assert (result.update_calls, result.accepted_at) == (1, None)


@in_virtual_time
async def test_a_mapping_in_use_at_its_deadline_was_not_deleted() -> None:
    async with world(fleet=queues(1), faults=Faults(stuck_share=1.0, latency_s=5.0)) as (simulator, home):
        plan = await home.plan(EVERYTHING, PAUSE)
        (item,) = plan.items
        simulator._world.of(item.uuid).update(item.uuid, {"BatchSize": 7}, simulator.now)
        results: list[Result] = []
        await engine_of(home, timeout_s=3.0).run(plan.items, results.append)
        assert [result.outcome for result in results] == [Outcome.TIMED_OUT]


@pytest.mark.parametrize("seconds", [0.5, 5.0, 10.5])
@in_virtual_time
async def test_credentials_that_are_refused_in_mid_run_end_it_at_once(seconds: float) -> None:
    # The plan takes one request: the run begins at once. What a policy denies is in `test_engine_denied`.
    async with world(fleet=queues(100), faults=Faults(expires_after_s=seconds)) as (simulator, home):
        plan = await home.plan(EVERYTHING, PAUSE)
        results: list[Result] = []
        with pytest.raises(AccessError, match="was refused"):
            await engine_of(home).run(plan.items, results.append)
        check_what_always_holds(plan, results, simulator)
        report = simulator.report()
        assert 1 <= report.count(status=403) <= 3  # not once for each mapping
        counts = outcomes(results)
        assert counts[Outcome.NOT_STARTED] >= 100 - report.count("update")
        by_uuid = {result.uuid: result for result in results}
        for uuid in accepted(simulator):
            result = by_uuid[uuid]
            assert result.outcome in {Outcome.UPDATED, Outcome.TIMED_OUT}
            if result.outcome is Outcome.TIMED_OUT:
                assert result.error is not None
                assert result.error.code == "AccessDenied"
                assert "was refused" in result.error.message
        never = [result for result in results if result.uuid not in accepted(simulator)]
        assert {result.outcome for result in never} <= {Outcome.NOT_STARTED}
        refused = [result for result in never if result.update_calls]
        assert all(result.error and result.error.code == "AccessDenied" for result in refused)


async def _later(seconds: float, act: Callable[[], Any]) -> None:
    await anyio.sleep(seconds)
    act()


def cut_off(home: Home, *, until_s: float) -> None:
    """No connection to Lambda comes up to a moment."""

    def refuse(**_: Any) -> None:
        if home.clock.monotonic() < until_s:
            raise EndpointConnectionError(endpoint_url="there")

    home.control_plane._client.meta.events.register("before-send.lambda", refuse)


@in_virtual_time
async def test_minutes_without_a_connection_fail_nothing() -> None:
    async with world(fleet=queues(25)) as (simulator, home):
        plan = await home.plan(EVERYTHING, PAUSE)
        cut_off(home, until_s=home.clock.monotonic() + 240)
        results = await carried_out(home, plan, simulator, most_failures=0)
        assert outcomes(list(results.values())) == {Outcome.UPDATED: 25}


@in_virtual_time
async def test_without_a_connection_in_all_its_time_nothing_was_started() -> None:
    async with world(fleet=queues(60)) as (simulator, home):
        plan = await home.plan(EVERYTHING, PAUSE)
        cut_off(home, until_s=math.inf)
        results: list[Result] = []
        engine = engine_of(home, most_failures=0)
        await engine.run(plan.items, results.append)
        check_what_always_holds(plan, results, simulator)
        assert outcomes(results) == {Outcome.NOT_STARTED: 60}
        assert engine.stopped_by is not None
        assert engine.stopped_by.status is RunStatus.HALTED
        assert "no connection to Lambda came" in str(engine.stopped_by.reason)


@in_virtual_time
async def test_a_deadline_holds_without_a_connection() -> None:
    async with world(fleet=queues(60)) as (simulator, home):
        plan = await home.plan(EVERYTHING, PAUSE)
        cut_off(home, until_s=math.inf)
        results: list[Result] = []
        engine = engine_of(home, deadline=home.clock.monotonic() + 200)
        await engine.run(plan.items, results.append)
        check_what_always_holds(plan, results, simulator)
        assert outcomes(results) == {Outcome.NOT_STARTED: 60}
        assert engine.stopped_by is not None
        assert engine.stopped_by.status is RunStatus.DEADLINE
        assert home.clock.monotonic() < 400


@in_virtual_time
async def test_a_pause_that_no_service_means_is_bounded() -> None:
    """Each throttle holds a minute at the most, and none longer than the deadline."""
    faults = Faults(other_caller_share=0.5, retry_after_s=10**9)
    async with world(fleet=queues(25), faults=faults) as (simulator, home):
        plan = await home.plan(EVERYTHING, PAUSE)
        results: list[Result] = []
        began_s = home.clock.monotonic()
        await engine_of(home, deadline=began_s + 300).run(plan.items, results.append)
        check_what_always_holds(plan, results, simulator)
        assert home.clock.monotonic() - began_s < 400
