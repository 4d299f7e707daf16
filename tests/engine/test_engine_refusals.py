"""What a refusal of Lambda becomes: whether it is sent again, and what the user is told to do (F§0.2)."""

from typing import Any, cast

import pytest
from botocore.exceptions import ClientError
from engine_world import Home, an_item, engine_of, in_virtual_time, queues, world

from bulk_esm import Change, Outcome, Result, Selection
from bulk_esm.engine.endings import failed
from bulk_esm.errors import ServiceError

OTHER = "14e0db71-0000-4000-8000-000000000001"
TAKEN = (
    'An event source mapping with SQS arn (" arn:aws:sqs:us-east-1:123456789012:queue-0 ") and function (" payments ") '
    f"already exists. Please update or delete the existing mapping with UUID {OTHER}"
)
CONFLICT = ServiceError(code="ResourceConflictException", message=TAKEN, status=409, request_id="the-request")
GONE = ServiceError(code="InvalidParameterValueException", message="Function does not exist", status=400)
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f0"


def message(error: ServiceError, request: dict[str, Any] | None = None) -> str:
    ending = failed(error, an_item(request=request))
    assert ending.outcome is Outcome.FAILED
    assert ending.error is not None
    assert (ending.error.code, ending.error.request_id) == (error.code, error.request_id)
    return ending.error.message


def test_sqs_mapping_controls_a_duplicate_names_the_other_mapping_and_the_way_out() -> None:
    said = message(CONFLICT, {"FunctionName": "payments"})
    assert said.startswith(TAKEN)
    assert "To send it again does not help" in said
    assert "choose another function or alias" in said


def test_sqs_mapping_controls_a_function_that_is_gone_refuses_every_update() -> None:
    said = message(GONE, {"BatchSize": 7})
    assert said.startswith(f"Function does not exist: the function or alias {FUNCTION} is gone")
    assert "cannot even be paused, until it is created again; or delete the mapping" in said


def test_a_function_that_was_asked_for_and_does_not_exist() -> None:
    said = message(GONE, {"FunctionName": "nobody"})
    assert said.startswith("Function does not exist (asked for was nobody): create it")
    assert FUNCTION not in said


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("InvalidParameterValueException", "Queue visibility timeout: 30 seconds is less than Function timeout: 31"),
        ("ValidationException", "1 validation error detected"),
    ],
)
def test_other_refusals_keep_lambdas_words(code: str, words: str) -> None:
    assert message(ServiceError(code=code, message=words, status=400)) == words


def refuse(home: Home, error: ServiceError) -> list[str]:
    """Have the client's updates refused; returns to which mappings they go."""
    sent: list[str] = []
    answer = {
        "Error": {"Code": error.code, "Message": error.message},
        "ResponseMetadata": {"HTTPStatusCode": error.status, "RequestId": "the-request", "HTTPHeaders": {}},
    }

    async def refused(**parameters: Any) -> Any:
        sent.append(parameters["UUID"])
        raise ClientError(cast("Any", answer), "UpdateEventSourceMapping")

    cast("Any", home.control_plane)._client.update_event_source_mapping = refused
    return sent


@pytest.mark.parametrize("error", [CONFLICT, GONE])
@in_virtual_time
async def test_lambda_msk_mapping_contracts_a_conflict_is_final(error: ServiceError) -> None:
    async with world(fleet=queues(2)) as (_, home):
        plan = await home.plan(Selection(all=True), Change({"BatchSize": 7}))
        sent = refuse(home, error)
        results: list[Result] = []
        await engine_of(home).run(plan.items, results.append)
        assert sorted(sent) == sorted(item.uuid for item in plan.items)
        for result in results:
            assert (result.outcome, result.update_calls) == (Outcome.FAILED, 1)
            assert result.error is not None
            assert (result.error.code, result.error.request_id) == (error.code, "the-request")
            assert result.error.message.startswith(error.message)
