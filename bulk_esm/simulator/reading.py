"""How a mapping reads: the members that Lambda always shows, its stamps, and the nulls of the wire (F§0.2)."""

from __future__ import annotations

import math
from functools import cache
from typing import Any, Final

from bulk_esm.model.mapping import SourceType, source_type_of
from bulk_esm.simulator import bounds
from bulk_esm.simulator.timeline import Configuration

_QUEUES: Final = frozenset({SourceType.SQS, SourceType.SQS_FIFO})
_STREAMS: Final = frozenset({SourceType.KINESIS, SourceType.DYNAMODB})
_MINUTE_S: Final = 60

# What is never unset: a mapping shows its default (F§0.2, F§6.1).
_OF_QUEUES: Final[Configuration] = {
    "BatchSize": 10,
    "MaximumBatchingWindowInSeconds": 0,
    "FunctionResponseTypes": [],
}
_OF_KAFKA: Final[Configuration] = {
    # No window, which is the initial 500 ms, and no DestinationConfig (F§0.2).
    "BatchSize": 100,
    "MaximumRecordAgeInSeconds": -1,
    "BisectBatchOnFunctionError": False,
    "MaximumRetryAttempts": -1,
    "FunctionResponseTypes": [],
}
_OF_STREAMS: Final[Configuration] = {
    **_OF_KAFKA,
    "MaximumBatchingWindowInSeconds": 0,
    "ParallelizationFactor": 1,
    "TumblingWindowInSeconds": 0,
    "DestinationConfig": {"OnFailure": {}},
}
_OF_BROKERS: Final[Configuration] = {"BatchSize": 100}  # MQ, DocumentDB: neither response types nor destination (F§0.2)
_DEFAULTS: Final[dict[SourceType, Configuration]] = {
    **dict.fromkeys(_QUEUES, _OF_QUEUES),
    **dict.fromkeys(_STREAMS, _OF_STREAMS),
    SourceType.MSK: _OF_KAFKA,
    SourceType.KAFKA: _OF_KAFKA,
    SourceType.MQ: _OF_BROKERS,
    SourceType.DOCUMENTDB: _OF_BROKERS,
    SourceType.UNKNOWN: {},
}


def completed(configuration: Configuration) -> Configuration:
    """A mapping with the members that one of its source type always shows; what it has stays.

    Args:
        configuration: any mapping, such as one that a test wrote by hand; it is not changed.
    """
    return {**configuration, **{name: value for name, value in _defaults(configuration) if name not in configuration}}


def _defaults(configuration: Configuration) -> list[tuple[str, Any]]:
    return list(_DEFAULTS[source_type_of(configuration)].items())


def whole_minutes(source_type: SourceType) -> bool:
    """Whether Get, List and Delete show the whole minute of LastModified only (F§0.2)."""
    # Guess: MSK and self-managed Kafka show milliseconds everywhere; Get's were seen (F§0.2), the 202's stamp was not
    # captured, and one update by the API would tell.
    # Probe steps: no-op
    return source_type in _STREAMS


def whole_minute(stamp: float) -> float:
    """A stamp cut to the whole minute of the epoch, which may step backwards from the 202 (F§0.2)."""
    return float(math.floor(stamp / _MINUTE_S) * _MINUTE_S)


def as_read(configuration: Configuration, source_type: SourceType) -> Configuration:
    """A mapping as Get, List and Delete show it: with its LastModified cut where the source type's is.

    Args:
        configuration: the mapping, with the exact moment of the call; it is not changed.
        source_type: the mapping's.
    """
    if not whole_minutes(source_type) or "LastModified" not in configuration:
        return configuration
    return {**configuration, "LastModified": whole_minute(configuration["LastModified"])}


def on_the_wire(configuration: Configuration) -> Configuration:
    """A mapping as the body spells it: of a queue's, every member is there, and unset ones are null (F§0.2).

    Args:
        configuration: the mapping without nulls, as SDKs show it; it is not changed.
    """
    # Guess: mappings of other sources leave unset members out; that they are null was captured for SQS alone (F§0.2),
    # and the raw body of a Get of a stream's mapping would tell.
    # Probe steps: no-op
    if source_type_of(configuration) not in _QUEUES:
        return configuration
    wire = {**_nulls(), **configuration}
    pollers = wire["ProvisionedPollerConfig"]
    if pollers is not None:
        wire["ProvisionedPollerConfig"] = {"PollerGroupName": None, **pollers}
    return wire


@cache
def _nulls() -> Configuration:
    # Guess: "every member" (F§0.2) is every member of the API's model as the installed botocore knows it; the raw body
    # of a Get of a queue's mapping would tell.
    # Probe steps: no-op
    return dict.fromkeys(bounds.output_shape("GetEventSourceMapping").members)
