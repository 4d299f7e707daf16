"""What `continue` writes of what it recognises is what was seen, and it goes on at the run's own pace."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cli_harness import FAST, Cli, Inside, RunFiles, Simulated, records

from bulk_esm import api
from bulk_esm.cli import opening

YES = ("--yes", *FAST)


@pytest.fixture
def simulated() -> Iterator[Simulated]:
    with Simulated(mappings=30) as there:
        yield there


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


def as_killed(run: RunFiles, become: Callable[[int, dict[str, Any]], dict[str, Any] | None]) -> None:
    """Leave a run as one that was killed: without some results, or with some that are not final."""
    path = run.path / "results.jsonl"
    updated = [line for line in records(path.read_text(encoding="utf-8")) if line["outcome"] == "updated"]
    left = filter(None, (become(number, line) for number, line in enumerate(updated)))
    path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in left))
    run.edit_record(status="running", counts={}, ended_at=None)


def unseen(line: dict[str, Any]) -> dict[str, Any]:
    """The line of an update that was accepted, and not seen to settle."""
    return {**line, "outcome": "timed_out", "state": "Disabling", "settled_at": None}


def test_what_is_recognised_is_told_as_it_was_seen(simulated: Simulated, inside: Inside, tmp_path: Path) -> None:
    assert inside(simulated.environment, "pause", "--source-type", "sqs", *YES).code == 0
    run = Cli(tmp_path).last_run()
    before = {line["uuid"]: line for line in run.results}
    as_killed(run, lambda number, line: None if number < 2 else unseen(line) if number < 5 else line)
    kept = {line["uuid"]: line for line in run.results}

    done = inside(simulated.environment, "continue", "last", *YES)
    assert done.code == 0
    said = "when 2 of the applied were accepted was not recorded before the end came: accepted_at is null"
    assert said in done.stderr
    after = {line["uuid"]: line for line in run.results if line["outcome"] == "updated"}
    assert simulated.report().count("update") == len(after)  # none was sent again
    for uuid, line in after.items():
        assert line["state"] == "Disabled"
        if uuid not in kept:  # of these the plan and `begun.jsonl` alone tell
            assert (line["accepted_at"], line["duration_s"], line["update_calls"]) == (None, None, 0)
            assert line["settled_at"] > before[uuid]["settled_at"]  # when it was seen so
        elif kept[uuid]["outcome"] == "timed_out":
            assert line["accepted_at"] == before[uuid]["accepted_at"]
            assert (line["duration_s"], line["update_calls"]) == (None, 1)
        else:
            assert line == before[uuid]


def test_what_someone_did_meanwhile_is_told_as_it_was_seen(
    simulated: Simulated, inside: Inside, tmp_path: Path
) -> None:
    assert inside(simulated.environment, "pause", "--source-type", "sqs", *YES).code == 0
    run = Cli(tmp_path).last_run()
    changed, gone, *_ = (line["uuid"] for line in run.results if line["outcome"] == "updated")
    as_killed(run, lambda _, line: None if line["uuid"] in {changed, gone} else line)
    simulated.change_behind(changed, State="Enabled", BatchSize=3)
    simulated.ask(lambda: simulated.simulator.delete_behind(gone))
    assert inside(simulated.environment, "continue", "last", *YES).code == 1
    after = {line["uuid"]: (line["outcome"], line["state"]) for line in run.results}
    assert after[changed] == ("conflict", "Enabled")
    assert after[gone] == ("conflict", None)


@pytest.fixture
def paces(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, int, float]]:
    """At which pace commands connect: requests/s, concurrency, and the time to settle."""
    found: list[tuple[float, int, float]] = []
    connect = api.connect

    def watched(**settings: Any) -> Any:
        found.append((settings["max_per_second"], settings["concurrency"], settings["timeout_s"]))
        return connect(**settings)

    monkeypatch.setattr(opening, "connect", watched)
    return found


def test_it_keeps_its_pace_unless_another_is_given(
    simulated: Simulated, inside: Inside, tmp_path: Path, paces: list[tuple[float, int, float]]
) -> None:
    pace = ("--rate", "700", "--concurrency", "7", "--timeout", "70s")
    halting = ("--waves", "1,100%", "--gate", "test $BULK_ESM_GATE_WAVE = 0", "--yes")
    assert inside(simulated.environment, "pause", "--source-type", "sqs", *halting, *pace).code == 3
    assert inside(simulated.environment, "continue", "last", "--yes").code == 3
    assert inside(simulated.environment, "continue", "last", "--yes", "--rate", "900").code == 3
    assert paces == [(700.0, 7, 70.0), (700.0, 7, 70.0), (900.0, 7, 70.0)]
    rollout = Cli(tmp_path).last_run().record["rollout"]
    assert (rollout["max_per_second"], rollout["concurrency"], rollout["timeout_s"]) == (700.0, 7, 70.0)


def test_a_run_of_an_older_version_has_no_pace_of_its_own(
    simulated: Simulated, inside: Inside, tmp_path: Path, paces: list[tuple[float, int, float]]
) -> None:
    assert inside(simulated.environment, "pause", "--source-type", "sqs", *YES).code == 0
    run = Cli(tmp_path).last_run()
    pace = ("max_per_second", "concurrency", "timeout_s")
    assert run.record["rollout"].keys() >= set(pace)
    run.edit_record(rollout={name: value for name, value in run.record["rollout"].items() if name not in pace})
    assert inside(simulated.environment, "continue", "last", "--yes").code == 0
    assert paces[1:] == [(12.0, 50, 900.0)]


def test_what_another_run_changed_of_late_is_counted_among_what_get_is_asked_about(
    simulated: Simulated, inside: Inside, tmp_path: Path
) -> None:
    halting = ("--waves", "1,100%", "--gate", "test $BULK_ESM_GATE_WAVE = 0", *YES)
    assert inside(simulated.environment, "pause", "--source-type", "sqs", *halting).code == 3
    halted = Cli(tmp_path).last_run()
    left = [line["uuid"] for line in halted.results if line["outcome"] == "not_started"]
    assert len(left) > 1
    looked = inside(simulated.environment, "continue", halted.path.name, "--dry-run", *FAST)
    assert "something may have been sent" not in looked.stderr
    some = [flag for uuid in left[:2] for flag in ("--uuid", uuid)]
    assert inside(simulated.environment, "apply", *some, "--set", "BatchSize=7", *YES).code == 0
    looked = inside(simulated.environment, "continue", halted.path.name, "--dry-run", *FAST)
    assert "to 2 mappings something may have been sent, by this run or another of late: " in looked.stderr


FLEET = ("--accounts", "111111111111,222222222222", "--regions", "us-east-1", "--role-name", "bulk-esm")


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, int | None]]:
    """Who works for commands, and in how many shards at once."""
    found: list[tuple[object, int | None]] = []
    connect = api.connect

    def watched(**settings: Any) -> Any:
        found.append((settings["executor"], settings["shards_at_once"]))
        return connect(**settings)

    monkeypatch.setattr(opening, "connect", watched)
    return found


def test_it_keeps_who_works_and_in_how_many_shards_unless_others_are_given(
    simulated: Simulated, inside: Inside, tmp_path: Path, workers: list[tuple[object, int | None]]
) -> None:
    halting = ("--source-type", "sqs", "--waves", "1,50%,100%", "--gate", "test $BULK_ESM_GATE_WAVE = 0", *YES)
    flags = ("--executor", "process", "--shards-at-once", "2")
    assert inside(simulated.environment, "pause", *FLEET, *halting, *flags).code == 3
    record = Cli(tmp_path).last_run().record
    assert (record["executor"], record["rollout"]["shards_at_once"]) == ("process", 2)
    assert inside(simulated.environment, "continue", "last", *YES).code == 3
    others = ("--executor", "local", "--shards-at-once", "1")
    assert inside(simulated.environment, "continue", "last", *YES, *others).code == 3
    assert workers == [("process", 2), ("process", 2), ("local", 1)]
    assert Cli(tmp_path).last_run().record["executor"] == "local"  # as whoever continues it next does, too


def test_a_dask_cluster_that_is_gone_is_told_and_this_process_works(
    simulated: Simulated, inside: Inside, tmp_path: Path, workers: list[tuple[object, int | None]]
) -> None:
    halting = ("--source-type", "sqs", "--waves", "1,100%", "--gate", "test $BULK_ESM_GATE_WAVE = 0", *YES)
    assert inside(simulated.environment, "pause", *FLEET, *halting).code == 3
    run = Cli(tmp_path).last_run()
    run.edit_record(executor="dask", scheduler="tcp://127.0.0.1:1")
    done = inside(simulated.environment, "continue", "last", *YES)
    assert "warning: this process does the work, as that run's Dask cluster does not: " in done.stderr
    assert workers[1:] == [("local", None)]
    given = inside(
        simulated.environment, "continue", "last", *YES, "--executor", "dask", "--scheduler", "tcp://127.0.0.1:1"
    )
    assert (given.code, given.stdout) == (2, "")  # what was asked for here is not put aside
    run.edit_record(executor="dask", scheduler=None)  # of an older version
    assert inside(simulated.environment, "continue", "last", *YES).code in {0, 3}
    assert workers[-1] == ("local", None)
