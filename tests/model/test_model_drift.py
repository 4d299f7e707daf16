"""What a mapping no longer has of what a run set."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_samples import FUNCTION, KEY, MSK, SQS, UUID, applied, make_mapping
from test_model_compare import changes, mappings, read_backs

from bulk_esm.model.change import Change
from bulk_esm.model.drift import Departure, Drift, drift_of, needs_get
from bulk_esm.model.mapping import EventSourceMapping
from bulk_esm.model.plan import plan_item
from bulk_esm.model.values import holds

FILTERS = {"Filters": [{"Pattern": '{"a":[1]}'}]}
BEFORE = make_mapping(BatchSize=10)
ITEM = plan_item(Change({"BatchSize": 7, "Enabled": False}), BEFORE)
AFTER = applied(BEFORE, ITEM.request)


def now(**members: Any) -> EventSourceMapping:
    return EventSourceMapping(AFTER.configuration | members)


@pytest.mark.parametrize(
    ("members", "differences"),
    [
        ({}, []),
        ({"LastModified": 9.0, "MaximumBatchingWindowInSeconds": 5}, []),  # what the run did not set is not its own
        ({"BatchSize": 8}, [Departure("BatchSize", 7, 8)]),
        ({"BatchSize": None}, [Departure("BatchSize", 7, None)]),
        ({"State": "Enabled"}, [Departure("Enabled", expected=False, found=True)]),
        (
            {"BatchSize": 8, "State": "Enabled"},
            [Departure("BatchSize", 7, 8), Departure("Enabled", expected=False, found=True)],
        ),
    ],
)
def test_differences(members: dict[str, Any], differences: list[Departure]) -> None:
    drift = drift_of(ITEM, now(**members))
    assert (list(drift.differences) if drift else []) == differences
    assert drift is None or drift.problem is None


def test_it_says_which_mapping_and_is_a_line_of_json() -> None:
    drift = drift_of(ITEM, now(BatchSize=8))
    assert drift == Drift(
        uuid=UUID,
        function_arn=f"{FUNCTION}orders",
        event_source_arn=BEFORE.event_source_arn,
        source_type=SQS,
        state="Disabled",
        differences=(Departure("BatchSize", 7, 8),),
    )
    names = "uuid function_arn event_source_arn source_type state differences problem"
    line = msgspec.json.encode(drift)
    assert list(msgspec.json.decode(line)) == names.split()
    assert msgspec.json.decode(line, type=Drift) == drift


def test_a_mapping_that_is_gone() -> None:
    drift = drift_of(ITEM, None)
    assert drift is not None
    assert (drift.uuid, drift.state, drift.differences) == (UUID, None, ())
    assert drift.problem == "the mapping does not exist any more"


@pytest.mark.parametrize("state", ["Creating", "Enabling", "Disabling", "Updating", "Deleting", "Hibernating"])
def test_in_transition_nothing_can_be_told(state: str) -> None:
    drift = drift_of(ITEM, now(State=state, BatchSize=8))
    assert drift is not None
    assert (drift.state, drift.differences) == (state, ())
    assert drift.problem is not None
    assert f"the mapping is {state}" in drift.problem


@pytest.mark.parametrize(
    ("change", "members", "expected"),
    [
        ({"FilterCriteria": FILTERS}, {"KMSKeyArn": KEY, "FilterCriteria": None}, True),
        ({"FilterCriteria": FILTERS}, {"KMSKeyArn": KEY, "FilterCriteria": FILTERS}, False),
        ({"FilterCriteria": FILTERS}, {}, False),
        ({"BatchSize": 7}, {"KMSKeyArn": KEY, "FilterCriteria": None}, False),
    ],
)
def test_only_get_shows_encrypted_filters(
    change: dict[str, Any],
    members: dict[str, Any],
    expected: bool,  # noqa: FBT001 - an expected value
) -> None:
    assert needs_get(plan_item(Change(change), BEFORE), make_mapping(**members)) is expected


def test_filters_that_cannot_be_read_are_not_taken_for_gone() -> None:
    seen = make_mapping(KMSKeyArn=KEY, FilterCriteriaError={"ErrorCode": "KMSAccessDenied"})
    cleared = plan_item(Change({}, ("FilterCriteria",)), make_mapping(KMSKeyArn=KEY, FilterCriteria=FILTERS))
    for item in (cleared, plan_item(Change({"FilterCriteria": FILTERS}), BEFORE)):
        drift = drift_of(item, seen)
        assert drift is not None
        assert drift.differences == ()
        assert drift.problem is not None
        assert "cannot be read" in drift.problem


def test_members_that_lambda_added_are_no_drift() -> None:
    item = plan_item(Change({"ProvisionedPollerConfig": {"MinimumPollers": 5}}), make_mapping(MSK))
    assert (
        drift_of(item, make_mapping(MSK, ProvisionedPollerConfig={"MinimumPollers": 5, "MaximumPollers": 200})) is None
    )


@settings(deadline=None)
@given(data=st.data(), mapping=mappings(), read_back=read_backs)
def test_it_names_just_what_someone_changed(data: st.DataObject, mapping: EventSourceMapping, read_back: Any) -> None:
    item = plan_item(data.draw(changes(mapping.source_type)), mapping, allow_irreversible=True)
    after = applied(mapping, item.request, read_back=read_back)
    assert drift_of(item, after) is None

    theirs = plan_item(data.draw(changes(mapping.source_type)), after, allow_irreversible=True)
    drift = drift_of(item, applied(after, theirs.request, read_back=read_back))
    found = {departure.parameter for departure in drift.differences} if drift else set()
    # They may have sent a parameter only to change a member of it that the run did not set. The key goes with filters.
    sent = theirs.request.keys() | ({"KMSKeyArn"} if "FilterCriteria" in theirs.request else set())
    overwritten = {
        name
        for name, value in item.request.items()
        if name in sent and not holds(name, value, applied(after, theirs.request, read_back=read_back))
    }
    assert found == overwritten
