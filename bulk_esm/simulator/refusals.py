"""What Lambda refuses although the API's model allows it (F§3.5, F§6.1, F§6.2).

Messages that are on record are quoted; the comment at each of the others says that its wording is ours.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from bulk_esm.model.mapping import SourceType, source_type_of
from bulk_esm.model.parameters import PARAMETERS
from bulk_esm.simulator.bounds import spelt
from bulk_esm.simulator.errors import invalid
from bulk_esm.simulator.merging import KAFKA, KAFKA_CONFIGS
from bulk_esm.simulator.timeline import Configuration

VISIBILITY_TIMEOUT: Final = "Queue visibility timeout: 30 seconds is less than Function timeout: 60 seconds"

_SQS: Final = frozenset({SourceType.SQS, SourceType.SQS_FIFO})
_UNWINDOWED_BATCH: Final = 10
_YOUNGEST_RECORD_AGE_S: Final = 60
_SQS_LEAST_POLLERS: Final = 2
_KAFKA_MOST_POLLERS: Final = 2000


def check_request(request: dict[str, Any], source_type: SourceType) -> None:
    """Refuse what no mapping of a source type takes, whatever its configuration.

    Args:
        request: UpdateEventSourceMapping's members, within the model's bounds.
        source_type: the mapping's.

    Raises:
        ApiError: InvalidParameterValueException.
    """
    for name in request:
        if name in PARAMETERS and not PARAMETERS[name].takes(source_type):
            raise invalid(f"Unsupported '{spelt(name)}' parameter for given event source mapping type.")
    _check_destination(request.get("DestinationConfig"))
    _check_filters(request.get("FilterCriteria"))
    for block in KAFKA_CONFIGS:
        if "ConsumerGroupId" in request.get(block, {}):  # even unchanged
            raise invalid(
                f"Unsupported '{spelt(block)}.consumerGroupId' parameter for given event source mapping type."
            )
    if any(access.get("Type") == "VIRTUAL_HOST" for access in request.get("SourceAccessConfigurations", [])):
        # our wording of "must not be in an update" (F§6.2)
        raise invalid("Unsupported source access configuration type for update: VIRTUAL_HOST.")
    if 0 <= request.get("MaximumRecordAgeInSeconds", -1) < _YOUNGEST_RECORD_AGE_S:
        # refused although inside the model's range (F§6.2); our wording
        raise invalid("MaximumRecordAgeInSeconds must be -1, or from 60 to 604800.")


def _check_destination(destination: dict[str, Any] | None) -> None:
    if destination is None:
        return
    if "OnSuccess" in destination:
        raise invalid("Unsupported DestinationConfig parameter for given event source mapping type.")
    if "OnFailure" in destination and "Destination" not in destination["OnFailure"]:
        raise invalid("The Destination field is required for an OnFailure configuration.")


def _check_filters(criteria: dict[str, Any] | None) -> None:
    for rule in (criteria or {}).get("Filters", []):
        try:
            pattern = msgspec.json.decode(rule.get("Pattern", "{}"))
        except msgspec.DecodeError:
            pattern = None
        if not isinstance(pattern, dict):
            raise invalid("Invalid filter pattern definition.")


def check_result(configuration: Configuration) -> None:
    """Refuse a mapping whose values do not go together.

    Args:
        configuration: what the update would make of the mapping.

    Raises:
        ApiError: InvalidParameterValueException.
    """
    source_type = source_type_of(configuration)
    pollers = configuration.get("ProvisionedPollerConfig")
    if source_type in _SQS:
        _check_queue(configuration, source_type)
        if pollers and configuration.get("ScalingConfig"):
            # one or the other (F§6.2); our wording
            raise invalid("ScalingConfig and ProvisionedPollerConfig cannot be used together.")
    if pollers:
        _check_pollers(pollers, source_type)


def _check_queue(configuration: Configuration, source_type: SourceType) -> None:
    """The window rule is enforced for SQS only: streams take BatchSize 100 without a window (F§6.2)."""
    if configuration.get("BatchSize", 10) <= _UNWINDOWED_BATCH:
        return
    if source_type is SourceType.SQS_FIFO:
        # 10 at most (F§6.1); our wording
        raise invalid("Batch size must be less than or equal to 10 for FIFO queues.")
    if not configuration.get("MaximumBatchingWindowInSeconds"):
        raise invalid("Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10")


def _check_pollers(pollers: dict[str, Any], source_type: SourceType) -> None:
    """Tighter than the model, which knows one range for all sources (F§6.1); the wording of all three is ours."""
    least, most = pollers["MinimumPollers"], pollers["MaximumPollers"]
    if least > most:
        raise invalid(f"MaximumPollers ({most}) must be greater than or equal to MinimumPollers ({least}).")
    if source_type in _SQS and least < _SQS_LEAST_POLLERS:
        raise invalid(f"MinimumPollers ({least}) must be at least 2 for Amazon SQS.")
    if source_type in KAFKA and most > _KAFKA_MOST_POLLERS:
        raise invalid(f"MaximumPollers ({most}) must be at most 2000 for Apache Kafka.")
