"""There and back: encrypted filters, and what a later Lambda knows and this version does not."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from cli_harness import FAST, Cli, Inside, Simulated

YES = ("--yes", *FAST)
KEY = "arn:aws:kms:us-east-1:123456789012:key/14e0db71"
FILTERS = {"Filters": [{"Pattern": '{"body":{"a":[1]}}', "New": 1}]}
POLLERS = {"MinimumPollers": 2, "MaximumPollers": 5, "New": {"deep": [1]}}
UUID = "00000000-0000-4000-8000-00000000000{}"


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


def queue(number: int, **members: Any) -> dict[str, Any]:
    return {
        "UUID": UUID.format(number),
        "FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:orders",
        "EventSourceArn": f"arn:aws:sqs:us-east-1:123456789012:orders-{number}",
        "State": "Enabled",
        "LastModified": 1_700_000_000.125,
        **members,
    }


def content(simulated: Simulated) -> bytes:
    there = ({**mapping, "LastModified": 0} for mapping in simulated.mappings().values())
    return msgspec.json.encode(list(there), order="sorted")


def test_encrypted_filters_that_were_cleared_come_back_with_their_key(tmp_path: Path, inside: Inside) -> None:
    fleet = [queue(1, FilterCriteria=FILTERS, KMSKeyArn=KEY), queue(2, FilterCriteria=FILTERS)]
    with Simulated(fleet=fleet, newer=["FilterCriteria.Filters.New"]) as simulated:
        for force in ((), ("--force",)):
            cleared = inside(simulated.environment, "apply", "--all", "--unset", "FilterCriteria", *YES)
            assert cleared.code == 0, cleared.stderr
            assert "FilterCriteria.Filters.New may be lost" in cleared.stderr
            assert "KMSKeyArn" not in str(simulated.mappings())
            back = inside(simulated.environment, "rollback", "last", *force, *YES)
            assert back.code == 0, back.stderr
            assert set(Cli(tmp_path).last_run().outcomes.values()) == {"updated"}
            one, other = simulated.mappings().values()
            assert (one["KMSKeyArn"], "KMSKeyArn" in other) == (KEY, False)
            plain = [{"Pattern": FILTERS["Filters"][0]["Pattern"]}]
            assert one["FilterCriteria"]["Filters"] == other["FilterCriteria"]["Filters"] == plain
            simulated.change_behind(UUID.format(1), FilterCriteria=FILTERS)


def test_members_that_nobody_knows_block_nothing_and_are_never_sent(tmp_path: Path, inside: Inside) -> None:
    with Simulated(fleet=[queue(1, ProvisionedPollerConfig=POLLERS)]) as simulated:
        before = content(simulated)
        more = ("apply", "--all", "--set", "ProvisionedPollerConfig.MaximumPollers=20", *YES)
        done = inside(simulated.environment, *more)
        assert done.code == 0, done.stderr
        assert "ProvisionedPollerConfig.New may be lost: this version does not know it" in done.stderr
        assert simulated.mappings()[UUID.format(1)]["ProvisionedPollerConfig"] == POLLERS | {"MaximumPollers": 20}
        assert inside(simulated.environment, "rollback", "last", *YES).code == 0
        assert content(simulated) == before

        gone = inside(simulated.environment, "apply", "--all", "--unset", "ProvisionedPollerConfig", *YES)
        assert gone.code == 0, gone.stderr
        back = inside(simulated.environment, "rollback", "last", *YES)
        assert (back.code, set(Cli(tmp_path).last_run().outcomes.values())) == (0, {"updated"}), back.stderr
        found = simulated.mappings()[UUID.format(1)]["ProvisionedPollerConfig"]
        assert found == {"MinimumPollers": 2, "MaximumPollers": 5}


def test_what_is_newer_than_this_version_is_sent_if_allowed(tmp_path: Path, inside: Inside) -> None:
    """A parameter, a member, and a word that botocore's model does not have: sent as given, read back, put back."""
    newer = ["Novelty", "ScalingConfig.Mode", "FunctionResponseTypes"]
    has = {"Novelty": {"Level": 1}, "ScalingConfig": {"MaximumConcurrency": 5, "Mode": "Slow"}}
    wanted = (
        *("--set", 'Novelty={"Level": 2}', "--set", "ScalingConfig.Mode=Fast", "--set", "BatchSize=7"),
        *("--set", 'FunctionResponseTypes=["ReportNothing"]'),
    )
    with Simulated(fleet=[queue(1, **has)], newer=newer) as simulated:
        before = content(simulated)
        refused = inside(simulated.environment, "apply", "--all", *wanted, *YES)
        assert (refused.code, simulated.requests()) == (2, 0)
        assert "--allow-unknown sends it as given" in refused.stderr
        done = inside(simulated.environment, "apply", "--all", *wanted, "--allow-unknown", *YES)
        assert done.code == 0, done.stderr
        now = simulated.mappings()[UUID.format(1)]
        assert (now["Novelty"], now["BatchSize"]) == ({"Level": 2}, 7)
        assert now["ScalingConfig"] == {"MaximumConcurrency": 5, "Mode": "Fast"}
        assert now["FunctionResponseTypes"] == ["ReportNothing"]
        assert inside(simulated.environment, "verify", "last", *FAST).code == 0
        assert inside(simulated.environment, "rollback", "last", *YES).code == 0
        assert content(simulated) == before

        lines = msgspec.json.encode({"UUID": UUID.format(1), "Novelty": {"Level": 3}})
        (tmp_path / "requests.jsonl").write_bytes(lines)
        requests = ("plan", "--requests", "requests.jsonl", *FAST)
        assert inside(simulated.environment, *requests).code == 2
        saved = inside(simulated.environment, *requests, "--allow-unknown", "--save", "plan.jsonl")
        assert saved.code == 0, saved.stderr
        assert inside(simulated.environment, "apply", "--plan", "plan.jsonl", *YES).code == 0
        assert simulated.mappings()[UUID.format(1)]["Novelty"] == {"Level": 3}


def test_a_lambda_that_ignores_what_it_does_not_know_makes_no_success_of_it(tmp_path: Path, inside: Inside) -> None:
    with Simulated(fleet=[queue(1)]) as simulated:
        done = inside(simulated.environment, "apply", "--all", "--set", "Novelty=5", "--allow-unknown", *YES)
        assert (done.code, set(Cli(tmp_path).last_run().outcomes.values())) == (1, {"failed"})
