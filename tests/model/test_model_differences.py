"""What an update changes, member by member, and what that means."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_samples import make_mapping

from bulk_esm.model.change import Change
from bulk_esm.model.differences import Difference, differences_of
from bulk_esm.model.mapping import SourceType
from bulk_esm.model.meanings import meanings_of
from bulk_esm.model.plan import plan_item

SQS, KINESIS, MSK, MQ = SourceType.SQS, SourceType.KINESIS, SourceType.MSK, SourceType.MQ
TOPIC = "arn:aws:sns:eu-west-1:123456789012:dead"
PATTERNS = [{"Pattern": '{"kind": ["order"]}'}]


@pytest.mark.parametrize(
    ("name", "before", "after", "found"),
    [
        ("BatchSize", 10, 20, [("BatchSize", 10, 20)]),
        ("BatchSize", None, 20, [("BatchSize", None, 20)]),
        ("ScalingConfig", {"MaximumConcurrency": 5}, {}, [("ScalingConfig.MaximumConcurrency", 5, None)]),
        ("ScalingConfig", None, {"MaximumConcurrency": 5}, [("ScalingConfig.MaximumConcurrency", None, 5)]),
        (
            "ProvisionedPollerConfig",
            {"MinimumPollers": 2, "MaximumPollers": 200},
            {"MinimumPollers": 2, "MaximumPollers": 20},
            [("ProvisionedPollerConfig.MaximumPollers", 200, 20)],
        ),
        (
            "DestinationConfig",
            {"OnFailure": {"Destination": TOPIC}},
            {},
            [("DestinationConfig.OnFailure.Destination", TOPIC, None)],
        ),
        # What Lambda keeps is no difference, though it was left out.
        (
            "DocumentDBEventSourceConfig",
            {"DatabaseName": "orders", "FullDocument": "Default"},
            {"FullDocument": "UpdateLookup"},
            [("DocumentDBEventSourceConfig.FullDocument", "Default", "UpdateLookup")],
        ),
        # Of members that this version does not know nobody can say what becomes.
        (
            "ProvisionedPollerConfig",
            {"MinimumPollers": 2, "New": 1},
            {"MinimumPollers": 3},
            [("ProvisionedPollerConfig.MinimumPollers", 2, 3)],
        ),
        # Filters that are not shown may be there.
        ("FilterCriteria", None, {}, [("FilterCriteria", None, {})]),
        (
            "MetricsConfig",
            {"Metrics": ["EventCount"]},
            {"Metrics": []},
            [("MetricsConfig.Metrics", ["EventCount"], [])],
        ),
    ],
)
def test_differences_are_of_members(name: str, before: Any, after: Any, found: list[tuple[str, Any, Any]]) -> None:
    assert [(one.parameter, one.before, one.after) for one in differences_of(name, before, after, SQS)] == found


@given(
    st.dictionaries(st.sampled_from(["MinimumPollers", "MaximumPollers"]), st.integers(1, 9)),
    st.dictionaries(st.sampled_from(["MinimumPollers", "MaximumPollers"]), st.integers(1, 9)),
)
def test_every_member_that_differs_is_told_of_once(before: dict[str, int], after: dict[str, int]) -> None:
    found = differences_of("ProvisionedPollerConfig", before, after, SQS)
    differing = {name for name in before | after if before.get(name) != after.get(name)}
    told = {one.parameter.partition(".")[2] for one in found} - {""}
    assert told == differing
    assert len(found) == max(1, len(differing))
    assert all(before.get(name) == one.before for one in found if (name := one.parameter.partition(".")[2]))


@pytest.mark.parametrize(
    ("source", "has", "settings", "unset", "means"),
    [
        (
            SQS,
            {},
            ["ProvisionedPollerConfig.MinimumPollers=2"],
            [],
            ["turns on provisioned mode: its pollers are kept"],
        ),
        (SQS, {"ProvisionedPollerConfig": {"MinimumPollers": 2}}, [], ["ProvisionedPollerConfig"], ["turns off"]),
        (
            SQS,
            {"ProvisionedPollerConfig": {"MinimumPollers": 2, "MaximumPollers": 200}},
            ["ProvisionedPollerConfig.MaximumPollers=20"],
            [],
            ["reduces ProvisionedPollerConfig.MaximumPollers: peaks"],
        ),
        (SQS, {}, ["ScalingConfig.MaximumConcurrency=5"], [], ["reduces ScalingConfig.MaximumConcurrency"]),
        (SQS, {"ScalingConfig": {"MaximumConcurrency": 5}}, [], ["ScalingConfig"], []),
        (SQS, {}, ["BatchSize=5"], [], ["reduces BatchSize"]),
        (SQS, {}, ["BatchSize=11", "MaximumBatchingWindowInSeconds=1"], [], []),
        (KINESIS, {}, ["MaximumRetryAttempts=3"], [], ["reduces MaximumRetryAttempts: failing records"]),
        (KINESIS, {"MaximumRetryAttempts": 3}, ["MaximumRetryAttempts=-1"], [], []),
        (KINESIS, {"BisectBatchOnFunctionError": True}, ["BisectBatchOnFunctionError=false"], [], []),
        (
            KINESIS,
            {"DestinationConfig": {"OnFailure": {"Destination": TOPIC}}},
            [],
            ["DestinationConfig"],
            ["removes a destination"],
        ),
        (
            SQS,
            {},
            ['FilterCriteria={"Filters": [{"Pattern": "{\\"a\\": [1]}"}]}'],
            [],
            ["filters anew: deletes messages"],
        ),
        (MQ, {}, ['FilterCriteria={"Filters": [{"Pattern": "{\\"a\\": [1]}"}]}'], [], ["filters anew: acknowledges"]),
        (KINESIS, {"FilterCriteria": {"Filters": PATTERNS}}, [], ["FilterCriteria"], ["removes filters"]),
        (SQS, {}, ["FunctionName=other"], [], ["invokes another function"]),
        (SQS, {}, ["Enabled=false"], [], []),
    ],
)
def test_what_an_update_means(
    source: SourceType, has: dict[str, Any], settings: list[str], unset: list[str], means: list[str]
) -> None:
    item = plan_item(Change.parse(settings, unset), make_mapping(source, **has))
    assert item.action == "update", item.problems
    found = meanings_of(item)
    assert len(found) == len(means)
    assert all(text.startswith(start) for text, start in zip(found, means, strict=True)), found


def test_what_is_not_sent_means_nothing() -> None:
    unchanged = plan_item(Change.parse(["BatchSize=10"]), make_mapping(SQS))
    assert (unchanged.action, meanings_of(unchanged)) == ("unchanged", ())


def test_a_difference_that_cannot_be_undone_says_so() -> None:
    (found,) = differences_of("MaximumBatchingWindowInSeconds", None, 5, MSK, irreversible=True)
    assert found == Difference("MaximumBatchingWindowInSeconds", None, 5, irreversible=True)
