"""Resuming finds what was paused, says what stays paused, and how to go on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_harness import FAST, Cli, Inside, Simulated

YES = ("--yes", *FAST)


@pytest.fixture
def simulated() -> Iterator[Simulated]:
    with Simulated(mappings=60) as there:
        yield there


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


def pause(simulated: Simulated, inside: Inside, tmp_path: Path, source_type: str) -> str:
    done = inside(simulated.environment, "pause", "--source-type", source_type, *YES)
    run_id = Cli(tmp_path).last_run().path.name
    assert done.code == 0
    assert done.stderr.rstrip().endswith(f"to resume: bulk-esm resume --run {run_id}")
    return run_id


def test_last_is_the_newest_pause_and_what_stays_paused_is_named(
    simulated: Simulated, inside: Inside, tmp_path: Path
) -> None:
    before = simulated.states()
    first = pause(simulated, inside, tmp_path, "sqs")
    second = pause(simulated, inside, tmp_path, "kinesis")
    assert inside(simulated.environment, "apply", "--source-type", "mq", "--set", "BatchSize=77", *YES).code == 0

    done = inside(simulated.environment, "resume", "--run", "last", *YES)
    run = Cli(tmp_path).last_run()
    assert (done.code, run.record["undoes"]) == (0, second)
    assert f"  resumes: {second}\n" in done.stderr
    assert f"to put back what it changed: bulk-esm rollback bulk-esm-runs/{run.path.name}" in done.stderr
    held = sum(state != now for state, now in zip(before.values(), simulated.states().values(), strict=True))
    assert f"note: {first} paused more, and nothing has resumed {held} of that: bulk-esm resume --run {first}\n" in (
        done.stderr
    )
    assert inside(simulated.environment, "resume", "--run", first, *YES).code == 0
    assert simulated.states() == before
    again = inside(simulated.environment, "resume", "--run", second, "--dry-run", *FAST)
    assert "paused more" not in again.stderr


def test_all_that_is_paused(simulated: Simulated, inside: Inside, tmp_path: Path) -> None:
    before = simulated.states()
    runs = [pause(simulated, inside, tmp_path, source_type) for source_type in ("sqs", "kinesis", "dynamodb")]
    assert inside(simulated.environment, "resume", "--run", runs[1], *YES).code == 0
    assert inside(simulated.environment, "resume", "--all-paused", "--run", "last", *YES).code == 2
    assert inside(simulated.environment, "resume", "--all-paused", "--all", *YES).code == 2
    done = inside(simulated.environment, "resume", "--all-paused", *YES)
    assert (done.code, simulated.states()) == (0, before)
    assert Cli(tmp_path).last_run().record["undoes"] == f"{runs[0]},{runs[2]}"
    done = inside(simulated.environment, "resume", "--all-paused", *YES)
    assert (done.code, done.stdout) == (2, "")
    assert "no run here still holds a paused mapping" in done.stderr


def test_a_mapping_that_was_deleted_since_is_a_conflict(simulated: Simulated, inside: Inside, tmp_path: Path) -> None:
    run_id = pause(simulated, inside, tmp_path, "sqs")
    results = {result["uuid"]: result for result in Cli(tmp_path).last_run().results if result["outcome"] == "updated"}
    uuid = min(results)
    simulated.ask(lambda: simulated.simulator.delete_behind(uuid))
    done = inside(simulated.environment, "resume", "--run", run_id, *YES)
    assert done.code == 1
    run = Cli(tmp_path).last_run()
    assert run.record["counts"] == {"conflict": 1, "updated": len(results) - 1}
    (gone,) = (result for result in run.results if result["outcome"] == "conflict")
    assert (gone["uuid"], gone["function_arn"]) == (uuid, results[uuid]["function_arn"])
    assert "someone deleted the mapping meanwhile" in gone["error"]["message"]
    assert "have been enabled by someone since" not in done.stderr
    # Nothing is paused any more, that one included.
    assert inside(simulated.environment, "resume", "--all-paused", *YES).code == 2


@pytest.mark.parametrize("by", ["rollback", "selection", "someone"])
def test_what_was_enabled_in_another_way_is_held_no_more(
    by: str, simulated: Simulated, inside: Inside, tmp_path: Path
) -> None:
    run_id = pause(simulated, inside, tmp_path, "sqs")
    if by == "rollback":
        assert inside(simulated.environment, "rollback", run_id, *YES).code == 0
    elif by == "selection":
        assert inside(simulated.environment, "resume", "--source-type", "sqs", *YES).code == 0
    else:
        for uuid in simulated.mappings("sqs"):
            simulated.change_behind(uuid, State="Enabled")
        assert inside(simulated.environment, "resume", "--run", run_id, *YES).code == 0
    assert inside(simulated.environment, "resume", "--all-paused", *YES).code == 2


def test_a_pause_that_changed_nothing_is_refused(simulated: Simulated, inside: Inside, tmp_path: Path) -> None:
    pause(simulated, inside, tmp_path, "sqs")
    done = inside(simulated.environment, "pause", "--source-type", "sqs", *YES)
    assert "to resume" not in done.stderr  # it paused nothing
    done = inside(simulated.environment, "resume", "--run", Cli(tmp_path).last_run().path.name, *YES)
    assert (done.code, done.stdout) == (2, "")
    assert "did not pause anything" in done.stderr


def test_a_pause_that_halts_says_how_to_resume(simulated: Simulated, inside: Inside, tmp_path: Path) -> None:
    done = inside(
        simulated.environment, "pause", "--all", "--waves", "1,100%", "--gate", "test $BULK_ESM_GATE_WAVE = 0", *YES
    )
    run_id = Cli(tmp_path).last_run().path.name
    assert done.code == 3
    assert f"to finish it: bulk-esm continue bulk-esm-runs/{run_id}\n" in done.stderr
    assert f"to resume: bulk-esm resume --run {run_id}\n" in done.stderr


def test_in_another_folder_the_command_names_it(simulated: Simulated, inside: Inside, tmp_path: Path) -> None:
    elsewhere = tmp_path / "some where"
    done = inside(simulated.environment, "pause", "--source-type", "mq", "--runs-dir", str(elsewhere), *YES)
    run_id = next(path.name for path in elsewhere.iterdir() if not path.name.startswith("."))
    assert f"to resume: bulk-esm resume --run {run_id} --runs-dir '{elsewhere}'\n" in done.stderr


def test_an_apply_says_how_to_put_it_back(simulated: Simulated, inside: Inside, tmp_path: Path) -> None:
    done = inside(simulated.environment, "apply", "--source-type", "sqs", "--set", "BatchSize=7", *YES)
    run_id = Cli(tmp_path).last_run().path.name
    assert f"to put back what it changed: bulk-esm rollback bulk-esm-runs/{run_id}\n" in done.stderr
    again = inside(simulated.environment, "apply", "--source-type", "sqs", "--set", "BatchSize=7", *YES)
    assert "to put back" not in again.stderr


ACCOUNTS = ("111111111111", "222222222222")
FLEET = ("--accounts", ",".join(ACCOUNTS), "--regions", "us-east-1,eu-west-1", "--role-name", "bulk-esm")


def all_states(simulated: Simulated) -> dict[str, str]:
    """The states of all that the simulator has, by account, Region and UUID."""
    places = [(account, region) for account in ("123456789012", *ACCOUNTS) for region in ("us-east-1", "eu-west-1")]

    def ask() -> dict[str, str]:
        return {
            f"{account}-{region}-{mapping['UUID']}": mapping["State"]
            for account, region in places
            for mapping in simulated.simulator.snapshot(account, region)
        }

    return simulated.ask(ask)


def pause_everywhere(simulated: Simulated, inside: Inside) -> None:
    """Pause at home, in another Region, and in a fleet."""
    environment = simulated.environment
    assert inside(environment, "pause", "--source-type", "sqs", *YES).code == 0
    assert inside(environment, "pause", "--source-type", "sqs", "--region", "eu-west-1", *YES).code == 0
    assert inside(environment, "pause", "--source-type", "kinesis", *FLEET, *YES).code == 0


def test_all_that_is_paused_in_several_accounts_and_regions_in_one_run(
    simulated: Simulated, inside: Inside, tmp_path: Path
) -> None:
    before = all_states(simulated)
    pause_everywhere(simulated, inside)
    runs = {path.name for path in Cli(tmp_path).run_folders()}
    assert all_states(simulated) != before
    done = inside(simulated.environment, "resume", "--all-paused", *YES)
    assert (done.code, all_states(simulated)) == (0, before)
    record = Cli(tmp_path).last_run().record
    assert (record["command"], set(record["undoes"].split(",")), record["shards"]) == (
        "resume",
        runs,
        {"finished": 6},
    )
    assert inside(simulated.environment, "resume", "--all-paused", *YES).code == 2


def test_all_that_is_paused_in_a_fleet_that_is_named(simulated: Simulated, inside: Inside) -> None:
    before = all_states(simulated)
    pause_everywhere(simulated, inside)
    one = ("--accounts", ACCOUNTS[0], "--regions", "eu-west-1", "--role-name", "bulk-esm")
    done = inside(simulated.environment, "resume", "--all-paused", *one, *YES)
    assert done.code == 0
    assert "paused more, and nothing has resumed" in done.stderr
    here = f"{ACCOUNTS[0]}-eu-west-1-"
    left = {place for place, state in all_states(simulated).items() if state != before[place]}
    assert left
    assert not any(place.startswith(here) for place in left)
    nothing = inside(simulated.environment, "resume", "--all-paused", *one, *YES)
    assert nothing.code == 2
    assert "in these accounts and Regions" in nothing.stderr
    assert inside(simulated.environment, "resume", "--all-paused", *YES).code == 0
    assert all_states(simulated) == before


def test_what_was_paused_with_the_credentials_of_another_account_is_told_and_the_rest_is_resumed(
    simulated: Simulated, inside: Inside
) -> None:
    before = all_states(simulated)
    theirs = simulated.environment | {"AWS_ACCESS_KEY_ID": ACCOUNTS[0]}
    for environment in (simulated.environment, theirs):
        assert inside(environment, "pause", "--source-type", "sqs", *YES).code == 0
    done = inside(simulated.environment, "resume", "--all-paused", *YES)
    assert done.code == 1
    says = f"that was paused with credentials of {ACCOUNTS[0]}, and these are of 123456789012: name the way in"
    assert says in done.stderr
    left = [place for place, state in all_states(simulated).items() if state != before[place]]
    assert left
    assert all(place.startswith(ACCOUNTS[0]) for place in left)
    assert inside(theirs, "resume", "--all-paused", *YES).code == 0
    assert all_states(simulated) == before
