"""Event source mappings as Lambda returns them: unknown fields and unknown states are kept."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec


class State(StrEnum):
    """The documented states. The API types `State` as a free string, so a mapping's state may be none of these."""

    CREATING = "Creating"
    ENABLING = "Enabling"
    ENABLED = "Enabled"
    DISABLING = "Disabling"
    DISABLED = "Disabled"
    UPDATING = "Updating"
    DELETING = "Deleting"


AT_REST: Final = frozenset({State.ENABLED, State.DISABLED})

# `Updating` and `Creating` do not tell whether the mapping is enabled.
_ENABLED_BY_STATE: Final[dict[str, bool]] = {
    State.ENABLED: True,
    State.ENABLING: True,
    State.DISABLED: False,
    State.DISABLING: False,
}


class SourceType(StrEnum):
    """What a mapping reads from; the values are those of `--source-type`."""

    SQS = "sqs"
    SQS_FIFO = "sqs-fifo"
    KINESIS = "kinesis"
    DYNAMODB = "dynamodb"
    MSK = "msk"
    KAFKA = "kafka"
    MQ = "mq"
    DOCUMENTDB = "documentdb"
    UNKNOWN = "unknown"


SourceTypeName = Literal["sqs", "sqs-fifo", "kinesis", "dynamodb", "msk", "kafka", "mq", "documentdb"]
if TYPE_CHECKING:
    AnySourceType = SourceType | SourceTypeName
else:
    AnySourceType = SourceType  # made of its name, too; to msgspec a union of both would be ambiguous


# The service segments of event source ARNs (F§2).
_SOURCE_TYPE_BY_SERVICE: Final = {
    "sqs": SourceType.SQS,
    "kinesis": SourceType.KINESIS,
    "dynamodb": SourceType.DYNAMODB,
    "kafka": SourceType.MSK,
    "mq": SourceType.MQ,
    "rds": SourceType.DOCUMENTDB,  # DocumentDB's ARNs carry the service segment of RDS
}


def source_type_of(configuration: dict[str, Any]) -> SourceType:
    """Tell a mapping's source type from its event source ARN, in whatever partition.

    Args:
        configuration: a mapping as Lambda returns it.

    Returns:
        The source type. A mapping without an ARN is self-managed Kafka if it says where its brokers are; a service
        that this version does not know is `UNKNOWN`.
    """
    arn = configuration.get("EventSourceArn")
    if not arn:
        return SourceType.KAFKA if configuration.get("SelfManagedEventSource") else SourceType.UNKNOWN
    service = arn.split(":")[2] if arn.count(":") >= 5 else ""  # noqa: PLR2004 - arn:partition:service:region:account:resource
    found = _SOURCE_TYPE_BY_SERVICE.get(service, SourceType.UNKNOWN)
    return SourceType.SQS_FIFO if found is SourceType.SQS and arn.endswith(".fifo") else found


# The forms that the API's own pattern of FunctionName has; a function may be called "function" itself.
# Guess: `123456789012:x` and `function:x` name a function x, as that pattern has them, and not the qualifier x of a
# function of that name. To check: send each, and read back.
_FUNCTION: Final = re.compile(
    r"(?:(?:(?:arn:(?P<partition>[^:]*):lambda:)?(?P<region>[^:]+):)?(?P<account_id>\d{12}):)?"
    r"(?:function:)?(?P<name>[^:]+)(?::(?P<qualifier>[^:]+)?)?"
)
FUNCTION_FORMS: Final = "NAME, function:NAME, ACCOUNT:NAME, ACCOUNT:function:NAME or an ARN, and each with :QUALIFIER"


class FunctionReference(msgspec.Struct, frozen=True, kw_only=True):
    """A function's name or ARN, taken apart. Parts that were not given are None."""

    name: str
    qualifier: str | None = None
    account_id: str | None = None
    region: str | None = None
    partition: str | None = None

    @classmethod
    def parse(cls, text: str) -> FunctionReference:
        """Take apart a name, a partial ARN such as `account:function:name` or `account:name`, or an ARN.

        Each may end in a qualifier. What has none of these forms is a name.
        """
        found = _FUNCTION.fullmatch(text)
        return cls(name=text) if found is None else cls(**found.groupdict())

    def is_same_function(self, arn: FunctionReference) -> bool:
        """Whether this, as a user wrote it, names just what a mapping's full `arn` names.

        Parts left out stand for the mapping's own, but not the qualifier: unqualified, `$LATEST`, `1` and `PROD` are
        four different functions to a mapping (F§2).
        """
        return (
            (self.name, self.qualifier) == (arn.name, arn.qualifier)
            and self.account_id in (None, arn.account_id)
            and self.region in (None, arn.region)
            and self.partition in (None, arn.partition)
        )


# Python's collector of garbage passes over these and the other records of which a run holds thousands (`gc=False`):
# what came as JSON has no cycles, and to look for some was a tenth of what a request costs in CPU.
class EventSourceMapping(msgspec.Struct, frozen=True, gc=False):
    """One mapping, just as Lambda returned it.

    Attributes:
        configuration: the JSON object of the answer, unknown members and all. `LastModified` is in seconds since
            the epoch, as on the wire.
    """

    configuration: dict[str, Any]

    @property
    def uuid(self) -> str:
        """The mapping's identifier."""
        return str(self.configuration["UUID"])

    @property
    def arn(self) -> str | None:
        """The mapping's own ARN."""
        return self.configuration.get("EventSourceMappingArn")

    @property
    def function_arn(self) -> str | None:
        """The function that the mapping invokes, with the qualifier that it was given."""
        return self.configuration.get("FunctionArn")

    @property
    def function(self) -> FunctionReference:
        """The function's ARN, taken apart."""
        return FunctionReference.parse(self.function_arn or "")

    @property
    def event_source_arn(self) -> str | None:
        """What the mapping reads from; None for self-managed Kafka, which has no ARN."""
        return self.configuration.get("EventSourceArn")

    @property
    def source_type(self) -> SourceType:
        """The kind of source."""
        return source_type_of(self.configuration)

    @property
    def state(self) -> str:
        """The state as Lambda names it, known to us or not."""
        return self.configuration.get("State") or ""

    @property
    def at_rest(self) -> bool:
        """Whether the mapping is Enabled or Disabled, and not on its way."""
        return self.state in AT_REST

    @property
    def arn_in_policies(self) -> str:
        """Its own ARN, made from its function's where it is not shown."""
        if self.arn:
            return self.arn
        partition, _, region, account_id = ((self.function_arn or "").split(":") + [""] * 5)[1:5]
        return f"arn:{partition or 'aws'}:lambda:{region}:{account_id}:event-source-mapping:{self.uuid}"

    @property
    def enabled(self) -> bool | None:
        """Whether the mapping polls, or will when it rests; None where the state does not tell."""
        return _ENABLED_BY_STATE.get(self.state)

    @property
    def last_modified(self) -> float:
        """When the configuration or the state last changed, in seconds since the epoch; 0 where not given."""
        return float(self.configuration.get("LastModified") or 0)

    @property
    def has_hidden_filters(self) -> bool:
        """Whether there may be encrypted filters that this reading does not show: List returns them as null (F§2)."""
        return bool(self.configuration.get("KMSKeyArn")) and not self.configuration.get("FilterCriteria")
