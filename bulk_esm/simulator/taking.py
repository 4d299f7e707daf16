"""Which source types take which parameter of UpdateEventSourceMapping, as Lambda answers it (F§6.1, F§0.1, F§0.2).

It is the simulator's own table: were it read from the client's, an error there would hide itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bulk_esm.model.mapping import SourceType

QUEUES: Final = frozenset({SourceType.SQS, SourceType.SQS_FIFO})
STREAMS: Final = frozenset({SourceType.KINESIS, SourceType.DYNAMODB})
KAFKA: Final = frozenset({SourceType.MSK, SourceType.KAFKA})
BROKERS: Final = frozenset({SourceType.MQ, SourceType.DOCUMENTDB})

_RECORDS: Final = STREAMS | KAFKA  # what is read in order, and may be tried again

# A parameter that is not here is taken by all.
_TAKERS: Final[Mapping[str, frozenset[SourceType]]] = {
    "FilterCriteria": QUEUES | _RECORDS | {SourceType.MQ},
    "KMSKeyArn": QUEUES | _RECORDS | {SourceType.MQ},
    "FunctionResponseTypes": QUEUES | _RECORDS,
    "ScalingConfig": QUEUES,
    "ProvisionedPollerConfig": QUEUES | KAFKA,  # FIFO too (F§0.2)
    "MetricsConfig": QUEUES | _RECORDS,  # MQ and DocumentDB have no mapping metrics (F§0.1)
    "DestinationConfig": _RECORDS,
    "BisectBatchOnFunctionError": _RECORDS,
    "MaximumRetryAttempts": _RECORDS,
    "MaximumRecordAgeInSeconds": _RECORDS,
    "ParallelizationFactor": STREAMS,
    "TumblingWindowInSeconds": STREAMS,
    "SourceAccessConfigurations": KAFKA | BROKERS,
    "AmazonManagedKafkaEventSourceConfig": frozenset({SourceType.MSK}),
    "SelfManagedKafkaEventSourceConfig": frozenset({SourceType.KAFKA}),
    "DocumentDBEventSourceConfig": frozenset({SourceType.DOCUMENTDB}),
    "LoggingConfig": KAFKA,
}


def takes(source_type: SourceType, name: str) -> bool:
    """Whether a mapping of a source type takes a parameter; one of an unknown type takes what all take.

    Args:
        source_type: the mapping's.
        name: the parameter's.
    """
    # Guess: what the documentation lists for a source and nobody sent (such as LoggingConfig) is accepted, and Kafka's
    # features "of provisioned mode" are accepted on demand too, but for MetricsConfig, which was refused (F§0.1);
    # sending each of them to an on-demand mapping would tell.
    return name not in _TAKERS or source_type in _TAKERS[name]
