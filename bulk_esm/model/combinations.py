"""What Lambda would refuse of a mapping as a request would make it: parameters that must, or must not, go together.

Pure: a rule sees the mapping's current values and the request, and speaks where the request touches its parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from bulk_esm.model.filters import FILTERS, KEY
from bulk_esm.model.mapping import EventSourceMapping, SourceType
from bulk_esm.model.parameters import KAFKA, SQS, STREAMS
from bulk_esm.model.values import current_value, is_empty

_WINDOW: Final = "MaximumBatchingWindowInSeconds"
_TUMBLING: Final = "TumblingWindowInSeconds"
_PARALLEL: Final = "ParallelizationFactor"
_METRICS: Final = "MetricsConfig"
_POLLERS: Final = "ProvisionedPollerConfig"
_SCALING: Final = "ScalingConfig"


class _Update:
    """A mapping and a request, in the terms of the rules."""

    def __init__(self, mapping: EventSourceMapping, request: dict[str, Any]) -> None:
        self.mapping = mapping
        self.source_type = mapping.source_type
        self.request = request

    def touches(self, *names: str) -> bool:
        """Whether the request has any of these parameters."""
        return not self.request.keys().isdisjoint(names)

    def after(self, name: str) -> Any:
        """A parameter as it would be after the request."""
        return self.request.get(name, current_value(self.mapping, name))


def cross_field_problems(mapping: EventSourceMapping, request: dict[str, Any]) -> Iterator[str]:
    """What Lambda has against the mapping as it would be after the request.

    Args:
        mapping: the mapping as it is.
        request: the parameters that would be sent.

    Yields:
        A sentence for each rule that would be broken.
    """
    update = _Update(mapping, request)
    for rule in _RULES:
        yield from rule(update)


def _batch_and_window(update: _Update) -> Iterator[str]:
    """Documented for streams too, but captured as accepted there: enforced for SQS only (F§6.2, F§0.2)."""
    if update.source_type is SourceType.SQS and update.touches("BatchSize", _WINDOW):
        batch_size = update.after("BatchSize") or 10
        if batch_size > 10 and not update.after(_WINDOW):  # noqa: PLR2004 - Lambda's own limit
            yield f"BatchSize {batch_size} needs {_WINDOW} of at least 1 on sqs: change both in one go"


def _one_way_of_scaling(update: _Update) -> Iterator[str]:
    """They exclude each other, and to clear one and then set the other works; both in one call was never sent (F§0.2).

    It stays two commands: between the two calls the mapping has neither, which its owner should see.
    """
    if update.source_type not in SQS:
        return
    for name, other in ((_POLLERS, _SCALING), (_SCALING, _POLLERS)):
        value = update.request.get(name)
        both_set = other not in update.request and not is_empty(current_value(update.mapping, other))
        if not is_empty(value) and (both_set or other in update.request):
            setting = msgspec.json.encode(value).decode()
            yield (
                f"{_SCALING} and {_POLLERS} exclude each other on SQS: `--unset {other}` first, then "
                f"`--set '{name}={setting}'`: both in one call was never seen to work"
            )
            return


def _pollers_in_order(update: _Update) -> Iterator[str]:
    """MaximumPollers is not below MinimumPollers (F§6.2; captured on SQS, F§0.2)."""
    pollers = update.request.get(_POLLERS)
    if isinstance(pollers, dict):
        low, high = pollers.get("MinimumPollers"), pollers.get("MaximumPollers")
        if isinstance(low, int) and isinstance(high, int) and high < low:
            yield f"{_POLLERS}.MaximumPollers {high} is below MinimumPollers {low}"


def _tumbling_window(update: _Update) -> Iterator[str]:
    """One batch at a time for each shard (F§0.1; captured on DynamoDB, F§0.2), and no filters."""
    window, factor = update.after(_TUMBLING), update.after(_PARALLEL) or 1
    if update.source_type not in STREAMS or not window:
        return
    if update.touches(_TUMBLING, _PARALLEL) and factor != 1:
        yield f"{_TUMBLING} {window} needs {_PARALLEL} 1, not {factor}"
    # Guess: Kinesis takes filters with a tumbling window, or says so itself; refused was captured on DynamoDB only
    # (F§0.2). To check: send both to a Kinesis mapping.
    captured = update.source_type is SourceType.DYNAMODB
    if captured and update.touches(_TUMBLING, FILTERS) and not is_empty(update.after(FILTERS)):
        yield f"filters and a tumbling window exclude each other on dynamodb: unset {FILTERS} or {_TUMBLING}"


def _key_needs_filters(update: _Update) -> Iterator[str]:
    """A key alone is accepted and ignored, and goes with the filters that are cleared: it never reads back (F§0.1)."""
    if not update.request.get(KEY) or not is_empty(update.after(FILTERS)):
        return
    # Filters that this reading does not show may be there, if the request does not clear them.
    if FILTERS in update.request or not update.mapping.has_hidden_filters:
        yield f"{KEY} means nothing without filters, and Lambda would ignore it: set {FILTERS} in the same change"


def _metrics_need_pollers(update: _Update) -> Iterator[str]:
    """MetricsConfig "is only available for Provisioned Mode" on Kafka (F§0.1)."""
    # Guess: metrics may be set in the call that sets the pollers, and the pollers cleared in the one that clears the
    # metrics; to clear them alone is refused while there are metrics. None of it was captured. To check: send both to
    # an on-demand Kafka mapping, then clear the pollers alone.
    if update.source_type not in KAFKA or not update.touches(_METRICS, _POLLERS):
        return
    if is_empty(update.after(_METRICS)) or not is_empty(update.after(_POLLERS)):
        return
    what = f"{_METRICS} is only available for Provisioned Mode on {update.source_type}"
    clears = is_empty(update.request.get(_METRICS))
    yield f"{what}: add --unset {_METRICS}" if clears else f"{what}: set {_POLLERS}"


def _queue_mode(update: _Update) -> Iterator[str]:
    """Kafka in Queue mode has no batching window, and a limit of retries (F§0.1)."""
    config = update.mapping.configuration.get("SelfManagedKafkaEventSourceConfig") or {}
    if config.get("ConsumptionMode") != "Queue":
        return
    # Guess: a window of 0 is refused like any other; "not supported" is all that is written. To check: send 0.
    if update.touches(_WINDOW):
        yield f"{_WINDOW} is not supported in Queue mode"
    if update.request.get("MaximumRetryAttempts") == -1:
        yield "MaximumRetryAttempts -1 is refused in Queue mode: its default there is 0"


_RULES: Final[tuple[Callable[[_Update], Iterator[str]], ...]] = (
    _batch_and_window,
    _one_way_of_scaling,
    _pollers_in_order,
    _tumbling_window,
    _key_needs_filters,
    _metrics_need_pollers,
    _queue_mode,
)
