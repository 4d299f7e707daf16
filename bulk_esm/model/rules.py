"""What Lambda would refuse of one parameter's value, and what could never be taken back (F§6.1, F§6.2).

Pure: a rule sees the source type and the value, and says what is wrong in words that name the parameter and the way
out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bulk_esm.model.api_shape import violations
from bulk_esm.model.filters import filter_problems
from bulk_esm.model.mapping import FUNCTION_FORMS, EventSourceMapping, SourceType
from bulk_esm.model.parameters import HALF_SECOND_WINDOW, KAFKA, row, takers
from bulk_esm.model.values import VIRTUAL_HOST

_WINDOW = "MaximumBatchingWindowInSeconds"
_DESTINATION = "DestinationConfig.OnFailure.Destination"


def value_problems(name: str, value: Any, source_type: SourceType, *, allow_unknown: bool = False) -> Iterator[str]:
    """What one source type has against one parameter's value.

    Args:
        name: a parameter of UpdateEventSourceMapping.
        value: the value that would be sent.
        source_type: the mapping's.
        allow_unknown: whether Lambda is taken to know more than the API's model does.

    Yields:
        A sentence for each problem.
    """
    parameter = row(name)
    if not parameter.takes(source_type):
        yield f"{name} cannot be set on {source_type}: only {takers(parameter.sources)} can take it"
        return
    refused_by_the_model = list(violations(name, value, allow_unknown=allow_unknown))
    if name == "FunctionName":
        refused_by_the_model = [f"{text}; the forms are {FUNCTION_FORMS}" for text in refused_by_the_model]
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
    elif value == "" and path == _DESTINATION:  # through CloudFormation it was rolled back (F§0.2)
        yield f"{path} must not be empty: use --unset DestinationConfig"
    elif value != "" and not parameter.takes(source_type) and not parameter.read_only:
        yield f"{path} cannot be set on {source_type}: only {takers(parameter.sources)} can take it"
    elif isinstance(value, int):
        low, high = parameter.ranges.get(source_type, (value, value))
        if not low <= value <= high:
            yield f"{path} is from {low} to {high} on {source_type}, not {value}"
        if value in parameter.refused:
            yield f"{path} is -1 (no limit) or at least {parameter.refused.stop}, not {value}"


def _list_problems(path: str, items: list[Any], source_type: SourceType) -> Iterator[str]:
    parameter = row(path)
    if not items and parameter.why_not and parameter.clear_for(source_type) is None:
        yield f"{path} cannot be unset on {source_type}: {parameter.why_not}"
    # Refused even unchanged (F§0.2).
    if path == "SourceAccessConfigurations" and VIRTUAL_HOST in (item.get("Type") for item in items):
        yield f"{path} must not name {VIRTUAL_HOST} in an update: leave it out"
    # Guess: the metrics that are documented for Kafka (F§6.1) are refused by the others, of which EventCount alone is
    # known (F§0.1). To check: send ErrorCount to an SQS mapping.
    if path == "MetricsConfig.Metrics" and source_type not in KAFKA:
        for metric in sorted({"ErrorCount", "KafkaMetrics"}.intersection(items)):
            yield f"{path}: {metric} cannot be set on {source_type}: only {takers(KAFKA)} have it"
    if path == "FilterCriteria.Filters":
        yield from filter_problems(path, items)


def is_irreversible(mapping: EventSourceMapping, name: str) -> bool:
    """Whether changing this parameter of this mapping can never be taken back.

    The 500 ms window of Kafka, MQ and DocumentDB cannot be expressed in whole seconds (F§6.1 a). While a mapping has it
    none is shown (F§0.2), so one that is shown as 0 was set to that.
    """
    return name == _WINDOW and mapping.source_type in HALF_SECOND_WINDOW and mapping.configuration.get(_WINDOW) is None
