"""A change against one mapping, and back: what is sent makes the mapping what was asked for, and nothing else of it."""

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from model_samples import (
    DOCUMENTDB,
    DYNAMODB,
    FIFO,
    FUNCTION,
    KAFKA,
    KEY,
    KINESIS,
    KNOWN,
    MQ,
    MSK,
    SQS,
    TOPIC,
    UNKNOWN,
    ReadBack,
    applied,
    make_mapping,
)

from bulk_esm.model.change import Change, Comparison
from bulk_esm.model.differences import Difference
from bulk_esm.model.mapping import EventSourceMapping, SourceType
from bulk_esm.model.values import current_value, holds, is_empty

NOTHING = Comparison(request={}, differences=(), problems=())
STREAMS = [KINESIS, DYNAMODB]
BOTH_KAFKAS = [MSK, KAFKA]
RETRYING = STREAMS + BOTH_KAFKAS
QUEUES = [SQS, FIFO]
FILTERING = [source for source in KNOWN if source is not DOCUMENTDB]
REGISTRY = {"SchemaRegistryURI": "https://registry", "EventRecordFormat": "JSON"}
ACCESSES = [
    {"Type": kind, "URI": f"uri-{kind}"} for kind in ("BASIC_AUTH", "VPC_SUBNET", "CLIENT_CERTIFICATE_TLS_AUTH")
]
PATTERNS = [{"Pattern": '{"a":[1]}'}, {"Pattern": '{"b": ["x"], "a": [2]}'}, {"Pattern": "{}"}]


def some_of(items: list[Any]) -> st.SearchStrategy[list[Any]]:
    return st.permutations(items).flatmap(lambda order: st.integers(0, len(order)).map(lambda n: order[:n]))


registries = st.sampled_from(
    [
        {},
        {"SchemaRegistryConfig": {}},
        {"SchemaRegistryConfig": REGISTRY},
        {"SchemaRegistryConfig": REGISTRY | {"EventRecordFormat": "SOURCE"}},
    ]
)
pollers = {"MinimumPollers": st.integers(2, 200), "MaximumPollers": st.integers(200, 2000)}
groups = {"PollerGroupName": st.sampled_from(["", "day", "night"])}
full_document = {"FullDocument": st.sampled_from(["Default", "UpdateLookup"])}
VALUES: list[tuple[str, list[SourceType], st.SearchStrategy[Any]]] = [
    ("Enabled", [*KNOWN, UNKNOWN], st.booleans()),
    ("FunctionName", [*KNOWN, UNKNOWN], st.sampled_from(["orders", "orders:PROD", f"{FUNCTION}orders:1", "payments"])),
    ("BatchSize", [*KNOWN, UNKNOWN], st.integers(1, 10) | st.just(10)),
    ("MetricsConfig", QUEUES + STREAMS, some_of(["EventCount"]).map(lambda metrics: {"Metrics": metrics})),
    ("MaximumBatchingWindowInSeconds", [source for source in KNOWN if source is not FIFO], st.integers(0, 3)),
    ("FilterCriteria", FILTERING, some_of(PATTERNS).map(lambda filters: {"Filters": filters}) | st.just({})),
    ("KMSKeyArn", FILTERING, st.sampled_from(["", KEY])),
    ("FunctionResponseTypes", QUEUES + RETRYING, some_of(["ReportBatchItemFailures"])),
    ("ScalingConfig", [SQS], st.sampled_from([{}, {"MaximumConcurrency": 2}, {"MaximumConcurrency": 1500}])),
    ("ProvisionedPollerConfig", [FIFO], st.fixed_dictionaries({}, optional=pollers)),
    ("ProvisionedPollerConfig", BOTH_KAFKAS, st.fixed_dictionaries({}, optional=pollers | groups)),
    ("DestinationConfig", RETRYING, st.sampled_from([{}, {"OnFailure": {}}, {"OnFailure": {"Destination": TOPIC}}])),
    ("BisectBatchOnFunctionError", RETRYING, st.booleans()),
    ("MaximumRetryAttempts", RETRYING, st.integers(-1, 3)),
    ("MaximumRecordAgeInSeconds", RETRYING, st.sampled_from([-1, 60, 604_800])),
    ("ParallelizationFactor", [DYNAMODB], st.integers(1, 3)),
    ("TumblingWindowInSeconds", [KINESIS], st.integers(0, 3)),
    ("SourceAccessConfigurations", BOTH_KAFKAS, some_of(ACCESSES)),
    ("SourceAccessConfigurations", [MQ, DOCUMENTDB], some_of(ACCESSES).filter(bool)),
    ("AmazonManagedKafkaEventSourceConfig", [MSK], registries),
    ("SelfManagedKafkaEventSourceConfig", [KAFKA], registries),
    ("DocumentDBEventSourceConfig", [DOCUMENTDB], st.fixed_dictionaries(full_document)),
    ("LoggingConfig", BOTH_KAFKAS, st.sampled_from(["DEBUG", "INFO"]).map(lambda level: {"SystemLogLevel": level})),
]
# What Lambda returns and no update may send.
READ_ONLY: dict[SourceType, dict[str, Any]] = {
    MSK: {"AmazonManagedKafkaEventSourceConfig": {"ConsumerGroupId": "group"}},
    KAFKA: {"SelfManagedKafkaEventSourceConfig": {"ConsumerGroupId": "group"}},
    MQ: {"SourceAccessConfigurations": [{"Type": "VIRTUAL_HOST", "URI": "/"}]},
    KINESIS: {"DestinationConfig": {"OnFailure": {}}},
    DYNAMODB: {"DestinationConfig": {"OnFailure": {}, "OnSuccess": {}}},
    DOCUMENTDB: {"DocumentDBEventSourceConfig": {"DatabaseName": "orders", "CollectionName": "new"}},
}
read_backs: st.SearchStrategy[ReadBack] = st.sampled_from(["as sent", "defaults left out"])


@st.composite
def mappings(draw: st.DrawFn) -> EventSourceMapping:
    source = draw(st.sampled_from([*KNOWN, UNKNOWN]))
    plain = make_mapping(source, **READ_ONLY.get(source, {}))
    return applied(plain, draw(requests(source)), read_back=draw(read_backs))


def requests(source: SourceType) -> st.SearchStrategy[dict[str, Any]]:
    """Some parameters with values that a source type takes."""
    taken = {name: values for name, sources, values in VALUES if source in sources}
    documented = st.fixed_dictionaries({}, optional=taken)
    return documented.map(lambda request: {name: _sent(name, value) for name, value in request.items()})


def _sent(name: str, value: Any) -> Any:
    if name == "FunctionName" and value == "orders":
        return "payments"
    return {} if name == "DestinationConfig" and value == {"OnFailure": {}} else value


@st.composite
def changes(draw: st.DrawFn, source: SourceType) -> Change:
    values = draw(st.fixed_dictionaries({}, optional={n: v for n, sources, v in VALUES if source in sources}))
    if values.get("KMSKeyArn") and is_empty(values.get("FilterCriteria")):
        del values["KMSKeyArn"]  # a key alone would be ignored
    clearable = sorted({path for path, sources, _, _ in CLEARED if source in sources})
    unset = tuple(draw(some_of([path for path in clearable if not says_something_of(values, path)])))
    assume(values or unset)  # an empty change is refused where it is made
    return Change(values, unset)


def says_something_of(values: dict[str, Any], path: str) -> bool:
    name, _, member = path.partition(".")
    value = values.get(name)
    return value is not None and (not isinstance(value, dict) or not value or member in ("", *value))


# Set to this value, unset again, sent like that (F§6.3).
CLEARED: list[tuple[str, list[SourceType], Any, Any]] = [
    ("FilterCriteria", FILTERING, {"Filters": [{"Pattern": '{"a":[1]}'}]}, {}),
    ("KMSKeyArn", FILTERING, KEY, ""),
    ("ScalingConfig", QUEUES, {"MaximumConcurrency": 2}, {}),
    ("ProvisionedPollerConfig", [*QUEUES, *BOTH_KAFKAS], {"MinimumPollers": 2, "MaximumPollers": 3}, {}),
    ("ProvisionedPollerConfig.PollerGroupName", BOTH_KAFKAS, "night", ""),
    ("FunctionResponseTypes", QUEUES + RETRYING, ["ReportBatchItemFailures"], []),
    ("MetricsConfig", QUEUES + RETRYING, {"Metrics": ["EventCount"]}, {"Metrics": []}),
    ("MetricsConfig.Metrics", QUEUES + RETRYING, ["EventCount"], []),
    ("AmazonManagedKafkaEventSourceConfig", [MSK], {"SchemaRegistryConfig": REGISTRY}, {"SchemaRegistryConfig": {}}),
    ("AmazonManagedKafkaEventSourceConfig.SchemaRegistryConfig", [MSK], REGISTRY, {}),
    ("SelfManagedKafkaEventSourceConfig", [KAFKA], {"SchemaRegistryConfig": REGISTRY}, {"SchemaRegistryConfig": {}}),
    ("SelfManagedKafkaEventSourceConfig.SchemaRegistryConfig", [KAFKA], REGISTRY, {}),
    ("DestinationConfig", RETRYING, {"OnFailure": {"Destination": TOPIC}}, {}),
    ("MaximumRetryAttempts", RETRYING, 3, -1),
    ("MaximumRecordAgeInSeconds", RETRYING, 60, -1),
    ("BisectBatchOnFunctionError", RETRYING, True, False),
    ("ParallelizationFactor", STREAMS, 2, 1),
    ("TumblingWindowInSeconds", STREAMS, 30, 0),
    ("MaximumBatchingWindowInSeconds", [SQS, *STREAMS], 5, 0),
    ("SourceAccessConfigurations", BOTH_KAFKAS, ACCESSES, []),
    ("DocumentDBEventSourceConfig.FullDocument", [DOCUMENTDB], "UpdateLookup", "Default"),
    ("BatchSize", QUEUES, 7, 10),
    ("BatchSize", [*STREAMS, *BOTH_KAFKAS, MQ, DOCUMENTDB], 7, 100),
]


@settings(deadline=None)
@given(data=st.data(), mapping=mappings(), read_back=read_backs, merges_members=st.booleans())
def test_an_update_makes_a_mapping_what_was_asked(
    data: st.DataObject,
    mapping: EventSourceMapping,
    read_back: ReadBack,
    merges_members: bool,  # noqa: FBT001 - drawn
) -> None:
    change = data.draw(changes(mapping.source_type))
    asked = change.asked_of(mapping.source_type)
    first = change.compare(mapping, allow_irreversible=True)
    assert first.problems == ()
    assert {difference.parameter.partition(".")[0] for difference in first.differences} == first.request.keys()
    assert first.request.keys() == {name for name, value in asked.items() if not holds(name, value, mapping)}

    after = applied(mapping, first.request, read_back=read_back, merges_members=merges_members)
    assert all(holds(name, value, after) for name, value in asked.items())
    assert all(holds(name, value, after) for name, value in first.request.items())
    assert change.compare(after) == NOTHING
    for name, value in asked.items():
        before = current_value(mapping, name)
        if isinstance(value, dict) and isinstance(before, dict) and any(value.values()):
            kept = {member: before[member] for member in before.keys() - value.keys()}
            assert kept.items() <= (current_value(after, name) or {}).items()


@settings(deadline=None)
@given(mapping=mappings())
def test_what_a_mapping_has_may_be_sent_and_need_not_be(mapping: EventSourceMapping) -> None:
    names = {name for name, _, _ in VALUES}
    current = {name: value for name in names if (value := current_value(mapping, name)) is not None}
    assert Change.parse(document=current).compare(mapping) == NOTHING


def place(path: str, value: Any) -> dict[str, Any]:
    for name in reversed(path.split(".")):
        value = {name: value}
    return value  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("path", "source", "value", "clear"),
    [(path, source, value, clear) for path, sources, value, clear in CLEARED for source in sources],
)
def test_unset_takes_back_what_was_set(path: str, source: SourceType, value: Any, clear: Any) -> None:
    plain: dict[str, Any] = {"BatchSize": 10 if source in QUEUES else 100, **READ_ONLY.get(source, {})}
    if source in {SQS, *STREAMS}:
        plain["MaximumBatchingWindowInSeconds"] = 0
    if source in STREAMS:
        plain["DestinationConfig"] = {"OnFailure": {}}
    if path == "KMSKeyArn":
        plain["FilterCriteria"] = {"Filters": PATTERNS}
    if path.endswith("PollerGroupName") or (path.startswith("MetricsConfig") and source in BOTH_KAFKAS):
        plain["ProvisionedPollerConfig"] = {"MinimumPollers": 2, "MaximumPollers": 3}
    if source is DOCUMENTDB:
        plain["DocumentDBEventSourceConfig"] = {"DatabaseName": "orders", "FullDocument": "Default"}
    start = make_mapping(source, **plain)
    unset = Change.parse(unset=[path])
    assert unset.compare(start) == NOTHING

    change = Change.parse(document=place(path, value))
    there = applied(start, change.compare(start).request, read_back="defaults left out")
    assert there != start
    assert change.compare(there) == NOTHING

    request = unset.compare(there).request
    sent: Any = request
    for name in path.split("."):
        sent = sent[name]
    assert sent == clear
    assert applied(there, request, read_back="defaults left out") == start


# What absence stands for.
DEFAULTS: list[tuple[str, list[SourceType], Any]] = [
    *[(path, sources, clear) for path, sources, _, clear in CLEARED if "." not in path],
    ("BatchSize", [UNKNOWN], 100),
    ("FilterCriteria", FILTERING, {"Filters": []}),
    ("DestinationConfig", RETRYING, {"OnFailure": {}}),
    ("DocumentDBEventSourceConfig", [DOCUMENTDB], {"FullDocument": "Default"}),
    ("ProvisionedPollerConfig", BOTH_KAFKAS, {"PollerGroupName": ""}),
]


@pytest.mark.parametrize(
    ("name", "source", "default"),
    [(name, source, default) for name, sources, default in DEFAULTS for source in sources],
)
def test_a_default_is_as_good_as_nothing(name: str, source: SourceType, default: Any) -> None:
    change = Change.parse(document={name: default})
    for mapping in (
        make_mapping(source),
        make_mapping(source, **{name: None}),
        make_mapping(source, **{name: default}),
    ):
        assert change.compare(mapping) == NOTHING


@pytest.mark.parametrize("source", [MSK, KAFKA, MQ, DOCUMENTDB])
def test_half_a_second_is_no_default_that_can_be_named(source: SourceType) -> None:
    assert not holds("MaximumBatchingWindowInSeconds", 0, make_mapping(source))


def test_members_that_were_not_asked_for_are_sent_as_they_are() -> None:
    mapping = make_mapping(MSK, ProvisionedPollerConfig={"MinimumPollers": 2, "MaximumPollers": 9})
    comparison = Change.parse(["ProvisionedPollerConfig.MinimumPollers=5"]).compare(mapping)
    assert comparison.request == {"ProvisionedPollerConfig": {"MinimumPollers": 5, "MaximumPollers": 9}}
    assert comparison.differences == (Difference("ProvisionedPollerConfig.MinimumPollers", 2, 5),)


@pytest.mark.parametrize(
    ("source", "name", "has", "asked", "sent"),
    [
        (SQS, "FilterCriteria", {"Filters": PATTERNS}, {"Filters": []}, {}),
        (MSK, "DestinationConfig", {"OnFailure": {"Destination": TOPIC}}, {"OnFailure": {}}, {}),
        (SQS, "MetricsConfig", {"Metrics": ["EventCount"]}, {}, {"Metrics": []}),
        (
            MSK,
            "AmazonManagedKafkaEventSourceConfig",
            {"ConsumerGroupId": "group", "SchemaRegistryConfig": REGISTRY},
            {},
            {"SchemaRegistryConfig": {}},
        ),
    ],
)
def test_whatever_comes_to_nothing_is_sent_in_the_clear_form(
    source: SourceType, name: str, has: Any, asked: Any, sent: Any
) -> None:
    comparison = Change.parse(document={name: asked}).compare(make_mapping(source, **{name: has}))
    assert comparison.request == {name: sent}


def test_members_merge_at_any_depth_and_lists_replace() -> None:
    registry = REGISTRY | {"SchemaValidationConfigs": [{"Attribute": "KEY"}]}
    mapping = make_mapping(
        MSK, AmazonManagedKafkaEventSourceConfig={"ConsumerGroupId": "group", "SchemaRegistryConfig": registry}
    )
    change = {"SchemaRegistryConfig": {"SchemaValidationConfigs": [{"Attribute": "VALUE"}]}}
    request = Change.parse(document={"AmazonManagedKafkaEventSourceConfig": change}).compare(mapping).request
    assert request == {
        "AmazonManagedKafkaEventSourceConfig": {
            "SchemaRegistryConfig": REGISTRY | {"SchemaValidationConfigs": [{"Attribute": "VALUE"}]}
        }
    }


def test_virtual_host_is_never_sent_back() -> None:
    accesses = [{"Type": "VIRTUAL_HOST", "URI": "/"}, {"Type": "BASIC_AUTH", "URI": "old"}]
    mapping = make_mapping(MQ, SourceAccessConfigurations=accesses)
    assert current_value(mapping, "SourceAccessConfigurations") == accesses[1:]
    new = [{"Type": "BASIC_AUTH", "URI": "new"}]
    request = Change.parse(document={"SourceAccessConfigurations": new}).compare(mapping).request
    assert request == {"SourceAccessConfigurations": new}


@pytest.mark.parametrize(
    ("asked", "arn", "same"),
    [
        ("orders", "orders", True),
        ("123456789012:function:orders", "orders", True),
        (f"{FUNCTION}orders", "orders", True),
        ("orders:PROD", "orders:PROD", True),
        (f"{FUNCTION}orders:PROD", "orders:PROD", True),
        ("orders", "orders:PROD", False),
        ("orders:PROD", "orders", False),
        ("orders:$LATEST", "orders", False),
        ("payments", "orders", False),
        ("arn:aws:lambda:eu-west-1:210987654321:function:orders", "orders", False),
    ],
)
def test_function_name_is_compared_with_function_arn(asked: str, arn: str, same: bool) -> None:  # noqa: FBT001
    mapping = make_mapping(FunctionArn=f"{FUNCTION}{arn}")
    comparison = Change.parse([f"FunctionName={asked}"]).compare(mapping)
    expected = Comparison({"FunctionName": asked}, (Difference("FunctionName", f"{FUNCTION}{arn}", asked),), ())
    assert comparison == (NOTHING if same else expected)


@pytest.mark.parametrize(("state", "enabled"), [("Enabled", True), ("Disabled", False)])
def test_enabled_is_told_from_the_state(state: str, enabled: bool) -> None:  # noqa: FBT001 - expected values
    mapping = make_mapping(State=state)
    assert Change({"Enabled": enabled}).compare(mapping) == NOTHING
    assert Change({"Enabled": not enabled}).compare(mapping).request == {"Enabled": not enabled}


@pytest.mark.parametrize(
    ("asked", "same"),
    [
        (['{"a":[1]}', '{"b":["x"],"c":[2]}'], True),
        (['{"c": [2], "b": ["x"]}', ' { "a" : [1] } '], True),
        (['{"a":[1]}'], False),
        (['{"a":[2]}', '{"b":["x"],"c":[2]}'], False),
        (['{"a":["1"]}', '{"b":["x"],"c":[2]}'], False),
    ],
)
def test_filters_are_compared_by_what_they_say(asked: list[str], same: bool) -> None:  # noqa: FBT001
    has = [{"Pattern": '{"a":[1]}'}, {"Pattern": '{"b":["x"],"c":[2]}'}]
    filters = [{"Pattern": pattern} for pattern in asked]
    assert holds("FilterCriteria", {"Filters": filters}, make_mapping(FilterCriteria={"Filters": has})) is same


def test_order_counts_where_it_may_mean_something() -> None:
    accesses = [{"Type": "BASIC_AUTH", "URI": "arn:1"}, {"Type": "SERVER_ROOT_CA_CERTIFICATE", "URI": "arn:2"}]
    mapping = make_mapping(
        MSK,
        SourceAccessConfigurations=accesses,
        AmazonManagedKafkaEventSourceConfig={"SchemaRegistryConfig": {"AccessConfigs": accesses}},
    )
    turned = accesses[::-1]
    assert holds("SourceAccessConfigurations", turned, mapping)
    block = {"SchemaRegistryConfig": {"AccessConfigs": turned}}
    assert not holds("AmazonManagedKafkaEventSourceConfig", block, mapping)
