"""Mappings to test with, and a small Lambda: what an accepted update makes of one, written from the facts alone."""

from collections.abc import Callable
from typing import Any, Literal

from bulk_esm.model.change import Change
from bulk_esm.model.mapping import EventSourceMapping, FunctionReference, SourceType
from bulk_esm.model.plan import Action, PlanItem, plan_item

UUID = "14e0db71-0000-4000-8000-000000000001"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/14e0db71"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:failed"

SQS = SourceType.SQS
FIFO = SourceType.SQS_FIFO
KINESIS = SourceType.KINESIS
DYNAMODB = SourceType.DYNAMODB
MSK = SourceType.MSK
KAFKA = SourceType.KAFKA
MQ = SourceType.MQ
DOCUMENTDB = SourceType.DOCUMENTDB
UNKNOWN = SourceType.UNKNOWN
KNOWN = [SQS, FIFO, KINESIS, DYNAMODB, MSK, KAFKA, MQ, DOCUMENTDB]

_ARN = "arn:aws:{}:eu-west-1:123456789012:{}"
SOURCES: dict[SourceType, dict[str, Any]] = {
    SQS: {"EventSourceArn": _ARN.format("sqs", "orders")},
    FIFO: {"EventSourceArn": _ARN.format("sqs", "orders.fifo")},
    KINESIS: {"EventSourceArn": _ARN.format("kinesis", "stream/orders")},
    DYNAMODB: {"EventSourceArn": _ARN.format("dynamodb", "table/orders/stream/2026-01-01T00:00:00.000")},
    MSK: {"EventSourceArn": _ARN.format("kafka", "cluster/orders/14e0db71-1")},
    KAFKA: {"SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["kafka:9092"]}}},
    MQ: {"EventSourceArn": _ARN.format("mq", "broker:orders:b-14e0db71")},
    DOCUMENTDB: {"EventSourceArn": _ARN.format("rds", "cluster:orders")},
    UNKNOWN: {"EventSourceArn": _ARN.format("quantum", "orders")},
}


def make_mapping(source_type: SourceType = SQS, /, **members: Any) -> EventSourceMapping:
    """An Enabled mapping of a source type that has just what a mapping always has, and the given members."""
    return EventSourceMapping(
        {
            "UUID": UUID,
            "EventSourceMappingArn": f"arn:aws:lambda:eu-west-1:123456789012:event-source-mapping:{UUID}",
            "FunctionArn": f"{FUNCTION}orders",
            "State": "Enabled",
            "LastModified": 1.0,
            **SOURCES[source_type],
            **members,
        }
    )


ReadBack = Literal["as sent", "defaults left out"]

# What may come back, or be left out (F§6.3).
_DEFAULTS: dict[str, Any] = {
    "MaximumRetryAttempts": -1,
    "MaximumRecordAgeInSeconds": -1,
    "ParallelizationFactor": 1,
    "TumblingWindowInSeconds": 0,
    "BisectBatchOnFunctionError": False,
    "FunctionResponseTypes": [],
    "SourceAccessConfigurations": [],
}


def applied(
    mapping: EventSourceMapping,
    request: dict[str, Any],
    *,
    read_back: ReadBack = "as sent",
    merges_members: bool = False,
) -> EventSourceMapping:
    """The mapping as Get returns it after an update, with Lambda's refusals on record as assertion errors.

    Whether Lambda replaces a structure or merges into it is not documented for each: either must do.
    """
    now = dict(mapping.configuration)
    for name, value in request.items():
        assert value is not None, "null is refused"
        if name in _STORED:
            _set(now, *_STORED[name](value, mapping))
        elif isinstance(value, dict):
            _set(now, name, {**(now.get(name) or {}), **value} if merges_members and value else value)
        else:
            now[name] = value
    if {"FilterCriteria", "KMSKeyArn"} & request.keys() and not (now.get("FilterCriteria") or {}).get("Filters"):
        now.pop("KMSKeyArn", None)  # it goes with the filters, and is ignored without
    _store_what_says_nothing(now)
    if read_back == "defaults left out":
        now = {name: value for name, value in now.items() if name not in _DEFAULTS or value != _DEFAULTS[name]}
    return EventSourceMapping(now)


def _set(now: dict[str, Any], name: str, value: Any) -> None:
    if value in (None, {}):
        now.pop(name, None)
    else:
        now[name] = value


def _state(value: bool, _: EventSourceMapping) -> tuple[str, Any]:  # noqa: FBT001 - a parameter's value
    return "State", "Enabled" if value else "Disabled"


def _function(value: str, mapping: EventSourceMapping) -> tuple[str, Any]:
    unchanged = FunctionReference.parse(value).is_same_function(mapping.function)
    assert not unchanged, "an unchanged function is never sent"
    return "FunctionArn", value if value.startswith("arn:") else f"{FUNCTION}{value}"


def _destination(value: dict[str, Any], mapping: EventSourceMapping) -> tuple[str, Any]:
    assert value.keys() <= {"OnFailure"}, "OnSuccess is refused"
    assert not value or value["OnFailure"].get("Destination"), "an empty OnFailure is refused, or rolled back"
    shown: dict[str, Any] | None = {"OnFailure": {}} if mapping.source_type in {KINESIS, DYNAMODB} else None
    return "DestinationConfig", value or shown


def _accesses(value: list[dict[str, str]], mapping: EventSourceMapping) -> tuple[str, Any]:
    assert all(access["Type"] != "VIRTUAL_HOST" for access in value), "VIRTUAL_HOST is refused"
    assert value or mapping.source_type not in {MQ, DOCUMENTDB}, "credentials are required"
    was = mapping.configuration.get("SourceAccessConfigurations") or []
    kept = [access for access in was if access["Type"] == "VIRTUAL_HOST"]
    return "SourceAccessConfigurations", [*kept, *reversed(value)]


def _document(value: dict[str, Any], mapping: EventSourceMapping) -> tuple[str, Any]:
    assert value.keys() == {"FullDocument"}, "names are refused, even unchanged"
    name = "DocumentDBEventSourceConfig"
    return name, (mapping.configuration.get(name) or {}) | value


def _kafka_block(value: dict[str, Any], mapping: EventSourceMapping) -> tuple[str, Any]:
    """Only an empty registry inside the block clears it; the block left empty leaves it in place."""
    assert value.keys() <= {"SchemaRegistryConfig"}, "ConsumerGroupId and ConsumptionMode are refused, even unchanged"
    kind = "SelfManaged" if mapping.source_type is KAFKA else "AmazonManaged"
    name = f"{kind}KafkaEventSourceConfig"
    was = mapping.configuration.get(name) or {}
    return name, {member: held for member, held in {**was, **value}.items() if held}


# What a parameter is stored as, where that is not simply what was sent.
_STORED: dict[str, Callable[[Any, EventSourceMapping], tuple[str, Any]]] = {
    "Enabled": _state,
    "FunctionName": _function,
    "DestinationConfig": _destination,
    "SourceAccessConfigurations": _accesses,
    "DocumentDBEventSourceConfig": _document,
    "AmazonManagedKafkaEventSourceConfig": _kafka_block,
    "SelfManagedKafkaEventSourceConfig": _kafka_block,
}


def _store_what_says_nothing(now: dict[str, Any]) -> None:
    if not (now.get("FilterCriteria") or {}).get("Filters"):
        now.pop("FilterCriteria", None)
    if not (now.get("MetricsConfig") or {}).get("Metrics"):
        now.pop("MetricsConfig", None)
    if not now.get("KMSKeyArn"):
        now.pop("KMSKeyArn", None)
    if (now.get("ProvisionedPollerConfig") or {}).get("PollerGroupName") == "":
        now["ProvisionedPollerConfig"] = {
            name: value for name, value in now["ProvisionedPollerConfig"].items() if name != "PollerGroupName"
        }


def sent(mapping: EventSourceMapping, *unset: str, **values: Any) -> dict[str, Any]:
    """What a change sends to a mapping that takes it."""
    comparison = Change.parse(document=values, unset=unset).compare(mapping)
    assert comparison.problems == ()
    return comparison.request


def refused(mapping: EventSourceMapping, *unset: str, **values: Any) -> str:
    """The one thing that speaks against a change to a mapping."""
    comparison = Change.parse(document=values, unset=unset).compare(mapping)
    assert comparison.request == {}
    (problem,) = comparison.problems
    return problem


def ran(mapping: EventSourceMapping, *unset: str, **values: Any) -> PlanItem:
    """The item of a run that changes a mapping."""
    item = plan_item(Change.parse(document=values, unset=unset), mapping)
    assert item.action is Action.UPDATE
    return item
