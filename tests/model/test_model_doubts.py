"""About which mappings List is not believed, by what a run says of them."""

from typing import Any

import pytest
from model_samples import UUID, make_mapping

from bulk_esm.model.change import Change
from bulk_esm.model.doubts import doubts_of
from bulk_esm.model.mapping import SourceType
from bulk_esm.model.plan import plan_item
from bulk_esm.model.result import ErrorRecord, Outcome, Result

BEFORE = make_mapping(LastModified=1_000.0)
AFTER = make_mapping(LastModified=1_007.0, State="Disabled")
ITEM = plan_item(Change({"Enabled": False}), BEFORE)
BEGUN = frozenset({UUID})
AT = "2026-01-01T00:00:00.000Z"
NOT_KNOWN = ErrorRecord(code="NotKnown", message="its worker was lost")


def result(outcome: Outcome, **members: Any) -> Result:
    return Result(
        run_id="run",
        uuid=UUID,
        function_arn=None,
        event_source_arn=None,
        source_type=SourceType.SQS,
        account_id="123456789012",
        region="us-east-1",
        wave=1,
        outcome=outcome,
        state=None,
        request={},
        **members,
    )


@pytest.mark.parametrize(
    "of_run",
    [
        pytest.param(result(Outcome.UPDATED, update_calls=1, accepted_at=AT, settled_at=AT), id="updated"),
        pytest.param(result(Outcome.UPDATED), id="found done by continue"),
        pytest.param(result(Outcome.CONFLICT), id="found changed by continue"),
    ],
)
def test_what_a_run_saw_the_end_of_is_believed_of_list_once_it_is_newer_than_before(of_run: Result) -> None:
    doubts = doubts_of([ITEM], [of_run], BEGUN)
    assert doubts.about(BEFORE)
    assert not doubts.about(AFTER)


@pytest.mark.parametrize(
    "of_run",
    [
        pytest.param(None, id="killed"),
        pytest.param(result(Outcome.TIMED_OUT, update_calls=1, accepted_at=AT), id="not seen settled"),
        pytest.param(result(Outcome.TIMED_OUT), id="found on its way by continue"),
        pytest.param(result(Outcome.FAILED, update_calls=1), id="refused"),
        pytest.param(result(Outcome.NOT_STARTED, error=NOT_KNOWN), id="its worker was lost"),
    ],
)
def test_what_nobody_saw_the_end_of_is_told_by_get_alone(of_run: Result | None) -> None:
    doubts = doubts_of([ITEM], [] if of_run is None else [of_run], BEGUN)
    assert doubts.about(BEFORE)
    assert doubts.about(AFTER)


@pytest.mark.parametrize(
    ("of_run", "begun"),
    [
        pytest.param(None, frozenset[str](), id="not begun"),
        pytest.param(result(Outcome.NOT_STARTED), BEGUN, id="begun and not sent"),
    ],
)
def test_what_was_never_sent_is_as_list_shows_it(of_run: Result | None, begun: frozenset[str]) -> None:
    doubts = doubts_of([ITEM], [] if of_run is None else [of_run], begun)
    assert not doubts.about(BEFORE)
