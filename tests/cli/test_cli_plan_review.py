"""What a colleague sees of a plan that was saved: without credentials, and without a request."""

from pathlib import Path

import msgspec
import pytest
from cli_harness import FAST, Cli, Simulated

from bulk_esm.simulator import Fleet

POLLERS = {"MinimumPollers": 2, "MaximumPollers": 200}
ACCOUNT = "123456789012"


def mapping(number: int, **members: object) -> dict[str, object]:
    return {
        "UUID": f"{number:08x}-0000-4000-8000-000000000000",
        "FunctionArn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:orders-{number}",
        "EventSourceArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:orders-{number}",
        "BatchSize": 10,
        "MaximumBatchingWindowInSeconds": 0,
        "State": "Enabled",
        **members,
    }


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return Fleet(
        mappings=[
            mapping(0xAAAA0001, ProvisionedPollerConfig=POLLERS),
            mapping(0xAAAA0002, ProvisionedPollerConfig=POLLERS),
            mapping(0xBBBB0003),
            mapping(0xCCCC0004, ScalingConfig={"MaximumConcurrency": 7}),
        ]
    )


CHANGE = ("--all", "--set", "ProvisionedPollerConfig.MaximumPollers=20")


def test_a_plan_is_looked_at_without_credentials(fleet: Fleet, tmp_path: Path) -> None:
    bare = Cli(tmp_path)
    with Simulated(fleet=fleet) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        saved = cli("plan", *CHANGE, "--save", "plan.jsonl", *FAST)
        assert saved.code == 0
        assert "saved in plan.jsonl: 4 mappings, 3 of them to update; to look at it: bulk-esm show plan.jsonl" in (
            saved.stderr
        )
        requests = simulated.report().requests
        shown = bare("show", "plan.jsonl")
        dry = bare("apply", "--plan", "plan.jsonl", "--dry-run", "--region", "us-east-1", AWS_EC2_METADATA_DISABLED="1")
        assert simulated.report().requests == requests
    assert shown.code == dry.code == 0
    assert [line["uuid"] for line in shown.records] == [line["uuid"] for line in saved.records]
    for done in (saved, shown, dry):
        assert "  3 x ProvisionedPollerConfig.MaximumPollers: 200 (2 x), unset (1 x) -> 20" in done.stderr
        assert "  2 x reduces ProvisionedPollerConfig.MaximumPollers: peaks are read more slowly" in done.stderr
        assert "  1 x turns on provisioned mode: its pollers are kept and billed" in done.stderr
    assert "3 updates and about 1 looks take at least 0:00 at 12 requests/s" in shown.stderr
    assert "note: the plan as it was saved, not compared with what is there now: no credentials" in dry.stderr
    assert "carry it out with bulk-esm apply --plan plan.jsonl" in shown.stderr


def test_one_mapping_before_and_after(fleet: Fleet, tmp_path: Path) -> None:
    with Simulated(fleet=fleet) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        cli("plan", *CHANGE, "--save", "plan.jsonl", *FAST)
        cli("apply", "--plan", "plan.jsonl", "--yes", "--skip-blocked", *FAST)
    planned = cli("show", "plan.jsonl", "--uuid", "aaaa0001", "--output", "csv")
    lines = planned.stdout.splitlines()
    assert lines[:2] == ["member,before,after", "ProvisionedPollerConfig.MaximumPollers,200,20"]
    assert "BatchSize,10," in lines
    assert not any(line.startswith("ProvisionedPollerConfig,") for line in lines)
    assert "aaaa0001-0000-4000-8000-000000000000: orders-2863267841 reads orders-2863267841 (sqs)" in planned.stderr
    (became,) = cli("show", "last", "--uuid", "AAAA0001", "--output", "jsonl").records
    assert became["item"]["diff"] == [
        {"parameter": "ProvisionedPollerConfig.MaximumPollers", "before": 200, "after": 20}
    ]
    assert became["result"]["outcome"] == "updated"
    blocked = cli("show", "last", "--uuid", "cccc", "--output", "table")
    assert "planned: blocked; ScalingConfig and ProvisionedPollerConfig exclude each other" in blocked.stderr
    assert "became: blocked, Enabled" in blocked.stderr


@pytest.mark.parametrize(
    ("uuid", "says"),
    [
        ("aaa", "nor the first 4 characters or more of a UUID"),
        ("aaaa", "fits 2 mappings: aaaa0001-0000-4000-8000-000000000000, aaaa0002-0000-4000-8000-000000000000"),
        ("dddd", "no mapping has a UUID that begins so"),
    ],
)
def test_a_uuid_that_is_none_of_the_plans(fleet: Fleet, tmp_path: Path, uuid: str, says: str) -> None:
    with Simulated(fleet=fleet) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        cli("plan", *CHANGE, "--save", "plan.jsonl", *FAST)
    done = cli("show", "plan.jsonl", "--uuid", uuid)
    assert (done.code, done.stdout) == (2, "")
    assert says in done.stderr


def test_a_file_that_is_no_plan_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello\n")
    done = Cli(tmp_path)("show", "notes.txt")
    assert done.code == 2
    assert "notes.txt" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_plan_of_an_older_version_is_shown_as_it_is(fleet: Fleet, tmp_path: Path) -> None:
    with Simulated(fleet=fleet) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        cli("apply", *CHANGE, "--yes", "--skip-blocked", *FAST)
    (run,) = cli.runs_dir.iterdir()
    lines = [msgspec.json.decode(line) for line in (run / "plan.jsonl").read_bytes().splitlines()]
    for line in lines:
        if line["action"] == "update":
            before = line["before"].get("ProvisionedPollerConfig")
            line["diff"] = [{"parameter": "ProvisionedPollerConfig", "before": before, "after": line["request"]}]
    (run / "plan.jsonl").write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    shown = cli("show", "last", "--uuid", "aaaa0001", "--output", "csv", "--salvage")
    assert shown.code == 0
    assert "ProvisionedPollerConfig," in shown.stdout.splitlines()[1]
