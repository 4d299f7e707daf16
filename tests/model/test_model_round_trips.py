"""Whatever change Lambda accepts, its rollback makes of each mapping what it was: against the simulator's Lambda.

Its fleet has what trips naive restores up: members that nobody knows at every depth, ConsumptionMode, hidden filters.
"""

from collections.abc import Iterator
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from bulk_esm.model.change import Change
from bulk_esm.model.mapping import EventSourceMapping, source_type_of
from bulk_esm.model.parameters import row
from bulk_esm.model.plan import Action, PlanItem, plan_item
from bulk_esm.model.rollback import inverse_of, rollback_item
from bulk_esm.simulator import ApiError, Fleet, make_fleet
from bulk_esm.simulator.bounds import check
from bulk_esm.simulator.settings import Settings
from bulk_esm.simulator.shard import Shard

KEY = "arn:aws:kms:us-east-1:123456789012:key/14e0db71-0000-4000-8000-000000000001"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:failed"
ACCESS = {"Type": "BASIC_AUTH", "URI": "arn:aws:secretsmanager:us-east-1:123456789012:secret:other"}
REGISTRY = {"SchemaRegistryURI": "arn:aws:glue:us-east-1:123456789012:registry/other", "EventRecordFormat": "SOURCE"}
SOURCES = {"EventSourceArn", "SelfManagedEventSource", "Topics", "Queues"}


def with_new(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: with_new(member) for name, member in value.items()} | {"New": {"deep": [1]}}
    return [with_new(item) for item in value] if isinstance(value, list) else value


def of_a_later_lambda(mapping: dict[str, Any]) -> dict[str, Any]:
    """A mapping with a member that nobody knows in each structure, and its filters encrypted."""
    found = {name: value if name in SOURCES else with_new(value) for name, value in mapping.items()}
    if "FilterCriteria" in found:
        found["KMSKeyArn"] = KEY
    if "SelfManagedKafkaEventSourceConfig" in found:
        found["SelfManagedKafkaEventSourceConfig"]["ConsumptionMode"] = "Stream"
    return found | {"New": {"deep": [1]}}


FLEET = [of_a_later_lambda(mapping) for mapping in make_fleet(40).mappings]

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "Enabled": st.booleans(),
    "FunctionName": st.sampled_from(["another", "another:live"]),
    "BatchSize": st.integers(1, 10),
    "MaximumBatchingWindowInSeconds": st.integers(1, 5),
    "FilterCriteria": st.sampled_from([{}, {"Filters": [{"Pattern": '{"a": ["b"]}'}]}, {"Filters": []}]),
    "KMSKeyArn": st.sampled_from(["", f"{KEY}2"]),
    "FunctionResponseTypes": st.sampled_from([[], ["ReportBatchItemFailures"]]),
    "ScalingConfig": st.sampled_from([{}, {"MaximumConcurrency": 7}]),
    "ProvisionedPollerConfig": st.fixed_dictionaries(
        {}, optional={"MinimumPollers": st.just(2), "MaximumPollers": st.just(300)}
    ),
    "DestinationConfig": st.sampled_from([{}, {"OnFailure": {"Destination": QUEUE}}]),
    "BisectBatchOnFunctionError": st.booleans(),
    "MaximumRetryAttempts": st.integers(-1, 3),
    "MaximumRecordAgeInSeconds": st.sampled_from([-1, 60]),
    "ParallelizationFactor": st.integers(1, 3),
    "TumblingWindowInSeconds": st.sampled_from([0, 30]),
    "SourceAccessConfigurations": st.sampled_from([[ACCESS], []]),
    "AmazonManagedKafkaEventSourceConfig": st.sampled_from(
        [
            {"SchemaRegistryConfig": {}},
            {"SchemaRegistryConfig": REGISTRY},
            {"SchemaRegistryConfig": {"EventRecordFormat": "SOURCE"}},
        ]
    ),
    "SelfManagedKafkaEventSourceConfig": st.sampled_from(
        [{"SchemaRegistryConfig": {}}, {"SchemaRegistryConfig": REGISTRY}]
    ),
    "DocumentDBEventSourceConfig": st.sampled_from([{"FullDocument": "Default"}, {"FullDocument": "UpdateLookup"}]),
    "LoggingConfig": st.sampled_from([{"SystemLogLevel": "DEBUG"}]),
    "MetricsConfig": st.sampled_from([{"Metrics": []}, {"Metrics": ["EventCount"]}]),
}


@settings(deadline=None, max_examples=60)
@given(data=st.data(), force=st.booleans())
def test_a_rollback_restores_every_mapping_after_every_accepted_change(
    data: st.DataObject,
    force: bool,  # noqa: FBT001 - drawn
) -> None:
    shard = Shard(
        account_id="123456789012",
        region="us-east-1",
        fleet=Fleet(mappings=FLEET),
        settings=Settings(settle_scale=0.0),
    )
    accepted = 0
    for mapping in data.draw(st.lists(st.sampled_from(FLEET), min_size=4, max_size=8, unique_by=lambda m: m["UUID"])):
        source = source_type_of(mapping)
        taken = {name: values for name, values in VALUES.items() if row(name).takes(source)}
        names = data.draw(st.lists(st.sampled_from(sorted(taken)), min_size=1, max_size=4, unique=True))
        change = Change({name: data.draw(taken[name]) for name in names})
        before = EventSourceMapping(shard.get(mapping["UUID"], 0.0))
        item = plan_item(change, before, allow_irreversible=True)
        if item.action is not Action.UPDATE or not takes(shard, item):
            continue
        accepted += 1
        there = EventSourceMapping(shard.get(item.uuid, 1.0))
        back = rollback_item(item, there, force=force)
        assert (back.conflict, back.item.action is Action.BLOCKED) == (None, False), (back, item.request)
        if back.item.request:
            check("UpdateEventSourceMapping", back.item.request)
            shard.update(item.uuid, back.item.request, 1.0)
        check_is_restored(item, shard.get(item.uuid, 2.0), said=set(back.item.problems))
    event(f"{accepted} accepted")


def takes(shard: Shard, item: PlanItem) -> bool:
    """Whether Lambda accepts an update; what it refuses needs no rollback."""
    check("UpdateEventSourceMapping", item.request)
    try:
        shard.update(item.uuid, item.request, 0.0)
    except ApiError:
        return False
    return True


def check_is_restored(item: PlanItem, final: dict[str, Any], *, said: set[str]) -> None:
    """What this version knows is as before, and what else is not was said to be lost, before the run and after."""
    before, problems = item.before.configuration, inverse_of(item).problems
    gone = {path for path in paths_of_new("", before) if path not in set(paths_of_new("", final))}
    assert gone <= problems.keys()
    assert {problems[path] for path in gone} <= said
    forever = {name for name in item.request if name in problems}
    for name in (before.keys() | final.keys()) - {"LastModified"} - forever:
        assert known(final.get(name)) == known(before.get(name)), name


def known(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: known(member) for name, member in value.items() if name != "New"}
    return [known(item) for item in value] if isinstance(value, list) else value


def paths_of_new(path: str, value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from paths_of_new(path, item)
    if isinstance(value, dict):
        for name, member in value.items():
            inner = f"{path}.{name}".lstrip(".")
            if name == "New":
                yield inner
            else:
                yield from paths_of_new(inner, member)
