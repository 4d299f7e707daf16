"""What Lambda refuses because a mapping's values would not go together (F§0.1, F§0.2, F§6.2).

Messages that are on record are quoted; a `Guess:` says where the wording is ours.
"""

from __future__ import annotations

from typing import Any, Final

from bulk_esm.model.mapping import SourceType, source_type_of
from bulk_esm.simulator.errors import invalid
from bulk_esm.simulator.taking import KAFKA, QUEUES, STREAMS
from bulk_esm.simulator.timeline import Configuration

_UNWINDOWED_BATCH: Final = 10
_SQS_LEAST_POLLERS: Final = 2
_KAFKA_MOST_POLLERS: Final = 2000


def check_result(configuration: Configuration) -> None:
    """Refuse a mapping whose values do not go together.

    Args:
        configuration: what the update would make of the mapping.

    Raises:
        ApiError: InvalidParameterValueException.
    """
    source_type = source_type_of(configuration)
    pollers = configuration.get("ProvisionedPollerConfig")
    if source_type in QUEUES:
        _check_queue(configuration)
    if source_type in STREAMS:
        _check_tumbling(configuration)
    if source_type in KAFKA and not pollers and configuration.get("MetricsConfig"):
        # Guess: the first half of the sentence is ours, as is that the way back to on-demand is refused while there are
        # metrics; the second half is on record (F§0.1).
        raise invalid("MetricsConfig is only available for Provisioned Mode")
    if source_type in {SourceType.MQ, SourceType.DOCUMENTDB}:
        _check_accesses(configuration, source_type)
    if pollers:
        _check_pollers(pollers, source_type)


def check_switch(request: Configuration, source_type: SourceType) -> None:
    """Refuse that one call clears a queue's ScalingConfig and sets its ProvisionedPollerConfig, or the other way round.

    Args:
        request: UpdateEventSourceMapping's members.
        source_type: the mapping's.

    Raises:
        ApiError: InvalidParameterValueException.
    """
    # Guess: one call is refused, in words that are ours. Captured are two calls, which work (F§0.2), and the documents
    # describe the switch without saying in how many (F§6.2): a double is never kinder than the service may be. Both in
    # one call to a queue's mapping would tell.
    both = [request.get(name) for name in ("ScalingConfig", "ProvisionedPollerConfig")]
    if source_type in QUEUES and None not in both and any(both):
        raise invalid("ScalingConfig and ProvisionedPollerConfig cannot be updated in the same request.")


def _check_queue(configuration: Configuration) -> None:
    """The window rule is enforced for SQS only, FIFO and all: streams take BatchSize 101 without one (F§0.2, F§6.2)."""
    if configuration.get("BatchSize", _UNWINDOWED_BATCH) > _UNWINDOWED_BATCH and not configuration.get(
        "MaximumBatchingWindowInSeconds"
    ):
        raise invalid("Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10")
    if configuration.get("ProvisionedPollerConfig") and configuration.get("ScalingConfig"):
        # Guess: the rest of the message is ours; "does not support maximum concurrency feature" is on record (F§0.2).
        raise invalid(
            "Event source mapping in provisioned mode does not support maximum concurrency feature. "
            "Remove either ProvisionedPollerConfig or ScalingConfig."
        )


def _check_tumbling(configuration: Configuration) -> None:
    if not configuration.get("TumblingWindowInSeconds"):
        return
    if configuration.get("ParallelizationFactor", 1) != 1:
        raise invalid("Parallelization factor must be equal to 1 when tumbling window period is configured")
    if configuration.get("FilterCriteria"):
        # Guess: the wording is ours, and Kinesis is like DynamoDB, where it was refused (F§0.2); filters on a Kinesis
        # mapping with a tumbling window would tell.
        raise invalid("Filter criteria is not supported when tumbling window period is configured")


def _check_accesses(configuration: Configuration, source_type: SourceType) -> None:
    """MQ and DocumentDB cannot be read without credentials; an empty list is refused (F§0.1)."""
    accesses = configuration.get("SourceAccessConfigurations")
    if accesses is None or any(access["Type"] != "VIRTUAL_HOST" for access in accesses):
        return
    if source_type is SourceType.DOCUMENTDB:
        # Guess: an update is refused in the words of Create, where a missing list is (F§0.1, F§3.5).
        raise invalid("Required 'sourceAccessConfigurations' parameter is missing.")
    if accesses:
        raise invalid("Invalid parameters: sourceAccessConfigurations")
    # Guess: a broker without a VIRTUAL_HOST is ActiveMQ, since a mapping does not say which engine it reads from; each
    # engine's words are on record (F§0.1).
    raise invalid("BASIC_AUTH source access configuration was not provided")


def _check_pollers(pollers: dict[str, Any], source_type: SourceType) -> None:
    """Tighter than the model, which knows one range for all sources (F§0.2, F§6.1)."""
    # Guess: the wording of all three is ours; the ranges are captured for SQS (F§0.2) and documented for Kafka (F§6.1).
    least, most = pollers["MinimumPollers"], pollers["MaximumPollers"]
    if least > most:
        raise invalid(f"MaximumPollers ({most}) must be greater than or equal to MinimumPollers ({least}).")
    if source_type in QUEUES and least < _SQS_LEAST_POLLERS:
        raise invalid(f"MinimumPollers ({least}) must be at least 2 for Amazon SQS.")
    if source_type in KAFKA and most > _KAFKA_MOST_POLLERS:
        raise invalid(f"MaximumPollers ({most}) must be at most 2000 for Apache Kafka.")
