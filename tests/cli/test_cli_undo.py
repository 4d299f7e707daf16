"""After a run: put it back, finish it, check it."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cli_harness import FAST, Cli, Inside, Simulated

from bulk_esm.simulator import Kind

YES = ("--yes", *FAST)
# Six for whoever takes them all; and for each source type more, which only it takes.
SIX = (
    *("--set", "BatchSize=9", "--set", "MaximumBatchingWindowInSeconds=4", "--set", "Enabled=false"),
    *("--set", 'FilterCriteria={"Filters": [{"Pattern": "{\\"a\\": [1]}"}]}', "--set", "FunctionName=another"),
    *("--set", 'MetricsConfig={"Metrics": ["EventCount"]}'),
)
QUEUE: dict[str, Any] = {"BatchSize": 8, "ScalingConfig": {"MaximumConcurrency": 77}, "FunctionName": "another"}
STREAM = {
    "BatchSize": 8,
    "MaximumRetryAttempts": 3,
    "MaximumRecordAgeInSeconds": 7777,
    "ParallelizationFactor": 3,
    "BisectBatchOnFunctionError": True,
}
DEAD_LETTERS = {"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:123456789012:d"}}
KAFKA = {"BatchSize": 8, "Enabled": False, "FilterCriteria": {"Filters": [{"Pattern": '{"a": [1]}'}]}}
BY_TYPE = {
    "sqs": {**QUEUE, "FunctionResponseTypes": ["ReportBatchItemFailures"], "FilterCriteria": {}},
    "sqs-fifo": QUEUE,
    "kinesis": {**STREAM, "DestinationConfig": DEAD_LETTERS},
    # A tumbling window needs ParallelizationFactor 1 (F§0.1), and goes with no filters (F§0.2).
    "dynamodb": {**STREAM, "ParallelizationFactor": 1, "TumblingWindowInSeconds": 33},
    "msk": KAFKA,
    "kafka": KAFKA,
    "mq": KAFKA,
    "documentdb": {"BatchSize": 8, "Enabled": False, "DocumentDBEventSourceConfig": {"FullDocument": "UpdateLookup"}},
}


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


@pytest.fixture
def simulated() -> Iterator[Simulated]:
    with Simulated(mappings=40) as found:
        yield found


def content(simulated: Simulated) -> dict[str, bytes]:
    """All mappings byte for byte, but for the date of their last change."""
    return {
        uuid: msgspec.json.encode({**mapping, "LastModified": None}, order="sorted")
        for uuid, mapping in simulated.mappings().items()
    }


# Rollback


def test_six_parameters_are_put_back_byte_for_byte(tmp_path: Path, inside: Inside) -> None:
    with Simulated(mappings=200) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        before = content(simulated)
        # Whether Kinesis takes filters with a tumbling window is left to Lambda: here it would refuse them.
        windowless = ("--where", "(TumblingWindowInSeconds || `0`) == `0`")
        applied = cli("apply", *windowless, *SIX, "--skip-blocked", *YES)
        changed = {uuid for uuid, outcome in cli.last_run().outcomes.items() if outcome == "updated"}
        assert applied.code == 0
        assert "blocked" in cli.last_run().outcomes.values()
        assert {uuid for uuid, now in content(simulated).items() if now != before[uuid]} == changed
        assert len(changed) > 100

        dry = inside(simulated.environment, "rollback", "last", "--dry-run", *FAST)
        assert (dry.code, {item["uuid"] for item in dry.records}) == (0, changed)

        back = cli("rollback", "last", *YES)
        assert back.code == 0
        assert content(simulated) == before
        assert cli.last_run().outcomes == dict.fromkeys(changed, "updated")
        assert f"puts back: {cli.run_folders()[0].name}" in back.stderr
        assert simulated.report().count(Kind.UPDATE) == 2 * len(changed)

        # A rollback is a run like any other, and can be put back; the first one again has nothing to do then.
        assert inside(simulated.environment, "rollback", "last", *YES).code == 0
        assert {uuid for uuid, now in content(simulated).items() if now != before[uuid]} == changed


def test_what_each_source_type_takes_is_put_back_byte_for_byte(tmp_path: Path, inside: Inside) -> None:
    with Simulated(mappings=80) as simulated:
        before = content(simulated)
        lines = [
            {"UUID": uuid, **change}
            for source_type, change in BY_TYPE.items()
            for uuid in simulated.mappings(source_type)
        ]
        (tmp_path / "requests.jsonl").write_bytes(b"\n".join(map(msgspec.json.encode, lines)))
        applied = inside(simulated.environment, "apply", "--requests", "requests.jsonl", "--skip-blocked", *YES)
        assert applied.code == 0, applied.stderr
        outcomes = Cli(tmp_path).last_run().outcomes  # blocked: queues with pollers, windows
        changed = {uuid for uuid, outcome in outcomes.items() if outcome == "updated"}
        assert {uuid for uuid, now in content(simulated).items() if now != before[uuid]} == changed
        assert all(changed & simulated.mappings(source_type).keys() for source_type in BY_TYPE)
        back = inside(simulated.environment, "rollback", "last", *YES)
        assert back.code == 0, back.stderr
        assert content(simulated) == before

        again = inside(simulated.environment, "rollback", Cli(tmp_path).run_folders()[0].name, *YES)
        assert (again.code, set(Cli(tmp_path).last_run().outcomes.values())) == (0, {"unchanged"})


def test_someone_changed_one_since(tmp_path: Path, simulated: Simulated, inside: Inside) -> None:
    before = content(simulated)
    assert inside(simulated.environment, "apply", "--all", "--set", "BatchSize=9", *YES).code == 0
    run = Cli(tmp_path).last_run().path.name
    theirs, other = list(simulated.mappings("sqs"))[:2]
    simulated.change_behind(theirs, BatchSize=77, MaximumBatchingWindowInSeconds=1)

    back = inside(simulated.environment, "rollback", "last", *YES)
    outcomes = Cli(tmp_path).last_run().outcomes
    assert back.code == 1
    assert Counter(outcomes.values()) == {"conflict": 1, "updated": len(outcomes) - 1}
    assert (outcomes[theirs], outcomes[other]) == ("conflict", "updated")
    assert "1 were changed or deleted by someone since: each is left alone, as a conflict" in back.stderr
    assert f"{theirs}: " in back.stderr
    assert simulated.mappings()[theirs]["BatchSize"] == 77
    assert {uuid for uuid, now in content(simulated).items() if now != before[uuid]} == {theirs}

    forced = inside(simulated.environment, "rollback", run, "--force", *YES)
    assert forced.code == 0
    now = simulated.mappings()[theirs]
    assert now["BatchSize"] == msgspec.json.decode(before[theirs])["BatchSize"]
    assert now["MaximumBatchingWindowInSeconds"] == 1  # not of that run: it stays theirs
    assert {uuid for uuid, now in content(simulated).items() if now != before[uuid]} <= {theirs}


def test_a_run_that_changed_nothing_has_nothing_to_put_back(simulated: Simulated, inside: Inside) -> None:
    assert inside(simulated.environment, "pause", "--state", "Disabled", *YES).code == 0
    done = inside(simulated.environment, "rollback", "last", *YES)
    assert (done.code, done.stdout) == (0, "")
    assert "changed nothing, so there is nothing to put back" in done.stderr
    assert simulated.report().count(Kind.UPDATE) == 0


def test_nobody_to_ask(simulated: Simulated, inside: Inside) -> None:
    assert inside(simulated.environment, "pause", "--source-type", "mq", *YES).code == 0
    before = simulated.requests()
    for command in ("rollback", "continue"):
        done = inside(simulated.environment, command, "last", *FAST)
        assert (done.code, done.stdout, simulated.requests()) == (2, "", before)
        assert "no terminal" in done.stderr
        assert "--yes" in done.stderr
        assert "--dry-run" in done.stderr


def test_a_run_of_another_region_or_account(simulated: Simulated, inside: Inside) -> None:
    assert inside(simulated.environment, "pause", "--source-type", "mq", *YES).code == 0
    updates = simulated.report().count(Kind.UPDATE)
    elsewhere = {**simulated.environment, "AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1"}
    other = {**simulated.environment, "AWS_ACCESS_KEY_ID": "999999999999"}
    for command in (("verify", "last"), ("continue", "last", "--yes"), ("rollback", "last", "--yes")):
        before = simulated.requests()
        done = inside(simulated.environment, *command, *FAST, "--region", "eu-west-1")
        assert (done.code, done.stdout, simulated.requests()) == (2, "", before)
        assert "is a run in us-east-1, not in eu-west-1" in done.stderr
        mistaken = inside(other, *command, *FAST)
        if command[0] != "continue":  # which has nothing to look at here
            assert (mistaken.code, mistaken.stdout) == (2, "")
            assert "account 123456789012, and these credentials are of 999999999999" in mistaken.stderr
        assert simulated.report().count(Kind.UPDATE) == updates
        assert inside(elsewhere, *command, *FAST).code == 0  # the run knows where it was
        updates = simulated.report().count(Kind.UPDATE)


# Resume


def test_what_someone_enabled_meanwhile_is_left_alone(tmp_path: Path, simulated: Simulated, inside: Inside) -> None:
    before = simulated.states()
    enabled = [uuid for uuid, state in before.items() if state == "Enabled"]
    assert inside(simulated.environment, "pause", "--all", *YES).code == 0
    simulated.change_behind(enabled[0], State="Enabled")
    done = inside(simulated.environment, "resume", "--run", "last", *YES)
    assert done.code == 0
    assert "note: 1 of those that were paused have been enabled by someone since, and are left alone" in done.stderr
    assert Cli(tmp_path).last_run().outcomes == {
        uuid: "unchanged" if uuid == enabled[0] else "updated" for uuid in enabled
    }
    assert simulated.states() == before
    assert simulated.accepted() == {
        uuid: 0 if uuid not in enabled else 1 if uuid == enabled[0] else 2 for uuid in before
    }


# Continue


def test_a_finished_run_has_nothing_to_continue(tmp_path: Path, simulated: Simulated, inside: Inside) -> None:
    assert inside(simulated.environment, "pause", "--all", *YES).code == 0
    results = (Cli(tmp_path).last_run().path / "results.jsonl").read_bytes()
    before = simulated.requests()
    done = inside(simulated.environment, "continue", "last", *YES)
    assert (done.code, simulated.requests()) == (0, before + 1)  # STS, whose account it is
    assert "40 of 40 mappings have ended, 0 are left" in done.stderr
    assert (Cli(tmp_path).last_run().path / "results.jsonl").read_bytes() == results


def test_a_run_that_was_killed_is_finished(tmp_path: Path, simulated: Simulated, inside: Inside) -> None:
    """Half its results are lost, the last of them torn: what was applied is found, and not sent again."""
    assert inside(simulated.environment, "pause", "--all", *YES).code == 0
    run = Cli(tmp_path).last_run()
    updates = simulated.report().count(Kind.UPDATE)
    results = (run.path / "results.jsonl").read_bytes().splitlines(keepends=True)
    (run.path / "results.jsonl").write_bytes(b"".join(results[:20]) + results[20][:50])
    run.edit_record(status="running", ended_at=None, counts={})
    undone = next(r["uuid"] for r in map(msgspec.json.decode, results[20:]) if r["outcome"] == "updated")
    simulated.change_behind(undone, State="Enabled")

    dry = inside(simulated.environment, "continue", "last", "--dry-run", *FAST)
    assert (dry.code, simulated.report().count(Kind.UPDATE)) == (0, updates)
    assert "20 of 40 mappings have ended, 20 are left" in dry.stderr
    assert "1 are to be sent" in dry.stderr

    done = inside(simulated.environment, "continue", "last", *YES)
    assert done.code == 0
    assert set(simulated.states().values()) == {"Disabled"}
    assert simulated.report().count(Kind.UPDATE) == updates + 1
    assert set(run.outcomes.values()) == {"updated", "unchanged"}
    assert len(done.records) == 20
    assert run.record["status"] == "finished"
    assert sum(run.record["counts"].values()) == 40


# Verify


def test_drift(tmp_path: Path, simulated: Simulated, inside: Inside) -> None:
    cli = Cli(tmp_path, simulated.environment)
    assert inside(simulated.environment, "apply", "--all", "--set", "BatchSize=9", *YES).code == 0
    run = cli.last_run().path.name

    def requests() -> Counter[Kind]:
        report = simulated.report()
        return Counter({kind: report.count(kind) for kind in Kind})

    before = requests()
    clean = cli("verify", "last")
    assert (clean.code, clean.stdout) == (0, "")
    assert f"0 mappings do not have what {run} set (1 requests)" in clean.stderr
    assert requests() - before == {Kind.LIST: 1, Kind.IDENTITY: 1}  # one page: a sweep

    changed, irrelevant, deleted = list(simulated.mappings("sqs"))[:3]
    simulated.change_behind(changed, BatchSize=77)
    simulated.change_behind(irrelevant, State="Disabled")  # that run did not ask for any state
    simulated.ask(lambda: simulated.simulator.delete_behind(deleted))
    found = cli("verify", "last")
    assert found.code == 1
    assert {drift["uuid"] for drift in found.records} == {changed, deleted}
    (drift,) = (drift for drift in found.records if drift["uuid"] == changed)
    assert drift["differences"] == [{"parameter": "BatchSize", "expected": 9, "found": 77}]
    assert f"2 mappings do not have what {run} set" in found.stderr
    table = inside(simulated.environment, "verify", run, "--output", "table").stdout
    assert "BatchSize: 77, not 9" in table
    assert inside(simulated.environment, "verify", run, "--quiet").stderr == ""
