from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulator_shards import FLEET, LONG, make_shard, one

from bulk_esm.model.mapping import SourceType, source_type_of
from bulk_esm.simulator import ApiError
from bulk_esm.simulator.settle import SETTLE_S, Transition, settle_time
from bulk_esm.simulator.shard import Shard


def code_of(shard: Shard, uuid: str, request: dict[str, Any], now: float = 0.0) -> str:
    with pytest.raises(ApiError) as caught:
        shard.update(uuid, request, now)
    return caught.value.code


@pytest.mark.parametrize(
    ("state", "request_", "passing", "rest"),
    [
        ("Disabled", {"Enabled": True}, "Enabling", "Enabled"),
        ("Enabled", {"Enabled": False}, "Disabling", "Disabled"),
        ("Enabled", {"BatchSize": 7}, "Updating", "Enabled"),
        ("Enabled", {"Enabled": True}, "Updating", "Enabled"),
        ("Enabled", {"Enabled": False, "BatchSize": 7}, "Disabling", "Disabled"),
        ("Disabled", {"Enabled": True, "BatchSize": 7}, "Enabling", "Enabled"),
    ],
)
def test_states(state: str, request_: dict[str, Any], passing: str, rest: str) -> None:
    shard = make_shard()
    uuid = one(shard, state=state)
    before = shard.get(uuid, 0)["LastModified"]
    accepted = shard.update(uuid, request_, 0)
    assert accepted["State"] == shard.get(uuid, 0)["State"] == passing
    assert code_of(shard, uuid, request_, 0.5) == "ResourceInUseException"
    with pytest.raises(ApiError, match="Cannot delete the event source mapping because it is in use"):
        shard.delete(uuid, 0.5)
    settled = shard.get(uuid, LONG)
    assert settled["State"] == rest
    assert before < accepted["LastModified"] == settled["LastModified"]
    assert settled["BatchSize"] == request_.get("BatchSize", settled["BatchSize"])
    assert shard.update(uuid, request_, LONG)["UUID"] == uuid


@pytest.mark.parametrize("source_type", sorted(set(SourceType) - {SourceType.UNKNOWN}))
def test_some_sources_show_new_values_only_once_settled(source_type: SourceType) -> None:
    shard = make_shard()
    uuid = one(shard, source_type)
    before = shard.get(uuid, 0)["BatchSize"]
    shown = shard.update(uuid, {"BatchSize": 9}, 0)["BatchSize"]
    hidden = source_type in {SourceType.DOCUMENTDB, SourceType.MSK, SourceType.KAFKA}
    assert shown == (before if hidden else 9)
    assert shard.get(uuid, LONG)["BatchSize"] == 9


@settings(deadline=None)
@given(
    source_type=st.sampled_from(SourceType),
    transition=st.sampled_from(Transition),
    uuid=st.uuids().map(str),
    seed=st.integers(),
    nth=st.integers(min_value=0),
)
def test_settle_times_are_in_range_and_repeat(
    source_type: SourceType, transition: Transition, uuid: str, seed: int, nth: int
) -> None:
    shortest, longest = SETTLE_S[source_type][transition]
    takes = settle_time(source_type, transition, seed=seed, uuid=uuid, nth=nth)
    assert shortest <= takes <= longest
    assert takes == settle_time(source_type, transition, seed=seed, uuid=uuid, nth=nth)


def test_the_median_lies_a_third_into_the_range() -> None:
    times = sorted(
        settle_time(SourceType.KINESIS, Transition.CONFIGURE_ENABLED, seed=1, uuid=str(number), nth=0)
        for number in range(2001)
    )
    assert 25 <= times[1000] <= 28.5  # from 10 to 60


def test_settle_times_do_not_depend_on_the_order_of_requests() -> None:
    uuids = [mapping["UUID"] for mapping in FLEET.mappings[:20]]
    forth, back = make_shard(), make_shard()
    for uuid in uuids:
        forth.update(uuid, {"Enabled": True}, 0)
    for uuid in reversed(uuids):
        back.update(uuid, {"Enabled": True}, 0)
    assert [m.accepted for m in forth] == [m.accepted for m in back]


def test_delete() -> None:
    shard = make_shard()
    uuid = one(shard)
    assert shard.delete(uuid, 0)["State"] == "Deleting"
    assert code_of(shard, uuid, {}, 0.3) == "ResourceInUseException"
    assert code_of(shard, uuid, {}, LONG) == "ResourceNotFoundException"
    assert uuid not in {mapping["UUID"] for mapping in shard.snapshot(LONG)}


def test_pages_hold_every_mapping_once() -> None:
    shard = make_shard()
    seen, marker = [], None
    while True:
        found, marker = shard.listing(0, marker=marker, max_items=70)
        assert len(found) <= 70
        seen += [mapping["UUID"] for mapping in found]
        if marker is None:
            break
    assert sorted(seen) == sorted(mapping["UUID"] for mapping in FLEET.mappings)
    assert len(seen) == len(FLEET.mappings)
    assert len(shard.listing(0, max_items=10_000)[0]) == 100


def test_a_marker_is_good_for_its_own_listing_only() -> None:
    shard = make_shard()
    _, marker = shard.listing(0)
    for wrong in ("nonsense", "ö", "MTAw", ""):
        with pytest.raises(ApiError, match="Invalid Marker"):
            shard.listing(0, marker=wrong)
    with pytest.raises(ApiError, match="Invalid Marker"):
        shard.listing(0, marker=marker, function_name="other")


def test_a_list_filtered_by_function_or_source() -> None:
    shard = make_shard()
    arn = next(mapping["FunctionArn"] for mapping in FLEET.mappings if mapping["FunctionArn"].count(":") == 6)
    wanted = [mapping for mapping in FLEET.mappings if mapping["FunctionArn"] == arn]
    name = arn.split(":")[6]
    for written in (name, arn, f"123456789012:function:{name}"):
        assert {m["UUID"] for m in shard.listing(0, function_name=written)[0]} == {m["UUID"] for m in wanted}
    assert shard.listing(0, function_name=f"{name}:nowhere") == ([], None)
    queue = next(mapping for mapping in FLEET.mappings if source_type_of(mapping) is SourceType.SQS)
    found, _ = shard.listing(0, event_source_arn=queue["EventSourceArn"])
    assert [mapping["UUID"] for mapping in found] == [queue["UUID"]]


def test_encrypted_filters_are_null_in_list_and_clear_in_get() -> None:
    shard = make_shard()
    encrypted = {mapping["UUID"] for mapping in FLEET.mappings if "KMSKeyArn" in mapping}
    assert encrypted
    pages = shard.listing(0)[0]
    assert all(mapping["FilterCriteria"] is None for mapping in pages if mapping["UUID"] in encrypted)
    assert all(shard.get(uuid, 0)["FilterCriteria"]["Filters"] for uuid in encrypted)


def test_list_lags() -> None:
    shard = make_shard(list_lag_s=3)
    uuid = one(shard)
    queue = shard.get(uuid, 0)["EventSourceArn"]
    shard.update(uuid, {"BatchSize": 8}, 10)
    assert shard.listing(12.9, event_source_arn=queue)[0][0]["State"] == "Enabled"
    assert shard.listing(13, event_source_arn=queue)[0][0]["State"] == "Updating"
    assert shard.get(uuid, 10)["State"] == "Updating"


def test_list_is_wrong_for_a_while() -> None:
    shard = make_shard(list_wrong_share=1, list_wrong_for_s=5)
    uuid = one(shard)
    queue = shard.get(uuid, 0)["EventSourceArn"]
    accepted = shard.update(uuid, {"Enabled": False}, 10)
    looked = shard.listing(14.9, event_source_arn=queue)[0][0]
    assert (looked["State"], looked["LastModified"]) == ("Enabled", accepted["LastModified"])
    assert shard.listing(LONG, event_source_arn=queue)[0][0]["State"] == "Disabled"
    assert shard.listing(15, event_source_arn=queue)[0][0]["State"] == shard.get(uuid, 15)["State"]


def test_stuck_mappings_never_settle() -> None:
    shard = make_shard(stuck_share=0.5)
    for mapping in FLEET.mappings:
        shard.update(mapping["UUID"], {"Enabled": False}, 0)
    stuck = [mapping for mapping in shard if mapping.accepted[0].settles_at is None]
    assert 0.4 <= len(stuck) / 300 <= 0.6
    assert all(shard.get(mapping.uuid, 1e9)["State"] in {"Disabling", "Updating"} for mapping in stuck)


def test_somebody_else_changes_a_mapping() -> None:
    shard = make_shard()
    uuid = one(shard)
    shard.update(uuid, {"Enabled": False}, 0)
    shard.change_behind(uuid, {"BatchSize": 3, "FunctionResponseTypes": None}, 1)
    now, later = shard.get(uuid, 1), shard.get(uuid, LONG)
    assert (now["State"], now["BatchSize"]) == ("Disabling", 3)
    assert (later["State"], later["BatchSize"]) == ("Disabled", 3)
    assert "FunctionResponseTypes" not in later
    shard.change_behind(uuid, {"State": "Resting"}, 2)
    assert shard.get(uuid, LONG)["State"] == "Resting"
    shard.delete_behind(uuid, 3)
    with pytest.raises(ApiError):
        shard.get(uuid, 3)


def test_history_is_pruned() -> None:
    shard = make_shard(list_lag_s=5)
    uuid = one(shard)
    for number in range(50):
        shard.update(uuid, {"BatchSize": 1 + number % 10}, number * 100.0)
    mapping = next(mapping for mapping in shard if mapping.uuid == uuid)
    assert len(mapping.timeline._versions) == 3  # the last at rest, in transit, and the next at rest
    assert len(mapping.accepted) == 50
