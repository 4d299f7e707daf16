"""What Lambda would refuse of a mapping as it would be, and what could never be taken back."""

from typing import Any

import pytest
from model_samples import DOCUMENTDB, DYNAMODB, FIFO, KAFKA, KEY, KINESIS, MQ, MSK, SQS, make_mapping

from bulk_esm.model.change import Change, Comparison
from bulk_esm.model.mapping import SourceType

WINDOW = "MaximumBatchingWindowInSeconds"
NEEDS_WINDOW = f"BatchSize {{}} needs {WINDOW} of at least 1 on sqs: change both in one go"
POLLERS = {"MinimumPollers": 5, "MaximumPollers": 9}


@pytest.mark.parametrize(
    ("source", "has", "asked", "problem"),
    [
        # BatchSize and the window, on SQS only: streams were recorded to take 100 and 0
        (SQS, {"BatchSize": 7}, {"BatchSize": 10}, None),
        (SQS, {}, {"BatchSize": 11}, NEEDS_WINDOW.format(11)),
        (SQS, {}, {"BatchSize": 11, WINDOW: 0}, NEEDS_WINDOW.format(11)),
        (SQS, {}, {"BatchSize": 11, WINDOW: 1}, None),
        (SQS, {WINDOW: 1}, {"BatchSize": 11}, None),
        (SQS, {"BatchSize": 50, WINDOW: 5}, {WINDOW: 0}, NEEDS_WINDOW.format(50)),
        (SQS, {"BatchSize": 50, WINDOW: 5}, {WINDOW: 0, "BatchSize": 10}, None),
        (SQS, {"BatchSize": 50, WINDOW: 0}, {"Enabled": False}, None),
        (KINESIS, {}, {"BatchSize": 99}, None),
        (DYNAMODB, {WINDOW: 5}, {WINDOW: 0}, None),
        # one way of scaling at a time, on SQS only
        (SQS, {"ScalingConfig": {"MaximumConcurrency": 5}}, {"ProvisionedPollerConfig": POLLERS}, "exclude each other"),
        (FIFO, {"ProvisionedPollerConfig": POLLERS}, {"ScalingConfig": {"MaximumConcurrency": 5}}, "exclude each"),
        (SQS, {"ScalingConfig": {"MaximumConcurrency": 5}}, {"Enabled": False}, None),
        (SQS, {"ProvisionedPollerConfig": {}}, {"ScalingConfig": {"MaximumConcurrency": 5}}, None),
        (MSK, {}, {"ProvisionedPollerConfig": POLLERS}, None),
        # pollers
        (SQS, {"ProvisionedPollerConfig": POLLERS}, {"ProvisionedPollerConfig": {"MinimumPollers": 9}}, None),
        (
            SQS,
            {"ProvisionedPollerConfig": POLLERS},
            {"ProvisionedPollerConfig": {"MinimumPollers": 10}},
            "ProvisionedPollerConfig.MaximumPollers 9 is below MinimumPollers 10",
        ),
        (
            KAFKA,
            {"ProvisionedPollerConfig": POLLERS},
            {"ProvisionedPollerConfig": {"MaximumPollers": 4}},
            "ProvisionedPollerConfig.MaximumPollers 4 is below MinimumPollers 5",
        ),
        (KAFKA, {}, {"ProvisionedPollerConfig": {"MaximumPollers": 1}}, None),
        (MSK, {"ProvisionedPollerConfig": {"MinimumPollers": 9, "MaximumPollers": 5}}, {"Enabled": False}, None),
    ],
)
def test_fields_that_must_go_together(
    source: SourceType, has: dict[str, Any], asked: dict[str, Any], problem: str | None
) -> None:
    comparison = Change.parse(document=asked).compare(make_mapping(source, **has))
    if problem is None:
        assert comparison.problems == ()
        assert comparison.request.keys() == asked.keys()
    else:
        (found,) = comparison.problems
        assert problem in found
        assert comparison.request == {}


@pytest.mark.parametrize("source", [MSK, KAFKA, MQ, DOCUMENTDB])
@pytest.mark.parametrize("has", [{}, {WINDOW: None}])
def test_the_half_second_window_wants_permission(source: SourceType, has: dict[str, Any]) -> None:
    mapping = make_mapping(source, **has)
    change = Change.parse([f"{WINDOW}=5", "BatchSize=7"])
    refused = change.compare(mapping)
    assert refused.request == {}
    assert [problem.partition(" ")[0] for problem in refused.problems] == [f"{WINDOW}:"]
    assert "--allow-irreversible" in refused.problems[0]
    allowed = change.compare(mapping, allow_irreversible=True)
    assert allowed.request == {WINDOW: 5, "BatchSize": 7}
    for comparison in (refused, allowed):
        irreversible = {difference.parameter: difference.irreversible for difference in comparison.differences}
        assert irreversible == {WINDOW: True, "BatchSize": False}


@pytest.mark.parametrize(
    ("source", "has"), [(MSK, {WINDOW: 3}), (DOCUMENTDB, {WINDOW: 3}), (SQS, {}), (KINESIS, {WINDOW: 0})]
)
def test_other_windows_can_be_taken_back(source: SourceType, has: dict[str, Any]) -> None:
    comparison = Change.parse([f"{WINDOW}=5"]).compare(make_mapping(source, **has))
    assert comparison.request == {WINDOW: 5}
    assert not comparison.differences[0].irreversible


@pytest.mark.parametrize("source", [MSK, KAFKA, MQ, DOCUMENTDB])
def test_the_half_second_window_cannot_be_unset(source: SourceType) -> None:
    comparison = Change.parse(unset=[WINDOW]).compare(make_mapping(source, **{WINDOW: 5}), allow_irreversible=True)
    assert comparison.request == {}
    (problem,) = comparison.problems
    assert problem.startswith(f"{WINDOW} cannot be unset on {source}: the 500 ms window")


@pytest.mark.parametrize(
    ("asked", "unset"),
    [
        ({"FilterCriteria": {"Filters": [{"Pattern": "{}"}]}}, []),
        ({"KMSKeyArn": f"{KEY}-2"}, []),
        ({}, ["KMSKeyArn"]),
        ({}, ["FilterCriteria"]),  # that none are seen does not mean that there are none
    ],
)
def test_filters_that_cannot_be_read_are_not_overwritten(asked: dict[str, Any], unset: list[str]) -> None:
    error = {"ErrorCode": "AccessDenied", "Message": "kms:Decrypt is missing"}
    mapping = make_mapping(KMSKeyArn=KEY, FilterCriteriaError=error)
    comparison = Change.parse(document=asked, unset=unset).compare(mapping)
    assert comparison.request == {}
    (problem,) = comparison.problems
    assert "kms:Decrypt is missing" in problem


def test_filters_that_cannot_be_read_do_not_keep_a_mapping_from_pausing() -> None:
    mapping = make_mapping(KMSKeyArn=KEY, FilterCriteriaError={"ErrorCode": "AccessDenied", "Message": ""})
    change = Change.parse(document={"Enabled": False, "KMSKeyArn": KEY})
    assert change.compare(mapping).request == {"Enabled": False}


def test_a_clear_form_is_refused_by_the_wrong_source_too() -> None:
    comparison = Change.parse(unset=["SourceAccessConfigurations", "BatchSize"]).compare(make_mapping(BatchSize=7))
    assert comparison.request == {}
    (problem,) = comparison.problems
    assert problem.startswith("SourceAccessConfigurations cannot be set on sqs: only msk,")


def test_every_problem_is_told() -> None:
    change = Change.parse(document={"ParallelizationFactor": 2, "LoggingConfig": {"SystemLogLevel": "INFO"}})
    comparison = change.compare(make_mapping(SQS))
    assert [problem.partition(" ")[0] for problem in comparison.problems] == ["ParallelizationFactor", "LoggingConfig"]


def test_a_problem_counts_only_if_something_would_be_sent() -> None:
    """A mapping that already has what was asked for, however it came by it, is left alone."""
    mapping = make_mapping(FIFO, BatchSize=10_000)  # FIFO queues take 10 at most, others more
    change = Change({"BatchSize": 10_000})
    assert Change({"BatchSize": 9_999}).compare(mapping).problems
    assert change.compare(mapping) == Comparison({}, (), ())
