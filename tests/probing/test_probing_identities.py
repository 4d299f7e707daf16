import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from probing.identities import AS_IT_IS, TEXTS, Identities
from probing_world import lines_of, one_of_each, world

from bulk_esm.simulator import Fleet, make_fleet

ACCOUNT = "123456789012"


def strings(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield from strings(member, name)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item, key)
    elif isinstance(value, str) and value:
        yield key, value


def identities_in(fleet: Fleet) -> set[str]:
    """Everything in a fleet that somebody chose or AWS gave out: what is not a word of the API's own."""
    words = set("arn aws lambda sqs kinesis dynamodb kafka mq rds kms glue secretsmanager us-east-1 function".split())  # noqa: SIM905
    words |= set("event-source-mapping stream consumer table cluster broker secret key registry subnet".split())  # noqa: SIM905
    words |= {"security_group", "fifo", "9092", ""}
    found = set()
    for key, value in strings(fleet.mappings):
        if key in AS_IT_IS | TEXTS:
            continue
        found.add(value)
        found |= {token for token in re.split(r"[:/]", value) if not re.fullmatch(r"\d{1,6}|\d\d\.\d+", token)}
    return {identity for identity in found - words if not identity.startswith(("{", '"', "[")) and len(identity) > 2}


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_no_identity_is_left_in_a_recording_of_all_source_types(tmp_path: Path, seed: int) -> None:
    fleet = one_of_each(seed=seed)
    output = tmp_path / "recording.jsonl"
    async with world(fleet) as there:
        assert await there.probe(output, [one["UUID"] for one in fleet.mappings], "--yes-this-costs-requests") == 0
    shown = {value for key, value in strings(lines_of(output)) if key not in AS_IT_IS}
    text = "\n".join(shown)
    identities = identities_in(fleet)
    assert ACCOUNT in identities
    assert len(identities) > 60
    assert not {one for one in identities if re.search(rf"(?<![\w-]){re.escape(one)}(?![\w-])", text)}


def test_no_identity_is_left_of_a_whole_fleet() -> None:
    fleet = make_fleet(300)
    replaced = Identities().replace_all(fleet.mappings)
    text = "\n".join(value for key, value in strings(replaced) if key not in AS_IT_IS)
    assert not {one for one in identities_in(fleet) if re.search(rf"(?<![\w-]){re.escape(one)}(?![\w-])", text)}


def test_the_same_name_is_replaced_alike_and_another_otherwise() -> None:
    arn = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:orders"
    first, second, third = Identities().replace_all(
        [{"FunctionArn": arn}, {"FunctionName": "orders:7"}, {"FunctionName": "invoices:$LATEST"}]
    )
    assert first == {"FunctionArn": "arn:aws:lambda:eu-west-1:000000000001:function:name-1"}
    assert (second, third) == ({"FunctionName": "name-1:7"}, {"FunctionName": "name-2:$LATEST"})


def test_the_sentence_of_an_error_is_kept_and_its_names_are_not() -> None:
    uuid = "a1b2c3d4-5678-90ab-cdef-11111EXAMPLE".replace("EXAMPLE", "2222222")
    said = {
        "message": f'An event source mapping with SQS arn (" arn:aws:sqs:eu-west-1:{ACCOUNT}:orders.fifo ") and '
        f'function (" billing ") already exists. Please update or delete the existing mapping with UUID {uuid}'
    }
    later = {"FunctionName": "billing", "UUID": uuid}
    assert Identities().replace_all([said, later])[0] == {
        "message": 'An event source mapping with SQS arn (" arn:aws:sqs:eu-west-1:000000000001:name-1.fifo ") and '
        'function (" name-2 ") already exists. Please update or delete the existing mapping with UUID '
        "00000000-0000-4000-8000-000000000001"
    }


def test_a_denial_names_nobody() -> None:
    said = {"Message": f"User: arn:aws:sts::{ACCOUNT}:assumed-role/Admin/jane@example.com is not authorized to perform"}
    [shown] = Identities().replace_all([said])
    assert shown == {
        "Message": "User: arn:aws:sts::000000000001:assumed-role/name-1/name-2 is not authorized to perform"
    }


def test_a_member_that_nobody_knows_yet_gives_nothing_away_and_what_is_no_name_stays() -> None:
    body = {"Owner": "jane", "State": "Enabled", "BatchSize": 10, "ScalingConfig": None, "FunctionResponseTypes": []}
    assert Identities().replace_all([body]) == [{**body, "Owner": "name-1"}]
