"""What `--watch` can watch: which metrics of CloudWatch say it, of what, and what becomes of them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal

import msgspec

from bulk_esm.model.mapping import EventSourceMapping, FunctionReference, SourceType
from bulk_esm.model.plan import PlanItem

# GetMetricData takes no more queries in a call, and answers no more points (F§0.1; CloudWatch's API reference).
MOST_QUERIES: Final = 500
MOST_POINTS: Final = 100_800
USD_PER_METRIC: Final = 0.01 / 1000  # requested by GetMetricData: CloudWatch's price list, us-east-1

# Guess: after 3 minutes a minute's points are whole. Lambda sends them each minute, and no document says how soon they
# can be read; to ask for a known minute again and again would tell.
DELAY_S: Final = 180.0

# Guess: of a mapping's metrics those counted here come with EventCount; F§0.1 lists them and says that MetricsConfig
# asks for them, not which word for which, and a mapping with EventCount alone would tell.
_COUNTS_EVENTS: Final = "EventCount"

Of = Literal["function", "queue", "mapping", "account"]
Unit = Literal["share", "seconds"]
Place = tuple[str | None, str | None]
"""An account and Region."""


class MetricQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A metric's values by minute.

    Attributes:
        place: the account and Region in which it is published.
        namespace: CloudWatch's.
        metric: its name.
        dimensions: names and values.
        stat: the statistic.
    """

    place: Place
    namespace: str
    metric: str
    dimensions: tuple[tuple[str, str], ...] = ()
    stat: str = "Sum"


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """Something that can be watched. More of it is always worse.

    Attributes:
        name: as users write it.
        of: what it is published for.
        unit: a share, or a time in seconds.
        above: metrics whose sum is the share's upper part; of a time the one metric that tells it.
        below: metrics whose sum is the lower part; none of a time.
        stat: of each.
        scale: what a value is multiplied by.
        namespace: of each.
        sources: only of mappings with these sources; any if empty.
    """

    name: str
    of: Of
    unit: Unit
    above: tuple[str, ...]
    below: tuple[str, ...] = ()
    stat: str = "Sum"
    scale: float = 1.0
    namespace: str = "AWS/Lambda"
    sources: tuple[SourceType, ...] = ()

    @property
    def metrics(self) -> tuple[str, ...]:
        """All metrics that it takes, each once."""
        return tuple(dict.fromkeys((*self.above, *self.below)))

    def named(self, count: int) -> str:
        """What so many of those are called for which it is published."""
        return self.of if count == 1 else f"{self.of}s"

    def key_of(self, item: PlanItem) -> str | None:
        """What it is published for of a planned mapping, such as its function's ARN; None if for nothing.

        Args:
            item: the plan's line.
        """
        if item.function_arn is None or (self.sources and item.source_type not in self.sources):
            return None
        match self.of:
            case "function":
                return item.function_arn
            case "queue":
                return item.event_source_arn
            case "mapping":
                return item.uuid if _publishes(item) else None
            case "account":
                return item.function_arn.partition(":function:")[0]

    def queries(self, key: str, place: Place) -> tuple[MetricQuery, ...]:
        """What to ask CloudWatch for.

        Args:
            key: see `key_of`.
            place: where that is.
        """
        dimensions = _DIMENSIONS[self.of](key)
        return tuple(
            MetricQuery(place=place, namespace=self.namespace, metric=metric, dimensions=dimensions, stat=self.stat)
            for metric in self.metrics
        )


def _of_function(arn: str) -> tuple[tuple[str, str], ...]:
    """An alias or a version has metrics of its own, by FunctionName and Resource (Lambda Developer Guide, Metrics)."""
    function = FunctionReference.parse(arn)
    named = ("FunctionName", function.name)
    return (named,) if function.qualifier is None else (named, ("Resource", f"{function.name}:{function.qualifier}"))


_DIMENSIONS: Final[Mapping[Of, Callable[[str], tuple[tuple[str, str], ...]]]] = {
    "function": _of_function,
    "queue": lambda arn: (("QueueName", arn.rpartition(":")[2]),),  # F§0.1
    "mapping": lambda uuid: (("EventSourceMappingUUID", uuid),),  # F§0.1
    "account": lambda _: (),
}

# By the Lambda Developer Guide: throttled invocations count neither as Invocations nor as Errors; Duration is in ms;
# IteratorAge, in ms, is of Kinesis, DynamoDB and DocumentDB; ConcurrentExecutions without dimensions is the account's.
_ALL: Final = (
    Measure(name="errors", of="function", unit="share", above=("Errors",), below=("Invocations",)),
    Measure(name="throttles", of="function", unit="share", above=("Throttles",), below=("Invocations", "Throttles")),
    Measure(name="duration-p95", of="function", unit="seconds", above=("Duration",), stat="p95", scale=0.001),
    Measure(
        name="iterator-age",
        of="function",
        unit="seconds",
        above=("IteratorAge",),
        stat="Maximum",
        scale=0.001,
        sources=(SourceType.KINESIS, SourceType.DYNAMODB, SourceType.DOCUMENTDB),
    ),
    Measure(
        name="queue-age",
        of="queue",
        unit="seconds",
        above=("ApproximateAgeOfOldestMessage",),
        stat="Maximum",
        namespace="AWS/SQS",
        sources=(SourceType.SQS, SourceType.SQS_FIFO),
    ),
    Measure(
        name="failed-events",
        of="mapping",
        unit="share",
        above=("FailedInvokeEventCount",),
        below=("PolledEventCount",),
    ),
    Measure(
        name="dropped-events",
        of="mapping",
        unit="share",
        above=("DroppedEventCount",),
        below=("PolledEventCount",),
    ),
    Measure(name="concurrency", of="account", unit="share", above=("ConcurrentExecutions",), stat="Maximum"),
)
MEASURES: Final[Mapping[str, Measure]] = {measure.name: measure for measure in _ALL}


def _publishes(item: PlanItem) -> bool:
    """Whether a mapping publishes what it counts, once it is changed."""
    if "MetricsConfig" in item.request:
        found = item.request["MetricsConfig"]
    else:
        before: EventSourceMapping = item.before
        found = before.configuration.get("MetricsConfig")
    return _COUNTS_EVENTS in ((found or {}).get("Metrics") or ())
