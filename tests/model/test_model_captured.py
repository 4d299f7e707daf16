"""What AWS was captured to take (F§0.1, F§0.2): values that go together; each test names its capture."""

from typing import Any

import pytest
from model_samples import (
    DOCUMENTDB,
    DYNAMODB,
    FIFO,
    FUNCTION,
    KAFKA,
    KINESIS,
    MQ,
    MSK,
    SQS,
    applied,
    make_mapping,
    ran,
    refused,
    sent,
)

from bulk_esm.errors import UsageError
from bulk_esm.model.change import Change, Comparison
from bulk_esm.model.mapping import SourceType
from bulk_esm.model.plan import Action, PlanItem
from bulk_esm.model.rollback import inverse_of, rollback_item

NOTHING = Comparison(request={}, differences=(), problems=())
FILTERS = {"Filters": [{"Pattern": '{"a":[1]}'}]}
POLLERS = {"MinimumPollers": 5, "MaximumPollers": 9}
SCALING = {"MaximumConcurrency": 5}
WINDOW = "MaximumBatchingWindowInSeconds"


# sqs_mapping_controls


@pytest.mark.parametrize("source", [SQS, FIFO])
def test_sqs_mapping_controls_both_ways_of_scaling(source: SourceType) -> None:
    assert sent(make_mapping(source), ProvisionedPollerConfig=POLLERS) == {"ProvisionedPollerConfig": POLLERS}
    assert sent(make_mapping(source), ScalingConfig=SCALING) == {"ScalingConfig": SCALING}


def test_sqs_mapping_controls_fifo_batch_size() -> None:
    assert refused(make_mapping(FIFO), BatchSize=11) == "BatchSize is from 1 to 10 on sqs-fifo, not 11"


def test_sqs_mapping_controls_one_response_type_at_most() -> None:
    with pytest.raises(UsageError, match="takes 0 to 1 items, not 2"):
        Change.parse(document={"FunctionResponseTypes": ["ReportBatchItemFailures"] * 2})


SWITCHES = [
    ({"ScalingConfig": SCALING}, "ProvisionedPollerConfig", POLLERS, "ScalingConfig"),
    ({"ProvisionedPollerConfig": POLLERS}, "ScalingConfig", SCALING, "ProvisionedPollerConfig"),
]


@pytest.mark.parametrize("source", [SQS, FIFO])
@pytest.mark.parametrize(("has", "name", "value", "other"), SWITCHES)
def test_sqs_mapping_controls_switching_takes_two_calls(
    source: SourceType, has: dict[str, Any], name: str, value: Any, other: str
) -> None:
    mapping = make_mapping(source, **has)
    for problem in (refused(mapping, **{name: value}), refused(mapping, other, **{name: value})):
        assert problem.startswith("ScalingConfig and ProvisionedPollerConfig exclude each other")
        assert f"`--unset {other}` first, then `--set '{name}=" in problem
        assert "both in one call was never seen to work" in problem
    between = applied(mapping, sent(mapping, other))
    assert sent(between, other, **{name: value}) == {name: value}


def test_sqs_mapping_controls_the_inverse_of_a_switch_takes_two_calls() -> None:
    mapping = make_mapping(ScalingConfig=SCALING)
    item = ran(mapping, "ScalingConfig")
    theirs = make_mapping(ProvisionedPollerConfig=POLLERS)
    back = rollback_item(item, theirs, force=True).item
    assert (back.action, back.request) == (Action.BLOCKED, {})
    assert "`--unset ProvisionedPollerConfig` first, then `--set 'ScalingConfig=" in back.problems[0]


def test_sqs_mapping_controls_an_inverse_with_both_is_blocked() -> None:
    """As of a run that was made before both in one call was refused."""
    mapping = make_mapping(ScalingConfig=SCALING)
    request = {"ScalingConfig": {}, "ProvisionedPollerConfig": POLLERS}
    one = ran(mapping, "ScalingConfig")
    item = PlanItem(**{name: getattr(one, name) for name in one.__struct_fields__} | {"request": request})
    back = rollback_item(item, applied(mapping, request)).item
    assert back.action is Action.BLOCKED
    assert "`--unset ProvisionedPollerConfig` first" in back.problems[0]


FORMS = ["orders:PROD", "123456789012:function:orders:PROD", f"{FUNCTION}orders:PROD"]


@pytest.mark.parametrize("form", FORMS)
def test_sqs_mapping_controls_an_unchanged_function_name_is_never_sent(form: str) -> None:
    mapping = make_mapping(FunctionArn=f"{FUNCTION}orders:PROD", BatchSize=10)
    assert Change.parse([f"FunctionName={form}"]).compare(mapping) == NOTHING
    assert sent(mapping, FunctionName=form, BatchSize=7) == {"BatchSize": 7}


@pytest.mark.parametrize("form", ["orders:NEXT", "123456789012:function:orders:NEXT", f"{FUNCTION}orders:NEXT"])
@pytest.mark.parametrize("force", [False, True])
def test_sqs_mapping_controls_a_function_that_is_back_is_not_put_back(form: str, force: bool) -> None:  # noqa: FBT001
    mapping = make_mapping(FunctionArn=f"{FUNCTION}orders:PROD", BatchSize=10)
    item = ran(mapping, FunctionName=form, BatchSize=7)
    assert item.request == {"FunctionName": form, "BatchSize": 7}
    there = make_mapping(FunctionArn=f"{FUNCTION}orders:NEXT", BatchSize=7)
    assert rollback_item(item, there, force=force).item.request == {
        "FunctionName": f"{FUNCTION}orders:PROD",
        "BatchSize": 10,
    }
    back = make_mapping(FunctionArn=f"{FUNCTION}orders:PROD", BatchSize=7)
    assert rollback_item(item, back, force=force).item.request == {"BatchSize": 10}


# dynamodb_source


def test_dynamodb_source_filters_exclude_a_tumbling_window() -> None:
    both = {"FilterCriteria": FILTERS, "TumblingWindowInSeconds": 30}
    assert "filters and a tumbling window exclude each other" in refused(make_mapping(DYNAMODB), **both)
    assert "exclude" in refused(make_mapping(DYNAMODB, TumblingWindowInSeconds=30), FilterCriteria=FILTERS)
    assert "exclude" in refused(make_mapping(DYNAMODB, FilterCriteria=FILTERS), TumblingWindowInSeconds=30)
    windowed = make_mapping(DYNAMODB, TumblingWindowInSeconds=30)
    assert sent(windowed, "TumblingWindowInSeconds", FilterCriteria=FILTERS).keys() == both.keys()
    assert sent(make_mapping(DYNAMODB, **both), BatchSize=7) == {"BatchSize": 7}


def test_filters_with_a_tumbling_window_on_kinesis_are_left_to_lambda() -> None:
    both = {"FilterCriteria": FILTERS, "TumblingWindowInSeconds": 30}
    assert sent(make_mapping(KINESIS), **both) == both


@pytest.mark.parametrize("source", [DYNAMODB, KINESIS])
def test_dynamodb_source_a_tumbling_window_needs_one_batch_at_a_time(source: SourceType) -> None:
    says = "TumblingWindowInSeconds 30 needs ParallelizationFactor 1, not 2"
    assert says in refused(make_mapping(source), TumblingWindowInSeconds=30, ParallelizationFactor=2)
    assert says in refused(make_mapping(source, ParallelizationFactor=2), TumblingWindowInSeconds=30)
    assert says in refused(make_mapping(source, TumblingWindowInSeconds=30), ParallelizationFactor=2)
    assert sent(make_mapping(source), TumblingWindowInSeconds=30) == {"TumblingWindowInSeconds": 30}
    parallel = make_mapping(source, ParallelizationFactor=2)
    assert sent(parallel, "ParallelizationFactor", TumblingWindowInSeconds=30)["ParallelizationFactor"] == 1


def test_dynamodb_source_a_large_batch_needs_no_window() -> None:
    assert sent(make_mapping(DYNAMODB), BatchSize=101) == {"BatchSize": 101}


# MetricsConfig


METRICS = {"Metrics": ["EventCount"]}


@pytest.mark.parametrize("source", [SQS, FIFO, KINESIS, DYNAMODB])
def test_metrics_of_queues_and_streams(source: SourceType) -> None:
    assert sent(make_mapping(source), MetricsConfig=METRICS) == {"MetricsConfig": METRICS}


@pytest.mark.parametrize("source", [MQ, DOCUMENTDB])
def test_mq_and_documentdb_have_no_metrics(source: SourceType) -> None:
    assert f"MetricsConfig cannot be set on {source}: only sqs," in refused(make_mapping(source), MetricsConfig=METRICS)


@pytest.mark.parametrize("source", [MSK, KAFKA])
def test_metrics_of_kafka_are_only_available_for_provisioned_mode(source: SourceType) -> None:
    says = f"MetricsConfig is only available for Provisioned Mode on {source}: set ProvisionedPollerConfig"
    assert refused(make_mapping(source), MetricsConfig=METRICS) == says
    provisioned = make_mapping(source, ProvisionedPollerConfig=POLLERS, MetricsConfig=METRICS)
    assert sent(provisioned, MetricsConfig={"Metrics": ["ErrorCount"]}) == {
        "MetricsConfig": {"Metrics": ["ErrorCount"]}
    }
    assert sent(make_mapping(source, MetricsConfig=METRICS), "MetricsConfig") == {"MetricsConfig": {"Metrics": []}}


# FIFO queues and the window


def test_a_fifo_mapping_has_a_window_of_zero_and_takes_no_other() -> None:
    for has in ({}, {WINDOW: 0}):
        assert Change.parse([f"{WINDOW}=0"]).compare(make_mapping(FIFO, **has)) == NOTHING
        assert refused(make_mapping(FIFO, **has), **{WINDOW: 5}).startswith(f"{WINDOW} cannot be set on sqs-fifo")
    assert sent(make_mapping(FIFO), BatchSize=7, **{WINDOW: 0}) == {"BatchSize": 7}


# Windows of half a second are not shown


@pytest.mark.parametrize("source", [MQ, DOCUMENTDB, MSK, KAFKA])
def test_a_window_that_is_shown_as_zero_was_set_so_and_can_be_set_again(source: SourceType) -> None:
    item = ran(make_mapping(source, **{WINDOW: 0}), **{WINDOW: 5})
    assert inverse_of(item).problems == {}
    assert inverse_of(item).request == {WINDOW: 0}
