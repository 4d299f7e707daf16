"""What Lambda would refuse of a request for one mapping, and what could never be taken back (F§6.1, F§6.2).

Pure: a rule sees the source type, the request and the mapping's current values, and says what is wrong in words that
name the parameter and the way out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bulk_esm.model.api_shape import violations
from bulk_esm.model.mapping import EventSourceMapping, SourceType
from bulk_esm.model.parameters import HALF_SECOND_WINDOW, KAFKA, SQS, row, takers
from bulk_esm.model.values import VIRTUAL_HOST, current_value, is_empty

_WINDOW = "MaximumBatchingWindowInSeconds"
MOST_FILTERS = 10  # 5, or 10 by request (F§6.1)


def value_problems(name: str, value: Any, source_type: SourceType) -> Iterator[str]:
    """What one source type has against one parameter's value.

    Args:
        name: a parameter of UpdateEventSourceMapping.
        value: the value that would be sent.
        source_type: the mapping's.

    Yields:
        A sentence for each problem.
    """
    parameter = row(name)
    if not parameter.takes(source_type):
        yield f"{name} cannot be set on {source_type}: only {takers(parameter.sources)} can take it"
        return
    refused_by_the_model = list(violations(name, value))
    # Only a value of the right shape can be looked at more closely.
    yield from refused_by_the_model or _narrower_than_the_model(name, value, source_type)


def _narrower_than_the_model(path: str, value: Any, source_type: SourceType) -> Iterator[str]:
    parameter = row(path)
    if isinstance(value, dict):
        if not value and parameter.clear_for(source_type) is None:
            yield f"{path} cannot be emptied: {parameter.why_not or 'it has no documented clear form'}"
        for name, member in value.items():
            yield from _narrower_than_the_model(f"{path}.{name}", member, source_type)
    elif isinstance(value, list):
        yield from _list_problems(path, value, source_type)
    elif value != "" and not parameter.takes(source_type) and not parameter.read_only:
        yield f"{path} cannot be set on {source_type}: only {takers(parameter.sources)} can take it"
    elif isinstance(value, int):
        low, high = parameter.ranges.get(source_type, (value, value))
        if not low <= value <= high:
            yield f"{path} is from {low} to {high} on {source_type}, not {value}"
        if value in parameter.refused:
            yield f"{path} is -1 (no limit) or at least {parameter.refused.stop}, not {value}"


def _list_problems(path: str, items: list[Any], source_type: SourceType) -> Iterator[str]:
    if path == "SourceAccessConfigurations" and VIRTUAL_HOST in (item.get("Type") for item in items):
        yield f"{path} must not name {VIRTUAL_HOST} in an update: leave it out"
    if path == "MetricsConfig.Metrics" and source_type not in KAFKA:
        for metric in sorted({"ErrorCount", "KafkaMetrics"}.intersection(items)):
            yield f"{path}: {metric} cannot be set on {source_type}: only {takers(KAFKA)} have it"
    if path == "FilterCriteria.Filters" and len(items) > MOST_FILTERS:
        yield f"{path} takes at most {MOST_FILTERS} filters, not {len(items)}"


def cross_field_problems(mapping: EventSourceMapping, request: dict[str, Any]) -> Iterator[str]:
    """What Lambda has against the mapping as it would be after the request.

    Args:
        mapping: the mapping as it is.
        request: the parameters that would be sent.

    Yields:
        A sentence for each rule that would be broken.
    """

    def after(name: str) -> Any:
        return request.get(name, current_value(mapping, name))

    source_type = mapping.source_type
    touches_batching = not request.keys().isdisjoint({"BatchSize", _WINDOW})
    # Documented for Kinesis and DynamoDB too, but recorded as accepted there: enforced for SQS only (F§6.2).
    if source_type is SourceType.SQS and touches_batching:
        batch_size = after("BatchSize") or 10
        if batch_size > 10 and not after(_WINDOW):  # noqa: PLR2004 - Lambda's own limit
            yield f"BatchSize {batch_size} needs {_WINDOW} of at least 1 on sqs: change both in one go"
    pollers = after("ProvisionedPollerConfig")
    touches_scaling = not request.keys().isdisjoint({"ScalingConfig", "ProvisionedPollerConfig"})
    if source_type in SQS and touches_scaling and not is_empty(pollers) and not is_empty(after("ScalingConfig")):
        yield "ScalingConfig and ProvisionedPollerConfig exclude each other on SQS: unset one of them"
    if "ProvisionedPollerConfig" in request and isinstance(pollers, dict):
        low, high = pollers.get("MinimumPollers"), pollers.get("MaximumPollers")
        if isinstance(low, int) and isinstance(high, int) and high < low:
            yield f"ProvisionedPollerConfig.MaximumPollers {high} is below MinimumPollers {low}"


def is_irreversible(mapping: EventSourceMapping, name: str) -> bool:
    """Whether changing this parameter of this mapping can never be taken back.

    The 500 ms window of Kafka, MQ and DocumentDB cannot be expressed in whole seconds (F§6.1 a). A window read as 0
    may be that default, as the read-back of 500 ms is not recorded.
    """
    return name == _WINDOW and mapping.source_type in HALF_SECOND_WINDOW and not mapping.configuration.get(_WINDOW)
