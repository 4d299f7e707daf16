"""What AWS was captured to take (F§0.1, F§0.2): members and lists; each test names its capture."""

from typing import Any

import pytest
from model_samples import (
    DOCUMENTDB,
    DYNAMODB,
    KAFKA,
    KINESIS,
    MQ,
    MSK,
    TOPIC,
    applied,
    make_mapping,
    ran,
    refused,
    sent,
)

from bulk_esm.errors import UsageError
from bulk_esm.model.change import Change, Comparison
from bulk_esm.model.mapping import SourceType
from bulk_esm.model.plan import PlanMatch, match_plan
from bulk_esm.model.rollback import inverse_of, rollback_item

NOTHING = Comparison(request={}, differences=(), problems=())
POLLERS = {"MinimumPollers": 5, "MaximumPollers": 9}
WINDOW = "MaximumBatchingWindowInSeconds"
DOCUMENTDB_CONFIG = "DocumentDBEventSourceConfig"
KAFKA_CONFIG = "SelfManagedKafkaEventSourceConfig"
DATABASE = {"DatabaseName": "orders", "CollectionName": "new", "FullDocument": "Default"}


# lambda_documentdb_mapping


def test_documentdb_mapping_full_document_goes_alone() -> None:
    mapping = make_mapping(DOCUMENTDB, DocumentDBEventSourceConfig=DATABASE)
    request = sent(mapping, DocumentDBEventSourceConfig={"FullDocument": "UpdateLookup"})
    assert request == {DOCUMENTDB_CONFIG: {"FullDocument": "UpdateLookup"}}

    item = ran(mapping, DocumentDBEventSourceConfig={"FullDocument": "UpdateLookup"})
    there = applied(mapping, request)
    assert there.configuration[DOCUMENTDB_CONFIG] == DATABASE | {"FullDocument": "UpdateLookup"}
    back = rollback_item(item, there)
    assert (back.item.request, back.conflict) == ({DOCUMENTDB_CONFIG: {"FullDocument": "Default"}}, None)
    assert applied(there, back.item.request) == mapping


def test_documentdb_mapping_full_document_is_unset_alone() -> None:
    mapping = make_mapping(DOCUMENTDB, DocumentDBEventSourceConfig=DATABASE | {"FullDocument": "UpdateLookup"})
    assert sent(mapping, f"{DOCUMENTDB_CONFIG}.FullDocument") == {DOCUMENTDB_CONFIG: {"FullDocument": "Default"}}


@pytest.mark.parametrize("member", ["DatabaseName", "CollectionName"])
def test_documentdb_mapping_names_cannot_be_changed(member: str) -> None:
    for settings, document in (
        ([f"{DOCUMENTDB_CONFIG}.{member}=x"], None),
        ([], {DOCUMENTDB_CONFIG: {member: "orders", "FullDocument": "UpdateLookup"}}),
    ):
        with pytest.raises(UsageError, match=rf"{member} cannot be changed: .* fixed when it is created"):
            Change.parse(settings, document=document)


# lambda_msk_mapping, lambda_self_managed_kafka_mapping, lambda_mq_mapping_rabbitmq: members that are kept


def test_kafka_members_that_were_not_asked_for_are_not_sent() -> None:
    has = {"ConsumerGroupId": "group", "SchemaRegistryConfig": {"SchemaRegistryURI": "https://a"}}
    mapping = make_mapping(MSK, AmazonManagedKafkaEventSourceConfig=has)
    asked = {"SchemaRegistryConfig": {"EventRecordFormat": "JSON"}}
    assert sent(mapping, AmazonManagedKafkaEventSourceConfig=asked) == {
        "AmazonManagedKafkaEventSourceConfig": {
            "SchemaRegistryConfig": {"SchemaRegistryURI": "https://a", "EventRecordFormat": "JSON"}
        }
    }


@pytest.mark.parametrize(
    ("source", "name", "has", "asked"),
    [
        (MSK, "ProvisionedPollerConfig", POLLERS | {"Novelty": 1}, {"MinimumPollers": 6}),
        (MSK, "AmazonManagedKafkaEventSourceConfig", {"Novelty": 1}, {"SchemaRegistryConfig": {}}),
        (KAFKA, "LoggingConfig", {"SystemLogLevel": "INFO", "Novelty": 1}, {"SystemLogLevel": "DEBUG"}),
    ],
)
def test_members_that_this_version_does_not_know_are_never_sent(
    source: SourceType, name: str, has: dict[str, Any], asked: dict[str, Any]
) -> None:
    mapping = make_mapping(source, **{name: has})
    comparison = Change.parse(document={name: asked}).compare(mapping)
    assert comparison.problems == ()
    assert "Novelty" not in comparison.request.get(name, {})
    if comparison.request:
        item = ran(mapping, **{name: asked})
        assert "Novelty" not in inverse_of(item).request[name]


def test_consumption_mode_is_never_sent() -> None:
    has = {"ConsumerGroupId": "group", "ConsumptionMode": "Stream"}
    mapping = make_mapping(KAFKA, SelfManagedKafkaEventSourceConfig=has)
    registry = {"SchemaRegistryConfig": {"SchemaRegistryURI": "https://a", "EventRecordFormat": "JSON"}}
    item = ran(mapping, SelfManagedKafkaEventSourceConfig=registry)
    assert item.request == {KAFKA_CONFIG: registry}
    assert inverse_of(item).request == {KAFKA_CONFIG: {"SchemaRegistryConfig": {}}}
    with pytest.raises(UsageError, match=r"ConsumptionMode cannot be changed: .* fixed when it is created"):
        Change.parse([f"{KAFKA_CONFIG}.ConsumptionMode=Queue"])


@pytest.mark.parametrize("before", [{}, {KAFKA_CONFIG: {"ConsumerGroupId": "group"}}])
def test_consumption_mode_is_no_conflict(before: dict[str, Any]) -> None:
    """A newer SDK shows it, an older one does not."""
    item = ran(make_mapping(KAFKA, **before), Enabled=False)
    shown = {KAFKA_CONFIG: {**before.get(KAFKA_CONFIG, {}), "ConsumptionMode": "Stream"}}
    assert match_plan(item, make_mapping(KAFKA, **shown)) is PlanMatch.AS_PLANNED
    assert rollback_item(item, make_mapping(KAFKA, State="Disabled", **shown)).conflict is None


QUEUE_MODE = {KAFKA_CONFIG: {"ConsumptionMode": "Queue"}}


def test_queue_mode_has_no_window_and_a_limit_of_retries() -> None:
    queue = make_mapping(KAFKA, MaximumRetryAttempts=3, **QUEUE_MODE)
    window = Change.parse([f"{WINDOW}=5"]).compare(queue, allow_irreversible=True)
    assert (window.request, window.problems) == ({}, (f"{WINDOW} is not supported in Queue mode",))
    for problem in (refused(queue, "MaximumRetryAttempts"), refused(queue, MaximumRetryAttempts=-1)):
        assert problem == "MaximumRetryAttempts -1 is refused in Queue mode: its default there is 0"
    assert sent(queue, MaximumRetryAttempts=0) == {"MaximumRetryAttempts": 0}
    stream = make_mapping(KAFKA, MaximumRetryAttempts=3, **{KAFKA_CONFIG: {"ConsumptionMode": "Stream"}})
    assert sent(stream, "MaximumRetryAttempts") == {"MaximumRetryAttempts": -1}


ACCESS = [{"Type": "BASIC_AUTH", "URI": "arn:1"}]


@pytest.mark.parametrize("source", [MQ, DOCUMENTDB])
def test_source_access_configurations_of_mq_and_documentdb_cannot_be_emptied(source: SourceType) -> None:
    mapping = make_mapping(source, SourceAccessConfigurations=ACCESS)
    for problem in (
        refused(mapping, "SourceAccessConfigurations"),
        refused(mapping, SourceAccessConfigurations=[]),
    ):
        assert problem.startswith(f"SourceAccessConfigurations cannot be unset on {source}: ")
    assert sent(make_mapping(MSK, SourceAccessConfigurations=ACCESS), "SourceAccessConfigurations") == {
        "SourceAccessConfigurations": []
    }
    added = ran(make_mapping(source), SourceAccessConfigurations=ACCESS)
    assert "SourceAccessConfigurations" in inverse_of(added).problems


# lambda_mapping_controls


DESTINATION = {"OnFailure": {"Destination": TOPIC}}


@pytest.mark.parametrize("path", ["", ".OnFailure", ".OnFailure.Destination"])
@pytest.mark.parametrize("source", [KINESIS, DYNAMODB, MSK, KAFKA])
def test_lambda_mapping_controls_a_destination_is_cleared_whole(source: SourceType, path: str) -> None:
    mapping = make_mapping(source, DestinationConfig=DESTINATION)
    assert sent(mapping, f"DestinationConfig{path}") == {"DestinationConfig": {}}
    nothings: list[Any] = [None, {}, {"OnFailure": {}}]
    for nothing in nothings:
        without = make_mapping(source, DestinationConfig=nothing)
        assert Change.parse(unset=[f"DestinationConfig{path}"]).compare(without) == NOTHING


@pytest.mark.parametrize("was", [{}, {"DestinationConfig": {"OnFailure": {}}}])
def test_lambda_mapping_controls_an_added_destination_is_cleared_whole(was: dict[str, Any]) -> None:
    item = ran(make_mapping(DYNAMODB, **was), DestinationConfig=DESTINATION)
    back = rollback_item(item, make_mapping(DYNAMODB, DestinationConfig=DESTINATION)).item
    assert back.request == {"DestinationConfig": {}}


def test_lambda_mapping_controls_an_empty_destination_is_refused() -> None:
    with pytest.raises(UsageError, match="Destination must not be empty: use --unset DestinationConfig"):
        Change.parse(["DestinationConfig.OnFailure.Destination="])
