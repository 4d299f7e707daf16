"""About what a run of late may have changed List is not believed: what of it, and until when."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from model_samples import SQS, make_mapping

from bulk_esm.model.change import Change
from bulk_esm.model.doubts import NO_DOUBTS, Doubts, doubts_of, perhaps_sent
from bulk_esm.model.plan import PlanItem, plan_item
from bulk_esm.model.result import ErrorRecord, Outcome, Result

PAUSE = Change({"Enabled": False})
AT = make_mapping().last_modified


def item(uuid: str = "a", **members: Any) -> PlanItem:
    return plan_item(PAUSE, make_mapping(UUID=uuid, **members))


def result(outcome: Outcome, *, calls: int = 0, uuid: str = "a", **more: Any) -> Result:
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
        request={"Enabled": False},
        update_calls=calls,
        **more,
    )


BY_GET, BY_STAMP = Doubts(by_get=frozenset("a")), Doubts(stamps={"a": AT})
LOST = ErrorRecord(code="NotKnown", message="its worker was lost")
CASES: dict[str, tuple[Result | None, bool, Doubts]] = {
    # what its result says, whether it had begun, and what is in doubt then
    "killed before it began": (None, False, NO_DOUBTS),
    "killed after it began": (None, True, BY_GET),
    "never sent": (result(Outcome.NOT_STARTED), False, NO_DOUBTS),
    "about to be sent when it was stopped": (result(Outcome.NOT_STARTED), True, NO_DOUBTS),
    "updated": (result(Outcome.UPDATED, calls=1, accepted_at="t", settled_at="t"), True, BY_STAMP),
    "found done by continue": (result(Outcome.UPDATED), True, BY_STAMP),
    "found done, and what had begun is lost": (result(Outcome.UPDATED), False, BY_STAMP),
    "found changed by continue": (result(Outcome.CONFLICT), True, BY_STAMP),
    "accepted and not seen settled": (result(Outcome.TIMED_OUT, calls=1, accepted_at="t"), True, BY_GET),
    "its worker was lost": (result(Outcome.TIMED_OUT, error=LOST), True, BY_GET),
    "seen on its way by continue": (result(Outcome.TIMED_OUT), True, BY_GET),
    "refused": (result(Outcome.FAILED, calls=1), True, BY_GET),
    "sent, and what had begun is lost": (result(Outcome.CONFLICT, calls=2), False, BY_GET),
    "done by someone else": (result(Outcome.UNCHANGED), True, NO_DOUBTS),
}


@pytest.mark.parametrize(("found", "has_begun", "doubts"), CASES.values(), ids=CASES)
def test_what_is_in_doubt(found: Result | None, doubts: Doubts, *, has_begun: bool) -> None:
    begun = frozenset("a") if has_begun else frozenset[str]()
    assert doubts_of([item()], [found] if found else [], begun) == doubts
    assert perhaps_sent(item(), found, begun) or doubts == NO_DOUBTS


def test_where_nobody_knows_what_had_begun_all_may_have() -> None:
    items = [item("a"), item("b", State="Disabled")]  # nothing is sent to the second
    assert doubts_of(items, [], None) == BY_GET


@pytest.mark.parametrize(
    ("shown", "is_doubted"), [(AT, True), (AT - 60, True), (AT + 60, False), (float(int(AT) + 60), False)]
)
def test_a_picture_is_believed_as_soon_as_it_is_newer_than_the_plan(shown: float, *, is_doubted: bool) -> None:
    seen = make_mapping(UUID="a", LastModified=shown)
    assert BY_STAMP.about(seen) is is_doubted
    assert BY_GET.about(seen)
    assert not NO_DOUBTS.about(seen)


def test_a_stamp_that_is_cut_to_the_minute_proves_nothing_within_it() -> None:
    doubts = Doubts(stamps={"a": 1_760_000_040.0})  # a stream's, as List shows it
    assert doubts.about(make_mapping(UUID="a", LastModified=1_760_000_040.0))
    assert doubts.about(make_mapping(UUID="a", LastModified=1_760_000_099.0))
    assert not doubts.about(make_mapping(UUID="a", LastModified=1_760_000_100.0))


uuids = st.sampled_from("abcd")
some_doubts = st.builds(
    lambda by_get, stamps: Doubts(by_get=by_get, stamps=stamps),
    st.frozensets(uuids),
    st.dictionaries(uuids, st.integers(0, 5).map(float)),
)


@given(first=some_doubts, second=some_doubts, uuid=uuids, at=st.integers(0, 300))
@example(first=Doubts(stamps={"a": 0.0}), second=Doubts(stamps={"a": 1.0}), uuid="a", at=2)
def test_together_they_doubt_what_either_does(first: Doubts, second: Doubts, uuid: str, at: int) -> None:
    seen = make_mapping(UUID=uuid, LastModified=float(at))
    assert (first | second).about(seen) is (first.about(seen) or second.about(seen))
    assert first | second == second | first
    assert first.among(frozenset(uuid)).about(seen) is first.about(seen)
    assert not first.among(frozenset()).about(seen)
