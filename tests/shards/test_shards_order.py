"""Which shards go first: groups partition the shards."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shards_samples import ONE, THREE, TWO, shard

from bulk_esm.errors import UsageError
from bulk_esm.model.shard import Shard
from bulk_esm.shards.order import parse_shard_order

ACCOUNTS = (ONE, TWO, THREE)
REGIONS = ("eu-west-1", "us-east-1", "ap-south-1")
SHARDS = [shard(account, region) for account in ACCOUNTS[:2] for region in REGIONS[:2]]
fleets = st.lists(
    st.builds(shard, st.sampled_from(ACCOUNTS), st.sampled_from(REGIONS)), unique_by=lambda each: each.name
)


def names(groups: list[tuple[Shard, ...]]) -> list[list[str]]:
    return [[each.name for each in group] for group in groups]


@given(data=st.data(), shards=fleets)
def test_groups_partition_the_shards_and_keep_their_order(data: st.DataObject, shards: list[Shard]) -> None:
    there = sorted({of for each in shards for of in (each.account_id or "", each.region)})
    lists = st.lists(st.sampled_from(there), min_size=1, unique=True).map(", ".join) if there else st.nothing()
    groups = parse_shard_order(data.draw(st.sampled_from([None, "accounts", "regions"]) | lists), shards)
    assert all(groups)
    assert sorted(each.name for group in groups for each in group) == sorted(each.name for each in shards)
    for group in groups:
        assert list(group) == [each for each in shards if each in group]


@given(shards=fleets)
def test_accounts_one_after_another(shards: list[Shard]) -> None:
    groups = parse_shard_order("accounts", shards)
    assert [{each.account_id for each in group} for group in groups] == [
        {account} for account in dict.fromkeys(each.account_id for each in shards)
    ]


def test_regions_one_after_another() -> None:
    assert names(parse_shard_order("regions", SHARDS)) == [
        [f"{ONE}-eu-west-1", f"{TWO}-eu-west-1"],
        [f"{ONE}-us-east-1", f"{TWO}-us-east-1"],
    ]


def test_named_ones_go_first_and_a_shard_of_two_names_goes_with_the_first() -> None:
    assert names(parse_shard_order(f"{TWO},us-east-1", SHARDS)) == [
        [f"{TWO}-eu-west-1", f"{TWO}-us-east-1"],
        [f"{ONE}-us-east-1"],
        [f"{ONE}-eu-west-1"],
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("us-esat-1", "did you mean us-east-1"),
        (THREE, "no shard is in"),
        ("acounts", "did you mean accounts"),
        ("accounts,us-east-1", "no shard is in 'accounts'"),
        (f"{ONE},{ONE}", "named twice"),
        ("", "write accounts, regions, or names"),
        (f"{ONE},", "write accounts, regions, or names"),
    ],
)
def test_bad_orders(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_shard_order(text, SHARDS)
