from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulk_esm.model.mapping import AT_REST, SourceType, source_type_of
from bulk_esm.model.parameters import PARAMETERS
from bulk_esm.simulator import make_fleet
from bulk_esm.simulator.bounds import check
from bulk_esm.simulator.refusals import check_result


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


def test_every_mapping_is_legal_for_its_source() -> None:
    for mapping in make_fleet(2000).mappings:
        source_type = source_type_of(mapping)
        settings = {name: value for name, value in mapping.items() if name in PARAMETERS}
        wrong = {name for name in settings if not PARAMETERS[name].takes(source_type)}
        # a FIFO queue's window comes back as 0 although it takes none
        assert wrong <= ({"MaximumBatchingWindowInSeconds"} if source_type is SourceType.SQS_FIFO else set())
        check("UpdateEventSourceMapping", settings)
        check_result(mapping)


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
