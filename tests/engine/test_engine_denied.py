"""A policy that denies an action, for one mapping or for all: what is said of each, and when a shard ends (F§0.1)."""

from typing import Any

import anyio
import anyio.lowlevel
import pytest
from botocore.exceptions import ConnectionClosedError
from engine_world import Home, a_mapping, accepted, check_what_always_holds, engine_of, in_virtual_time, outcomes, world

from bulk_esm import Change, Outcome, Plan, Result, Selection
from bulk_esm.engine.engine import Engine
from bulk_esm.errors import AccessError, DeniedError
from bulk_esm.model.denials import Denials
from bulk_esm.simulator import Denial, Faults, Simulator

EVERYTHING = Selection(all=True)
RESIZE = Change({"BatchSize": 5})
UPDATE, GET, LIST = (f"lambda:{name}EventSourceMapping" for name in ("Update", "Get", "List"))
LISTS = f"{LIST}s"


def uuid_of(number: int) -> str:
    return str(a_mapping(number)["UUID"])


def queues(count: int) -> list[dict[str, Any]]:
    """Queues of one function each, at rest."""
    return [a_mapping(number) for number in range(count)]


def deny(action: str, *numbers: int, **more: float) -> Denial:
    return Denial(action=action, resources=tuple(map(uuid_of, numbers)), **more)


async def carried_out(
    home: Home, simulator: Simulator, plan: Plan, *, denials: Denials | None = None, **settings: Any
) -> tuple[dict[str, Result], Engine, AccessError | None]:
    results: list[Result] = []
    engine = engine_of(home, **settings)
    if denials is not None:
        engine._denials, engine._counts_updates = denials, False
    ended = None
    try:
        await engine.run(plan.items, results.append)
    except AccessError as error:
        ended = error
    check_what_always_holds(plan, results, simulator)
    return {result.uuid: result for result in results}, engine, ended


@pytest.mark.parametrize("number", [0, 4, 9])
@in_virtual_time
async def test_one_denied_mapping_of_ten_fails_alone(number: int) -> None:
    async with world(fleet=queues(10), faults=Faults(denials=(deny(UPDATE, number),))) as (simulator, home):
        plan = await home.plan(EVERYTHING, RESIZE)
        results, engine, ended = await carried_out(home, simulator, plan)
        assert (ended, engine.stopped_by) == (None, None)
        assert outcomes(list(results.values())) == {Outcome.FAILED: 1, Outcome.UPDATED: 9}
        error = results[uuid_of(number)].error
        assert error is not None
        assert error.code == "AccessDeniedException"
        assert error.request_id
        statement = f"Allow {UPDATE} on Resource arn:aws:lambda:us-east-1:123456789012:event-source-mapping:"
        assert statement + uuid_of(number) in error.message


@pytest.mark.parametrize(("count", "refused"), [(1, 1), (3, 3), (10, 10), (60, 10)])
@in_virtual_time
async def test_a_role_that_may_nothing_ends_the_shard_after_ten(count: int, refused: int) -> None:
    faults = Faults(denials=(deny(UPDATE),))
    async with world(fleet=queues(count), faults=faults, concurrency=1) as (simulator, home):
        plan = await home.plan(EVERYTHING, RESIZE)
        results, _, ended = await carried_out(home, simulator, plan, concurrency=1)
        assert isinstance(ended, DeniedError)
        assert ended.exit_code == 5
        assert UPDATE in str(ended)
        counts = outcomes(list(results.values()))
        assert counts == {Outcome.FAILED: refused} | ({Outcome.NOT_STARTED: count - refused} if count > refused else {})
        # What was not sent carries nobody else's error.
        assert not any(result.error for result in results.values() if result.outcome is Outcome.NOT_STARTED)


@in_virtual_time
async def test_whoever_is_on_the_way_has_a_say_before_a_shard_ends() -> None:
    # The first ten are refused at once, and the eleventh, on its way by then, is accepted after 5 s.
    async with world(fleet=queues(40), faults=Faults(denials=(deny(UPDATE, *range(10)),), latency_s=5.0)) as (
        simulator,
        home,
    ):
        plan = await home.plan(EVERYTHING, RESIZE)
        ordered = Plan(tuple(sorted(plan.items, key=lambda item: item.uuid)))
        results: list[Result] = []
        await engine_of(home).run(ordered.items, results.append, as_given=True)
        assert outcomes(results) == {Outcome.FAILED: 10, Outcome.UPDATED: 30}
        assert simulator.report().states == {"Enabled": 40}


@pytest.mark.parametrize(
    ("denials", "ends"),
    [
        (Denials(updates=40, accepted=True), False),  # one was accepted in an earlier part of the run
        (Denials(updates=40, denied=4), True),
        (Denials(updates=40), False),
        (Denials(updates=6), True),  # all that there are
    ],
)
@in_virtual_time
async def test_what_was_met_before_counts(denials: Denials, ends: bool) -> None:  # noqa: FBT001
    async with world(fleet=queues(6), faults=Faults(denials=(deny(UPDATE),))) as (simulator, home):
        plan = await home.plan(EVERYTHING, RESIZE)
        results, _, ended = await carried_out(home, simulator, plan, denials=denials)
        assert (ended is not None) is ends
        assert outcomes(list(results.values())) == {Outcome.FAILED: 6}


@pytest.mark.parametrize(("most", "refused", "denies"), [(0, 1, False), (3, 4, False), (5, 10, True), (20, 10, True)])
@in_virtual_time
async def test_the_budget_and_a_role_that_may_nothing(most: int, refused: int, denies: bool) -> None:  # noqa: FBT001
    """A budget below every default halts at once; another one is no reason to call a role's lack a few failures."""
    async with world(fleet=queues(30), faults=Faults(denials=(deny(UPDATE),))) as (simulator, home):
        plan = await home.plan(EVERYTHING, RESIZE)
        results, engine, ended = await carried_out(home, simulator, plan, concurrency=1, most_failures=most)
        assert outcomes(list(results.values()))[Outcome.FAILED] == refused
        assert (ended is not None) is denies
        assert (engine.stopped_by is None) is denies


@in_virtual_time
async def test_denied_mappings_count_in_the_budget_as_soon_as_any_was_accepted() -> None:
    denied = (*range(4), *range(6, 9))
    async with world(fleet=queues(30), faults=Faults(denials=(deny(UPDATE, *denied),))) as (_, home):
        plan = await home.plan(EVERYTHING, RESIZE)
        ordered = Plan(tuple(sorted(plan.items, key=lambda item: item.uuid)))
        results: list[Result] = []
        engine = engine_of(home, concurrency=1, most_failures=5)
        await engine.run(ordered.items, results.append, as_given=True)
        assert outcomes(results) == {Outcome.FAILED: 6, Outcome.UPDATED: 2, Outcome.NOT_STARTED: 22}
        assert engine.stopped_by is not None
        assert engine.stopped_by.reason == "6 mappings failed, and at most 5 may"


@in_virtual_time
async def test_a_role_without_get_does_with_list_alone() -> None:
    async with world(fleet=queues(250), faults=Faults(denials=(deny(GET),))) as (simulator, home):
        plan = await home.plan(EVERYTHING, RESIZE)
        results, engine, ended = await carried_out(home, simulator, plan)
        assert (ended, engine.stopped_by) == (None, None)
        assert outcomes(list(results.values())) == {Outcome.UPDATED: 250}
        assert simulator.report().count("get") <= 10  # whoever may not look asks no more than a few times


@in_virtual_time
async def test_a_get_that_is_denied_for_one_mapping_is_done_without() -> None:
    async with world(fleet=queues(3), faults=Faults(denials=(deny(GET, 1),))) as (simulator, home):
        plan = await home.plan(EVERYTHING, RESIZE)
        results, _, ended = await carried_out(home, simulator, plan)
        assert ended is None
        assert outcomes(list(results.values())) == {Outcome.UPDATED: 3}


@in_virtual_time
async def test_what_only_a_get_could_tell_ends_as_such() -> None:
    async with world(fleet=queues(1), faults=Faults(denials=(deny(GET),))) as (simulator, home):
        plan = await home.plan(EVERYTHING, RESIZE)
        cut_after_updates(home)
        results, _, ended = await carried_out(home, simulator, plan)
        assert ended is None
        (result,) = results.values()
        assert result.outcome is Outcome.TIMED_OUT
        assert result.error is not None
        assert result.error.code == "AccessDeniedException"
        assert f"Allow {GET} on Resource arn:aws:lambda:" in result.error.message
        assert accepted(simulator) == {uuid_of(0)}


def cut_after_updates(home: Home) -> None:
    """No answer comes to an update that was accepted."""
    client: Any = home.control_plane._client
    update = client.update_event_source_mapping

    async def cut(**parameters: Any) -> None:
        await update(**parameters)
        raise ConnectionClosedError(endpoint_url="there")

    client.update_event_source_mapping = cut


@in_virtual_time
async def test_filters_that_only_a_get_shows_are_never_guessed() -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/one"
    filters = {"Filters": [{"Pattern": '{"body": ["a"]}'}]}
    fleet = [a_mapping(0, KMSKeyArn=key, FilterCriteria=filters), *queues(3)[1:]]
    async with world(fleet=fleet, faults=Faults(denials=(deny(GET),))) as (simulator, home):
        plan = await home.plan(EVERYTHING, Change({"FilterCriteria": {"Filters": [{"Pattern": '{"body": ["b"]}'}]}}))
        by_uuid = {item.uuid: item for item in plan.items}
        assert [str(item.action) for _, item in sorted(by_uuid.items())] == ["blocked", "update", "update"]
        (problem,) = by_uuid[uuid_of(0)].problems
        assert f"Allow {GET} on Resource" in problem
        results, _, ended = await carried_out(home, simulator, plan)
        assert ended is None
        assert outcomes(list(results.values())) == {Outcome.BLOCKED: 1, Outcome.UPDATED: 2}


@in_virtual_time
async def test_uuids_are_found_with_list_where_get_is_denied() -> None:
    wanted = frozenset({uuid_of(7), uuid_of(333), "00000000-0000-4000-8000-00000000dead"})
    async with world(fleet=queues(400), faults=Faults(denials=(deny(GET),))) as (_, home):
        found = await home.list(Selection(uuids=wanted))
        assert {mapping.uuid for mapping in found.mappings} == wanted - set(found.unknown)
        assert len(found.unknown) == 1


@in_virtual_time
async def test_mappings_in_transition_are_waited_for_with_list_where_get_is_denied() -> None:
    async with world(fleet=queues(3), faults=Faults(denials=(deny(GET),))) as (simulator, home):
        for number in range(2):
            simulator._world.of(uuid_of(number)).update(uuid_of(number), {"BatchSize": 7}, simulator.now)
        plan = await home.plan(EVERYTHING, RESIZE)
        assert {str(item.action) for item in plan.items} == {"update"}


@in_virtual_time
async def test_a_mapping_in_use_is_waited_for_with_list_where_get_is_denied() -> None:
    async with world(fleet=queues(3), faults=Faults(denials=(deny(GET),))) as (simulator, home):
        plan = await home.plan(EVERYTHING, RESIZE)
        simulator._world.of(uuid_of(0)).update(uuid_of(0), {"MaximumBatchingWindowInSeconds": 0}, simulator.now)
        results: list[Result] = []
        await engine_of(home).run(plan.items, results.append)
        assert outcomes(results) == {Outcome.UPDATED: 3}


@in_virtual_time
async def test_a_list_that_is_denied_in_mid_run_is_done_without() -> None:
    async with world(fleet=queues(60), faults=Faults(denials=(deny(LISTS, from_s=1.0),))) as (simulator, home):
        plan = await home.plan(EVERYTHING, RESIZE)
        results, engine, ended = await carried_out(home, simulator, plan)
        assert (ended, engine.stopped_by) == (None, None)
        assert outcomes(list(results.values())) == {Outcome.UPDATED: 60}
        assert simulator.report().count("list", 403) == 1


@in_virtual_time
async def test_without_list_and_get_what_was_accepted_is_told() -> None:
    denials = (deny(LISTS, from_s=1.0), deny(GET, from_s=1.0))
    async with world(fleet=queues(60), faults=Faults(denials=denials)) as (simulator, home):
        plan = await home.plan(EVERYTHING, RESIZE)
        results, engine, ended = await carried_out(home, simulator, plan)
        assert (ended, engine.stopped_by) == (None, None)
        assert outcomes(list(results.values())) == {Outcome.TIMED_OUT: 60}
        assert all(result.accepted_at and result.error and GET in result.error.message for result in results.values())


@pytest.mark.parametrize("seconds", [0.5, 3.0])
@in_virtual_time
async def test_credentials_that_are_refused_end_all_at_once(seconds: float) -> None:
    async with world(fleet=queues(100), faults=Faults(expires_after_s=seconds)) as (simulator, home):
        plan = await home.plan(EVERYTHING, RESIZE)
        await anyio.lowlevel.checkpoint()
        _, _, ended = await carried_out(home, simulator, plan)
        assert isinstance(ended, AccessError)
        assert not isinstance(ended, DeniedError)
        assert simulator.report().count(status=403) <= 3
