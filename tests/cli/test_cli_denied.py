"""Policies that deny some mappings or some actions, as a user meets them at the command line (F§0.1)."""

from pathlib import Path
from typing import Any

import pytest
from cli_harness import ACCOUNT, FAST, Cli, Inside, Simulated, records

from bulk_esm.simulator import Denial, Faults, Fleet

UPDATE, GET = "lambda:UpdateEventSourceMapping", "lambda:GetEventSourceMapping"
RESIZE = ("apply", "--all", "--set", "BatchSize=7", "--yes", *FAST)


def mapping(number: int, region: str = "us-east-1") -> dict[str, Any]:
    uuid, team = f"00000000-0000-4000-8000-{number:012}", "orders" if number % 10 == 3 else "payments"
    return {
        "UUID": uuid,
        "EventSourceMappingArn": f"arn:aws:lambda:{region}:{ACCOUNT}:event-source-mapping:{uuid}",
        "FunctionArn": f"arn:aws:lambda:{region}:{ACCOUNT}:function:{team}-{number}",
        "EventSourceArn": f"arn:aws:sqs:{region}:{ACCOUNT}:queue-{number}",
        "State": "Enabled",
        "LastModified": 1_700_000_000.125,
        "BatchSize": 10,
    }


def denying(*denials: Denial, count: int = 10, **settings: Any) -> Simulated:
    return Simulated(fleet=[mapping(number) for number in range(count)], faults=Faults(denials=denials), **settings)


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


def test_one_denied_mapping_of_ten(inside: Inside, tmp_path: Path) -> None:
    with denying(Denial(action=UPDATE, resources=("orders-*",))) as simulated:
        done = inside(simulated.environment, *RESIZE)
        run = Cli(tmp_path).last_run()
        assert (done.code, run.record["status"]) == (1, "finished")
        assert run.record["counts"] == {"updated": 9, "failed": 1}
        (refused,) = (result for result in run.results if result["outcome"] == "failed")
        assert refused["uuid"] == mapping(3)["UUID"]
        assert f"Allow {UPDATE} on Resource {mapping(3)['EventSourceMappingArn']}" in refused["error"]["message"]
        assert f"Allow {UPDATE} on Resource" in done.stderr
        # It has had its answer: there is nothing to continue.
        assert inside(simulated.environment, "continue", "last", "--yes", *FAST).code in {0, 1}
        assert simulated.report().count("update", 403) == 1


def test_a_budget_of_none_halts_at_the_one_that_is_denied(inside: Inside, tmp_path: Path) -> None:
    with denying(Denial(action=UPDATE, resources=("orders-*",))) as simulated:
        done = inside(simulated.environment, *RESIZE, "--max-failures", "0")
        assert (done.code, Cli(tmp_path).last_run().record["status"]) == (3, "halted")


@pytest.mark.parametrize("count", [1, 9, 10, 40])
def test_a_role_without_update_is_denied_and_continues_when_it_has_it(
    count: int, inside: Inside, tmp_path: Path
) -> None:
    with denying(Denial(action=UPDATE), count=count) as simulated:
        done = inside(simulated.environment, *RESIZE)
        run = Cli(tmp_path).last_run()
        assert done.code == 5
        assert f"{UPDATE} is not permitted for any mapping" in done.stderr
        refused = run.record["counts"]["failed"]
        assert min(count, 10) <= refused <= min(count, 50)
        assert run.record["counts"].get("not_started", 0) == count - refused
        # One cause, and not one for each mapping.
        assert done.stderr.count(f"{refused:,} failed: AccessDeniedException") == 1
        if count > refused:
            have_policies(simulated)  # the role is given what it lacks
            done = inside(simulated.environment, "continue", "last", "--yes", *FAST)
            assert (done.code, run.record["counts"]) == (1, {"updated": count - refused, "failed": refused})


def have_policies(simulated: Simulated, *denials: Denial) -> None:
    """Change what policies deny from now on."""
    simulated.ask(lambda: simulated.simulator.set_faults(Faults(denials=denials)))


def test_a_continue_meets_the_one_that_is_denied_and_goes_on(inside: Inside, tmp_path: Path) -> None:
    faults = (Denial(action=UPDATE, resources=("orders-*",)),)
    with denying(*faults, count=30) as simulated:
        done = inside(simulated.environment, *RESIZE, "--waves", "1,100%", "--gate", "test $BULK_ESM_GATE_WAVE = 0")
        assert done.code == 3
        done = inside(simulated.environment, "continue", "last", "--yes", *FAST)
        assert done.code == 3  # the gate still says so
        run = Cli(tmp_path).last_run()
        run.edit_record(rollout=run.record["rollout"] | {"gates": ["true"]})
        done = inside(simulated.environment, "continue", "last", "--yes", *FAST)
        assert done.code == 1
        assert Cli(tmp_path).last_run().record["counts"] == {"updated": 27, "failed": 3}


def test_a_role_without_get_is_told_before_anything_is_sent(inside: Inside, tmp_path: Path) -> None:
    with denying(Denial(action=GET), count=250) as simulated:
        done = inside(simulated.environment, *RESIZE, "--dry-run")
        assert f"note: these credentials lack {GET}: the run looks with List alone" in done.stderr
        assert simulated.report().count("update") == 0
        done = inside(simulated.environment, *RESIZE)
        assert f"note: these credentials lack {GET}: the run looks with List alone" in done.stderr
        assert (done.code, Cli(tmp_path).last_run().record["counts"]) == (0, {"updated": 250})


def test_one_shard_of_two_without_update(inside: Inside, tmp_path: Path) -> None:
    other = Fleet(mappings=[mapping(number, "eu-west-1") for number in range(12)])
    denial = Denial(action=UPDATE, resources=("arn:aws:lambda:eu-west-1:*",))
    with denying(denial, count=12, fleets={(ACCOUNT, "eu-west-1"): other}) as simulated:
        done = inside(simulated.environment, *RESIZE, "--regions", "us-east-1,eu-west-1")
        assert done.code == 1
        run = Cli(tmp_path).last_run()
        assert run.record["counts"]["updated"] == 12
        assert run.record["shards"] == {"finished": 1, "unreachable": 1}


def test_a_rollback_a_verify_and_a_continue_with_one_mapping_that_may_not_be_read(
    inside: Inside, tmp_path: Path
) -> None:
    with denying(count=6) as simulated:
        assert inside(simulated.environment, *RESIZE).code == 0
        run = Cli(tmp_path).last_run()
        path = run.path / "results.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text("".join(lines[3:]), encoding="utf-8")  # of these three only Get tells
        run.edit_record(status="running", ended_at=None)
        lost = records("".join(lines[:3]))
        have_policies(simulated, Denial(action=GET, resources=(lost[0]["uuid"],)))
        done = inside(simulated.environment, "rollback", "last", "--yes", *FAST)
        assert done.code == 2
        assert "1 of 6 mappings are blocked" in done.stderr
        done = inside(simulated.environment, "continue", "last", "--yes", *FAST)
        assert done.code == 1
        assert run.record["counts"] == {"updated": 5, "timed_out": 1}
        done = inside(simulated.environment, "rollback", "last", "--yes", "--skip-blocked", *FAST)
        assert done.code == 0
        assert sorted(each["BatchSize"] for each in simulated.mappings().values()) == [7, 10, 10, 10, 10, 10]


def test_simulate_takes_policies(inside: Inside) -> None:
    done = inside({}, "simulate", "--deny", "everything")
    assert done.code == 2
    assert "--deny everything: say an action of Lambda" in done.stderr
