"""Resume touches only what the pause paused."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_samples import SQS, make_mapping

from bulk_esm.model.change import Change
from bulk_esm.model.plan import Action, PlanItem, plan_item
from bulk_esm.model.result import Outcome, Result
from bulk_esm.model.resuming import paused_by


def planned(uuid: str, change: Change, *, state: str = "Enabled") -> PlanItem:
    return plan_item(change, make_mapping(UUID=uuid, State=state))


def ended(item: PlanItem, outcome: Outcome) -> Result:
    return Result(
        run_id="run",
        uuid=item.uuid,
        function_arn=None,
        event_source_arn=None,
        source_type=SQS,
        account_id=None,
        region="eu-west-1",
        wave=1,
        outcome=outcome,
        state=None,
        request=item.request,
    )


PAUSE = Change({"Enabled": False})


PAUSED_BY_OUTCOME: dict[Outcome | None, bool] = {
    Outcome.UPDATED: True,
    Outcome.TIMED_OUT: True,  # accepted, and perhaps paused by now: it was enabled before
    None: True,  # the run was killed: likewise
    Outcome.UNCHANGED: False,  # someone else paused it meanwhile
    Outcome.BLOCKED: False,
    Outcome.FAILED: False,
    Outcome.CONFLICT: False,
    Outcome.NOT_STARTED: False,
}


@pytest.mark.parametrize("outcome", [*Outcome, None])
def test_by_outcome(outcome: Outcome | None) -> None:
    item = planned("a", PAUSE)
    results = [] if outcome is None else [ended(item, outcome)]
    assert paused_by([item], results) == ({"a"} if PAUSED_BY_OUTCOME[outcome] else set())


@pytest.mark.parametrize(
    ("item", "paused"),
    [
        (planned("a", PAUSE, state="Disabled"), False),  # found disabled
        (planned("a", PAUSE, state="Updating"), False),
        (planned("a", Change({"Enabled": True}), state="Disabled"), False),
        (planned("a", Change({"BatchSize": 7})), False),
        (planned("a", Change({"BatchSize": 7, "Enabled": False}), state="Disabled"), False),
        (planned("a", Change({"BatchSize": 7, "Enabled": False})), True),
        (msgspec.structs.replace(planned("a", PAUSE), action=Action.BLOCKED), False),
    ],
)
def test_by_plan(item: PlanItem, paused: bool) -> None:  # noqa: FBT001 - an expected value
    expected = {"a"} if paused else set()
    assert paused_by([item], [ended(item, Outcome.UPDATED)]) == paused_by([item], []) == expected


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["Enabled", "Disabled"]), st.none() | st.sampled_from(Outcome)), max_size=6))
def test_only_what_was_enabled_is_ever_resumed(fleet: list[tuple[str, Outcome | None]]) -> None:
    items = [planned(str(index), PAUSE, state=state) for index, (state, _) in enumerate(fleet)]
    results = [ended(item, outcome) for item, (_, outcome) in zip(items, fleet, strict=True) if outcome]
    assert paused_by(items, results) == {
        str(index) for index, (state, outcome) in enumerate(fleet) if state == "Enabled" and PAUSED_BY_OUTCOME[outcome]
    }
    assert paused_by([], results) == frozenset()
