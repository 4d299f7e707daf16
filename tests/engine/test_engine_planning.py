"""Planning against the simulator, in virtual time: what is decided, and at what cost."""

import asyncio
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from engine_world import Home, a_mapping, accepted, in_virtual_time, listing, queues, world

from bulk_esm import (
    AccessError,
    Action,
    Change,
    Plan,
    PlanItem,
    Selection,
    ServiceError,
    SourceType,
)
from bulk_esm.simulator import Faults, Simulator, make_fleet

PAUSE = Change({"Enabled": False})
EVERYTHING = Selection(all=True)
UNKNOWN = "ffffffff-0000-4000-8000-000000000000"
KEY = "arn:aws:kms:us-east-1:123456789012:key/1"
FILTERS = {"Filters": [{"Pattern": '{"a":[1]}'}]}


def spent(simulator: Simulator) -> tuple[int, int]:
    """Lists and Gets so far."""
    report = simulator.report()
    assert report.count("update") == 0
    return report.count("list"), report.count("get")


def item_of(plan: Plan, number: int) -> PlanItem:
    """The item of `a_mapping(number)`: List has them in an order of its own."""
    return next(item for item in plan.items if item.uuid == a_mapping(number)["UUID"])


def someone_updates(simulator: Simulator, uuid: str, **request: Any) -> None:
    """Someone else sends an update of his own."""
    simulator._world.of(uuid).update(uuid, request, simulator.now)


@in_virtual_time
async def test_a_sweep_reads_everything_once() -> None:
    async with world(mappings=250) as (simulator, home):
        inventory = await home.list(Selection())
        assert [mapping.uuid for mapping in inventory.mappings] == listing(simulator)
        assert (inventory.seen, inventory.unknown) == (250, ())
        assert spent(simulator) == (3, 0)


@in_virtual_time
async def test_a_few_uuids_do_not_sweep_a_large_fleet() -> None:
    async with world(fleet=make_fleet(2000)) as (simulator, home):
        wanted = listing(simulator)[25::100]
        inventory = await home.list(Selection(uuids=frozenset(wanted)))
        assert {mapping.uuid for mapping in inventory.mappings} == set(wanted)
        lists, gets = spent(simulator)
        assert lists == 2  # of 20 pages
        assert gets == 20 - lists  # each page had one


@in_virtual_time
async def test_uuids_are_looked_for_in_pages_as_long_as_a_page_finds_more_than_a_get_would() -> None:
    async with world(fleet=make_fleet(2000)) as (simulator, home):
        wanted = listing(simulator)[25::40]
        inventory = await home.list(Selection(uuids=frozenset(wanted)))
        assert {mapping.uuid for mapping in inventory.mappings} == set(wanted)
        assert spent(simulator) == (20, 0)


@in_virtual_time
async def test_planning_counts_for_the_looks_that_follow() -> None:
    async with world(fleet=make_fleet(2000)) as (simulator, home):
        mappings = simulator.snapshot()
        for _ in range(2):
            # Broken off: what was found lets expect how many there are.
            await home.list(Selection(uuids=frozenset(listing(simulator)[25::100])))
            census = home.control_plane.census
            assert not census.complete
            assert 1000 < census.total < 4000
        await home.list(Selection(sources=(mappings[0]["EventSourceArn"],)))
        assert home.control_plane.census is census
        await home.list(Selection())
        await home.list(Selection(uuids=frozenset({mappings[0]["UUID"]})))
        census = home.control_plane.census
        assert (census.total, census.complete) == (2000, True)
        assert census.by_function.total() == 2000


@in_virtual_time
async def test_one_uuid_costs_two_requests_at_most() -> None:
    async with world(mappings=500) as (simulator, home):
        uuid = simulator.snapshot()[-1]["UUID"]
        inventory = await home.list(Selection(uuids=frozenset({uuid})))
        assert [mapping.uuid for mapping in inventory.mappings] == [uuid]
        assert sum(spent(simulator)) <= 2


@in_virtual_time
async def test_uuids_that_the_first_page_has_need_no_get() -> None:
    async with world(mappings=500) as (simulator, home):
        uuids = frozenset(listing(simulator)[:60])
        assert {mapping.uuid for mapping in (await home.list(Selection(uuids=uuids))).mappings} == uuids
        assert spent(simulator) == (1, 0)


@in_virtual_time
async def test_an_unknown_uuid_is_a_blocked_item() -> None:
    async with world(mappings=30) as (simulator, home):
        uuid = next(mapping["UUID"] for mapping in simulator.snapshot() if mapping["State"] == "Enabled")
        selection = Selection(uuids=frozenset({uuid, UNKNOWN}))
        assert (await home.list(selection)).unknown == (UNKNOWN,)
        plan = await home.plan(selection, PAUSE)
        known, unknown = plan.items
        assert (known.uuid, known.action) == (uuid, Action.UPDATE)
        assert (unknown.uuid, unknown.action, unknown.state) == (UNKNOWN, Action.BLOCKED, None)
        assert "no event source mapping has this UUID" in unknown.problems[0]


@in_virtual_time
async def test_a_uuid_that_something_else_excludes_is_neither_selected_nor_unknown() -> None:
    async with world(fleet=queues(3)) as (_, home):
        uuids = frozenset(a_mapping(number)["UUID"] for number in range(3))
        inventory = await home.list(Selection(uuids=uuids, functions=("f1",)))
        assert [mapping.uuid for mapping in inventory.mappings] == [a_mapping(1)["UUID"]]
        assert inventory.unknown == ()


@in_virtual_time
async def test_exact_sources_use_lists_own_filter() -> None:
    async with world(mappings=500) as (simulator, home):
        some = [mapping for mapping in simulator.snapshot()[50::150] if "EventSourceArn" in mapping]
        inventory = await home.list(Selection(sources=tuple(mapping["EventSourceArn"] for mapping in some)))
        assert [mapping.uuid for mapping in inventory.mappings] == [mapping["UUID"] for mapping in some]
        assert spent(simulator) == (len(some), 0)
        globbed = await home.list(Selection(sources=(some[0]["EventSourceArn"].replace("us-east", "us-[e]ast"),)))
        assert [mapping.uuid for mapping in globbed.mappings] == [some[0]["UUID"]]
        assert spent(simulator) == (len(some) + 5, 0)


@in_virtual_time
async def test_functions_are_swept_for_as_their_filter_may_miss_aliases() -> None:
    arn = a_mapping()["FunctionArn"]
    fleet = [a_mapping(0), a_mapping(1, FunctionArn=f"{arn}:live"), a_mapping(2)]
    async with world(fleet=fleet) as (simulator, home):
        inventory = await home.list(Selection(functions=("f0",)))
        assert {mapping.uuid for mapping in inventory.mappings} == {a_mapping(0)["UUID"], a_mapping(1)["UUID"]}
        assert spent(simulator) == (1, 0)


@in_virtual_time
async def test_tags_cost_lambda_nothing() -> None:
    async with world(mappings=300) as (simulator, home):
        fleet = make_fleet(300)
        inventory = await home.list(Selection(tags=("team=billing", "team=growth")))
        expected = {
            mapping["UUID"]
            for mapping in fleet.mappings
            if fleet.tags.get(mapping["EventSourceMappingArn"], {}).get("team") in {"billing", "growth"}
        }
        assert 10 < len(expected) < 150
        assert {mapping.uuid for mapping in inventory.mappings} == expected
        assert spent(simulator) == (3, 0)
        assert simulator.report().count("tagging") < 6
        by_function = await home.list(Selection(function_tags=("env=prod",), tags=("team",)))
        assert {mapping.uuid for mapping in by_function.mappings} == {
            mapping["UUID"]
            for mapping in fleet.mappings
            if fleet.tags.get(":".join(mapping["FunctionArn"].split(":")[:7]), {}).get("env") == "prod"
            and "team" in fleet.tags.get(mapping["EventSourceMappingArn"], {})
        }


@in_virtual_time
async def test_mappings_in_transition_are_waited_for() -> None:
    async with world(fleet=queues(10)) as (simulator, home):
        uuids = [mapping["UUID"] for mapping in simulator.snapshot()]
        for uuid in uuids[:3]:
            someone_updates(simulator, uuid, Enabled=False)
        someone_updates(simulator, uuids[3], BatchSize=7)
        told: list[int] = []
        await anyio.sleep(0.5)
        plan = await home.plan(EVERYTHING, PAUSE, waiting=told.append)
        assert told == [4]
        actions = {item.uuid: item.action for item in plan.items}
        assert [actions[uuid] for uuid in uuids] == [Action.UNCHANGED] * 3 + [Action.UPDATE] * 7
        assert next(item for item in plan.items if item.uuid == uuids[3]).before.configuration["BatchSize"] == 7
        assert {item.state for item in plan.items} == {"Enabled", "Disabled"}


@in_virtual_time
async def test_nobody_is_told_to_wait_for_nothing() -> None:
    async with world(fleet=queues(3)) as (_, home):
        told: list[int] = []
        await home.plan(EVERYTHING, PAUSE, waiting=told.append)
        assert told == []


@in_virtual_time
async def test_what_does_not_come_to_rest_is_blocked() -> None:
    fleet = [*queues(2), a_mapping(2, State="Deleting"), a_mapping(3, State="Pondering"), a_mapping(4, State="")]
    async with world(fleet=fleet, faults=Faults(stuck_share=1.0)) as (simulator, home):
        someone_updates(simulator, a_mapping(1)["UUID"], BatchSize=7)
        plan = await home.plan(EVERYTHING, PAUSE, timeout_s=60.0)
        assert 60 <= asyncio.get_running_loop().time() < 61
        items = [item_of(plan, number) for number in range(5)]
        assert [item.action for item in items] == [Action.UPDATE, *[Action.BLOCKED] * 4]
        problems = [item.problems[0] for item in items[1:]]
        assert "is Updating and did not come to rest" in problems[0]
        assert "is being deleted" in problems[1]
        assert "Pondering" in problems[2]
        assert "in no state" in problems[3]


@in_virtual_time
async def test_what_is_being_deleted_is_not_waited_for() -> None:
    async with world(fleet=[a_mapping(State="Deleting")]) as (simulator, home):
        told: list[int] = []
        await home.plan(EVERYTHING, PAUSE, waiting=told.append)
        assert (told, spent(simulator)) == ([], (1, 0))


@in_virtual_time
async def test_one_that_is_deleted_while_it_is_waited_for_is_blocked() -> None:
    async with world(fleet=queues(2)) as (simulator, home):
        uuid = a_mapping()["UUID"]
        someone_updates(simulator, uuid, BatchSize=7)
        plan = await home.plan(EVERYTHING, PAUSE, waiting=lambda _: simulator.delete_behind(uuid))
        assert [item_of(plan, number).action for number in range(2)] == [Action.BLOCKED, Action.UPDATE]


@pytest.mark.parametrize(
    ("faults", "error"),
    [
        (Faults(expires_after_s=1.0), AccessError),
        (Faults(error_share=1.0), ServiceError),
    ],
)
@in_virtual_time
async def test_an_error_while_waiting_is_raised_as_it_is(faults: Faults, error: type[Exception]) -> None:
    async with world(fleet=queues(5)) as (simulator, home):
        for mapping in simulator.snapshot():
            someone_updates(simulator, mapping["UUID"], BatchSize=7)

        def go_wrong(_: int) -> None:
            simulator.set_faults(faults)

        with pytest.raises(error):
            await home.plan(EVERYTHING, PAUSE, waiting=go_wrong)


@pytest.mark.parametrize(
    ("change", "gets"),
    [
        (PAUSE, 0),
        (Change({"BatchSize": 5}), 0),
        (Change({"FilterCriteria": {"Filters": [{"Pattern": '{"b":[2]}'}]}}), 1),
        (Change({"KMSKeyArn": f"{KEY}2"}), 1),
        (Change({}, unset=("FilterCriteria",)), 1),
    ],
)
@in_virtual_time
async def test_encrypted_filters_are_read_with_get_where_they_are_touched(change: Change, gets: int) -> None:
    fleet = [a_mapping(0, FilterCriteria=FILTERS, KMSKeyArn=KEY), a_mapping(1, FilterCriteria=FILTERS), a_mapping(2)]
    async with world(fleet=fleet) as (simulator, home):
        plan = await home.plan(EVERYTHING, change)
        assert spent(simulator) == (1, gets)
        encrypted = item_of(plan, 0)
        assert encrypted.before.configuration["FilterCriteria"] == (FILTERS if gets else None)
        assert encrypted.action is Action.UPDATE


@in_virtual_time
async def test_encrypted_filters_are_seen_where_a_tumbling_window_excludes_them() -> None:
    stream = a_mapping(
        EventSourceArn="arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026-01-01T00:00:00.000",
        FilterCriteria=FILTERS,
        KMSKeyArn=KEY,
    )
    async with world(fleet=[stream]) as (simulator, home):
        plan = await home.plan(EVERYTHING, Change({"TumblingWindowInSeconds": 30}))
        assert spent(simulator) == (1, 1)
        assert plan.items[0].action is Action.BLOCKED
        assert "tumbling window exclude each other" in plan.items[0].problems[0]


@in_virtual_time
async def test_encrypted_filters_that_are_as_asked_need_no_update() -> None:
    async with world(fleet=[a_mapping(FilterCriteria=FILTERS, KMSKeyArn=KEY)]) as (_, home):
        plan = await home.plan(EVERYTHING, Change({"FilterCriteria": FILTERS}))
        assert plan.items[0].action is Action.UNCHANGED


@in_virtual_time
async def test_encrypted_filters_of_a_mapping_that_is_gone_meanwhile() -> None:
    async with world(fleet=[a_mapping(FilterCriteria=FILTERS, KMSKeyArn=KEY)], faults=Faults(list_lag_s=60.0)) as (
        simulator,
        home,
    ):
        simulator.delete_behind(a_mapping()["UUID"])
        plan = await home.plan(EVERYTHING, Change({}, unset=("FilterCriteria",)))
        assert len(plan.items) == 1


@in_virtual_time
async def test_every_mapping_its_own_change() -> None:
    async with world(fleet=queues(3)) as (_, home):
        uuids = [a_mapping(number)["UUID"] for number in range(3)]
        changes = {uuids[0]: PAUSE, uuids[2]: Change({"BatchSize": 5})}
        plan = await home.plan(Selection(uuids=frozenset(changes)), changes)
        assert {item.uuid: item.request for item in plan.items} == {
            uuids[0]: {"Enabled": False},
            uuids[2]: {"BatchSize": 5},
        }


@in_virtual_time
async def test_what_cannot_be_taken_back_is_blocked_unless_allowed() -> None:
    kafka = a_mapping(EventSourceArn="arn:aws:kafka:us-east-1:123456789012:cluster/c/1")
    window = Change({"MaximumBatchingWindowInSeconds": 5})
    async with world(fleet=[kafka]) as (_, home):
        assert (await home.plan(EVERYTHING, window)).items[0].action is Action.BLOCKED
        allowed = await home.plan(EVERYTHING, window, allow_irreversible=True)
        assert allowed.items[0].action is Action.UPDATE
        assert allowed.items[0].source_type is SourceType.MSK


async def renewed(
    home: Home, simulator: Simulator, act: Callable[[], None], change: Change = PAUSE
) -> tuple[Plan, dict[str, Action], set[str]]:
    """What a plan made now finds after `act`: itself, its actions by mapping, and who was changed."""
    saved = await home.plan(EVERYTHING, change)
    act()
    plan, changed = await home.renew(saved)
    assert [item.uuid for item in plan.items] == [item.uuid for item in saved.items]
    assert not accepted(simulator)
    return saved, {item.uuid: item.action for item in plan.items}, set(changed)


@in_virtual_time
async def test_a_saved_plan_that_still_holds() -> None:
    async with world(fleet=[*queues(4), a_mapping(4, State="Disabled")]) as (simulator, home):
        saved, actions, changed = await renewed(home, simulator, lambda: None)
        assert actions == {item.uuid: item.action for item in saved.items}
        assert not changed


@in_virtual_time
async def test_a_saved_plan_of_which_something_is_done_changed_or_gone() -> None:
    async with world(fleet=queues(6)) as (simulator, home):
        uuids = [a_mapping(number)["UUID"] for number in range(6)]

        def act() -> None:
            simulator.change_behind(uuids[0], State="Disabled")
            simulator.change_behind(uuids[1], BatchSize=7)
            simulator.delete_behind(uuids[2])
            simulator.change_behind(uuids[3], State="Updating")
            simulator.change_behind(uuids[4], LastProcessingResult="OK")  # Lambda's own doing

        saved, actions, changed = await renewed(home, simulator, act)
        assert changed == {uuids[1], uuids[2], uuids[3]}
        assert actions == dict.fromkeys(uuids, Action.UPDATE) | {uuids[0]: Action.UNCHANGED}
        plan, _ = await home.renew(saved)
        done = item_of(plan, 0)
        assert (done.request, done.diff) == ({}, ())
        assert item_of(plan, 1) == item_of(saved, 1)


@in_virtual_time
async def test_a_saved_plan_with_encrypted_filters_still_holds() -> None:
    async with world(fleet=[a_mapping(FilterCriteria=FILTERS, KMSKeyArn=KEY)]) as (simulator, home):
        saved, actions, changed = await renewed(
            home, simulator, lambda: None, Change({"FilterCriteria": {"Filters": [{"Pattern": '{"b":[2]}'}]}})
        )
        assert saved.items[0].before.configuration["FilterCriteria"] == FILTERS
        assert not changed
        assert set(actions.values()) == {Action.UPDATE}


@in_virtual_time
async def test_a_saved_plan_without_updates_costs_nothing() -> None:
    async with world(fleet=queues(3)) as (simulator, home):
        saved = await home.plan(EVERYTHING, Change({"Enabled": True}))
        before = spent(simulator)
        assert await home.renew(saved) == (saved, {})
        assert spent(simulator) == before


@in_virtual_time
async def test_the_credentials_are_refused() -> None:
    faults = Faults(denied_accounts=frozenset({"123456789012"}))
    async with world(mappings=500, faults=faults) as (simulator, home):
        with pytest.raises(AccessError):
            await home.plan(EVERYTHING, PAUSE)
        with pytest.raises(AccessError):
            await home.plan(Selection(uuids=frozenset({UNKNOWN})), PAUSE)
        assert simulator.report().count() == 2


@pytest.mark.parametrize("error", [AccessError("no"), ServiceError(code="ServiceException", message="", status=500)])
@in_virtual_time
async def test_a_get_that_fails_for_good_ends_the_planning(error: Exception) -> None:
    async with world(mappings=300) as (_, home):

        async def fail(_: str, **__: Any) -> Any:
            raise error

        home.control_plane.get = fail  # type: ignore[method-assign,assignment]
        with pytest.raises(type(error)):
            await home.plan(Selection(uuids=frozenset({UNKNOWN})), PAUSE)
