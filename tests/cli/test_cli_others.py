"""Others' hands: what someone changed meanwhile is told as it was and as it is, and is not overwritten."""

from pathlib import Path
from typing import Any

import pytest
from cli_harness import FAST, Cli, Inside, Simulated

YES = ("--yes", *FAST)
CHANGE = ("--set", "BatchSize=7")
UUID = "00000000-0000-4000-8000-00000000000{}"


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


def queue(number: int, **members: Any) -> dict[str, Any]:
    return {
        "UUID": UUID.format(number),
        "FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:orders",
        "EventSourceArn": f"arn:aws:sqs:us-east-1:123456789012:orders-{number}",
        "State": "Disabled",
        "LastModified": 1_700_000_000.125,
        "BatchSize": 10,
        **members,
    }


FLEET = [queue(number) for number in range(4)]
OTHERS: list[tuple[dict[str, Any], str]] = [
    ({"BatchSize": 5}, "BatchSize: 10 -> 5"),
    ({"MaximumBatchingWindowInSeconds": 3}, "MaximumBatchingWindowInSeconds: 0 -> 3"),
    ({"ScalingConfig": {"MaximumConcurrency": 3}}, 'ScalingConfig: unset -> {"MaximumConcurrency":3}'),
]


def errors(tmp_path: Path) -> dict[str, str]:
    """What the last run's results say, by the last digit of the UUID."""
    results = Cli(tmp_path).last_run().results
    return {result["uuid"][-1]: (result["error"] or {"message": ""})["message"] for result in results}


def test_a_conflict_says_what_changed(tmp_path: Path, inside: Inside) -> None:
    with Simulated(fleet=FLEET) as simulated:
        assert inside(simulated.environment, "plan", "--all", *CHANGE, "--save", "plan.jsonl", *FAST).code == 0
        for number, (members, _) in enumerate(OTHERS):
            simulated.change_behind(UUID.format(number), **members)
        done = inside(simulated.environment, "apply", "--plan", "plan.jsonl", *YES)
        assert done.code == 1
        for number, (_, says) in enumerate(OTHERS):
            what = f"someone else changed the mapping meanwhile: {says}; plan it anew"
            assert errors(tmp_path)[str(number)] == what
            assert what in done.stderr
        assert simulated.mappings()[UUID.format(3)]["BatchSize"] == 7

        simulated.change_behind(UUID.format(3), BatchSize=8, ScalingConfig={"MaximumConcurrency": 9})
        assert inside(simulated.environment, "rollback", "last", *YES).code == 1
        says = 'BatchSize: 7 -> 8; ScalingConfig: unset -> {"MaximumConcurrency":9}'
        assert errors(tmp_path)["3"] == f"someone else changed the mapping meanwhile: {says}"


def test_only_my_parameters(tmp_path: Path, inside: Inside) -> None:
    with Simulated(fleet=FLEET) as simulated:
        assert inside(simulated.environment, "plan", "--all", *CHANGE, "--save", "plan.jsonl", *FAST).code == 0
        simulated.change_behind(UUID.format(0), BatchSize=5)
        simulated.change_behind(UUID.format(1), MaximumBatchingWindowInSeconds=3)
        simulated.change_behind(UUID.format(2), State="Enabled")
        done = inside(simulated.environment, "apply", "--plan", "plan.jsonl", "--only-my-parameters", *YES)
        assert done.code == 1, done.stderr
        outcomes = {uuid[-1]: outcome for uuid, outcome in Cli(tmp_path).last_run().outcomes.items()}
        assert outcomes == {"0": "conflict", "1": "updated", "2": "updated", "3": "updated"}
        there = simulated.mappings()
        assert (there[UUID.format(1)]["MaximumBatchingWindowInSeconds"], there[UUID.format(1)]["BatchSize"]) == (3, 7)
        assert (there[UUID.format(2)]["State"], there[UUID.format(2)]["BatchSize"]) == ("Enabled", 7)

        back = inside(simulated.environment, "rollback", "last", *YES)  # theirs stays
        assert back.code == 0, back.stderr
        there = simulated.mappings()
        assert [there[UUID.format(number)]["BatchSize"] for number in range(4)] == [5, 10, 10, 10]
        assert there[UUID.format(1)]["MaximumBatchingWindowInSeconds"] == 3
        assert there[UUID.format(2)]["State"] == "Enabled"


def test_only_my_parameters_that_would_not_go_together_any_more_are_blocked(tmp_path: Path, inside: Inside) -> None:
    with Simulated(fleet=[queue(1, MaximumBatchingWindowInSeconds=5)]) as simulated:
        larger = ("plan", "--all", "--set", "BatchSize=50", "--save", "plan.jsonl", *FAST)
        assert inside(simulated.environment, *larger).code == 0
        simulated.change_behind(UUID.format(1), MaximumBatchingWindowInSeconds=0)
        done = inside(simulated.environment, "apply", "--plan", "plan.jsonl", "--only-my-parameters", *YES)
        assert done.code == 2
        assert "BatchSize 50 needs MaximumBatchingWindowInSeconds of at least 1" in done.stderr


def test_only_my_parameters_goes_with_a_plan(inside: Inside) -> None:
    done = inside({}, "apply", "--all", *CHANGE, "--only-my-parameters", *YES)
    assert (done.code, "--plan" in done.stderr) == (2, True)


def test_what_a_run_of_ours_changed_is_no_conflict(tmp_path: Path, inside: Inside) -> None:
    """Neither for a plan that was saved before that run, nor for the rollback of a run before it."""
    with Simulated(fleet=FLEET) as simulated:
        first = ("apply", "--all", "--set", "MaximumBatchingWindowInSeconds=2", *YES)
        assert inside(simulated.environment, *first).code == 0
        window = Cli(tmp_path).last_run().path.name
        plan = tmp_path / "plan.jsonl"
        assert inside(simulated.environment, "plan", "--all", *CHANGE, "--save", str(plan), *FAST).code == 0
        scaling = ("apply", "--all", "--set", "ScalingConfig.MaximumConcurrency=3", *YES)
        assert inside(simulated.environment, *scaling).code == 0
        simulated.change_behind(UUID.format(0), FunctionResponseTypes=["ReportBatchItemFailures"])

        done = inside(simulated.environment, "apply", "--plan", str(plan), *YES)
        assert done.code == 1, done.stderr
        sized = Cli(tmp_path).last_run().path.name
        outcomes = Cli(tmp_path).last_run().outcomes
        assert [outcomes[UUID.format(number)] for number in range(4)] == ["conflict", "updated", "updated", "updated"]
        says = 'someone else changed the mapping meanwhile: FunctionResponseTypes: [] -> ["ReportBatchItemFailures"]'
        assert errors(tmp_path)["0"] == f"{says}; plan it anew"
        back = inside(simulated.environment, "rollback", window, *YES)
        assert errors(tmp_path)["0"] == says
        outcomes = Cli(tmp_path).last_run().outcomes
        assert [outcomes[UUID.format(number)] for number in range(1, 4)] == ["updated"] * 3, back.stderr
        there = simulated.mappings()[UUID.format(1)]
        assert (there["MaximumBatchingWindowInSeconds"], there["BatchSize"]) == (0, 7)
        assert there["ScalingConfig"] == {"MaximumConcurrency": 3}

        again = ("apply", "--all", "--set", "BatchSize=9", *YES)  # what the run itself set is not left out
        assert inside(simulated.environment, *again).code == 0
        assert inside(simulated.environment, "rollback", sized, *YES).code == 1
        assert errors(tmp_path)["1"].endswith("BatchSize: 7 -> 9")
