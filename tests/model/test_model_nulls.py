"""SQS shows every member on the wire, null where it is unset (F§0.2): null is absent, whatever is asked."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from model_samples import SQS, applied, make_mapping
from test_model_compare import changes, mappings

from bulk_esm.model.api_shape import members_at
from bulk_esm.model.differences import differences_of
from bulk_esm.model.drift import drift_of, needs_get
from bulk_esm.model.filters import is_unreadable
from bulk_esm.model.losses import loss_of
from bulk_esm.model.mapping import EventSourceMapping, SourceType
from bulk_esm.model.plan import Action, PlanItem, PlanMatch, changed_members, match_plan, plan_item
from bulk_esm.model.rollback import inverse_of, rollback_item
from bulk_esm.model.selection import Selection
from bulk_esm.simulator.reading import on_the_wire

POLLED = make_mapping(
    SQS,
    BatchSize=10,
    FunctionResponseTypes=[],
    ProvisionedPollerConfig={"MinimumPollers": 2, "MaximumPollers": 9},
).configuration
READ_ONLY = (
    "FilterCriteriaError",
    "LastProcessingResult",
    "StartingPosition",
    "Topics",
    "Queues",
    "SelfManagedEventSource",
)
MEMBERS = (*(name for name in members_at("") if name not in {"Enabled", "FunctionName"}), *READ_ONLY)


def with_nulls(mapping: EventSourceMapping) -> EventSourceMapping:
    """A mapping as the wire spells it: every member is there, and unset ones are null, also within structures."""
    nulls: dict[str, Any] = dict.fromkeys(MEMBERS)
    inside = {
        name: {**dict.fromkeys(members_at(name)), **value}
        for name, value in mapping.configuration.items()
        if isinstance(value, dict) and members_at(name)
    }
    return EventSourceMapping({**nulls, **mapping.configuration, **inside})


def told(item: PlanItem) -> PlanItem:
    """What an item says, but for the reading that it was made from."""
    return msgspec.structs.replace(item, before_json=msgspec.Raw(b"{}"))


def test_the_wire_of_the_simulator_is_such() -> None:
    queue = EventSourceMapping(POLLED)
    assert on_the_wire(queue.configuration).keys() >= with_nulls(queue).configuration.keys()
    assert on_the_wire(queue.configuration)["ProvisionedPollerConfig"]["PollerGroupName"] is None


def test_members_that_change_come_in_one_order_however_a_mapping_is_spelled() -> None:
    one, other = {"MinimumPollers": 2, "MaximumPollers": 200}, {"MaximumPollers": 200, "MinimumPollers": 2}
    name = "ProvisionedPollerConfig"
    assert differences_of(name, one, {}, SourceType.MSK) == differences_of(name, other, {}, SourceType.MSK)


@settings(max_examples=50)
@given(st.data())
def test_null_is_absent_to_plans_rollbacks_and_verifying(data: st.DataObject) -> None:
    bare = data.draw(mappings())
    wire = with_nulls(bare)
    assert (wire.source_type, wire.last_modified) == (bare.source_type, bare.last_modified)
    assert (wire.has_hidden_filters, is_unreadable(wire)) == (bare.has_hidden_filters, is_unreadable(bare))
    assert changed_members(bare, wire) == []
    assert changed_members(wire, bare) == []

    change = data.draw(changes(bare.source_type))
    item, of_wire = (plan_item(change, seen, allow_irreversible=True) for seen in (bare, wire))
    assert told(of_wire) == told(item)
    assert loss_of(of_wire) == loss_of(item)
    if item.action is not Action.UPDATE:
        return
    # The plan may have been made from one spelling, and what came of it read in the other.
    assert inverse_of(of_wire) == inverse_of(item)
    assert {match_plan(one, seen) for one in (item, of_wire) for seen in (bare, wire)} == {PlanMatch.AS_PLANNED}
    after = applied(bare, item.request)
    looks = (after, with_nulls(after))
    assert len({str(drift_of(item, seen)) for seen in looks}) == 1
    assert len({needs_get(item, seen) for seen in looks}) == 1
    reversals = [rollback_item(one, seen) for one in (item, of_wire) for seen in looks]
    assert all(told(one.item) == told(reversals[0].item) for one in reversals)
    assert {one.conflict for one in reversals} == {None}


def test_null_is_absent_to_a_selection() -> None:
    queue = EventSourceMapping(POLLED)
    for where, found in (("ScalingConfig", False), ("!ScalingConfig", True), ("ProvisionedPollerConfig", True)):
        selection = Selection(where=(where,))
        assert {selection.matches(seen, {}) for seen in (queue, with_nulls(queue))} == {found}


def test_what_a_later_reading_has_is_still_a_change() -> None:
    wire = on_the_wire(POLLED)

    def changed(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
        return changed_members(EventSourceMapping(before), EventSourceMapping(now))

    assert changed(wire, {**wire, "ScalingConfig": {"MaximumConcurrency": 2}}) == ["ScalingConfig"]
    assert changed({**POLLED, "KMSKeyArn": "k"}, wire) == ["KMSKeyArn"]
    assert changed(wire, {**wire, "FunctionResponseTypes": None}) == []
