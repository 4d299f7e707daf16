from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulator_shards import shard_of

from bulk_esm.model.mapping import AT_REST, SourceType, source_type_of
from bulk_esm.simulator import make_fleet
from bulk_esm.simulator.bounds import check, shape
from bulk_esm.simulator.combinations import check_result
from bulk_esm.simulator.settings import Settings
from bulk_esm.simulator.timeline import Configuration


@settings(deadline=None)
@given(seed=st.integers(min_value=0, max_value=2**31), count=st.integers(min_value=0, max_value=60))
def test_the_same_arguments_make_the_same_fleet(seed: int, count: int) -> None:
    fleet = make_fleet(count, seed=seed)
    assert fleet == make_fleet(count, seed=seed)
    assert len({mapping["UUID"] for mapping in fleet.mappings}) == count
    if count >= 8:
        assert {source_type_of(mapping) for mapping in fleet.mappings} == set(SourceType) - {SourceType.UNKNOWN}


def test_fleets_differ_by_seed_account_and_region() -> None:
    fleets = [
        make_fleet(3),
        make_fleet(3, seed=2),
        make_fleet(3, account_id="2" * 12),
        make_fleet(3, region="eu-west-1"),
    ]
    assert len({mapping["UUID"] for fleet in fleets for mapping in fleet.mappings}) == 12


def test_no_mapping_of_a_fleet_has_what_lambda_refuses() -> None:
    """Each mapping's own values go back through all refusals, one by one and all at once."""
    fleet = make_fleet(2000)
    shard = shard_of(settings=Settings(settle_scale=0))
    shard.add(fleet, 0)
    for mapping in fleet.mappings:
        values = sendable(mapping)
        for name, value in values.items():
            check("UpdateEventSourceMapping", {name: value})
            after = shard.update(mapping["UUID"], {name: value}, 0)
            assert without_stamp(after) == {**without_stamp(mapping), "State": after["State"]}, name
        shard.update(mapping["UUID"], values, 0)
        assert without_stamp(shard.get(mapping["UUID"], 0)) == without_stamp(mapping)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_mapping_of_a_large_fleet_has_values_that_do_not_go_together(seed: int) -> None:
    for mapping in make_fleet(5000, seed=seed).mappings:
        check_result(mapping)


def sendable(mapping: Configuration) -> dict[str, Any]:
    """A mapping's values, but for what no update takes even unchanged (F§0.2, F§6.4)."""
    members = shape("UpdateEventSourceMapping").members
    values = {name: value for name, value in mapping.items() if name in members and name != "UUID"}
    values["FunctionName"] = mapping["FunctionArn"]
    if not values.get("DestinationConfig", {"OnFailure": "none"})["OnFailure"]:
        values["DestinationConfig"] = {}
    for block in ("AmazonManagedKafkaEventSourceConfig", "SelfManagedKafkaEventSourceConfig"):
        if block in values:
            values[block] = {name: value for name, value in values[block].items() if name != "ConsumerGroupId"}
    if "DocumentDBEventSourceConfig" in values:
        values["DocumentDBEventSourceConfig"] = {"FullDocument": values["DocumentDBEventSourceConfig"]["FullDocument"]}
    if "SourceAccessConfigurations" in values:
        accesses = values["SourceAccessConfigurations"]
        values["SourceAccessConfigurations"] = [access for access in accesses if access["Type"] != "VIRTUAL_HOST"]
    return values


def without_stamp(mapping: Configuration) -> Configuration:
    return {name: value for name, value in mapping.items() if name != "LastModified"}


def test_a_fleets_stamps_are_whole_minutes_for_streams_only() -> None:
    for mapping in make_fleet(500).mappings:
        whole = source_type_of(mapping) in {SourceType.KINESIS, SourceType.DYNAMODB}
        assert (mapping["LastModified"] % 60 == 0) is whole


def test_names_run_out_only_for_the_impatient() -> None:
    names = {mapping["FunctionArn"].split(":")[6] for mapping in make_fleet(8000, functions=2000).mappings}
    assert 1900 <= len(names) <= 2000


def test_the_mix_is_plausible() -> None:
    fleet = make_fleet(2000)
    states = Counter(mapping["State"] for mapping in fleet.mappings)
    assert set(states) == AT_REST
    assert 0.15 <= states["Disabled"] / 2000 <= 0.21
    assert 0.5 <= Counter(map(source_type_of, fleet.mappings))[SourceType.SQS] / 2000 <= 0.6
    assert 200 <= len({mapping["FunctionArn"].split(":")[6] for mapping in fleet.mappings}) <= 300
    assert any(mapping["FunctionArn"].count(":") == 7 for mapping in fleet.mappings)
    tagged = sum(mapping["EventSourceMappingArn"] in fleet.tags for mapping in fleet.mappings)
    assert 0.4 <= tagged / 2000 <= 0.6


@pytest.mark.parametrize(
    ("region", "partition"), [("us-east-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_the_region_decides_the_partition(region: str, partition: str) -> None:
    for mapping in make_fleet(20, region=region).mappings:
        assert mapping["FunctionArn"].startswith(f"arn:{partition}:lambda:{region}:123456789012:function:")
