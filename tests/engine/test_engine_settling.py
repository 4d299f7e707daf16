from typing import Any

import pytest
from engine_world import a_mapping, an_item
from hypothesis import given
from hypothesis import strategies as st

from bulk_esm.engine.endings import Ending, after_doubt, after_settling, cut_short, failed, without_sending
from bulk_esm.engine.estimates import LIKELY_SETTLE_S
from bulk_esm.engine.settling import Asked, Verdict, judge, missing_text
from bulk_esm.engine.waits import Settlement
from bulk_esm.errors import ServiceError
from bulk_esm.model.mapping import EventSourceMapping, SourceType, State
from bulk_esm.model.plan import Action, PlanItem
from bulk_esm.model.result import ErrorRecord, Outcome
from bulk_esm.model.transitions import Transition, TransitionKind

ACCEPTED_AT = 1_800_000_000.5
IN_TRANSITION = sorted(set(State) - {State.ENABLED, State.DISABLED})
NOT_FOUND = ServiceError(code="ResourceNotFoundException", message="no such thing", status=404)
IN_USE = ServiceError(code="ResourceInUseException", message="it is in use", status=400, request_id="the-request")


def asked(request: dict[str, Any], **before: Any) -> Asked:
    return Asked.of(an_item(0, request, **before), accepted_stamp=ACCEPTED_AT)


def seen(*, age_s: float = -1.0, **members: Any) -> EventSourceMapping:
    return EventSourceMapping(a_mapping(**({"LastModified": ACCEPTED_AT - age_s} | members)))


def test_an_old_picture_tells_nothing_even_if_it_shows_what_was_asked() -> None:
    assert judge(asked({"Enabled": False}), seen(age_s=0.001, State="Disabled")) is Verdict.STALE
    assert judge(asked({"Enabled": False}), seen(age_s=0.001)) is Verdict.STALE
    assert judge(asked({"Enabled": False}), seen(age_s=0.0, State="Disabled")) is Verdict.SETTLED


def test_a_picture_without_a_date_is_old() -> None:
    assert judge(asked({"Enabled": False}), seen(State="Disabled", LastModified=None)) is Verdict.STALE


@pytest.mark.parametrize("state", [*IN_TRANSITION, "Pondering", None])
def test_not_at_rest_is_on_its_way_whatever_it_shows(state: str | None) -> None:
    assert judge(asked({"BatchSize": 5}), seen(State=state, BatchSize=5)) is Verdict.IN_TRANSITION
    assert judge(asked({"BatchSize": 5}), seen(State=state, BatchSize=3)) is Verdict.IN_TRANSITION


def test_at_rest_with_everything_as_asked() -> None:
    request = {"Enabled": False, "BatchSize": 5, "ScalingConfig": {}}
    what = asked(request, ScalingConfig={"MaximumConcurrency": 2})
    assert judge(what, seen(State="Disabled", BatchSize=5)) is Verdict.SETTLED
    assert judge(what, seen(State="Disabled", BatchSize=5, MaximumBatchingWindowInSeconds=9)) is Verdict.SETTLED


def test_at_rest_with_a_value_of_someone_else() -> None:
    what = asked({"Enabled": False, "BatchSize": 5})
    assert judge(what, seen(State="Disabled", BatchSize=7)) is Verdict.CHANGED
    assert judge(what, seen(State="Enabled", BatchSize=7)) is Verdict.CHANGED
    assert judge(what, seen(State="Enabled", BatchSize=7, LastModified=1.0)) is Verdict.STALE


def test_at_rest_as_it_was_before() -> None:
    what = asked({"Enabled": False, "BatchSize": 5})
    assert judge(what, seen(State="Enabled", BatchSize=10)) is Verdict.NOT_APPLIED
    assert judge(what, seen(State="Disabled", BatchSize=10)) is Verdict.NOT_APPLIED  # half of it


def test_what_is_missing_in_words() -> None:
    what = asked({"Enabled": False, "BatchSize": 5})
    assert missing_text(what, seen(State="Enabled", BatchSize=5)) == "Enabled is True, not False"
    assert missing_text(what, seen(BatchSize=7)) == "Enabled is True, not False; BatchSize is 7, not 5"


def test_at_rest_in_a_state_that_nobody_asked_for() -> None:
    assert judge(asked({"BatchSize": 5}), seen(State="Disabled", BatchSize=5)) is Verdict.CHANGED
    assert judge(asked({"BatchSize": 5}, State="Disabled"), seen(State="Enabled", BatchSize=5)) is Verdict.CHANGED
    assert judge(asked({"BatchSize": 5}, State="Disabled"), seen(State="Disabled", BatchSize=5)) is Verdict.SETTLED
    assert missing_text(asked({"BatchSize": 5}), seen(State="Disabled", BatchSize=5)) == "Enabled is False, not True"


MINUTE = ACCEPTED_AT // 60 * 60


def test_dynamodb_source_a_stamp_cut_to_the_minute_is_no_old_picture() -> None:
    """The 202 has milliseconds, Get and List the minute (F§0.2); planned from a picture of long ago."""
    what = asked({"Enabled": False})
    assert MINUTE < ACCEPTED_AT
    for by_get in (True, False):
        assert judge(what, seen(LastModified=MINUTE, State="Disabled"), by_get=by_get) is Verdict.SETTLED
        assert judge(what, seen(LastModified=MINUTE, State="Enabled"), by_get=by_get) is Verdict.NOT_APPLIED
        assert judge(what, seen(LastModified=MINUTE - 60, State="Disabled"), by_get=by_get) is not Verdict.NOT_APPLIED
    assert not what.is_hidden_from_list


def test_within_the_minute_of_the_plan_only_get_tells() -> None:
    what = asked({"Enabled": False}, LastModified=MINUTE)
    assert what.is_hidden_from_list
    assert judge(what, seen(LastModified=MINUTE, State="Disabled")) is Verdict.UNTOLD
    assert judge(what, seen(LastModified=MINUTE, State="Disabled"), by_get=True) is Verdict.SETTLED
    assert judge(what, seen(LastModified=MINUTE, State="Enabled"), by_get=True) is Verdict.NOT_APPLIED


def test_should_stamps_be_less_precise_than_we_think_get_tells_all_the_same() -> None:
    """Cut to ten seconds, say: older than the 202, but newer than the plan."""
    what = asked({"Enabled": False}, LastModified=ACCEPTED_AT - 1000.125)
    cut = ACCEPTED_AT - 3.125
    assert judge(what, seen(LastModified=cut, State="Disabled"), by_get=True) is Verdict.SETTLED
    assert judge(what, seen(LastModified=cut, State="Disabled")) is Verdict.STALE
    assert judge(what, seen(LastModified=cut, State="Enabled"), by_get=True) is Verdict.STALE


def test_a_get_that_only_ever_showed_what_was_before_is_said() -> None:
    stale = seen(LastModified=1_700_000_000.125, State="Disabled")
    ending = after_settling(Settlement(Verdict.TIMED_OUT, None, stale=stale), WHAT, waited_s=900)
    assert ending.error is not None
    assert "as of before the update (Disabled, LastModified 2023-11-14T22:13:20.125Z)" in ending.error.message


@given(
    before=st.sampled_from(["Enabled", "Disabled"]),
    state=st.sampled_from([*State, "Pondering"]),
    batch_size=st.sampled_from([5, 7, 10]),
    enabled=st.booleans(),
    age_s=st.sampled_from([-1.0, 0.0, 1.0]),
)
def test_settled_means_fresh_and_at_rest_and_read_back(
    before: str, state: str, batch_size: int, enabled: bool, age_s: float  # noqa: FBT001 - parameters of the test
) -> None:  # fmt: skip
    what = asked({"Enabled": enabled, "BatchSize": 5}, State=before)
    verdict = judge(what, seen(age_s=age_s, State=state, BatchSize=batch_size))
    wanted = "Enabled" if enabled else "Disabled"
    assert (verdict is Verdict.SETTLED) == (age_s <= 0 and state == wanted and batch_size == 5)


def test_every_transition_has_a_likely_settle_time() -> None:
    assert LIKELY_SETTLE_S.keys() == {Transition(source, kind) for source in SourceType for kind in TransitionKind}


def test_items_that_need_nothing_sent() -> None:
    unchanged = PlanItem(
        uuid="u", function_arn=None, event_source_arn=None, source_type=SourceType.SQS, state="Enabled",
        action=Action.UNCHANGED,
    )  # fmt: skip
    assert without_sending(unchanged) == Ending(Outcome.UNCHANGED)
    blocked = PlanItem(
        uuid="u", function_arn=None, event_source_arn=None, source_type=SourceType.SQS, state="Enabled",
        action=Action.BLOCKED, problems=("too big", "too many"),
    )  # fmt: skip
    assert without_sending(blocked) == Ending(Outcome.BLOCKED, ErrorRecord(code="Blocked", message="too big; too many"))


def test_a_refusal_keeps_lambdas_words() -> None:
    assert failed(IN_USE, an_item()) == Ending(
        Outcome.FAILED,
        ErrorRecord(code="ResourceInUseException", message="it is in use", request_id="the-request"),
    )


def test_a_mapping_that_is_not_there_any_more_was_deleted_by_someone() -> None:
    gone = failed(NOT_FOUND, an_item())
    assert gone.outcome is Outcome.CONFLICT
    assert gone.error is not None
    assert gone.error.code == "ResourceNotFoundException"
    assert "deleted" in gone.error.message


def test_what_was_not_found_may_be_the_function_that_was_asked_for() -> None:
    ending = failed(NOT_FOUND, an_item(request={"FunctionName": "nobody"}))
    assert ending == Ending(Outcome.FAILED, ErrorRecord(code="ResourceNotFoundException", message="no such thing"))


def test_what_was_cut_short() -> None:
    assert cut_short(perhaps_applied=False, accepted=False) == Ending(Outcome.NOT_STARTED)
    sent = cut_short(perhaps_applied=True, accepted=False)
    assert sent.error is not None
    assert (sent.outcome, sent.error.code) == (Outcome.TIMED_OUT, "Interrupted")
    assert "was sent;" in sent.error.message
    accepted = cut_short(perhaps_applied=True, accepted=True)
    assert accepted.error is not None
    assert "was accepted;" in accepted.error.message
    why = ErrorRecord(code="AccessDenied", message="no")
    assert cut_short(perhaps_applied=True, accepted=True, why=why) == Ending(Outcome.TIMED_OUT, why)
    assert cut_short(perhaps_applied=False, accepted=False, why=why) == Ending(Outcome.NOT_STARTED, why)


WHAT = asked({"BatchSize": 5})


@pytest.mark.parametrize(
    ("settlement", "outcome", "code", "words"),
    [
        (Settlement(Verdict.SETTLED, seen(BatchSize=5)), Outcome.UPDATED, None, ""),
        (Settlement(Verdict.GONE, None), Outcome.CONFLICT, "ResourceNotFoundException", "deleted"),
        (Settlement(Verdict.CHANGED, seen(BatchSize=7)), Outcome.CONFLICT, "ChangedMeanwhile", "BatchSize is 7, not 5"),
        (Settlement(Verdict.NOT_APPLIED, seen()), Outcome.FAILED, "NotApplied", "BatchSize is 10, not 5"),
        (
            Settlement(Verdict.TIMED_OUT, seen(State="Updating")),
            Outcome.TIMED_OUT,
            "TimedOut",
            "still Updating after 90 s",
        ),
        (Settlement(Verdict.TIMED_OUT, None), Outcome.TIMED_OUT, "TimedOut", "still not seen after 90 s"),
    ],
)
def test_ends_after_settling(settlement: Settlement, outcome: Outcome, code: str | None, words: str) -> None:
    ending = after_settling(settlement, WHAT, waited_s=90)
    assert ending.outcome is outcome
    assert (ending.error.code if ending.error else None) == code
    assert words in (ending.error.message if ending.error else "")


DONE = {"State": "Disabled"}
OTHER = {"BatchSize": 3}


@pytest.mark.parametrize(
    ("look", "in_doubt", "outcome", "code"),
    [
        (None, False, Outcome.CONFLICT, "ResourceNotFoundException"),
        (None, True, Outcome.CONFLICT, "ResourceNotFoundException"),
        ({"State": "Updating"}, False, Outcome.TIMED_OUT, "ResourceInUseException"),
        ({}, False, None, None),
        ({}, True, None, None),
        ({"LastModified": 1.9e9}, True, None, None),  # Lambda's own doing is nobody's change
        (DONE, True, Outcome.UPDATED, None),
        (DONE, False, Outcome.UNCHANGED, None),
        (OTHER, True, Outcome.CONFLICT, "ChangedMeanwhile"),
        (OTHER, False, Outcome.CONFLICT, "ChangedMeanwhile"),
        (DONE | OTHER, True, Outcome.UPDATED, None),
    ],
)
def test_whether_to_send_again(
    look: dict[str, Any] | None,
    in_doubt: bool,  # noqa: FBT001 - a parameter of the test
    outcome: Outcome | None,
    code: str | None,
) -> None:
    mapping = None if look is None else EventSourceMapping(a_mapping(**look))
    ending = after_doubt(an_item(), mapping, in_doubt=in_doubt, failure=IN_USE)
    assert (ending.outcome if ending else None) is outcome
    assert (ending.error.code if ending and ending.error else None) == code
