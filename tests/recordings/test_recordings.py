"""What the code believes of Lambda, held against every recording in this folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from probing.steps import BACK, IN_TRANSITION
from recording import LIST, UPDATE, Accepted, Exchange, Recording

from bulk_esm.aws.retrying import Treatment, treatment_of
from bulk_esm.engine.settling import Asked, Verdict, judge
from bulk_esm.model.mapping import EventSourceMapping, FunctionReference, SourceType, State
from bulk_esm.model.plan import Action, PlanItem

FILES = sorted(Path(__file__).parent.glob("*.jsonl"))
ANY_TIME = {Treatment.THROTTLED, Treatment.TRANSIENT}  # they say nothing about what was asked


@pytest.fixture(params=FILES, ids=lambda path: str(path.stem), scope="module")
def recording(request: pytest.FixtureRequest) -> Recording:
    path: Path = request.param
    return Recording.load(path)


def verdict_on(update: Accepted, look: EventSourceMapping, *, by_get: bool) -> Verdict:
    """What the engine makes of a look: the only use of `judge` here."""
    before = update.before
    item = PlanItem(
        uuid=before.uuid,
        function_arn=before.function_arn,
        event_source_arn=before.event_source_arn,
        source_type=before.source_type,
        state=before.state,
        action=Action.UPDATE,
        request=update.request,
        before_json=msgspec.Raw(msgspec.json.encode(before.configuration)),
    )
    return judge(Asked.of(item, accepted_stamp=update.answer.last_modified), look, by_get=by_get)


def test_there_is_something_to_replay(recording: Recording) -> None:
    assert recording.header.recording == 1
    assert any(update.settled for update in recording.accepted)


def test_the_settled_picture_is_never_called_old_nor_anything_but_settled(recording: Recording) -> None:
    wrong = [
        (update.exchange.step, update.exchange.parameters, verdict)
        for update in recording.accepted
        if update.settled and (verdict := verdict_on(update, update.settled, by_get=True)) != Verdict.SETTLED
    ]
    assert not wrong


def test_what_is_called_settled_shows_what_was_settled_in_the_end(recording: Recording) -> None:
    for update in recording.accepted:
        for look in update.looks:
            if update.settled and verdict_on(update, look.picture, by_get=look.by_get) is Verdict.SETTLED:
                assert _asked_parts(update, look.picture) == _asked_parts(update, update.settled), update.exchange


def test_every_state_is_known(recording: Recording) -> None:
    assert {picture.state for picture in recording.pictures} <= set(State)


def test_every_source_type_is_known(recording: Recording) -> None:
    assert SourceType.UNKNOWN not in {picture.source_type for picture in recording.pictures}
    for probed in recording.header.mappings:
        shown = {
            found.source_type for one in recording.exchanges for found in one.shown if found.uuid == probed.mapping
        }
        assert shown == {SourceType(probed.source_type)}


def test_every_refusal_is_treated_as_expected(recording: Recording) -> None:
    for exchange, error in recording.refusals:
        assert treatment_of(error) in {_expected_treatment(exchange), *ANY_TIME}, (exchange, error)


def test_what_has_to_be_refused_is_refused(recording: Recording) -> None:
    sent = [one for one in recording.exchanges if one.step.startswith("refused-") and one.operation == UPDATE]
    assert [one.step for one in sent if one.succeeded or one.step.endswith(BACK)] == []


def test_the_function_name_filter_is_exact(recording: Recording) -> None:
    asked = [one for one in recording.exchanges if one.operation == LIST and "FunctionName" in one.parameters]
    assert asked
    for exchange in asked:
        wanted = FunctionReference.parse(exchange.parameters["FunctionName"])
        assert all(wanted.is_same_function(found.function) for found in exchange.shown), exchange


def test_a_list_narrowed_to_an_unqualified_name_shows_the_mapping_only_if_it_is_unqualified(
    recording: Recording,
) -> None:
    qualified = {found.uuid: found.function.qualifier for found in recording.pictures}
    for exchange in recording.exchanges:
        if exchange.step == "list-function-name" and exchange.succeeded:
            assert (exchange.picture is None) == (qualified[exchange.mapping] is not None), exchange


def test_the_source_filter_shows_only_that_source(recording: Recording) -> None:
    for exchange in recording.exchanges:
        if arn := exchange.parameters.get("EventSourceArn"):
            assert {found.event_source_arn for found in exchange.shown} <= {arn}


def test_get_steps_back_behind_the_202_by_less_than_a_minute(recording: Recording) -> None:
    # Streams show LastModified cut to the minute (F§0.2); nothing may show it older than that.
    for update in recording.accepted:
        if update.settled:
            assert update.settled.last_modified >= update.answer.last_modified // 60 * 60, update.exchange


def test_an_accepted_update_without_parameters_changes_nothing(recording: Recording) -> None:
    for update in recording.accepted:
        if update.settled and not update.request:
            assert update.settled.state == update.before.state
            assert update.settled.configuration.get("BatchSize") == update.before.configuration.get("BatchSize")


def _expected_treatment(exchange: Exchange) -> Treatment:
    return Treatment.IN_USE if exchange.step.endswith(IN_TRANSITION) else Treatment.FINAL


def _asked_parts(update: Accepted, look: EventSourceMapping) -> dict[str, Any]:
    return {
        name: look.enabled if name == "Enabled" else look.configuration.get(name)
        for name in update.request
        if name != "FunctionName"
    }
