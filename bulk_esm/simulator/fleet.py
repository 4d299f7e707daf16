"""Fleets: the mappings of one account and Region, and the tags on them and on their functions."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Final

import msgspec

from bulk_esm.model.mapping import SourceType, State, source_type_of
from bulk_esm.simulator.fleet_sources import BUILDERS, Place
from bulk_esm.simulator.reading import completed, whole_minute, whole_minutes
from bulk_esm.simulator.taking import QUEUES
from bulk_esm.simulator.timeline import Configuration

# Per cent. SQS leads by far, the brokers are few.
MIX: Final[Mapping[SourceType, int]] = {
    SourceType.SQS: 55,
    SourceType.DYNAMODB: 15,
    SourceType.KINESIS: 10,
    SourceType.SQS_FIFO: 8,
    SourceType.MSK: 4,
    SourceType.KAFKA: 3,
    SourceType.MQ: 3,
    SourceType.DOCUMENTDB: 2,
}

_PARTITIONS: Final = (("cn-", "aws-cn"), ("us-gov-", "aws-us-gov"), ("us-iso", "aws-iso"), ("eusc-", "aws-eusc"))
_TEAMS: Final = ("billing", "catalog", "checkout", "growth", "logistics", "payments", "search")
_SUBJECTS: Final = ("order", "invoice", "price", "stock", "user", "email", "parcel", "refund", "audit", "image")
_VERBS: Final = ("import", "export", "index", "notify", "enrich", "archive", "sync", "score")
_ENVIRONMENTS: Final = ("prod", "prod", "prod", "staging", "dev")
_QUALIFIERS: Final = ("", "", "", "", "", ":live", ":prod", ":7")
_FUNCTION_TIMEOUTS_S: Final = (3, 3, 10, 30, 60, 300, 840)
_VISIBILITY_FACTOR: Final = 6  # times the function's timeout, as AWS recommends for a queue
_CREATED_UNTIL: Final = 1_750_000_000  # June 2025, in seconds since the epoch: before any run
_CREATED_WITHIN_S: Final = 400 * 86_400


class Fleet(msgspec.Struct, frozen=True, kw_only=True):
    """The mappings of one account and Region.

    Attributes:
        mappings: configurations as Get returns them; each with at least `UUID`, `FunctionArn`, `State` and a source.
        tags: the tags of mappings and functions by ARN; what is missing has none.
        function_timeouts: the timeouts of functions in seconds, by ARN, with the qualifier where a version has its own;
            what is missing has 3, as new functions have.
        visibility_timeouts: the visibility timeouts of queues in seconds, by ARN; what is missing has 30, as new queues
            have. A `FunctionName` is refused that takes longer (F§0.2).
    """

    mappings: list[Configuration]
    tags: dict[str, dict[str, str]] = {}
    function_timeouts: dict[str, int] = {}
    visibility_timeouts: dict[str, int] = {}


def partition_of(region: str) -> str:
    """The partition of a Region: `aws-cn` for `cn-north-1`, `aws` for most."""
    return next((partition for prefix, partition in _PARTITIONS if region.startswith(prefix)), "aws")


def make_fleet(
    count: int,
    *,
    seed: int = 1,
    account_id: str = "123456789012",
    region: str = "us-east-1",
    disabled_share: float = 0.18,
    functions: int = 300,
) -> Fleet:
    """Make a plausible fleet over all source types, mostly SQS.

    Args:
        count: how many mappings; from 8 on, each source type occurs.
        seed: the same arguments always make the same fleet, UUIDs included.
        account_id: whose fleet, 12 digits.
        region: where; it decides the partition of all ARNs.
        disabled_share: share of mappings that are Disabled, from 0 to 1; the others are Enabled.
        functions: how many functions there are at most; small fleets have fewer. Some mappings name an alias or a
            version of theirs.
    """
    dice = random.Random(f"{seed}/{account_id}/{region}")  # noqa: S311 - a plausible mix, not a secret
    place = Place(partition=partition_of(region), region=region, account_id=account_id, dice=dice)
    names = _function_names(dice, max(1, min(functions, count // 4)))
    mappings = [
        _mapping(place, number, source_type, dice.choice(names), disabled_share)
        for number, source_type in enumerate(_source_types(count, dice))
    ]
    tags = {
        arn: {"team": arn.rpartition(":")[2].partition("-")[0], "env": dice.choice(_ENVIRONMENTS)}
        for arn in (place.arn("lambda", f"function:{name}") for name in names)
        if dice.random() < 0.5  # noqa: PLR2004 - many fleets tag half of what they should
    }
    for mapping in mappings:
        if dice.random() < 0.5:  # noqa: PLR2004 - likewise
            tags[mapping["EventSourceMappingArn"]] = {
                "team": dice.choice(_TEAMS),
                "env": dice.choice(_ENVIRONMENTS),
            }
    timeouts = {place.arn("lambda", f"function:{name}"): dice.choice(_FUNCTION_TIMEOUTS_S) for name in names}
    return Fleet(
        mappings=mappings,
        tags=tags,
        function_timeouts=timeouts,
        visibility_timeouts={
            mapping["EventSourceArn"]: max(30, _VISIBILITY_FACTOR * timeouts[_unqualified(mapping["FunctionArn"])])
            for mapping in mappings
            if source_type_of(mapping) in QUEUES
        },
    )


def _unqualified(arn: str) -> str:
    return ":".join(arn.split(":")[:7])  # arn:partition:lambda:region:account:function:name


def _source_types(count: int, dice: random.Random) -> list[SourceType]:
    chosen = list(MIX) + dice.choices(list(MIX), weights=list(MIX.values()), k=max(0, count - len(MIX)))
    if count < len(MIX):
        chosen = list(MIX)[:count]
    dice.shuffle(chosen)
    return chosen


def _function_names(dice: random.Random, count: int) -> list[str]:
    every = [f"{team}-{subject}-{verb}" for team in _TEAMS for subject in _SUBJECTS for verb in _VERBS]
    while len(every) < count:
        every.extend(f"{name}-{len(every)}" for name in every[:count])
    return dice.sample(every, k=count)


def _mapping(
    place: Place, number: int, source_type: SourceType, function_name: str, disabled_share: float
) -> Configuration:
    identifier = place.identifier()
    created = round(_CREATED_UNTIL - _CREATED_WITHIN_S * place.dice.random(), 3)
    mapping = {
        "UUID": identifier,
        "EventSourceMappingArn": place.arn("lambda", f"event-source-mapping:{identifier}"),
        "FunctionArn": place.arn("lambda", f"function:{function_name}{place.dice.choice(_QUALIFIERS)}"),
        "LastModified": whole_minute(created) if whole_minutes(source_type) else created,
        "State": State.DISABLED.value if place.chance(disabled_share) else State.ENABLED.value,
        # the number makes each source unique, and so each pair of source and function
        **BUILDERS[source_type](place, f"{function_name}-{number}"),
    }
    return completed(mapping)
