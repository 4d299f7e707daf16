"""The command line as a subprocess, against moto."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from moto_account import UNKNOWN_UUID, Fleet, MotoAccount

pytest_plugins = ("moto_fixtures",)

Finished = subprocess.CompletedProcess[str]
Cli = Callable[..., Finished]


def lines(finished: Finished, *, code: int = 0) -> list[dict[str, Any]]:
    """What is on stdout, which is JSON-lines and nothing else."""
    assert finished.returncode == code, finished.stderr
    return [json.loads(line) for line in finished.stdout.splitlines()]


def outcomes(finished: Finished, *, code: int = 0) -> dict[str, str]:
    results = lines(finished, code=code)
    found = {result["uuid"]: result["outcome"] for result in results}
    assert len(found) == len(results)
    return found


def runs() -> list[Path]:
    return sorted(Path(os.environ["BULK_ESM_RUNS_DIR"]).glob("*"))


def test_pause_then_resume_the_last_run(moto: MotoAccount, fleet: Fleet, cli: Cli) -> None:
    before = moto.states()
    off = {fleet.queue_off, fleet.stream_off}
    paused = outcomes(cli("pause", "--all", "--yes"))
    assert paused == dict.fromkeys(fleet.enabled, "updated") | dict.fromkeys(off, "unchanged")
    assert set(moto.states().values()) == {"Disabled"}

    assert outcomes(cli("resume", "--run", "last", "--yes")) == dict.fromkeys(fleet.enabled, "updated")
    assert moto.states() == before

    for run, selected in zip(runs(), (fleet.everything, fleet.enabled), strict=True):
        written = [json.loads(line) for line in (run / "results.jsonl").read_text().splitlines()]
        assert sorted(result["uuid"] for result in written) == sorted(selected)


def test_apply_where_some_are_blocked(moto: MotoAccount, fleet: Fleet, cli: Cli) -> None:
    finished = cli("apply", "--all", "--set", "MaximumRetryAttempts=3", "--skip-blocked", "--yes")
    queues = fleet.everything - fleet.streams
    assert outcomes(finished) == dict.fromkeys(fleet.streams, "updated") | dict.fromkeys(queues, "blocked")
    assert "MaximumRetryAttempts cannot be set on sqs" in finished.stderr
    assert {moto.get(uuid, "MaximumRetryAttempts") for uuid in fleet.streams} == {3}
    [run] = runs()
    assert json.loads((run / "run.json").read_text())["requests"]["update"] == 3


def test_list_by_function_tag(fleet: Fleet, cli: Cli) -> None:
    listed = lines(cli("list", "--function-tag", "team=orders", "--source", "*:orders", "--source-type", "sqs"))
    found = {line["uuid"]: (line["state"], line["configuration"]["BatchSize"]) for line in listed}
    assert found == {fleet.queue: ("Enabled", 10), fleet.queue_off: ("Disabled", 10)}


def test_a_saved_plan_behind_which_things_changed(moto: MotoAccount, fleet: Fleet, cli: Cli, tmp_path: Path) -> None:
    saved = str(tmp_path / "plan.jsonl")
    select = ["--source-type", "kinesis", "--source-type", "dynamodb", "--where", "BatchSize > `99`", "--function", "*"]
    planned = lines(cli("plan", *select, "--set", "BatchSize=50", "--save", saved, "--detailed-exitcode"), code=2)
    assert {line["uuid"]: line["action"] for line in planned} == dict.fromkeys(fleet.streams, "update")
    assert not runs()
    moto.update(fleet.stream, BatchSize=400)
    moto.delete(fleet.stream_off)

    assert outcomes(cli("apply", "--plan", saved, "--yes"), code=1) == {
        fleet.stream: "conflict",
        fleet.stream_off: "conflict",
        fleet.table: "updated",
    }
    assert moto.get(fleet.stream, "BatchSize") == 400
    assert moto.get(fleet.table, "BatchSize") == 50


def test_uuids_of_which_one_is_unknown(moto: MotoAccount, fleet: Fleet, cli: Cli) -> None:
    finished = cli("pause", "--uuid", fleet.queue, "--uuid", UNKNOWN_UUID, "--yes", "--skip-blocked")
    assert outcomes(finished) == {fleet.queue: "updated", UNKNOWN_UUID: "blocked"}
    assert {uuid for uuid, state in moto.states().items() if state == "Enabled"} == fleet.enabled - {fleet.queue}
