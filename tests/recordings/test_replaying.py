"""The replayer itself: what it hands to the tests beside this one, which must be able to fail."""

from pathlib import Path

import msgspec
import pytest
from recording import GET, LIST, UPDATE, Accepted, Exchange, Header, Probed, Recording
from test_recordings import verdict_on

from bulk_esm.engine.settling import Verdict
from bulk_esm.model.mapping import EventSourceMapping

UUID = "00000000-0000-4000-8000-000000000001"


def answered(operation: str, step: str, status: int = 200, **members: object) -> Exchange:
    parameters = {"UUID": UUID, **({"BatchSize": 5} if operation == UPDATE and status == 202 else {})}
    body = {"UUID": UUID, "State": "Enabled", "LastModified": 1000.0, "BatchSize": 10, **members}
    return Exchange(
        mapping=UUID, step=step, operation=operation, parameters=parameters, status=status, headers={}, body=body
    )


@pytest.fixture
def recording() -> Recording:
    return Recording(
        header=Header(
            recording=1,
            version="0",
            botocore="0",
            date="",
            region="",
            endpoint="",
            mappings=[Probed(mapping=UUID, source_type="sqs", State="Enabled")],
        ),
        exchanges=[
            answered(GET, "get"),
            answered(UPDATE, "configuration", 202, State="Updating", LastModified=2000.5),
            answered(LIST, "configuration", State="Updating", LastModified=2000.5),
            answered(GET, "configuration", BatchSize=5, LastModified=2000.5),
        ],
    )


def test_an_accepted_update_comes_with_what_was_before_and_after_it(recording: Recording) -> None:
    [update] = recording.accepted
    assert update.request == {"BatchSize": 5}
    assert update.before.configuration["BatchSize"] == 10
    assert [(look.picture.state, look.by_get) for look in update.looks] == [("Updating", False), ("Enabled", True)]
    assert update.settled is not None
    assert verdict_on(update, update.settled, by_get=True) is Verdict.SETTLED


def test_what_is_an_hour_old_or_not_as_asked_is_not_called_settled(recording: Recording) -> None:
    [update] = recording.accepted
    assert _verdict_with(update, LastModified=update.answer.last_modified - 3600) is Verdict.STALE
    assert _verdict_with(update, BatchSize=7) is Verdict.CHANGED


def test_a_mapping_that_did_not_come_to_rest_has_no_settled_picture(recording: Recording) -> None:
    [update] = msgspec.structs.replace(recording, exchanges=recording.exchanges[:-1]).accepted
    assert update.settled is None


def test_a_refusal_is_read_as_the_client_would_raise_it() -> None:
    refused = Exchange(
        mapping=UUID,
        step="no-op",
        operation=UPDATE,
        status=400,
        headers={"x-amzn-errortype": "ResourceInUseException:http://internal.amazon.com/"},
        body={"Type": "User", "Message": "it is in use"},
    )
    assert refused.refusal is not None
    assert (refused.refusal.code, refused.refusal.message) == ("ResourceInUseException", "it is in use")
    assert refused.shown == []


def test_the_committed_recording_has_every_source_type() -> None:
    recording = Recording.load(Path(__file__).with_name("simulator.jsonl"))
    assert len({probed.source_type for probed in recording.header.mappings}) == 8


def _verdict_with(update: Accepted, **members: object) -> Verdict:
    assert update.settled is not None
    return verdict_on(update, EventSourceMapping({**update.settled.configuration, **members}), by_get=True)
