"""A change as it is read and checked, before any mapping is looked at."""

import copy
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_samples import KAFKA, MSK, SOURCES, SQS, make_mapping

from bulk_esm.errors import UsageError
from bulk_esm.model.change import Change
from bulk_esm.model.parameters import PARAMETERS

EQUALS = {"Filters": [{"Pattern": '{"a=b":[1]}'}]}


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("Enabled=false", {"Enabled": False}),
        ("BatchSize=7", {"BatchSize": 7}),
        ("FunctionName=payments:PROD", {"FunctionName": "payments:PROD"}),
        ('FunctionName="payments"', {"FunctionName": "payments"}),
        ("FunctionName=42", {"FunctionName": "42"}),  # a name, although it reads as a number
        ("FunctionName=true", {"FunctionName": "true"}),
        ("KMSKeyArn=", {"KMSKeyArn": ""}),
        ("FunctionResponseTypes=[]", {"FunctionResponseTypes": []}),
        ("ScalingConfig={}", {"ScalingConfig": {}}),
        ('ScalingConfig={"MaximumConcurrency":5}', {"ScalingConfig": {"MaximumConcurrency": 5}}),
        ("ScalingConfig.MaximumConcurrency=5", {"ScalingConfig": {"MaximumConcurrency": 5}}),
        ('FilterCriteria={"Filters":[{"Pattern":"{\\"a=b\\":[1]}"}]}', {"FilterCriteria": EQUALS}),
    ],
)
def test_set(setting: str, expected: dict[str, Any]) -> None:
    assert Change.parse([setting]).values == expected


def test_members_set_one_by_one_make_one_structure() -> None:
    change = Change.parse(
        ["ProvisionedPollerConfig.MinimumPollers=2", "ProvisionedPollerConfig.MaximumPollers=9", "BatchSize=3"]
    )
    assert change == Change({"ProvisionedPollerConfig": {"MinimumPollers": 2, "MaximumPollers": 9}, "BatchSize": 3})


def test_settings_win_over_the_document_and_leave_it_alone() -> None:
    document = {"BatchSize": 1, "ProvisionedPollerConfig": {"MinimumPollers": 2, "MaximumPollers": 9}}
    given_ = copy.deepcopy(document)
    change = Change.parse(["ProvisionedPollerConfig.MaximumPollers=5", "BatchSize=4"], document=document)
    assert change.values == {"BatchSize": 4, "ProvisionedPollerConfig": {"MinimumPollers": 2, "MaximumPollers": 5}}
    assert document == given_


def test_unset_twice_is_unset() -> None:
    assert Change.parse(unset=["BatchSize", "KMSKeyArn", "BatchSize"]) == Change({}, ("BatchSize", "KMSKeyArn"))


GROUP = "ProvisionedPollerConfig.PollerGroupName"


def test_a_member_may_be_set_and_its_sibling_unset() -> None:
    change = Change.parse(["ProvisionedPollerConfig.MinimumPollers=5"], unset=[GROUP])
    assert change.asked_of(MSK) == {"ProvisionedPollerConfig": {"MinimumPollers": 5, "PollerGroupName": ""}}


@pytest.mark.parametrize("unset", [["ProvisionedPollerConfig", GROUP], [GROUP, "ProvisionedPollerConfig"]])
def test_unsetting_a_whole_outweighs_unsetting_its_member(unset: list[str]) -> None:
    for _ in range(2):  # the table itself must stay as it is
        assert Change.parse(unset=unset).asked_of(KAFKA) == {"ProvisionedPollerConfig": {}}
    assert PARAMETERS["ProvisionedPollerConfig"].clear == {}


def test_what_is_asked_is_no_part_of_the_change() -> None:
    change = Change.parse(document={"FilterCriteria": {"Filters": []}})
    change.asked_of(SQS)["FilterCriteria"]["Filters"].append("mine")
    assert change.values == {"FilterCriteria": {"Filters": []}}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        # an empty change
        ({}, "an empty change: say what to change with --set, --unset, --change or --requests"),
        ({"document": {}}, "an empty change"),
        # names
        ({"settings": ["BatchSise=1"]}, "unknown parameter 'BatchSise'; did you mean BatchSize?"),
        ({"settings": ["batchsize=1"]}, "did you mean BatchSize?"),
        ({"unset": ["FilterCritera"]}, "did you mean FilterCriteria?"),
        ({"document": {"Batchsize": 1}}, "did you mean BatchSize?"),
        ({"settings": ["Xyzzy=1"]}, "unknown parameter 'Xyzzy'; there are Amazon"),
        ({"settings": ["=1"]}, "unknown parameter ''"),
        ({"settings": [".Enabled=true"]}, "unknown parameter '.Enabled'"),
        ({"document": {"": {"Enabled": True}}}, "unknown parameter '.Enabled'"),
        (
            {"settings": ["ScalingConfig.MaxConcurrency=5"]},
            "ScalingConfig has no member 'MaxConcurrency'; did you mean MaximumConcurrency?",
        ),
        ({"unset": ["ScalingConfig."]}, "ScalingConfig has no member ''"),
        ({"settings": ["BatchSize.Value=5"]}, "BatchSize has no members: --set BatchSize=VALUE"),
        ({"document": {"BatchSize": {"Value": 5}}}, "BatchSize has no members"),
        ({"document": {"ScalingConfig.MaximumConcurrency": 5}}, "write members nested"),
        (
            {"document": {"SelfManagedKafkaEventSourceConfig": {"SchemaRegistryConfig": {"Uri": "u"}}}},
            "SchemaRegistryConfig has no member 'Uri'",
        ),
        (
            {"document": {"FilterCriteria": {"Filters": [{"Patern": "{}"}]}}},
            "has no member 'Patern'; there are Pattern",
        ),
        # --set
        ({"settings": ["BatchSize"]}, "--set BatchSize: a value is missing; write --set BatchSize=VALUE"),
        ({"settings": ["BatchSize=1", "BatchSize=1"]}, "--set BatchSize is given twice"),
        (
            {"settings": ["ScalingConfig.MaximumConcurrency=5", "ScalingConfig={}"]},
            "--set ScalingConfig and --set ScalingConfig.MaximumConcurrency overlap",
        ),
        (
            {"settings": ["ScalingConfig={}", "ScalingConfig.MaximumConcurrency=5"]},
            "--set ScalingConfig.MaximumConcurrency and --set ScalingConfig overlap",
        ),
        (
            {"settings": ["ScalingConfig.MaximumConcurrency=5"], "document": {"ScalingConfig": 3}},
            "ScalingConfig.MaximumConcurrency: ScalingConfig is already set to 3",
        ),
        # both set and unset
        ({"settings": ["BatchSize=1"], "unset": ["BatchSize"]}, "BatchSize is both set and unset"),
        ({"settings": [f"{GROUP}=night"], "unset": ["ProvisionedPollerConfig"]}, f"{GROUP} is both set and unset"),
        ({"settings": ["ProvisionedPollerConfig={}"], "unset": [GROUP]}, "is both set and unset"),
        # null
        ({"settings": ["BatchSize=null"]}, "BatchSize is null, which Lambda does not take; to clear it use --unset"),
        ({"document": {"ScalingConfig": None}}, "use --unset ScalingConfig"),
        ({"document": {"ScalingConfig": {"MaximumConcurrency": None}}}, "ScalingConfig.MaximumConcurrency is null"),
        ({"document": {"FilterCriteria": {"Filters": [None]}}}, "FilterCriteria.Filters[0] takes an object, not None"),
        # types
        ({"settings": ["Enabled=yes"]}, "Enabled takes true or false, not 'yes'"),
        ({"settings": ["Enabled=1"]}, "Enabled takes true or false, not 1"),
        ({"settings": ["BatchSize=true"]}, "BatchSize takes a whole number, not True"),
        ({"settings": ["BatchSize=10.0"]}, "BatchSize takes a whole number, not 10.0"),
        ({"settings": ["BatchSize=ten"]}, "BatchSize takes a whole number, not 'ten'"),
        ({"settings": ["ScalingConfig=5"]}, "ScalingConfig takes an object, not 5"),
        ({"settings": ["FunctionResponseTypes=ReportBatchItemFailures"]}, "FunctionResponseTypes takes a list, not"),
        ({"document": {"FunctionName": 42}}, "FunctionName takes a string, not 42"),
        # values that no source type takes
        ({"settings": ["BatchSize=0"]}, "BatchSize is from 1 to 10000, not 0"),
        ({"settings": ["MaximumRecordAgeInSeconds=30"]}, "-1 (no limit) or at least 60, not 30"),
        # what cannot be unset
        ({"settings": ["LoggingConfig={}"]}, "LoggingConfig cannot be emptied: Lambda documents no way"),
        ({"settings": ["DocumentDBEventSourceConfig={}"]}, "cannot be emptied: a DocumentDB mapping always has"),
        ({"unset": ["Enabled"]}, "Enabled cannot be unset: a mapping is either enabled or disabled: --set"),
        ({"unset": ["FunctionName"]}, "a mapping always has a function"),
        ({"unset": ["LoggingConfig"]}, "no way to reset the log level"),
        ({"unset": ["ScalingConfig.MaximumConcurrency"]}, "unset that"),
        ({"unset": ["DocumentDBEventSourceConfig"]}, "always has a database"),
        ({"unset": ["FilterCriteria.Filters"]}, "it has no documented clear form"),
    ],
)
def test_what_no_mapping_could_take(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError) as caught:
        Change.parse(**arguments)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("UUID", "use --uuid or --requests"),
        ("FunctionArn", "use FunctionName"),
        ("State", "use Enabled"),
        ("Tags", "an API of their own"),
        ("EventSourceArn", "a new mapping is required"),
        ("SelfManagedEventSource", "a new mapping is required"),
        ("SelfManagedEventSource.Endpoints", "a new mapping is required"),
        ("Topics", "a new mapping is required"),
        ("Queues", "a new mapping is required"),
        ("StartingPosition", "a new mapping is required"),
        ("StartingPositionTimestamp", "a new mapping is required"),
        ("AmazonManagedKafkaEventSourceConfig.ConsumerGroupId", "fixed when it is created"),
        ("SelfManagedKafkaEventSourceConfig.ConsumerGroupId", "fixed when it is created"),
        ("DestinationConfig.OnSuccess", "know only OnFailure"),
        ("DestinationConfig.OnSuccess.Destination", "know only OnFailure"),
    ],
)
def test_what_cannot_be_updated(name: str, says: str) -> None:
    with pytest.raises(UsageError, match=r" cannot be changed: ") as caught:
        Change.parse([f"{name}=x"])
    assert says in str(caught.value)
    with pytest.raises(UsageError, match=re.escape(str(caught.value))):
        Change.parse(unset=[name])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 20) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
paths = st.text(max_size=5) | st.sampled_from(sorted(PARAMETERS))


@settings(deadline=None)
@given(st.dictionaries(paths, json_values, max_size=2), st.lists(paths, max_size=2))
def test_whatever_is_not_refused_can_be_compared(document: dict[str, Any], unset: list[str]) -> None:
    try:
        change = Change.parse(document=document, unset=unset)
    except UsageError:
        return
    for source in SOURCES:
        comparison = change.compare(make_mapping(source), allow_irreversible=True)
        assert comparison.request.keys() <= {name.partition(".")[0] for name in (*document, *unset)}
        assert not (comparison.request and comparison.problems)


def test_touches() -> None:
    change = Change.parse(["ScalingConfig.MaximumConcurrency=5"], unset=["FilterCriteria"])
    assert change.touches({"ScalingConfig"})
    assert change.touches({"FilterCriteria", "KMSKeyArn"})
    assert not change.touches({"KMSKeyArn"})


def test_a_change_survives_json() -> None:
    change = Change.parse(["ScalingConfig.MaximumConcurrency=5"], unset=["FilterCriteria"])
    assert msgspec.json.decode(msgspec.json.encode(change), type=Change) == change
