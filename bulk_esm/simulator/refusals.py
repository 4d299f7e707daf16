"""What Lambda refuses of a request whatever else the mapping has, although the API's model allows it (F§0.1, F§0.2).

Messages that are on record are quoted; a `Guess:` says where the wording is ours.
"""

from __future__ import annotations

from typing import Any, Final

from bulk_esm.model.mapping import SourceType
from bulk_esm.simulator.bounds import spelt
from bulk_esm.simulator.errors import invalid
from bulk_esm.simulator.patterns import check_filters
from bulk_esm.simulator.taking import KAFKA, QUEUES, takes

KAFKA_CONFIGS: Final = ("AmazonManagedKafkaEventSourceConfig", "SelfManagedKafkaEventSourceConfig")

_FIXED_OF_KAFKA: Final = ("ConsumerGroupId", "ConsumptionMode")  # even unchanged (F§3.5, F§0.1)
_FIXED_OF_DOCUMENTDB: Final = ("DatabaseName", "CollectionName")  # likewise (F§0.2)
_YOUNGEST_RECORD_AGE_S: Final = 60


def check_request(request: dict[str, Any], source_type: SourceType, *, creates: bool = False) -> None:
    """Refuse what no mapping of a source type takes, whatever its configuration.

    Args:
        request: UpdateEventSourceMapping's members, within the model's bounds; unknown ones do not matter.
        source_type: the mapping's.
        creates: whether it makes the mapping, and so may say what is fixed from then on.

    Raises:
        ApiError: InvalidParameterValueException.
    """
    for name in request:
        if not takes(source_type, name):
            raise _unsupported(spelt(name))
    if source_type is SourceType.SQS_FIFO and request.get("MaximumBatchingWindowInSeconds"):
        # Guess: a FIFO mapping takes the window 0, which it has; that any other is refused is on record (F§0.1), and
        # sending the 0 alone would tell.
        raise invalid("Batching window is not supported for FIFO queues")
    _check_destination(request.get("DestinationConfig"))
    check_filters(request.get("FilterCriteria"))
    if not creates:
        _check_fixed(request)
    _check_metrics(request.get("MetricsConfig", {}), source_type)
    if source_type in QUEUES and "PollerGroupName" in request.get("ProvisionedPollerConfig", {}):
        # Guess: a queue's pollers have no group (F§6.1), though its mapping shows `PollerGroupName: null` (F§0.2); it
        # was never sent to one, and sending it would tell.
        raise _unsupported("provisionedPollerConfig.pollerGroupName")
    if 0 <= request.get("MaximumRecordAgeInSeconds", -1) < _YOUNGEST_RECORD_AGE_S:
        # Guess: the wording is ours; that it is refused although inside the model's range is documented (F§6.2).
        raise invalid("MaximumRecordAgeInSeconds must be -1, or from 60 to 604800.")


def _unsupported(path: str) -> Exception:
    return invalid(f"Unsupported '{path}' parameter for given event source mapping type.")


def _check_destination(destination: dict[str, Any] | None) -> None:
    if destination is None:
        return
    if "OnSuccess" in destination:
        raise invalid("Unsupported DestinationConfig parameter for given event source mapping type.")
    # Guess: an empty Destination is refused in the words for a missing one, which are on record (F§3.5); CloudFormation
    # rolled it back (F§0.2) and did not say why. Sending it by the API would tell.
    if "OnFailure" in destination and not destination["OnFailure"].get("Destination"):
        raise invalid("The Destination field is required for an OnFailure configuration.")


def _check_fixed(request: dict[str, Any]) -> None:
    """What is fixed when a mapping is created is refused, even unchanged."""
    for block in KAFKA_CONFIGS:
        for name in _FIXED_OF_KAFKA:
            if name in request.get(block, {}):
                raise _unsupported(f"{spelt(block)}.{spelt(name)}")
    fixed = [spelt(name) for name in _FIXED_OF_DOCUMENTDB if name in request.get("DocumentDBEventSourceConfig", {})]
    if fixed:
        # Guess: both together are named in one message; it was captured for databaseName (F§0.2).
        raise invalid(f"Invalid parameters: {', '.join(fixed)}")
    if any(access.get("Type") == "VIRTUAL_HOST" for access in request.get("SourceAccessConfigurations", [])):
        raise invalid("Invalid parameters: VIRTUAL_HOST")  # changed or not (F§0.2)


def _check_metrics(metrics: dict[str, Any], source_type: SourceType) -> None:
    # Guess: the wording is ours; that ErrorCount and KafkaMetrics are for Kafka only is documented (F§6.1).
    if source_type not in KAFKA and set(metrics.get("Metrics", [])) - {"EventCount"}:
        raise invalid("Unsupported metrics for given event source mapping type.")
