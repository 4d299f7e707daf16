"""From selections and changes to a plan, saved or not, and what becomes of it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_harness import ACCOUNT, FAST, NO_SUCH_UUID, PLAN, Cli, Inside, RunFiles, Simulated

from bulk_esm.simulator import Kind

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
    *lines, closing = (tmp_path / "plan.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    assert "".join(lines) == planned.stdout
    assert json.loads(closing)["lines"] == len(lines)
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
