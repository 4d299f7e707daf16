"""Shards to send requests to, and mappings of each source to send them for."""

from __future__ import annotations

from typing import Any

import pytest

from bulk_esm.model.mapping import SourceType, source_type_of
from bulk_esm.simulator import ApiError, Faults, Fleet, make_fleet
from bulk_esm.simulator.settings import Settings
from bulk_esm.simulator.shard import Shard
from bulk_esm.simulator.timeline import Configuration

LONG = 1000.0  # longer than anything takes to settle
EPOCH = 1_760_000_007.25  # no whole minute, nor a whole second
FLEET = make_fleet(300)

QUEUE = "arn:aws:sqs:us-east-1:123456789012:q"
ARN = {
    SourceType.SQS: QUEUE,
    SourceType.SQS_FIFO: f"{QUEUE}.fifo",
    SourceType.KINESIS: "arn:aws:kinesis:us-east-1:123456789012:stream/s",
    SourceType.DYNAMODB: "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026-01-01T00:00:00.000",
    SourceType.MSK: "arn:aws:kafka:us-east-1:123456789012:cluster/c/1",
    SourceType.MQ: "arn:aws:mq:us-east-1:123456789012:broker:b:1",
    SourceType.DOCUMENTDB: "arn:aws:rds:us-east-1:123456789012:cluster:c",
}
EVERY_SOURCE = (*ARN, SourceType.KAFKA)
UUID = "00000000-0000-4000-8000-000000000000"


def function(name: str) -> str:
    return f"arn:aws:lambda:us-east-1:123456789012:function:{name}"


def a_mapping(source_type: SourceType = SourceType.SQS, number: int = 0, **members: Any) -> Configuration:
    source: Configuration = {"EventSourceArn": ARN.get(source_type)}
    if source_type is SourceType.KAFKA:
        brokers = ["b-1.example.com:9092"]
        source = {"SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": brokers}}}
    return {
        "UUID": f"00000000-0000-4000-8000-{number:012}",
        "FunctionArn": function("f"),
        "State": "Enabled",
        "LastModified": 1_700_000_000.125,
        **source,
        **members,
    }


def shard_of(*mappings: Configuration, settings: Settings | None = None, **fleet: Any) -> Shard:
    """A shard with these mappings."""
    return Shard(
        account_id="123456789012",
        region="us-east-1",
        fleet=Fleet(mappings=list(mappings), **fleet),
        settings=settings or Settings(epoch=EPOCH),
    )


def make_shard(**faults: Any) -> Shard:
    """A shard with a whole fleet."""
    settings = Settings(faults=Faults(**faults))
    return Shard(account_id="123456789012", region="us-east-1", fleet=FLEET, settings=settings)


def one(shard: Shard, source_type: SourceType = SourceType.SQS, state: str = "Enabled") -> str:
    """The UUID of a plain mapping of a source type."""
    return next(
        str(mapping["UUID"])
        for mapping in shard.snapshot(0)
        if source_type_of(mapping) is source_type and mapping["State"] == state and "FilterCriteria" not in mapping
    )


def refused(shard: Shard, request: dict[str, Any], now: float = 0.0, uuid: str = UUID) -> ApiError:
    """The error of an update that must fail, and that leaves the mapping as it was."""
    before = shard.get(uuid, now)
    with pytest.raises(ApiError) as caught:
        shard.update(uuid, request, now)
    assert shard.get(uuid, now) == before
    return caught.value
