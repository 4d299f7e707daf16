"""What a run that did not end well has left to do."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_samples import SQS, make_mapping

from bulk_esm.model.change import Change
from bulk_esm.model.continuing import Left, left_of
from bulk_esm.model.plan import Action, PlanItem, plan_item
from bulk_esm.model.result import Outcome, Result


def planned(uuid: str, state: str = "Enabled") -> PlanItem:
    return plan_item(Change({"Enabled": False}), make_mapping(UUID=uuid, State=state))


def ended(uuid: str, outcome: Outcome) -> Result:
    return Result(
        run_id="run",
        uuid=uuid,
        function_arn=None,
        event_source_arn=None,
        source_type=SQS,
        account_id=None,
        region="eu-west-1",
        wave=1,
        outcome=outcome,
        state=None,
        request={},
    )


IS_LEFT: dict[Outcome | None, bool] = {
    None: True,  # the run was killed
    Outcome.NOT_STARTED: True,
    Outcome.TIMED_OUT: True,
    Outcome.UPDATED: False,
    Outcome.UNCHANGED: False,
    Outcome.BLOCKED: False,
    Outcome.FAILED: False,
    Outcome.CONFLICT: False,
}


@pytest.mark.parametrize("outcome", [*Outcome, None])
def test_by_outcome(outcome: Outcome | None) -> None:
    item = planned("a")
    results = () if outcome is None else (ended("a", outcome),)
    assert left_of([item], results) == (Left((item,), ()) if IS_LEFT[outcome] else Left((), results))


def test_updates_are_what_may_have_to_be_sent() -> None:
    update, unchanged, blocked = planned("a"), planned("b", "Disabled"), planned("c", "Updating")
    left = left_of([blocked, update, unchanged], [])
    assert left.items == (blocked, update, unchanged)
    assert left.updates == (update,)


def test_a_run_continued_before_has_the_last_word() -> None:
    earlier, later = ended("a", Outcome.TIMED_OUT), ended("a", Outcome.UPDATED)
    assert left_of([planned("a")], [earlier, later]) == Left((), (later,))


def test_a_result_that_the_plan_lacks_stays_as_a_damaged_plan_may_lack_it() -> None:
    stray = ended("b", Outcome.UPDATED)
    assert left_of([planned("a")], [stray]) == Left((planned("a"),), (stray,))


fleets = st.dictionaries(
    st.integers(0, 20).map(str),
    st.tuples(st.sampled_from(["Enabled", "Disabled", "Updating"]), st.lists(st.sampled_from(Outcome), max_size=3)),
)


@settings(deadline=None)
@given(fleets, st.randoms(use_true_random=False))
def test_each_item_is_left_or_has_its_one_result(
    fleet: dict[str, tuple[str, list[Outcome]]], order: random.Random
) -> None:
    items = [planned(uuid, state) for uuid, (state, _) in fleet.items()]
    results = [ended(uuid, outcome) for uuid, (_, outcomes) in fleet.items() for outcome in outcomes]
    order.shuffle(results)
    left = left_of(iter(items), iter(results))
    over = {uuid for uuid, (_, outcomes) in fleet.items() if not all(IS_LEFT[outcome] for outcome in outcomes)}
    assert [item for item in items if item.uuid not in over] == list(left.items)
    assert [result.uuid for result in left.kept] == [item.uuid for item in items if item.uuid in over]
    assert all(result in results and not IS_LEFT[result.outcome] for result in left.kept)
    assert left.updates == tuple(item for item in left.items if item.action is Action.UPDATE)
    assert left_of(items, left.kept) == left
