"""What CreateEventSourceMapping makes of a request, and what Lambda refuses of one (F§3.2, F§3.5)."""

from __future__ import annotations

from typing import Any, Final

from bulk_esm.model.mapping import SourceType, State, source_type_of
from bulk_esm.simulator.errors import invalid, validation
from bulk_esm.simulator.merging import merged
from bulk_esm.simulator.reading import completed
from bulk_esm.simulator.refusals import KAFKA_CONFIGS, check_request
from bulk_esm.simulator.taking import BROKERS, KAFKA, QUEUES, STREAMS
from bulk_esm.simulator.timeline import Configuration

OPERATION: Final = "CreateEventSourceMapping"

_POSITIONED: Final = STREAMS | KAFKA | {SourceType.DOCUMENTDB}


def created(request: dict[str, Any], *, uuid: str, arn: str, function_arn: str, stamp: float) -> Configuration:
    """The mapping that a request makes, at rest; it is not compared with others yet.

    Args:
        request: CreateEventSourceMapping's members, within the model's bounds.
        uuid: its identifier.
        arn: its own ARN.
        function_arn: the full ARN that `FunctionName` stands for.
        stamp: its LastModified.

    Raises:
        ApiError: no mapping can be like that.
    """
    source_type = source_type_of(request)
    if source_type is SourceType.UNKNOWN:
        raise invalid("Unrecognized event source.")
    check_request(request, source_type, creates=True)
    _check_position(request, source_type)
    if source_type in BROKERS and not request.get("SourceAccessConfigurations"):
        raise invalid("Required 'sourceAccessConfigurations' parameter is missing.")
    mapping: Configuration = {
        "UUID": uuid,
        "EventSourceMappingArn": arn,
        "FunctionArn": function_arn,
        "State": str(State.DISABLED if request.get("Enabled") is False else State.ENABLED),
        "StateTransitionReason": "User action" if source_type in STREAMS else "USER_INITIATED",
        "LastModified": stamp,
        **{name: request[name] for name in ("EventSourceArn", "SelfManagedEventSource") if name in request},
    }
    if source_type not in QUEUES:  # which do not have the member at all (F§2)
        mapping["LastProcessingResult"] = "No records processed"
    for block, owner in zip(KAFKA_CONFIGS, (SourceType.MSK, SourceType.KAFKA), strict=True):
        if source_type is owner:
            mapping[block] = {"ConsumerGroupId": uuid}
    return completed(merged(mapping, request, function_arn=function_arn, operation=OPERATION))


def check_members(request: dict[str, Any]) -> None:
    """Refuse a request without what every mapping has.

    Raises:
        ApiError: ValidationException.
    """
    if not request.get("FunctionName"):
        # Guess: the words are those of every other constraint; SDKs never send such a request.
        raise validation(["Value null at 'functionName' failed to satisfy constraint: Member must not be null"])


def _check_position(request: dict[str, Any], source_type: SourceType) -> None:
    position = request.get("StartingPosition")
    if position is not None and source_type in QUEUES:
        raise invalid("StartingPosition is not valid for SQS event sources.")
    if position is None and source_type in _POSITIONED:
        # Guess: the wording is that of a constraint of the model; that these sources need one is documented. A Create
        # without one would tell.
        raise validation(["Value null at 'startingPosition' failed to satisfy constraint: Member must not be null"])
    if "StartingPositionTimestamp" in request and position != "AT_TIMESTAMP":
        raise invalid("Timestamp only valid with StartingPosition AT_TIMESTAMP")
