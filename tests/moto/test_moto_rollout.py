"""A rollout in waves that moto's CloudWatch halts, as a subprocess: the account is one that we did not write."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto_account import REGION, Fleet, MotoAccount

pytest_plugins = ("moto_fixtures",)

MAPPINGS = 30
FAST = 2_000  # requests/s; moto settles at once
LONGEST_S = 600


@pytest.fixture
def alarm(moto: MotoAccount) -> Iterator[Any]:
    """CloudWatch, with an alarm `lag` that is well."""
    client = boto3.session.Session(region_name=REGION).client("cloudwatch", endpoint_url=moto.endpoint_url)
    client.put_metric_alarm(
        AlarmName="lag",
        Namespace="AWS/SQS",
        MetricName="ApproximateAgeOfOldestMessage",
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=60,
        ComparisonOperator="GreaterThanThreshold",
    )
    client.set_alarm_state(AlarmName="lag", StateValue="OK", StateReason="all is well")
    yield client
    client.close()


@pytest.fixture
def queues(moto: MotoAccount) -> set[str]:
    moto.create_function("consumer")
    return {moto.create_mapping("consumer", moto.create_queue(f"queue-{number}")) for number in range(MAPPINGS)}


def results() -> list[dict[str, Any]]:
    """What the run that there is has written so far."""
    files = sorted(Path(os.environ["BULK_ESM_RUNS_DIR"]).glob("*-pause-*/results.jsonl"))
    return (
        [json.loads(line) for line in files[0].read_text().splitlines(keepends=True) if line.endswith("\n")]
        if files
        else []
    )


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "bulk_esm", *arguments, "--rate", str(FAST), "--yes"]


def finished(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LONGEST_S, check=False
    )


@pytest.mark.parametrize("on_halt", ["stop", "rollback"])
def test_an_alarm_in_the_first_soak(moto: MotoAccount, queues: set[str], alarm: Any, on_halt: str) -> None:
    waves = ("--waves", "1,10%,100%", "--soak", "8s", "--alarm", "lag", "--on-halt", on_halt)
    with subprocess.Popen(
        command("pause", "--all", *waves),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        give_up_at = time.monotonic() + LONGEST_S
        while not results() and process.poll() is None and time.monotonic() < give_up_at:
            time.sleep(0.05)
        alarm.set_alarm_state(AlarmName="lag", StateValue="ALARM", StateReason="messages grow old")
        stdout, stderr = process.communicate(timeout=LONGEST_S)
    assert process.returncode == 3, stderr
    assert "after wave 1, in ALARM: lag (messages grow old)" in stderr
    by_outcome = [result["outcome"] for result in map(json.loads, stdout.splitlines())]
    assert by_outcome == ["updated"] + ["not_started"] * (MAPPINGS - 1)
    disabled = {uuid for uuid, state in moto.states().items() if state == "Disabled"}
    assert len(disabled) == (1 if on_halt == "stop" else 0)
    records = [json.loads(file.read_text()) for file in Path(os.environ["BULK_ESM_RUNS_DIR"]).glob("*/run.json")]
    assert {record["command"]: record["status"] for record in records} == (
        {"pause": "halted"} if on_halt == "stop" else {"pause": "halted", "rollback": "finished"}
    )


def test_an_alarm_that_rings_before_the_start(moto: MotoAccount, fleet: Fleet, alarm: Any) -> None:
    alarm.set_alarm_state(AlarmName="lag", StateValue="ALARM", StateReason="messages grow old")
    done = finished("pause", "--all", "--waves", "1,100%", "--alarm", "lag")
    assert done.returncode == 2
    assert "in ALARM: lag (messages grow old); nothing was sent" in done.stderr
    assert sum(state == "Enabled" for state in moto.states().values()) == len(fleet.enabled)
    assert not list(Path(os.environ["BULK_ESM_RUNS_DIR"]).glob("*"))


def test_an_alarm_that_is_not_there(moto: MotoAccount, fleet: Fleet) -> None:
    done = finished("pause", "--all", "--waves", "1,100%", "--alarm", "lagg")
    assert done.returncode == 2
    assert "--alarm lagg: no CloudWatch alarm of this name" in done.stderr
    assert sum(state == "Enabled" for state in moto.states().values()) == len(fleet.enabled)
