"""The one table: every parameter of UpdateEventSourceMapping by source type.

Ranges, enums and patterns come from the API's own model (`api_shape`); a row adds only what the model lacks: which
sources take the parameter, tighter ranges, what absence stands for, and how it is cleared. Members of a structure have
a row of their own (a dotted name) only where there is something to say.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from bulk_esm.model.mapping import SourceType

_ST = SourceType
ALL: Final = frozenset(SourceType) - {_ST.UNKNOWN}
SQS: Final = frozenset({_ST.SQS, _ST.SQS_FIFO})
STREAMS: Final = frozenset({_ST.KINESIS, _ST.DYNAMODB})
KAFKA: Final = frozenset({_ST.MSK, _ST.KAFKA})
_MSK: Final = frozenset({_ST.MSK})
_SELF_MANAGED: Final = frozenset({_ST.KAFKA})
_DOCUMENTDB: Final = frozenset({_ST.DOCUMENTDB})
_RETRYING: Final = STREAMS | KAFKA

# Their batching window is 500 ms by default; the API takes whole seconds: once changed it cannot be restored (F§6.1 a).
HALF_SECOND_WINDOW: Final = KAFKA | {_ST.MQ, _ST.DOCUMENTDB}


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the table.

    Attributes:
        name: the parameter, or the dotted path of a member.
        sources: the source types that take it. A type unknown to this version takes what all others take.
        default: what absence stands for, so that the default counts as equal to absent; None where it has no name.
        defaults: the same where source types differ.
        clear: what `--unset` sends; where it is None, the default is sent; where that is None too, it cannot be unset.
        cleared_as: what is cleared in its place, for a member that Lambda refuses to have cleared alone.
        ranges: (lowest, highest) for source types that take less than the API's model says.
        refused: values inside the model's range that Lambda refuses all the same.
        fixed: the one value that it has with source types that do not take it: to ask for that changes nothing.
        merges: whether Lambda keeps the members that an update leaves out, so that only those asked for are sent.
        read_only: Lambda returns it and refuses it in an update, even unchanged.
        unordered: a list whose order means nothing.
        why_not: why it cannot be set or unset, said to the user.
    """

    name: str
    sources: frozenset[SourceType] = ALL
    default: Any = None
    defaults: Mapping[SourceType, Any] = {}
    clear: Any = None
    cleared_as: str = ""
    ranges: Mapping[SourceType, tuple[int, int]] = {}
    refused: range = range(0)
    fixed: Mapping[SourceType, Any] = {}
    merges: bool = False
    read_only: bool = False
    unordered: bool = False
    why_not: str = ""

    def default_for(self, source_type: SourceType) -> Any:
        """What absence stands for with this source type, or None."""
        return self.defaults.get(source_type, self.default)

    def clear_for(self, source_type: SourceType) -> Any:
        """The value that clears it, or None where nothing does."""
        return self.default_for(source_type) if self.clear is None else self.clear

    def takes(self, source_type: SourceType) -> bool:
        """Whether a mapping of this source type takes the parameter."""
        # Guess: a source that this version does not know takes what all known ones take, and nothing else; there is
        # none to look at yet. To check: read the parameters of its page when Lambda has a new source.
        return source_type in self.sources or (source_type is _ST.UNKNOWN and self.sources == ALL)


def _same(value: Any, sources: Iterable[SourceType]) -> dict[SourceType, Any]:
    return dict.fromkeys(sources, value)


def _at_creation(what: str) -> str:
    return f"a mapping's {what} is fixed when it is created; a new mapping is required"


_REGISTRY: Final[dict[str, Any]] = {"SchemaRegistryConfig": {}}

# F§6.1 (who takes what, and the ranges), F§6.2 and F§6.3 (how it is cleared) are behind each row that names no other
# fact; which ranges and lengths it has beside those of the table is the API's own model.
#
# Guess: the order of filters, metrics, response types and access configurations means nothing, so that a mapping with
# the same in another order is left alone; no document gives it a meaning. To check: send one turned round, read back.
PARAMETERS: Final[Mapping[str, Parameter]] = {
    row.name: row
    for row in (
        Parameter(name="Enabled", why_not="a mapping is either enabled or disabled: --set Enabled=true or false"),
        Parameter(name="FunctionName", why_not="a mapping always has a function: --set FunctionName=..."),
        Parameter(name="BatchSize", default=100, defaults=_same(10, SQS), ranges={_ST.SQS_FIFO: (1, 10)}),
        Parameter(
            name="MaximumBatchingWindowInSeconds",
            sources=ALL - {_ST.SQS_FIFO},
            default=0,
            defaults=_same(None, HALF_SECOND_WINDOW),
            fixed={_ST.SQS_FIFO: 0},  # returned, and any other refused (F§0.1)
            why_not="the 500 ms window of Kafka, MQ and DocumentDB cannot be restored; a new mapping is required",
        ),
        Parameter(name="FilterCriteria", sources=ALL - {_ST.DOCUMENTDB}, clear={}),
        Parameter(name="FilterCriteria.Filters", unordered=True),
        Parameter(name="KMSKeyArn", sources=ALL - {_ST.DOCUMENTDB}, default=""),
        Parameter(name="FunctionResponseTypes", sources=SQS | _RETRYING, default=[], unordered=True),
        # Captured on FIFO queues too (F§0.2), and so is ProvisionedPollerConfig.
        Parameter(name="ScalingConfig", sources=SQS, clear={}),
        Parameter(
            name="ScalingConfig.MaximumConcurrency",
            sources=SQS,
            why_not="it is all that ScalingConfig holds: unset that",
        ),
        # Guess: a ProvisionedPollerConfig may replace the whole, so the members that the mapping has are sent along;
        # whether Lambda keeps what is left out is not captured. To check: set MinimumPollers alone, and read back.
        Parameter(name="ProvisionedPollerConfig", sources=SQS | KAFKA, clear={}),
        Parameter(name="ProvisionedPollerConfig.MinimumPollers", sources=SQS | KAFKA, ranges=_same((2, 200), SQS)),
        Parameter(  # SQS from MinimumPollers on, hence from 2 (F§0.2)
            name="ProvisionedPollerConfig.MaximumPollers",
            sources=SQS | KAFKA,
            ranges=_same((2, 10_000), SQS) | _same((1, 2_000), KAFKA),
        ),
        Parameter(name="ProvisionedPollerConfig.PollerGroupName", sources=KAFKA, default=""),
        # An empty OnFailure is refused (F§6.3) and an empty Destination was rolled back (F§0.2).
        # Guess: an update with `{}` clears a destination; through CloudFormation that was captured on DynamoDB, of a
        # direct update and of Kafka nothing is known. To check: send it to a mapping that has one, and read back.
        Parameter(name="DestinationConfig", sources=_RETRYING, clear={}),
        Parameter(name="DestinationConfig.OnFailure", sources=_RETRYING, clear={}, cleared_as="DestinationConfig"),
        Parameter(name="DestinationConfig.OnFailure.Destination", sources=_RETRYING, cleared_as="DestinationConfig"),
        Parameter(
            name="DestinationConfig.OnSuccess",
            read_only=True,
            why_not="event source mappings know only OnFailure",
        ),
        Parameter(name="BisectBatchOnFunctionError", sources=_RETRYING, default=False),
        Parameter(name="MaximumRetryAttempts", sources=_RETRYING, default=-1),
        Parameter(name="MaximumRecordAgeInSeconds", sources=_RETRYING, default=-1, refused=range(60)),
        Parameter(name="ParallelizationFactor", sources=STREAMS, default=1),
        Parameter(name="TumblingWindowInSeconds", sources=STREAMS, default=0),
        Parameter(
            name="SourceAccessConfigurations",
            sources=HALF_SECOND_WINDOW,
            default=[],
            # An empty list was refused on MQ (F§0.1).
            # Guess: DocumentDB refuses it too, as Create does without a list there. To check: send an empty one.
            defaults=_same(None, {_ST.MQ, _ST.DOCUMENTDB}),
            unordered=True,
            why_not="its mappings cannot go without credentials",
        ),
        # Of both Kafkas: an empty registry inside clears it, and what is left out stays (F§6.3).
        Parameter(name="AmazonManagedKafkaEventSourceConfig", sources=_MSK, clear=_REGISTRY, merges=True),
        # Guess: a SchemaRegistryConfig may replace the whole, so the members that it has are sent along; whether
        # Lambda keeps what is left out is not captured. To check: send EventRecordFormat alone, and read back.
        Parameter(name="AmazonManagedKafkaEventSourceConfig.SchemaRegistryConfig", sources=_MSK, clear={}),
        Parameter(
            name="AmazonManagedKafkaEventSourceConfig.ConsumerGroupId",
            read_only=True,
            why_not=_at_creation("consumer group"),
        ),
        Parameter(name="SelfManagedKafkaEventSourceConfig", sources=_SELF_MANAGED, clear=_REGISTRY, merges=True),
        Parameter(name="SelfManagedKafkaEventSourceConfig.SchemaRegistryConfig", sources=_SELF_MANAGED, clear={}),
        Parameter(
            name="SelfManagedKafkaEventSourceConfig.ConsumerGroupId",
            read_only=True,
            why_not=_at_creation("consumer group"),
        ),
        # In the API's model since botocore 1.43.127; returned, and immutable (F§0.1).
        Parameter(
            name="SelfManagedKafkaEventSourceConfig.ConsumptionMode",
            read_only=True,
            why_not=_at_creation("consumption mode"),
        ),
        # FullDocument goes alone, as the names are refused even unchanged; they stay (F§0.2).
        Parameter(
            name="DocumentDBEventSourceConfig",
            sources=_DOCUMENTDB,
            merges=True,
            why_not="a DocumentDB mapping always has a database",
        ),
        Parameter(name="DocumentDBEventSourceConfig.DatabaseName", read_only=True, why_not=_at_creation("database")),
        Parameter(
            name="DocumentDBEventSourceConfig.CollectionName", read_only=True, why_not=_at_creation("collection")
        ),
        Parameter(name="DocumentDBEventSourceConfig.FullDocument", sources=_DOCUMENTDB, default="Default"),
        Parameter(name="LoggingConfig", sources=KAFKA, why_not="Lambda documents no way to reset the log level"),
        # MQ and DocumentDB have no mapping metrics (F§0.1).
        # Guess: FIFO queues have those of standard ones, as "SQS" is all that is written. To check: set them on one.
        Parameter(name="MetricsConfig", sources=SQS | _RETRYING, clear={"Metrics": []}),
        Parameter(name="MetricsConfig.Metrics", sources=SQS | _RETRYING, default=[], unordered=True),
    )
}

# What people may look for among the parameters and not find, each with the way to go.
NOT_UPDATABLE: Final[Mapping[str, str]] = {
    "UUID": "it says which mapping, not what to change: use --uuid or --requests",
    "FunctionArn": "to point a mapping at another function use FunctionName",
    "State": "to pause or resume use Enabled",
    "Tags": "tags have an API of their own",
    **dict.fromkeys(
        (
            "EventSourceArn",
            "SelfManagedEventSource",
            "Topics",
            "Queues",
            "StartingPosition",
            "StartingPositionTimestamp",
        ),
        "it is fixed when the mapping is created; a new mapping is required",
    ),
}


def row(path: str) -> Parameter:
    """The row of a dotted path; a member without one of its own is taken by whatever takes its parent.

    A parameter that a newer botocore knows and this table does not is taken by all: Lambda decides.
    """
    parent = path.rpartition(".")[0]
    found = PARAMETERS.get(path)
    return found if found is not None else Parameter(name=path, sources=row(parent).sources if parent else ALL)


def takers(sources: frozenset[SourceType]) -> str:
    """Source types as a message lists them."""
    return ", ".join(source_type for source_type in SourceType if source_type in sources)


def nearest(name: str, names: Iterable[str]) -> str:
    """A `; did you mean ...?` for a misspelt name, or nothing.

    Args:
        name: what was given.
        names: what would have been right.
    """
    by_folded = {candidate.casefold(): candidate for candidate in names}
    found = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.6)
    return f"; did you mean {by_folded[found[0]]}?" if found else ""
