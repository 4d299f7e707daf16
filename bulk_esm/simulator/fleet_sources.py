"""Plausible mappings, a builder for each source type; what they set is legal (F§0.1, F§0.2, F§6.1) and read back."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from bulk_esm.model.mapping import SourceType
from bulk_esm.simulator.timeline import Configuration

_PATTERNS: Final = (
    '{"body":{"type":["order.created","order.updated"]}}',
    '{"body":{"priority":["high"]}}',
    '{"eventName":["INSERT","MODIFY"]}',
    '{"data":{"region":[{"prefix":"eu-"}]}}',
)


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a fleet lives, and the dice it is made with."""

    partition: str
    region: str
    account_id: str
    dice: random.Random

    def arn(self, service: str, resource: str) -> str:
        """An ARN of this account and Region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account_id}:{resource}"

    def chance(self, share: float) -> bool:
        """Whether something holds that holds for a share of all mappings."""
        return self.dice.random() < share

    def identifier(self) -> str:
        """A UUID of this fleet's own."""
        return str(uuid.UUID(int=self.dice.getrandbits(128), version=4))

    def secret(self, name: str) -> str:
        """The ARN of a secret, as SourceAccessConfigurations name it."""
        return self.arn("secretsmanager", f"secret:{name}-{self.dice.randrange(36**5):05x}")


def _filters(place: Place) -> Configuration:
    if not place.chance(0.25):
        return {}
    patterns = place.dice.sample(_PATTERNS, k=place.dice.choice((1, 1, 2)))
    filters: Configuration = {"FilterCriteria": {"Filters": [{"Pattern": pattern} for pattern in patterns]}}
    if place.chance(0.2):
        filters["KMSKeyArn"] = place.arn("kms", f"key/{place.identifier()}")
    return filters


def _queue(place: Place, name: str) -> Configuration:
    return {
        "EventSourceArn": place.arn("sqs", name),
        "FunctionResponseTypes": ["ReportBatchItemFailures"] if place.chance(0.4) else [],
        "StateTransitionReason": "USER_INITIATED",
        **_filters(place),
    }


def _sqs(place: Place, name: str) -> Configuration:
    batch_size = place.dice.choice((1, 5, 10, 10, 10, 10, 25, 100, 1000))
    queue = _queue(place, f"{name}-queue") | {
        "BatchSize": batch_size,
        "MaximumBatchingWindowInSeconds": place.dice.choice((1, 5, 20)) if batch_size > 10 else 0,  # noqa: PLR2004 - F§6.2
    }
    scaling = place.dice.random()
    if scaling < 0.3:  # noqa: PLR2004 - a share of the mix
        queue["ScalingConfig"] = {"MaximumConcurrency": place.dice.choice((2, 5, 10, 50, 100))}
    elif scaling < 0.4:  # noqa: PLR2004 - likewise; never both (F§6.2)
        queue["ProvisionedPollerConfig"] = {"MinimumPollers": place.dice.choice((2, 5)), "MaximumPollers": 200}
    if place.chance(0.1):
        queue["MetricsConfig"] = {"Metrics": ["EventCount"]}
    return queue


def _sqs_fifo(place: Place, name: str) -> Configuration:
    # The window comes back as 0 although a FIFO queue takes no other (F§0.1).
    queue = _queue(place, f"{name}-queue.fifo") | {"MaximumBatchingWindowInSeconds": 0}
    if place.chance(0.3):
        queue["ScalingConfig"] = {"MaximumConcurrency": place.dice.choice((2, 5, 10))}
    return queue | {"BatchSize": place.dice.choice((1, 5, 10, 10))}


def _stream(place: Place, arn: str) -> Configuration:
    retries = place.dice.choice((-1, -1, 2, 5))
    destination = {"Destination": place.arn("sqs", "failed-records")} if retries > 0 and place.chance(0.7) else {}
    stream: Configuration = {
        "EventSourceArn": arn,
        "BatchSize": place.dice.choice((100, 100, 100, 10, 500)),
        "MaximumBatchingWindowInSeconds": place.dice.choice((0, 0, 0, 1, 10)),
        "ParallelizationFactor": place.dice.choice((1, 1, 1, 2, 10)),
        "StartingPosition": place.dice.choice(("LATEST", "TRIM_HORIZON")),
        "DestinationConfig": {"OnFailure": destination},
        "MaximumRecordAgeInSeconds": place.dice.choice((-1, -1, -1, 3600, 86400)),
        "BisectBatchOnFunctionError": place.chance(0.2),
        "MaximumRetryAttempts": retries,
        "TumblingWindowInSeconds": place.dice.choice((0, 0, 0, 0, 30)),
        "FunctionResponseTypes": ["ReportBatchItemFailures"] if place.chance(0.3) else [],
        "LastProcessingResult": place.dice.choice(
            ("OK", "OK", "No records processed", "PROBLEM: Function call failed")
        ),
        "StateTransitionReason": "User action",
    }
    filters = _filters(place)
    if stream["ParallelizationFactor"] > 1 or filters:  # neither goes together with a tumbling window (F§0.1, F§0.2)
        stream["TumblingWindowInSeconds"] = 0
    return stream | filters


def _kinesis(place: Place, name: str) -> Configuration:
    consumer = f"/consumer/{name}:{place.dice.randrange(10**9, 2 * 10**9)}" if place.chance(0.2) else ""
    return _stream(place, place.arn("kinesis", f"stream/{name}{consumer}"))


def _dynamodb(place: Place, name: str) -> Configuration:
    created = f"2025-0{place.dice.randint(1, 9)}-1{place.dice.randint(0, 9)}T08:15:30.{place.dice.randint(100, 999)}"
    return _stream(place, place.arn("dynamodb", f"table/{name}/stream/{created}"))


def _kafka_like(place: Place, name: str, block: str) -> Configuration:
    # No window: absent means 500 ms (F§6.1 a). Whole seconds show that somebody set it.
    topic: Configuration = {
        "Topics": [f"{name}.events"],
        "BatchSize": place.dice.choice((100, 100, 500)),
        "StartingPosition": place.dice.choice(("LATEST", "TRIM_HORIZON")),
        "LastProcessingResult": place.dice.choice(("OK", "No records processed")),
        block: {"ConsumerGroupId": place.identifier()},
        **_filters(place),
    }
    if place.chance(0.3):
        topic["MaximumBatchingWindowInSeconds"] = place.dice.choice((1, 5))
    if place.chance(0.5):  # what follows needs provisioned mode (F§6.1 b)
        topic["ProvisionedPollerConfig"] = {"MinimumPollers": 1, "MaximumPollers": place.dice.choice((2, 10, 200))}
        topic["MaximumRetryAttempts"] = place.dice.choice((-1, 5))
        if place.chance(0.4):
            topic["ProvisionedPollerConfig"]["PollerGroupName"] = (
                f"pollers-{place.dice.randrange(1000)}"  # few to a group: its sum is limited (F§6.2)
            )
        if place.chance(0.5):
            topic[block]["SchemaRegistryConfig"] = {
                "SchemaRegistryURI": place.arn("glue", "registry/events"),
                "EventRecordFormat": "JSON",
                "SchemaValidationConfigs": [{"Attribute": "VALUE"}],
            }
        if place.chance(0.3):
            topic["LoggingConfig"] = {"SystemLogLevel": "WARN"}
    return topic


def _msk(place: Place, name: str) -> Configuration:
    cluster: Configuration = {
        "EventSourceArn": place.arn("kafka", f"cluster/{name}/{place.identifier()}-1"),
        "StateTransitionReason": "USER_INITIATED",
    }
    if place.chance(0.5):
        cluster["SourceAccessConfigurations"] = [_access("SASL_SCRAM_512_AUTH", place.secret("AmazonMSK_lambda"))]
    return cluster | _kafka_like(place, name, "AmazonManagedKafkaEventSourceConfig")


def _kafka(place: Place, name: str) -> Configuration:
    brokers = [f"broker-{number}.{name}.example.com:9092" for number in (1, 2, 3)]
    return {
        "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": brokers}},
        "SourceAccessConfigurations": [
            _access("BASIC_AUTH", place.secret("kafka")),
            _access("VPC_SUBNET", f"subnet:subnet-{place.dice.randrange(16**8):08x}"),
            _access("VPC_SECURITY_GROUP", f"security_group:sg-{place.dice.randrange(16**8):08x}"),
        ],
        "StateTransitionReason": "USER_INITIATED",
        **_kafka_like(place, name, "SelfManagedKafkaEventSourceConfig"),
    }


def _mq(place: Place, name: str) -> Configuration:
    rabbit = [_access("VIRTUAL_HOST", "/orders")] if place.chance(0.5) else []
    broker: Configuration = {
        "EventSourceArn": place.arn("mq", f"broker:{name}:b-{place.identifier()}"),
        "Queues": [f"{name}-jobs"],
        "BatchSize": place.dice.choice((100, 100, 10)),
        "SourceAccessConfigurations": [_access("BASIC_AUTH", place.secret("broker")), *rabbit],
        "LastProcessingResult": "OK",
        "StateTransitionReason": "USER_INITIATED",
        **_filters(place),
    }
    if place.chance(0.3):
        broker["MaximumBatchingWindowInSeconds"] = 5
    return broker


def _documentdb(place: Place, name: str) -> Configuration:
    return {
        "EventSourceArn": place.arn("rds", f"cluster:{name}"),
        "BatchSize": 100,
        "StartingPosition": "LATEST",
        "DocumentDBEventSourceConfig": {
            "DatabaseName": "shop",
            "CollectionName": "orders",
            "FullDocument": place.dice.choice(("Default", "UpdateLookup")),
        },
        "SourceAccessConfigurations": [_access("BASIC_AUTH", place.secret("documentdb"))],
        "LastProcessingResult": "OK",
        "StateTransitionReason": "USER_INITIATED",
    }


def _access(kind: str, uri: str) -> dict[str, Any]:
    return {"Type": kind, "URI": uri}


BUILDERS: Final[Mapping[SourceType, Callable[[Place, str], Configuration]]] = {
    SourceType.SQS: _sqs,
    SourceType.SQS_FIFO: _sqs_fifo,
    SourceType.KINESIS: _kinesis,
    SourceType.DYNAMODB: _dynamodb,
    SourceType.MSK: _msk,
    SourceType.KAFKA: _kafka,
    SourceType.MQ: _mq,
    SourceType.DOCUMENTDB: _documentdb,
}
