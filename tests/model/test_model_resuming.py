"""Resume touches only what the pause paused."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_samples import SQS, make_mapping

from bulk_esm.model.change import Change
from bulk_esm.model.plan import Action, PlanItem, plan_item
from bulk_esm.model.result import ErrorRecord, Outcome, Result
from bulk_esm.model.resuming import paused_by, still_paused


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


RESUME = Change({"Enabled": True})
PAUSED = ("first", frozenset({"a", "b"}), ())


@pytest.mark.parametrize("outcome", Outcome)
def test_only_what_a_later_run_enabled_is_paused_no_more(outcome: Outcome) -> None:
    result = ended(planned("a", RESUME, state="Disabled"), outcome)
    expected = {"b"} if outcome is Outcome.UPDATED else {"a", "b"}
    assert still_paused([PAUSED, ("second", frozenset(), [result])]) == {"first": expected}


@pytest.mark.parametrize(
    ("outcome", "state", "stays"),
    [
        (Outcome.UNCHANGED, "Enabled", False),  # someone enabled it
        (Outcome.UNCHANGED, "Disabled", True),
        (Outcome.UPDATED, "Enabled", False),
        (Outcome.UPDATED, "Disabled", True),
        (Outcome.BLOCKED, "Enabled", True),
        (Outcome.FAILED, "Enabled", True),
    ],
)
def test_what_a_later_run_found_enabled_is_paused_no_more(outcome: Outcome, state: str, stays: bool) -> None:  # noqa: FBT001
    result = msgspec.structs.replace(ended(planned("a", Change({"BatchSize": 7})), outcome), state=state)
    assert still_paused([PAUSED, ("second", frozenset(), [result])])["first"] == ({"a", "b"} if stays else {"b"})


@pytest.mark.parametrize(("code", "stays"), [("ResourceNotFoundException", False), ("ChangedMeanwhile", True)])
def test_what_a_later_run_found_deleted_is_paused_no_more(code: str, stays: bool) -> None:  # noqa: FBT001
    result = ended(planned("a", RESUME, state="Disabled"), Outcome.CONFLICT)
    result = msgspec.structs.replace(result, error=ErrorRecord(code=code, message="so"))
    assert still_paused([PAUSED, ("second", frozenset(), [result])])["first"] == ({"a", "b"} if stays else {"b"})


def test_what_is_paused_again_is_the_last_runs() -> None:
    resumed = ended(planned("a", RESUME, state="Disabled"), Outcome.UPDATED)
    again = (
        "third",
        frozenset({"a"}),
        [msgspec.structs.replace(ended(planned("a", PAUSE), Outcome.UPDATED), state="Enabled")],
    )
    assert still_paused([PAUSED, ("second", frozenset(), [resumed]), again]) == {"first": {"b"}, "third": {"a"}}
    # An older record shows the state of its plan where `continue` recognised what had been applied.
    assert still_paused([PAUSED, again]) == {"first": {"b"}, "third": {"a"}}
