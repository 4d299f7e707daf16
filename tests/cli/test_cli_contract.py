"""The contract of the design's section 5: what people's scripts lean on. Fields may be added, none may go."""

import csv
import io
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_harness import ACCOUNT, FAST, PLAN, Cli, Inside, RunFiles, Simulated

import bulk_esm
from bulk_esm.simulator import Kind
from bulk_esm.simulator.reading import on_the_wire

RECORD = {"run_id", "command", "argv", "version", "account_id", "region", "started_at", "ended_at", "status", "counts"}
RECORD |= {"requests", "user", "host", "principal_arn", "invocations"}
RESULT = {
    "run_id",
    "uuid",
    "function_arn",
    "event_source_arn",
    "source_type",
    "account_id",
    "region",
    "wave",
    "outcome",
}
RESULT |= {"state", "request", "error", "update_calls", "accepted_at", "settled_at", "ended_at", "duration_s"}

YES = ("--yes", *FAST)


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


@pytest.fixture(scope="module")
def shared() -> Iterator[Simulated]:
    """For what changes nothing."""
    with Simulated(mappings=150) as simulated:
        yield simulated


@pytest.fixture
def simulated() -> Iterator[Simulated]:
    with Simulated(mappings=40) as found:
        yield found


def last_run(folder: Path) -> RunFiles:
    return Cli(folder).last_run()


# The run folder


def test_fields_of_a_run_folder(tmp_path: Path, simulated: Simulated) -> None:
    arguments = ("apply", "--all", "--set", "MaximumRetryAttempts=3", "--skip-blocked", *YES)
    assert Cli(tmp_path, simulated.environment)(*arguments).code == 0
    run = last_run(tmp_path)
    assert stat.S_IMODE(run.path.stat().st_mode) == 0o700
    files = {"run.json", "plan.jsonl", "begun.jsonl", "results.jsonl", "log.jsonl"}
    assert {path.name for path in run.path.iterdir()} == files

    record = run.record
    assert record.keys() >= RECORD
    assert record["run_id"] == run.path.name
    assert (record["command"], record["argv"]) == ("apply", list(arguments))
    assert (record["account_id"], record["region"]) == (ACCOUNT, "us-east-1")
    assert (record["version"], record["status"]) == (bulk_esm.__version__, "finished")
    assert record["started_at"] < record["ended_at"]
    assert record["started_at"].endswith("Z")
    report = simulated.report()
    for kind in (Kind.LIST, Kind.GET, Kind.UPDATE):
        assert record["requests"][kind] == report.count(kind)
    assert record["requests"]["throttled"] == report.count(status=429)

    before = {item["uuid"]: item for item in run.plan}
    assert len(before) == 40
    for item in before.values():
        assert item.keys() >= PLAN
        assert item["before"]["UUID"] == item["uuid"]
        assert "UUID" not in item["request"]
        assert all(difference.keys() >= {"parameter", "before", "after"} for difference in item["diff"])
        assert {"update": bool(item["request"] and item["diff"]), "blocked": bool(item["problems"])}.get(
            item["action"], item["action"] == "unchanged"
        )

    assert sum(record["counts"].values()) == len(run.outcomes) == 40
    for result in run.results:
        assert result.keys() >= RESULT
        item = before[result["uuid"]]
        for name in ("function_arn", "event_source_arn", "source_type", "request"):
            assert result[name] == item[name]
        assert (result["run_id"], result["wave"]) == (record["run_id"], 1)
        assert (result["account_id"], result["region"]) == (ACCOUNT, "us-east-1")
        assert record["counts"][result["outcome"]] > 0
        if result["outcome"] == "updated":
            assert result["error"] is None
            assert result["state"] in {"Enabled", "Disabled"}
            assert record["started_at"] <= result["accepted_at"] <= result["settled_at"] <= record["ended_at"]
        else:
            assert (result["accepted_at"], result["settled_at"], result["update_calls"]) == (None, None, 0)
        if result["outcome"] == "blocked":
            assert result["error"].keys() >= {"code", "message", "request_id"}


def test_where_runs_are_kept(tmp_path: Path, simulated: Simulated, inside: Inside) -> None:
    kept = tmp_path / "kept" / "here"
    environment = {**simulated.environment, "BULK_ESM_RUNS_DIR": str(kept)}
    assert inside(environment, "pause", "--source-type", "sqs-fifo", *YES).code == 0
    assert len(list(kept.iterdir())) == 1
    assert inside(environment, "resume", "--run", "last", *YES).code == 0
    assert len(list(kept.iterdir())) == 2
    assert inside(environment, "pause", "--source-type", "mq", *YES, "--runs-dir", "flagged").code == 0
    assert len(list((tmp_path / "flagged").iterdir())) == 1
    assert not (tmp_path / "bulk-esm-runs").exists()


def test_runs_and_show(tmp_path: Path, simulated: Simulated, inside: Inside) -> None:
    environment = simulated.environment
    assert inside(environment, "runs").stdout == ""
    paused = inside(environment, "pause", "--source-type", "kinesis", *YES)
    resumed = inside(environment, "resume", "--run", "last", *YES)
    first, second = (folder.name for folder in Cli(tmp_path).run_folders())

    listed = inside(environment, "runs")
    assert [record["run_id"] for record in listed.records] == [first, second]
    assert all(record.keys() >= RECORD for record in listed.records)
    assert inside(environment, "runs", "--output", "table").stdout.splitlines()[1].startswith(first)

    prefix = first[: first.index("-pause") + 2]
    for named in (first, prefix, str(tmp_path / "bulk-esm-runs" / first), f"bulk-esm-runs/{first}"):
        shown = inside(environment, "show", named)
        assert shown.records == paused.records
        assert "pause finished" in shown.stderr
    assert inside(environment, "show", "last").records == resumed.records
    assert inside(environment, "show", "last", "--quiet").stderr == ""

    common = first[:4]
    ambiguous = inside(environment, "show", common)
    assert (ambiguous.code, ambiguous.stdout) == (2, "")
    assert first in ambiguous.stderr
    assert second in ambiguous.stderr
    assert inside(environment, "resume", "--run", prefix, *YES).code == 0


# Outputs


def test_forms_of_output(shared: Simulated, inside: Inside) -> None:
    environment = shared.environment
    listed = inside(environment, "list", "--output", "jsonl")
    assert inside(environment, "list").stdout == listed.stdout  # what no terminal gets by default
    mappings = shared.mappings()
    assert {record["uuid"] for record in listed.records} == mappings.keys()
    for record in listed.records:
        whole = mappings[record["uuid"]]
        if "KMSKeyArn" in whole:  # List does not show encrypted filters
            whole = whole | {"FilterCriteria": record["configuration"].get("FilterCriteria")}
        assert record["configuration"] == on_the_wire(whole)  # as it came, with the nulls of SQS (F§0.2)
    assert "150 of 150 mappings" in listed.stderr

    rows = list(csv.DictReader(io.StringIO(inside(environment, "list", "--output", "csv").stdout)))
    assert {row["uuid"]: row["state"] for row in rows} == shared.states()
    table = inside(environment, "list", "--output", "table").stdout.splitlines()
    assert table[0].split() == ["uuid", "function", "source", "type", "state"]
    assert {line.split()[0] for line in table[1:]} == mappings.keys()


@pytest.mark.parametrize("form", ["jsonl", "csv", "table"])
def test_nothing_selected_by_a_list_is_no_output_but_a_heading(form: str, shared: Simulated, inside: Inside) -> None:
    done = inside(shared.environment, "list", "--function", "no-such-*", "--output", form)
    assert (done.code, done.stdout) == (0, "uuid,function,source,type,state\n" if form == "csv" else "")
    assert "0 of 150 mappings" in done.stderr


def test_quiet(simulated: Simulated, inside: Inside) -> None:
    done = inside(simulated.environment, "pause", "--source-type", "dynamodb", "--quiet", *YES)
    assert (done.code, done.stderr) == (0, "")
    assert done.records
    assert inside(simulated.environment, "list", "--quiet").stderr == ""
    assert inside(simulated.environment, "plan", "--all", "--set", "Enabled=true", "--quiet").stderr == ""


def test_the_log_on_stderr(shared: Simulated, inside: Inside) -> None:
    done = inside(shared.environment, "list", "--log-level", "info", "--log-format", "json", "--quiet")
    events = [line for line in done.stderr.splitlines() if line.startswith("{")]
    assert any('"event":"inventory"' in line.replace(" ", "") for line in events)


# Everything else


def test_version(tmp_path: Path) -> None:
    done = Cli(tmp_path)("--version")
    assert (done.code, done.stdout, done.stderr) == (0, f"bulk-esm {bulk_esm.__version__}\n", "")


def test_a_run_of_another_region(simulated: Simulated, inside: Inside) -> None:
    assert inside(simulated.environment, "pause", "--source-type", "mq", *YES).code == 0
    before = simulated.requests()
    done = inside(simulated.environment, "resume", "--run", "last", "--region", "eu-west-1", *YES)
    assert (done.code, done.stdout, simulated.requests()) == (2, "", before)
    assert "us-east-1" in done.stderr
    assert "eu-west-1" in done.stderr
    elsewhere = {**simulated.environment, "AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1"}
    assert inside(elsewhere, "resume", "--run", "last", *YES).code == 0  # the run knows where it was


def test_a_plan_of_another_region(simulated: Simulated, inside: Inside) -> None:
    selected = ("--source-type", "mq", "--set", "BatchSize=77")
    assert inside(simulated.environment, "plan", *selected, "--save", "plan.jsonl").code == 0
    before = simulated.requests()
    done = inside(simulated.environment, "apply", "--plan", "plan.jsonl", "--region", "eu-west-1", *YES)
    assert (done.code, done.stdout, simulated.requests()) == (2, "", before)
    assert "plan.jsonl was planned in us-east-1, not in eu-west-1" in done.stderr
    elsewhere = {**simulated.environment, "AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1"}
    assert inside(elsewhere, "apply", "--plan", "plan.jsonl", *YES).code == 0  # the plan knows where it was made


def test_a_run_that_is_no_pause_cannot_be_resumed(simulated: Simulated, inside: Inside) -> None:
    assert inside(simulated.environment, "apply", "--source-type", "mq", "--set", "BatchSize=77", *YES).code == 0
    before = simulated.requests()
    done = inside(simulated.environment, "resume", "--run", "last", *YES)
    assert (done.code, done.stdout, simulated.requests()) == (2, "", before)
    assert "did not pause anything" in done.stderr


def test_unexpected_errors_are_one_line(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("the unexpected")

    monkeypatch.setattr("bulk_esm.store.finding.records_of", fail)
    done = inside({}, "runs")
    assert (done.code, done.stdout) == (1, "")
    assert "RuntimeError: the unexpected; please report this" in done.stderr


def test_a_pause_in_two_runs_is_resumed_by_both(simulated: Simulated, inside: Inside) -> None:
    before = simulated.states()
    for source_type in ("sqs", "kinesis"):
        assert inside(simulated.environment, "pause", "--source-type", source_type, *YES).code == 0
    runs = [record["run_id"] for record in inside({}, "runs").records]
    one = inside(simulated.environment, "resume", "--run", runs[1], "--dry-run", *FAST)
    assert f"note: {runs[0]} paused more, and nothing has resumed" in one.stderr
    assert f": bulk-esm resume --run {runs[0]}\n" in one.stderr
    both = inside(simulated.environment, "resume", "--run", runs[0], "--run", runs[1], *YES)
    assert (both.code, "note:" in both.stderr) == (0, False)
    assert simulated.states() == before


def test_another_account_than_that_of_the_plan_or_the_run(simulated: Simulated, inside: Inside) -> None:
    other = {**simulated.environment, "AWS_ACCESS_KEY_ID": "999999999999"}
    assert inside(simulated.environment, "plan", "--all", "--set", "Enabled=false", "--save", "plan.jsonl").code == 0
    assert inside(simulated.environment, "pause", "--source-type", "mq", *YES).code == 0
    updates = simulated.report().count(Kind.UPDATE)
    for command in (("apply", "--plan", "plan.jsonl"), ("resume", "--run", "last")):
        done = inside(other, *command, *YES)
        assert (done.code, done.stdout) == (2, "")
        assert "planned in account 123456789012, and these credentials are of 999999999999" in done.stderr
    assert simulated.report().count(Kind.UPDATE) == updates


def test_a_source_that_is_no_arn(shared: Simulated, inside: Inside) -> None:
    before = shared.requests()
    done = inside(shared.environment, "list", "--source", "my-queue.fifo")
    assert (done.code, done.stdout, shared.requests()) == (2, "", before)
    assert "write '*my-queue.fifo'" in done.stderr


def test_a_run_that_was_killed_is_not_taken_for_nothing_to_do(
    tmp_path: Path, simulated: Simulated, inside: Inside
) -> None:
    assert inside(simulated.environment, "pause", "--source-type", "mq", *YES).code == 0
    last_run(tmp_path).edit_record(status="running", ended_at=None, counts={})
    assert "did not end: it was killed; so far" in inside({}, "show", "last").stderr
