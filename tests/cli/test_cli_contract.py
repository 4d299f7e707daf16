"""The contract of the design's section 5: what people's scripts lean on. Fields may be added, none may go."""

import csv
import io
import re
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from cli_harness import ACCOUNT, FAST, NO_SUCH_UUID, Cli, Inside, RunFiles, Simulated, finish

import bulk_esm
from bulk_esm.simulator import Faults, Kind
from bulk_esm.simulator.reading import on_the_wire

RECORD = {"run_id", "command", "argv", "version", "account_id", "region", "started_at", "ended_at", "status", "counts"}
RECORD |= {"requests"}
PLAN = {"uuid", "function_arn", "event_source_arn", "source_type", "state", "action", "request", "diff", "problems"}
PLAN |= {"before"}
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
RESULT |= {"state", "request", "error", "update_calls", "accepted_at", "settled_at", "duration_s"}

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
    assert {path.name for path in run.path.iterdir()} == {"run.json", "plan.jsonl", "results.jsonl", "log.jsonl"}

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


# Selections


def test_a_list_is_a_selection(tmp_path: Path, shared: Simulated, inside: Inside) -> None:
    listed = inside(shared.environment, "list", "--source-type", "kinesis", "--state", "enabled")
    uuids = [record["uuid"] for record in listed.records]
    assert set(uuids) == {uuid for uuid, one in shared.mappings("kinesis").items() if one["State"] == "Enabled"}

    again = inside(shared.environment, "list", "--from-file", "-", stdin=listed.stdout)
    assert [record["uuid"] for record in again.records] == uuids
    (tmp_path / "listed.jsonl").write_text(listed.stdout, encoding="utf-8")
    arns = "\n".join(shared.mappings()[uuid]["EventSourceMappingArn"] for uuid in uuids)
    (tmp_path / "arns").write_text(f"# those\n\n{arns}\n", encoding="utf-8")
    for name in ("listed.jsonl", "arns"):
        narrowed = inside(shared.environment, "list", "--from-file", name, "--where", "BatchSize > `100`")
        assert {record["uuid"] for record in narrowed.records} == {
            uuid for uuid in uuids if shared.mappings()[uuid]["BatchSize"] > 100
        }


def test_a_list_piped_into_a_pause(tmp_path: Path, simulated: Simulated) -> None:
    cli = Cli(tmp_path, simulated.environment)
    selected = cli("list", "--source-type", "sqs", "--state", "Enabled").stdout
    done = cli("pause", "--from-file", "-", *YES, stdin=selected)
    assert (done.code, len(done.records)) == (0, len(selected.splitlines()))
    assert {record["outcome"] for record in done.records} == {"updated"}


def test_tags(shared: Simulated, inside: Inside) -> None:
    tags = shared.ask(lambda: shared.simulator._world.shard(ACCOUNT, "us-east-1").tags)
    mappings = shared.mappings()

    def function_of(uuid: str) -> str:
        return ":".join(mappings[uuid]["FunctionArn"].split(":")[:7])

    of_mapping = {uuid for uuid in mappings if tags.get(mappings[uuid]["EventSourceMappingArn"], {}).get("env")}
    prod = {uuid for uuid in of_mapping if tags[mappings[uuid]["EventSourceMappingArn"]]["env"] == "prod"}
    of_function = {uuid for uuid in mappings if "team" in tags.get(function_of(uuid), {})}
    assert of_mapping > prod > set()
    for arguments, expected in (
        (("--tag", "env"), of_mapping),
        (("--tag", "env=prod"), prod),
        (("--function-tag", "team"), of_function),
        (("--tag", "env=prod", "--function-tag", "team"), prod & of_function),
    ):
        before = shared.report().count(Kind.TAGGING)
        done = inside(shared.environment, "list", *arguments)
        assert {record["uuid"] for record in done.records} == expected
        assert shared.report().count(Kind.TAGGING) - before <= len(arguments)  # a sweep of few pages, not a call each


def test_an_unknown_uuid_is_told_of_by_list(shared: Simulated, inside: Inside) -> None:
    known = next(iter(shared.states()))
    done = inside(shared.environment, "list", "--uuid", NO_SUCH_UUID, "--uuid", known.upper())
    assert (done.code, [record["uuid"] for record in done.records]) == (1, [known])
    assert NO_SUCH_UUID in done.stderr


# Changes


def test_a_file_of_requests(tmp_path: Path, simulated: Simulated, inside: Inside) -> None:
    sqs = list(simulated.mappings("sqs"))[:3]
    kinesis = next(iter(simulated.mappings("kinesis")))
    lines = [
        f'{{"UUID": "{sqs[0]}", "Enabled": false}}',
        f'{{"UUID": "{sqs[1].upper()}", "BatchSize": 3}}',
        f'{{"UUID": "{kinesis}", "ParallelizationFactor": 7}}',
    ]
    (tmp_path / "requests.jsonl").write_text("\n".join(lines), encoding="utf-8")
    done = inside(simulated.environment, "apply", "--requests", "requests.jsonl", *YES)
    assert done.code == 0, done.stderr
    mappings = simulated.mappings()
    assert mappings[sqs[0]]["State"] == "Disabled"
    assert (mappings[sqs[1]]["BatchSize"], mappings[kinesis]["ParallelizationFactor"]) == (3, 7)
    assert len(done.records) == 3

    narrowed = inside(
        simulated.environment, "plan", "--requests", "-", "--source-type", "kinesis", stdin="\n".join(lines)
    )
    assert [(item["uuid"], item["action"]) for item in narrowed.records] == [(kinesis, "unchanged")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("change.json", '{"BatchSize": 7, "ScalingConfig": {"MaximumConcurrency": 9}}'),
        ("change.yaml", "BatchSize: 7\nScalingConfig:\n  MaximumConcurrency: 9\n"),
        ("change.TOML", "BatchSize = 7\n[ScalingConfig]\nMaximumConcurrency = 9\n"),
    ],
)
def test_a_file_with_a_change(name: str, text: str, tmp_path: Path, shared: Simulated, inside: Inside) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    done = inside(shared.environment, "plan", "--source-type", "sqs-fifo", "--change", name, "--set", "Enabled=false")
    assert done.code == 0
    assert done.records
    for item in done.records:
        wanted = {"BatchSize": 7, "ScalingConfig": {"MaximumConcurrency": 9}, "Enabled": False}
        assert item["request"].items() <= wanted.items()
        assert item["request"]["BatchSize"] == 7


def test_a_dry_run_sends_no_update(tmp_path: Path, shared: Simulated, inside: Inside) -> None:
    for arguments in (("pause", "--all"), ("resume", "--all"), ("apply", "--all", "--set", "BatchSize=7")):
        done = inside(shared.environment, *arguments, "--dry-run")
        assert (done.code, len(done.records)) == (0, 150)
        assert "update" in {record["action"] for record in done.records}
        assert re.search(r"\d+ updates and about \d+ looks take at least 0:\d\d at 12 requests/s", done.stderr)
    assert shared.report().count(Kind.UPDATE) == 0
    assert not (tmp_path / "bulk-esm-runs").exists()


def test_detailed_exitcode(shared: Simulated, inside: Inside) -> None:
    for state, plain, detailed in (("Enabled", 0, 2), ("Disabled", 0, 0)):
        arguments = ("plan", "--state", state, "--set", "Enabled=false")
        assert inside(shared.environment, *arguments).code == plain
        assert inside(shared.environment, *arguments, "--detailed-exitcode").code == detailed
    assert shared.report().count(Kind.UPDATE) == 0


# What a mapping cannot take


def blocked_by(inside: Inside, simulated: Simulated, *arguments: str) -> str:
    """The reason why the only mapping is blocked; apply refuses, and sends nothing to it even when told to skip it."""
    done = inside(simulated.environment, "apply", *arguments, *YES)
    assert (done.code, done.stdout) == (2, "")
    assert "--skip-blocked" in done.stderr
    skipped = inside(simulated.environment, "apply", *arguments, "--skip-blocked", *YES)
    (result,) = skipped.records
    assert (skipped.code, result["outcome"], result["update_calls"]) == (0, "blocked", 0)
    assert simulated.report().count(Kind.UPDATE) == 0
    message: str = result["error"]["message"]
    assert message in done.stderr
    return message


def one_of(simulated: Simulated, source_type: str, **values: object) -> tuple[str, ...]:
    """Select one mapping of a source type, with these values."""
    uuid = next(iter(simulated.mappings(source_type)))
    simulated.change_behind(uuid, **values)
    return ("--uuid", uuid)


def test_an_unknown_uuid_is_blocked(simulated: Simulated, inside: Inside) -> None:
    reason = blocked_by(inside, simulated, "--uuid", NO_SUCH_UUID, "--set", "BatchSize=5")
    assert "no event source mapping has this UUID" in reason


def test_a_parameter_that_the_source_cannot_take_is_blocked(simulated: Simulated, inside: Inside) -> None:
    reason = blocked_by(inside, simulated, *one_of(simulated, "sqs"), "--set", "ParallelizationFactor=2")
    assert "ParallelizationFactor" in reason
    assert "kinesis, dynamodb" in reason


def test_a_batch_of_11_is_too_large_for_fifo(simulated: Simulated, inside: Inside) -> None:
    reason = blocked_by(inside, simulated, *one_of(simulated, "sqs-fifo"), "--set", "BatchSize=11")
    assert "from 1 to 10 on sqs-fifo" in reason


def test_a_batch_of_11_needs_a_window_on_sqs(simulated: Simulated, inside: Inside) -> None:
    selected = one_of(simulated, "sqs", BatchSize=10, MaximumBatchingWindowInSeconds=0)
    reason = blocked_by(inside, simulated, *selected, "--set", "BatchSize=11")
    assert "MaximumBatchingWindowInSeconds of at least 1" in reason
    both = ("--set", "BatchSize=11", "--set", "MaximumBatchingWindowInSeconds=1")
    assert inside(simulated.environment, "apply", *selected, *both, *YES).code == 0


@pytest.mark.parametrize("source_type", ["msk", "documentdb"])
def test_a_window_that_cannot_be_restored_wants_consent(source_type: str, simulated: Simulated, inside: Inside) -> None:
    selected = one_of(simulated, source_type, MaximumBatchingWindowInSeconds=None)
    change = ("--set", "MaximumBatchingWindowInSeconds=5")
    assert "--allow-irreversible" in blocked_by(inside, simulated, *selected, *change)
    allowed = inside(simulated.environment, "apply", *selected, *change, "--allow-irreversible", *YES)
    assert (allowed.code, [record["outcome"] for record in allowed.records]) == (0, ["updated"])
    assert simulated.mappings()[selected[1]]["MaximumBatchingWindowInSeconds"] == 5


def test_blocked_mappings_do_not_touch_the_others(simulated: Simulated, inside: Inside) -> None:
    good = next(uuid for uuid, state in simulated.states().items() if state == "Enabled")
    done = inside(simulated.environment, "pause", "--uuid", NO_SUCH_UUID, "--uuid", good, "--skip-blocked", *YES)
    outcomes = {record["uuid"]: record["outcome"] for record in done.records}
    assert (done.code, outcomes) == (0, {NO_SUCH_UUID: "blocked", good: "updated"})


# Saved plans


def test_a_saved_plan_is_carried_out(tmp_path: Path, simulated: Simulated, inside: Inside) -> None:
    planned = inside(simulated.environment, "plan", "--all", "--set", "Enabled=false", "--save", "plan.jsonl")
    assert planned.code == 0
    assert (tmp_path / "plan.jsonl").read_text(encoding="utf-8") == planned.stdout
    assert all(item.keys() >= PLAN for item in planned.records)

    states = simulated.states()
    changed, done_already, deleted = [uuid for uuid, state in states.items() if state == "Enabled"][:3]
    simulated.change_behind(changed, BatchSize=1234)
    simulated.change_behind(done_already, State="Disabled")
    simulated.ask(lambda: simulated.simulator.delete_behind(deleted))

    dry = inside(simulated.environment, "apply", "--plan", "plan.jsonl", "--dry-run", *FAST)
    assert (dry.code, simulated.report().count(Kind.UPDATE)) == (0, 0)
    assert "2 were changed or deleted by someone since: each is left alone, as a conflict" in dry.stderr
    assert all(f"  {uuid}: " in dry.stderr for uuid in (changed, deleted))

    applied = inside(simulated.environment, "apply", "--plan", "plan.jsonl", *YES)
    assert applied.code == 1  # there are conflicts
    assert last_run(tmp_path).record["command"] == "apply"
    outcomes = last_run(tmp_path).outcomes
    assert outcomes == {
        uuid: "conflict" if uuid in (changed, deleted) else "unchanged" if state == "Disabled" else "updated"
        for uuid, state in (states | {done_already: "Disabled"}).items()
    }
    assert "conflict" in applied.stderr
    accepted = simulated.accepted()
    assert (accepted[changed], accepted[done_already]) == (0, 0)
    assert simulated.mappings()[changed]["BatchSize"] == 1234

    again = inside(simulated.environment, "apply", "--plan", "plan.jsonl", *YES)
    assert set(last_run(tmp_path).outcomes.values()) == {"unchanged", "conflict"}
    assert again.code == 1


def test_a_saved_plan_that_is_done_is_no_news(simulated: Simulated, inside: Inside) -> None:
    inside(simulated.environment, "plan", "--all", "--set", "Enabled=false", "--save", "plan.jsonl")
    assert inside(simulated.environment, "apply", "--plan", "plan.jsonl", *YES).code == 0
    updates = simulated.report().count(Kind.UPDATE)
    again = inside(simulated.environment, "apply", "--plan", "plan.jsonl", *YES)
    assert (again.code, {record["outcome"] for record in again.records}) == (0, {"unchanged"})
    assert simulated.report().count(Kind.UPDATE) == updates


# Exit codes


def test_refused_updates_are_failures(tmp_path: Path) -> None:
    with Simulated(mappings=60, faults=Faults(refused_share=0.2)) as simulated:
        done = Cli(tmp_path, simulated.environment)("pause", "--all", *YES, "--max-failures", "100%")
        failed = [result for result in done.records if result["outcome"] == "failed"]
        assert (done.code, bool(failed)) == (1, True)
        assert {result["error"]["code"] for result in failed} == {"InvalidParameterValueException"}
        assert all(result["error"]["request_id"] for result in failed)
        assert f"{len(failed)} failed: InvalidParameterValueException" in done.stderr  # grouped by cause
        assert last_run(tmp_path).record["status"] == "finished"


def test_stuck_mappings_time_out(tmp_path: Path, inside: Inside) -> None:
    with Simulated(mappings=10, faults=Faults(stuck_share=1)) as simulated:
        done = inside(simulated.environment, "pause", "--source-type", "sqs", *YES, "--timeout", "1s")
        assert done.code == 1
        assert set(last_run(tmp_path).outcomes.values()) <= {"timed_out", "unchanged"}
        assert "timed_out" in done.stderr


def test_a_denied_account(tmp_path: Path) -> None:
    with Simulated(mappings=10, faults=Faults(denied_accounts=frozenset({ACCOUNT}))) as simulated:
        done = Cli(tmp_path, simulated.environment)("pause", "--all", *YES)
        assert (done.code, done.stdout) == (5, "")
        assert "lambda:ListEventSourceMappings" in done.stderr
        assert "AccessDeniedException" in done.stderr
        kinds = {kind: simulated.report().count(kind) for kind in Kind if simulated.report().count(kind)}
        assert kinds == {Kind.IDENTITY: 1, Kind.LIST: 1}  # who we are; and final, at once
        assert not (tmp_path / "bulk-esm-runs").exists()


class HandClock:
    """Virtual time that only a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("more", [(), ("--quiet",)])
def test_credentials_that_expire_meanwhile(more: tuple[str, ...], tmp_path: Path) -> None:
    clock = HandClock()
    faults = Faults(expires_after_s=1000, latency_s=0.2)
    with Simulated(mappings=40, clock=clock, quota_per_second=None, faults=faults) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        with cli.start("pause", "--all", *YES, "--concurrency", "2", *more) as process:
            simulated.wait_until(lambda report: any(mapping.accepted_count for mapping in report.mappings))
            clock.now = 1000.0
            done = finish(process)
        assert done.code == 5
        assert "ExpiredToken" in done.stderr.splitlines()[-1]
        run = last_run(tmp_path)
        assert run.record["status"] == "halted"
        assert "ExpiredToken" in run.record["reason"]
        assert "not_started" in run.outcomes.values()
        assert set(run.outcomes.values()) <= {"not_started", "timed_out", "unchanged"}


def test_credentials_that_expire_while_mappings_come_to_rest(tmp_path: Path) -> None:
    """The waits run side by side; the user is told of the one cause, not of the tasks."""
    clock = HandClock()
    with Simulated(mappings=5, clock=clock, faults=Faults(expires_after_s=1000), quota_per_second=None) as simulated:
        for uuid in simulated.states():
            simulated.change_behind(uuid, State="Updating")
        cli = Cli(tmp_path, simulated.environment)
        with cli.start("pause", "--all", *YES) as process:
            simulated.wait_until(lambda report: report.count(Kind.GET) > 0)
            clock.now = 1000.0
            done = finish(process)
        assert (done.code, done.stdout) == (5, "")
        assert "waiting for 5 mappings in transition" in done.stderr
        assert "ExpiredToken" in done.stderr
        assert "TaskGroup" not in done.stderr


def test_interrupted(tmp_path: Path, inside: Inside) -> None:
    with Simulated(mappings=60, faults=Faults(latency_s=0.2)) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        with cli.start("pause", "--all", *YES, "--concurrency", "2") as process:
            simulated.wait_until(lambda report: sum(mapping.accepted_count for mapping in report.mappings) >= 3)
            process.send_signal(signal.SIGINT)
            done = finish(process)
        assert done.code == 130
        run = last_run(tmp_path)
        assert run.record["status"] == "interrupted"
        assert run.record["ended_at"]
        assert len(run.outcomes) == 60
        assert "not_started" in run.outcomes.values()
        assert set(run.outcomes.values()) <= {"updated", "unchanged", "not_started"}
        assert "stopping" in done.stderr
        assert done.records == run.results
        accepted = {uuid for uuid, count in simulated.accepted().items() if count}
        assert accepted == {uuid for uuid, outcome in run.outcomes.items() if outcome == "updated"}

        # What it paused can be resumed, and nothing else is.
        assert inside(simulated.environment, "resume", "--run", "last", *YES).code == 0
        assert cli.last_run().outcomes.keys() == accepted


def test_interrupted_twice_leaves_at_once(tmp_path: Path) -> None:
    with Simulated(mappings=10, faults=Faults(stuck_share=1)) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        with cli.start("pause", "--all", *YES) as process:
            enabled = sum(state == "Enabled" for state in simulated.states().values())
            simulated.wait_until(lambda report: sum(m.accepted_count for m in report.mappings) == enabled)
            process.send_signal(signal.SIGTERM)
            assert process.stderr is not None
            while "stopping" not in process.stderr.readline():
                pass
            process.send_signal(signal.SIGINT)
            done = finish(process)
        assert done.code == 130
        run = last_run(tmp_path)
        assert run.record["status"] == "interrupted"
        assert set(run.outcomes.values()) <= {"timed_out", "unchanged"}


# Everything else


def test_version(tmp_path: Path) -> None:
    done = Cli(tmp_path)("--version")
    assert (done.code, done.stdout, done.stderr) == (0, f"{bulk_esm.__version__}\n", "")


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

    monkeypatch.setattr("bulk_esm.cli.runs.all_runs", fail)
    done = inside({}, "runs")
    assert (done.code, done.stdout) == (1, "")
    assert "RuntimeError: the unexpected; please report this" in done.stderr


def test_a_pause_in_two_runs_is_resumed_by_both(simulated: Simulated, inside: Inside) -> None:
    before = simulated.states()
    for source_type in ("sqs", "kinesis"):
        assert inside(simulated.environment, "pause", "--source-type", source_type, *YES).code == 0
    runs = [record["run_id"] for record in inside({}, "runs").records]
    one = inside(simulated.environment, "resume", "--run", runs[1], "--dry-run", *FAST)
    assert f"note: {runs[0]} paused more" in one.stderr
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
    path = last_run(tmp_path).path / "run.json"
    record = msgspec.json.decode(path.read_bytes())
    path.write_bytes(msgspec.json.encode({**record, "status": "running", "ended_at": None, "counts": {}}))
    assert "did not end: it was killed, or is still running" in inside({}, "show", "last").stderr
