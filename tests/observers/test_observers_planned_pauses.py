"""What the log says of functions that are paused on purpose; docs/planned-pauses.md shows the same."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
import msgspec
import pytest
from botocore.stub import Stubber

from bulk_esm.clock import Clock
from bulk_esm.logs import logging_to_file
from bulk_esm.model.events import MappingEnded
from bulk_esm.model.mapping import SourceType
from bulk_esm.model.records import RunRecord
from bulk_esm.model.result import Outcome, Result
from bulk_esm.model.rollout import RolloutSettings
from bulk_esm.observers.planned_pauses import MOST_NAMES, PlannedPauses

DOCUMENT = (Path(__file__).parents[2] / "docs" / "planned-pauses.md").read_text(encoding="utf-8")
ACCOUNT, REGION = "123456789012", "eu-west-1"


class World:
    """A run's log, and a clock that stands still until a test moves it."""

    def __init__(self, log: Path) -> None:
        self.now = 0.0
        self._log = log

    def pauses(self, *, paused_for_s: float = 0.0) -> PlannedPauses:
        record = RunRecord(
            run_id="a-run",
            command="pause",
            argv=(),
            version="0",
            account_id=ACCOUNT,
            region=REGION,
            started_at="2026-01-01T00:00:00.000Z",
            rollout=RolloutSettings(paused_for_s=paused_for_s),
        )
        return PlannedPauses(record, Clock(monotonic=lambda: self.now))

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with logging_to_file(tmp_path / "log.jsonl"):
        yield World(tmp_path / "log.jsonl")


def ended(name: str, *, enabled: bool | None = False, **members: Any) -> MappingEnded:
    result = Result(
        run_id="a-run",
        uuid="00000000-0000-4000-8000-000000000000",
        function_arn=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}",
        event_source_arn=None,
        source_type=SourceType.SQS,
        account_id=ACCOUNT,
        region=REGION,
        wave=1,
        outcome=Outcome.UPDATED,
        state="Disabled",
        request={} if enabled is None else {"Enabled": enabled},
        update_calls=1,
    )
    return MappingEnded(msgspec.structs.replace(result, **members))


def test_each_function_once_and_until_when(world: World) -> None:
    pauses = world.pauses(paused_for_s=7200)
    for name in ("orders", "bills", "orders", "orders:live"):
        pauses(ended(name))
    assert world.events == []
    pauses.flush()
    pauses.flush()
    pauses(ended("bills"))
    pauses.flush()
    (event,) = world.events
    assert event["event"] == "paused_on_purpose"
    assert event["functions"] == ["orders", "bills"]
    assert event["until"] == "2026-01-01T02:00:00.000Z"
    assert (event["run_id"], event["account_id"], event["region"]) == ("a-run", ACCOUNT, REGION)


def test_what_was_not_paused_by_this_run_is_not_named(world: World) -> None:
    pauses = world.pauses()
    for number, outcome in enumerate(Outcome):
        pauses(ended(f"f{number}-{outcome}", outcome=outcome))
    pauses(ended("not-sent", outcome=Outcome.TIMED_OUT, update_calls=0))
    pauses(ended("another-parameter", enabled=None))
    pauses(ended("no-function", function_arn=None))
    pauses.flush()
    (event,) = world.events
    assert {name.split("-")[1] for name in event["functions"]} == {"updated", "timed_out"}
    assert event["until"] is None


def test_what_is_resumed_is_another_event_and_so_is_another_place(world: World) -> None:
    pauses = world.pauses(paused_for_s=60)
    pauses(ended("a"))
    pauses(ended("a", enabled=True))
    pauses(ended("a", account_id="222222222222"))
    pauses.flush()
    found = {(event["event"], event["account_id"]): event for event in world.events}
    assert found.keys() == {
        ("paused_on_purpose", ACCOUNT),
        ("resumed_on_purpose", ACCOUNT),
        ("paused_on_purpose", "222222222222"),
    }
    assert found["resumed_on_purpose", ACCOUNT]["until"] is None


def test_an_event_is_bounded_and_does_not_wait_for_long(world: World) -> None:
    pauses = world.pauses()
    for number in range(2 * MOST_NAMES + 1):
        pauses(ended(f"f{number}"))
    assert [len(event["functions"]) for event in world.events] == [MOST_NAMES, MOST_NAMES]
    world.now = 9.0
    pauses(ended("early"))
    assert len(world.events) == 2
    world.now = 10.0
    pauses(ended("late"))
    assert world.events[-1]["functions"] == [f"f{2 * MOST_NAMES}", "early", "late"]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOCUMENT, re.DOTALL)


def test_the_document_shows_the_event(world: World) -> None:
    pauses = world.pauses()
    pauses(ended("a"))
    pauses.flush()
    shown, pattern = (json.loads(block) for block in blocks("json"))
    assert list(shown) == list(world.events[0])
    assert pattern["detail-type"] == ["paused_on_purpose", "resumed_on_purpose"]


def test_the_documents_function_mutes_what_is_about_the_functions() -> None:
    client = boto3.client("cloudwatch", region_name=REGION, aws_access_key_id="x", aws_secret_access_key="x")
    about = {
        "errors": [{"Name": "FunctionName", "Value": "orders"}],
        "others": [{"Name": "FunctionName", "Value": "orders-2"}],
        "queue": [{"Name": "QueueName", "Value": "orders"}],
    }
    alarms = [{"AlarmName": name, "Dimensions": dimensions} for name, dimensions in about.items()]
    with Stubber(client) as stubber, patch("boto3.client", lambda _: client):
        for action in ("disable_alarm_actions", "enable_alarm_actions"):
            stubber.add_response("describe_alarms", {"MetricAlarms": alarms}, {"AlarmTypes": ["MetricAlarm"]})
            stubber.add_response(action, {}, {"AlarmNames": ["errors"]})
        code: dict[str, Any] = {}
        exec(blocks("python")[0], code)  # noqa: S102 - the document's
        for name in ("paused_on_purpose", "resumed_on_purpose"):
            code["handler"]({"detail-type": name, "detail": {"functions": ["orders", "bills"]}}, None)
        stubber.assert_no_pending_responses()
