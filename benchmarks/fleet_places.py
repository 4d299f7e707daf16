"""The shards of the fleet benchmarks: accounts and real Regions, each with a role of its account and a fleet."""

from __future__ import annotations

from itertools import islice, product

from bulk_esm.model.mapping import source_type_of
from bulk_esm.model.shard import Shard
from bulk_esm.simulator import Fleet, make_fleet
from bulk_esm.simulator.settle import Transition, settle_time

REGIONS = (
    *("us-east-1", "us-east-2", "us-west-1", "us-west-2", "eu-west-1"),
    *("eu-west-2", "eu-west-3", "eu-central-1", "eu-north-1", "ap-southeast-1"),
)


def shards_of(count: int) -> tuple[Shard, ...]:
    """So many shards: ten Regions of the first account, ten of the next."""
    accounts = (f"{number:012}" for number in range(111_111_111_111, 111_111_111_111 + count))
    return tuple(
        Shard(account_id=account_id, region=region, role_arn=f"arn:aws:iam::{account_id}:role/bulk-esm")
        for account_id, region in islice(product(islice(accounts, -(-count // len(REGIONS))), REGIONS), count)
    )


def fleet_in(shard: Shard, mappings: int, *, seed: int = 1) -> Fleet:
    """The mappings of a shard, all of them Enabled; the same in every process."""
    account_id, region = place_of(shard)
    return make_fleet(mappings, seed=seed, account_id=account_id, region=region, disabled_share=0.0)


def place_of(shard: Shard) -> tuple[str, str]:
    """The account and the Region of one of `shards_of`, all of which have both."""
    return shard.account_id or "", shard.region


def slowest_settle_s(fleet: Fleet, *, seed: int = 1) -> float:
    """How long the slowest mapping of a fleet takes to pause, in virtual seconds, as the simulator draws it."""
    return max(
        settle_time(source_type_of(mapping), Transition.DISABLE, seed=seed, uuid=mapping["UUID"], nth=0)
        for mapping in fleet.mappings
    )
