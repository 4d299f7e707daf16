"""What an accepted update makes of a mapping: the shapes that can be read back (F§6.3, F§6.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

from bulk_esm.model.mapping import SourceType, source_type_of
from bulk_esm.simulator import bounds
from bulk_esm.simulator.refusals import KAFKA_CONFIGS
from bulk_esm.simulator.taking import KAFKA, STREAMS
from bulk_esm.simulator.timeline import Configuration

# These show an update's values only once it has settled; recorded for DocumentDB (F§3.2). SQS, DynamoDB and RabbitMQ
# show them at once (F§0.2).
# Guess: MSK and self-managed Kafka hide them like DocumentDB, and Kinesis and ActiveMQ show them like DynamoDB and
# RabbitMQ; the 202s of Kafka were not captured (F§0.2), and those of one update by the API each would tell.
# Probe steps: configuration
HIDES_VALUES_UNTIL_SETTLED: Final = KAFKA | {SourceType.DOCUMENTDB}

_NOT_STORED: Final = frozenset({"UUID", "Enabled", "FunctionName", "Tags"})


def merged(
    configuration: Configuration,
    request: dict[str, Any],
    *,
    function_arn: str | None,
    newer: AbstractSet[str] = frozenset(),
    operation: str = "UpdateEventSourceMapping",
) -> Configuration:
    """Apply a request's parameters; `State` and `LastModified` are the state machine's and stay as they are.

    Args:
        configuration: the mapping as Get returns it; it is not changed.
        request: UpdateEventSourceMapping's members. What is left out stays as it is, and what the API does not know
            is ignored (F§0.2).
        function_arn: the full ARN that `FunctionName` stands for, if it was sent.
        newer: dotted paths that it knows all the same.
        operation: whose request it is.

    Returns:
        The mapping as Get will return it. A parameter that was cleared is gone, or in the form that says so.
    """
    result = dict(configuration)
    if function_arn is not None:
        result["FunctionArn"] = function_arn
    source_type = source_type_of(configuration)
    for name, value in bounds.known(operation, request, newer).items():
        if name in _NOT_STORED:
            continue
        stored = _READ_BACK[name](value, configuration.get(name), source_type) if name in _READ_BACK else value
        if stored is None:
            result.pop(name, None)
        else:
            result[name] = stored
    if "FilterCriteria" not in result:
        result.pop("KMSKeyArn", None)  # gone with the filters, and ignored without any (F§0.1)
    return result


def _destination(value: dict[str, Any], _current: Any, source_type: SourceType) -> dict[str, Any] | None:
    """`{}` clears: on streams, it reads back as an empty OnFailure (F§0.2)."""
    # Guess: on Kafka, `{}` leaves no DestinationConfig behind, which is what a mapping without one shows (F§0.2);
    # clearing one was not captured there.
    if value.get("OnFailure"):
        return {"OnFailure": value["OnFailure"]}
    return {"OnFailure": {}} if source_type in STREAMS else None


def _pollers(value: dict[str, Any], current: dict[str, Any] | None, source_type: SourceType) -> dict[str, Any] | None:
    """`{}` goes back to on-demand (F§0.2)."""
    # Guess: otherwise members that were not sent keep their value, or take the API's default; both were sent in every
    # capture, and MaximumPollers alone would tell.
    if not value:
        return None
    defaults = {"MinimumPollers": 1 if source_type in KAFKA else 2, "MaximumPollers": 200}
    pollers = {**defaults, **(current or {}), **value}
    if not pollers.get("PollerGroupName"):
        pollers.pop("PollerGroupName", None)
    return pollers


def _kafka(value: dict[str, Any], current: dict[str, Any] | None, _source_type: SourceType) -> dict[str, Any] | None:
    """The schema registry is cleared by `{}` inside; `{}` outside, or nothing, leaves it in place (F§6.3)."""
    config = {**(current or {}), **value}
    if not config.get("SchemaRegistryConfig"):
        config.pop("SchemaRegistryConfig", None)
    return config or None


def _metrics(value: dict[str, Any], current: dict[str, Any] | None, _source_type: SourceType) -> dict[str, Any] | None:
    """An empty list clears (F§6.3)."""
    # Guess: without a list nothing was said, and what was there stays; `{}` was not captured.
    if "Metrics" not in value:
        return current
    return value if value["Metrics"] else None


def _accesses(value: list[Any], current: list[Any] | None, _source_type: SourceType) -> list[Any]:
    """A list replaces the whole list, but for VIRTUAL_HOST, which may not be sent and is kept (F§0.2)."""
    return [*value, *(access for access in current or [] if access["Type"] == "VIRTUAL_HOST")]


# What becomes of a parameter: (value, what it was, source type) to what is read back; None removes it. One that is not
# here is stored as it was sent.
_READ_BACK: Final[Mapping[str, Callable[[Any, Any, SourceType], Any]]] = {
    "FilterCriteria": lambda value, _current, _source_type: value if value.get("Filters") else None,
    "ScalingConfig": lambda value, _current, _source_type: value or None,
    "KMSKeyArn": lambda value, _current, _source_type: value or None,
    "MetricsConfig": _metrics,
    "DocumentDBEventSourceConfig": lambda value, current, _source_type: {**(current or {}), **value},
    "DestinationConfig": _destination,
    "ProvisionedPollerConfig": _pollers,
    "SourceAccessConfigurations": _accesses,
    **dict.fromkeys(KAFKA_CONFIGS, _kafka),
}


def listed(configuration: Configuration) -> Configuration:
    """A mapping as List shows it: filters encrypted with a customer key are null there (F§2)."""
    if "KMSKeyArn" in configuration and "FilterCriteria" in configuration:
        return {**configuration, "FilterCriteria": None}
    return configuration
