"""The commands over many accounts and Regions, one process."""

import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cli_harness import FAST, Cli, Inside, RunFiles, Simulated, finish, listening

from bulk_esm.model.records import FileDigest, FleetRecord
from bulk_esm.simulator import Faults, Kind
from bulk_esm.store import run_files as store

ACCOUNTS = ("111111111111", "222222222222", "333333333333")
REGIONS = ("us-east-1", "eu-west-1")
FLEET = ("--accounts", ",".join(ACCOUNTS), "--regions", ",".join(REGIONS), "--role-name", "bulk-esm")
YES = ("--yes", *FAST)
EACH = 30


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


@pytest.fixture
def simulated() -> Iterator[Simulated]:
    with Simulated(mappings=EACH) as found:
        yield found


def states(simulated: Simulated) -> dict[str, dict[str, str]]:
    """States by shard and UUID."""
    return {f"{account}-{region}": states_in(simulated, account, region) for account in ACCOUNTS for region in REGIONS}


def states_in(simulated: Simulated, account: str, region: str) -> dict[str, str]:
    mappings = simulated.ask(lambda: simulated.simulator.snapshot(account, region))
    return {each["UUID"]: each["State"] for each in mappings}


def of_shards(run: Path) -> dict[str, RunFiles]:
    return {path.name: RunFiles(path) for path in sorted((run / "shards").iterdir())}


def runs_of(home: Path) -> list[Path]:
    return sorted((home / "bulk-esm-runs").iterdir())


def updates(simulated: Simulated) -> int:
    return simulated.report().count(kind=Kind.UPDATE)


def test_list_plan_pause_resume_verify_and_rollback_of_a_fleet(
    inside: Inside, simulated: Simulated, tmp_path: Path
) -> None:
    environment = simulated.environment
    before = states(simulated)
    listed = inside(environment, "list", *FLEET)
    assert listed.code == 0
    assert len(listed.records) == 6 * EACH
    assert "180 of 180 mappings in 6 shards" in listed.stderr
    table = inside(environment, "list", *FLEET, "--output", "csv").stdout.splitlines()
    assert table[0] == "uuid,account,region,function,source,type,state"
    assert {tuple(line.split(",")[1:3]) for line in table[1:]} == {(a, r) for a in ACCOUNTS for r in REGIONS}

    planned = inside(environment, "plan", *FLEET, "--all", "--set", "Enabled=false", "--detailed-exitcode", *FAST)
    assert planned.code == 2
    assert len(planned.records) == 6 * EACH
    assert not (tmp_path / "bulk-esm-runs").exists()
    assert updates(simulated) == 0

    paused = inside(environment, "pause", *FLEET, "--all", *YES)
    assert paused.code == 0
    assert Counter(result["outcome"] for result in paused.records)["updated"] == sum(
        state == "Enabled" for shard in before.values() for state in shard.values()
    )
    assert {(each["account_id"], each["region"]) for each in paused.records} == {
        (account, region) for account in ACCOUNTS for region in REGIONS
    }
    run = runs_of(tmp_path)[-1]
    record = RunFiles(run).record
    assert record["status"] == "finished"
    assert record["shards"] == {"finished": 6}
    assert sum(record["counts"].values()) == 6 * EACH
    for files in of_shards(run).values():
        assert len(files.outcomes) == EACH
    assert {state for shard in states(simulated).values() for state in shard.values()} == {"Disabled"}

    verified = inside(environment, "verify", "last", *FAST)
    assert (verified.code, verified.records) == (0, [])
    shown = inside(environment, "show", "last", "--output", "jsonl")
    assert len(shown.records) == 6 * EACH
    assert "6 of 6 shards" in shown.stderr or "6 shards" in shown.stderr
    assert RunFiles(run).record["run_id"] in inside(environment, "runs", "--output", "csv").stdout

    resumed = inside(environment, "resume", "--run", "last", *YES)
    assert resumed.code == 0
    assert states(simulated) == before

    back = inside(environment, "rollback", run.name, *YES)
    assert back.code == 0
    # Somebody enabled them since, so nothing is left of that run to put back.
    assert {result["outcome"] for result in back.records} <= {"unchanged", "conflict", "updated"}
    assert states(simulated) == before
    assert inside(environment, "verify", run.name, *FAST).code == 1


def test_a_saved_plan_of_a_fleet(inside: Inside, simulated: Simulated, tmp_path: Path) -> None:
    environment = simulated.environment
    change = ("--source-type", "sqs", "--set", "BatchSize=7")
    assert inside(environment, "plan", *FLEET, *change, "--save", "plan.jsonl", *FAST).code == 0
    lone = inside(environment, "apply", "--plan", "plan.jsonl", *YES)
    assert lone.code == 2
    assert "several accounts or Regions" in lone.stderr
    part = inside(environment, "apply", "--plan", "plan.jsonl", *FLEET[2:], "--accounts", ACCOUNTS[0], *YES)
    assert part.code == 2
    assert "which the fleet does not have" in part.stderr
    assert updates(simulated) == 0
    applied = inside(environment, "apply", "--plan", "plan.jsonl", *FLEET, *YES)
    assert applied.code == 0
    *lines, _ = (tmp_path / "plan.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(applied.records) == len(lines)
    assert {result["outcome"] for result in applied.records} == {"updated"}


def test_denied_accounts_and_a_broken_one_hurt_no_other(inside: Inside) -> None:
    faults = Faults(denied_accounts=frozenset({ACCOUNTS[0]}), broken_accounts=frozenset({ACCOUNTS[1]}))
    with Simulated(mappings=EACH, faults=faults) as simulated:
        done = inside(simulated.environment, "pause", *FLEET, "--all", *YES)
        assert done.code == 1
        assert {result["account_id"] for result in done.records} == {ACCOUNTS[2]}
        assert len(done.records) == 2 * EACH
        assert "AccessDenied" in done.stderr
        assert ACCOUNTS[0] in done.stderr
        assert ACCOUNTS[1] in done.stderr
        refused = inside(simulated.environment, "pause", *FLEET, "--all", "--max-failed-shards", "3", *YES)
        assert refused.code == 2
        assert "nothing was sent" in refused.stderr
        looked = inside(simulated.environment, "pause", *FLEET, "--all", "--max-failed-shards", "3", "--dry-run", *FAST)
        assert looked.code == 2
        only = (*FLEET[2:], "--accounts", ACCOUNTS[0])
        assert inside(simulated.environment, "pause", *only, "--all", *YES).code == 5
        assert inside(simulated.environment, "list", *only).code == 5
        only = (*FLEET[2:], "--accounts", ACCOUNTS[1])
        assert inside(simulated.environment, "list", *only, *FAST).code == 2  # as without a fleet's flags


@pytest.mark.parametrize("waves", [(), ("--waves", "1,100%")])
def test_shards_that_could_not_be_planned_are_taken_up(inside: Inside, tmp_path: Path, waves: tuple[str, ...]) -> None:
    seen = frozenset({ACCOUNTS[0]})
    faults = Faults(broken_accounts=seen) if waves else Faults(denied_accounts=seen)
    with Simulated(mappings=EACH, faults=faults) as simulated:
        done = inside(simulated.environment, "pause", *FLEET, "--all", *waves, *YES)
        assert done.code == 1
        [run] = runs_of(tmp_path)
        assert f"to finish it: bulk-esm continue bulk-esm-runs/{run.name}" in done.stderr
        assert inside(simulated.environment, "continue", "last", *YES).code == 1  # it is as it was
        assert updates(simulated) == sum(result["outcome"] == "updated" for result in done.records)
    with Simulated(mappings=EACH) as simulated:  # in which that is mended
        before = [states_in(simulated, ACCOUNTS[0], region) for region in REGIONS]
        dry = inside(simulated.environment, "continue", "last", "--dry-run", *FAST)
        assert (dry.code, updates(simulated)) == (0, 0)
        assert f"planned only now, as they could not be reached before: 2 shards with {2 * EACH} of these" in dry.stderr
        again = inside(simulated.environment, "continue", "last", *YES)
        assert again.code == 0
        assert {result["account_id"] for result in again.records} == seen
        assert len(again.records) == 2 * EACH
        there = [set(states_in(simulated, ACCOUNTS[0], region).values()) for region in REGIONS]
        assert there == [{"Disabled"}] * 2
        assert RunFiles(run).record["shards"] == {"finished": 6}
        assert len({result["uuid"] for files in of_shards(run).values() for result in files.results}) == 6 * EACH
        assert inside(simulated.environment, "continue", "last", *YES).stdout == ""
        assert "finished" in inside({}, "runs", "--output", "table").stdout
        resumed = inside(simulated.environment, "resume", "--run", "last", *YES)
        assert resumed.code == 0
        assert [states_in(simulated, ACCOUNTS[0], region) for region in REGIONS] == before


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_while_shards_are_taken_up_damages_nothing(
    inside: Inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """The list of shards and its digest are two files."""
    really = store.RunFiles.write_fleet

    def killed(files: store.RunFiles, fleet: FleetRecord) -> FileDigest:
        if when == "after":
            really(files, fleet)
        raise SystemExit(9)

    with Simulated(mappings=2, faults=Faults(denied_accounts=frozenset({ACCOUNTS[0]}))) as simulated:
        assert inside(simulated.environment, "pause", *FLEET, "--all", *YES).code == 1
    with Simulated(mappings=2) as simulated:
        with monkeypatch.context() as patched:
            patched.setattr(store.RunFiles, "write_fleet", killed)
            with pytest.raises(SystemExit):
                inside(simulated.environment, "continue", "last", *YES)
        assert updates(simulated) == 0
        again = inside(simulated.environment, "continue", "last", *YES)
        assert again.code == 0
        assert [set(states_in(simulated, ACCOUNTS[0], region).values()) for region in REGIONS] == [{"Disabled"}] * 2
        assert inside(simulated.environment, "verify", "last", *FAST).code in {0, 1}  # its fleet.json can be read
        [run] = runs_of(tmp_path)
        assert len({result["uuid"] for files in of_shards(run).values() for result in files.results}) == 6 * 2


def test_three_of_sixty_shards_denied_and_one_broken(inside: Inside, tmp_path: Path) -> None:
    accounts = [f"{number:012}" for number in range(100, 160)]
    denied, broken = accounts[10:40:10], accounts[50]
    faults = Faults(denied_accounts=frozenset(denied), broken_accounts=frozenset({broken}))
    with Simulated(mappings=10, faults=faults) as simulated:
        flags = ("--accounts", ",".join(accounts), "--regions", "us-east-1", "--role-name", "bulk-esm")
        done = inside(simulated.environment, "pause", *flags, "--all", *YES)
        accepted = Counter(each.account_id for each in simulated.report().mappings if each.accepted_count)
    assert done.code == 1
    [run] = runs_of(tmp_path)
    assert RunFiles(run).record["shards"] == {"finished": 56, "unreachable": 4}
    for name, files in of_shards(run).items():
        if name.split("-", 1)[0] in {*denied, broken}:
            assert files.record["status"] == "unreachable"
            assert files.record["reason"]
            assert not accepted[name.split("-", 1)[0]]
        else:
            assert len(files.outcomes) == 10
            assert set(files.outcomes.values()) <= {"updated", "unchanged"}
    for account in (*denied, broken):
        assert account in done.stderr
    assert "AccessDeniedException" in done.stderr
    assert "56 of 60 shards finished, 4 unreachable" in done.stderr


def test_a_dry_run_of_a_fleet_sends_and_leaves_nothing(inside: Inside, simulated: Simulated, tmp_path: Path) -> None:
    done = inside(simulated.environment, "pause", *FLEET, "--all", "--dry-run", *FAST)
    assert done.code == 0
    assert len(done.records) == 6 * EACH
    assert updates(simulated) == 0
    assert not (tmp_path / "bulk-esm-runs").exists()


def test_the_canary_account_goes_first_and_a_gate_halts_the_rest(
    inside: Inside, simulated: Simulated, tmp_path: Path
) -> None:
    canary = ACCOUNTS[1]
    halting = ("--shard-order", canary, "--gate", "test $BULK_ESM_GATE_WAVE = 0", "--on-halt", "rollback")
    before = states(simulated)
    done = inside(simulated.environment, "pause", *FLEET, "--all", *halting, *YES)
    assert done.code == 3
    touched = {result["account_id"] for result in done.records if result["outcome"] == "updated"}
    assert touched == {canary}
    assert "gate 'test $BULK_ESM_GATE_WAVE = 0' exited with 1" in done.stderr
    assert states(simulated) == before
    halted, back = runs_of(tmp_path)
    assert RunFiles(halted).record["status"] == "halted"
    assert RunFiles(back).record["undoes"] == halted.name


def test_one_shard_of_a_run_is_put_back_through_its_role(inside: Inside, simulated: Simulated, tmp_path: Path) -> None:
    environment = simulated.environment
    before = states(simulated)
    assert inside(environment, "pause", *FLEET, "--all", *YES).code == 0
    name = f"{ACCOUNTS[1]}-{REGIONS[1]}"
    shard = str(runs_of(tmp_path)[0] / "shards" / name)
    assert inside(environment, "verify", shard, *FAST).code == 0
    refused = inside(environment, "continue", shard, *YES)
    assert refused.code == 2
    assert "continue the whole of it" in refused.stderr
    back = inside(environment, "rollback", shard, *YES)
    assert back.code == 0
    assert {(result["account_id"], result["region"]) for result in back.records} == {(ACCOUNTS[1], REGIONS[1])}
    assert states(simulated)[name] == before[name]
    others = [shard for other, shard in states(simulated).items() if other != name]
    assert {state for shard in others for state in shard.values()} == {"Disabled"}
    resumed = inside(
        environment, "resume", "--run", str(runs_of(tmp_path)[0] / "shards" / f"{ACCOUNTS[0]}-{REGIONS[0]}"), *YES
    )
    assert resumed.code == 0
    assert states(simulated)[f"{ACCOUNTS[0]}-{REGIONS[0]}"] == before[f"{ACCOUNTS[0]}-{REGIONS[0]}"]


def test_requests_of_several_shards_go_in_their_order(inside: Inside, simulated: Simulated, tmp_path: Path) -> None:
    uuids = [uuid for shard in states(simulated).values() for uuid in sorted(shard, reverse=True)[:10]]
    requests = [msgspec.json.encode({"UUID": uuid, "BatchSize": 7}) for uuid in uuids]
    (tmp_path / "requests.jsonl").write_bytes(b"\n".join(requests))
    flags = ("--requests", "requests.jsonl", "--order", "given", "--waves", "1,20%,100%")
    done = inside(simulated.environment, "apply", *FLEET, *flags, "--skip-blocked", *YES)
    assert done.code == 0
    by_shard: dict[str, list[int]] = {}
    for uuid in uuids:  # within a shard no mapping comes in an earlier wave than one that was asked for before it
        [result] = [result for result in done.records if result["uuid"] == uuid]
        if result["outcome"] == "updated":
            by_shard.setdefault(f"{result['account_id']}-{result['region']}", []).append(result["wave"])
    assert len(by_shard) == 6
    assert all(waves == sorted(waves) for waves in by_shard.values())


def test_nothing_to_put_back(inside: Inside, simulated: Simulated, tmp_path: Path) -> None:
    assert inside(simulated.environment, "resume", *FLEET, "--state", "Enabled", *YES).code == 0
    done = inside(simulated.environment, "rollback", "last", *YES)
    assert done.code == 0
    assert "so there is nothing to put back" in done.stderr
    assert len(runs_of(tmp_path)) == 1


def test_verify_says_that_a_killed_run_did_not_end(inside: Inside, simulated: Simulated, tmp_path: Path) -> None:
    assert inside(simulated.environment, "pause", *FLEET, "--all", *YES).code == 0
    [run] = runs_of(tmp_path)
    record = RunFiles(run).record
    RunFiles(run).edit_record(status="running", ended_at=None)
    RunFiles(run / "shards" / f"{ACCOUNTS[0]}-{REGIONS[0]}").edit_record(status="running", ended_at=None)
    shard = run / "shards" / f"{ACCOUNTS[0]}-{REGIONS[0]}" / "results.jsonl"
    lines = shard.read_bytes().splitlines(keepends=True)
    updated = [line for line in lines if b'"outcome":"updated"' in line]
    shard.write_bytes(b"".join(line for line in lines if line not in updated[:7]))
    told = inside(simulated.environment, "verify", "last", *FAST)
    assert told.code == 1
    assert "did not end: what became of 7 mappings is not known" in told.stderr
    shown = inside(simulated.environment, "show", "last")
    left = record["counts"]["updated"] - 7
    assert f"so far: {left} updated, {record['counts']['unchanged']} unchanged" in shown.stderr


def test_what_a_plan_says_is_what_will_be(inside: Inside, simulated: Simulated, tmp_path: Path) -> None:
    plan = ("plan", "--all", "--set", "Enabled=false")
    misspelt = inside(simulated.environment, *plan, *FLEET, "--shard-order", "account")
    assert misspelt.code == 2
    assert "did you mean accounts?" in misspelt.stderr
    document = {
        "role_name": "x",
        "rate": 300.0,
        "shards": [
            {"account": ACCOUNTS[0], "region": "us-east-1", "rate": 0.5},
            {"account": ACCOUNTS[1], "region": "us-east-1"},
        ],
    }
    (tmp_path / "fleet.yaml").write_bytes(msgspec.json.encode(document))
    done = inside(simulated.environment, *plan, "--fleet", "fleet.yaml")
    assert "at 0.5 to 300 requests/s in each shard" in done.stderr
    named = ("--shard-order", f"{ACCOUNTS[0]}-us-east-1")
    assert (
        "one after another, in 2 groups" in inside(simulated.environment, *plan, "--fleet", "fleet.yaml", *named).stderr
    )


def test_credentials_of_another_account_are_a_matter_of_access(inside: Inside, simulated: Simulated) -> None:
    done = inside(simulated.environment, "pause", "--accounts", ACCOUNTS[0], "--regions", "us-east-1", "--all", *YES)
    assert done.code == 5
    assert "these credentials are of account 123456789012" in done.stderr
    assert updates(simulated) == 0


def test_the_deadline_holds_for_every_shard(inside: Inside, simulated: Simulated) -> None:
    # Streams are taken to settle within 2 s, and nothing else sooner: nothing can settle before this one.
    done = inside(simulated.environment, "pause", *FLEET, "--all", "--yes", "--rate", "12", "--deadline", "1s")
    assert done.code == 4
    outcomes = Counter(result["outcome"] for result in done.records)
    assert outcomes.keys() <= {"not_started", "unchanged", "updated", "timed_out"}
    assert outcomes["not_started"]  # the slow ones; streams are at rest within a second (F§0.2)
    assert inside(simulated.environment, "continue", "last", *YES).code == 0
    assert {state for shard in states(simulated).values() for state in shard.values()} == {"Disabled"}


def test_waves_of_a_fleet_are_cut_over_all_its_shards(inside: Inside, simulated: Simulated, tmp_path: Path) -> None:
    gate = "test $BULK_ESM_GATE_WAVE = 0 || "
    gate += "echo $BULK_ESM_GATE_WAVE of $BULK_ESM_GATE_WAVES: $BULK_ESM_GATE_UPDATED >> gate.log"
    done = inside(
        simulated.environment, "pause", *FLEET, "--all", "--waves", "1,20%,100%", "--soak", "0.1s", "--gate", gate, *YES
    )
    assert done.code == 0
    waves = Counter(result["wave"] for result in done.records if result["outcome"] == "updated")
    total = sum(waves.values())
    assert [waves[1], waves[1] + waves[2]] == [1, -(-total // 5)]
    second = Counter(
        (r["account_id"], r["region"]) for r in done.records if r["outcome"] == "updated" and r["wave"] < 3
    )
    assert len(second) == 6
    assert max(second.values()) - min(second.values()) <= 2
    told = (tmp_path / "gate.log").read_text(encoding="utf-8").splitlines()
    assert told[0] == "1 of 3: 1"
    assert told[-1] == f"2 of 3: {waves[1] + waves[2]}"


def test_the_failure_budget_is_the_fleets(inside: Inside) -> None:
    with Simulated(mappings=EACH, faults=Faults(refused_share=1.0)) as simulated:
        done = inside(simulated.environment, "pause", *FLEET, "--all", "--max-failures", "10", *YES)
    assert done.code == 3
    counts = Counter(result["outcome"] for result in done.records)
    assert counts["failed"] == 11
    assert counts["not_started"]
    assert sum(counts.values()) == 6 * EACH


def test_uuids_are_looked_for_in_all_shards(inside: Inside, simulated: Simulated) -> None:
    uuids = [next(iter(shard)) for shard in states(simulated).values()][:2]
    named = [word for uuid in uuids for word in ("--uuid", uuid)]
    done = inside(simulated.environment, "list", *FLEET, *named)
    assert done.code == 0
    assert {record["uuid"] for record in done.records} == set(uuids)
    nowhere = ("--uuid", "00000000-0000-4000-8000-000000000000")
    assert inside(simulated.environment, "list", *FLEET, *named, *nowhere).code == 1
    refused = inside(simulated.environment, "pause", *FLEET, *named, *nowhere, *YES)
    assert refused.code == 2
    assert "no event source mapping in any of these shards has" in refused.stderr
    assert updates(simulated) == 0


def test_two_runs_over_the_same_shard_exclude_each_other(tmp_path: Path) -> None:
    with Simulated(mappings=EACH, speed=4.0) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        with cli.start("pause", *FLEET, "--all", "--yes", "--rate", "48") as first:
            simulated.wait_until(lambda report: report.count(kind=Kind.UPDATE) > 0)
            one = ("--accounts", ACCOUNTS[2], "--regions", REGIONS[1], "--role-name", "bulk-esm")
            second = cli("resume", *one, "--all", *YES)
            assert second.code == 2
            assert f"another run holds account {ACCOUNTS[2]}, {REGIONS[1]}" in second.stderr
            first.kill()


def test_a_killed_fleet_run_is_finished_by_continue(tmp_path: Path) -> None:
    with Simulated(mappings=EACH, speed=20.0) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        with cli.start("pause", *FLEET, "--all", "--yes", "--rate", "240") as first:
            simulated.wait_until(lambda report: report.count(kind=Kind.UPDATE) > 40)
            first.kill()
        run = cli.run_folders()[-1]
        left = cli("continue", "last", "--dry-run", "--rate", "240")
        assert left.code == 0
        assert "are left in" in left.stderr
        done = cli("continue", "last", "--yes", "--rate", "240")
        assert done.code == 0
        for files in of_shards(run).values():
            assert set(files.outcomes.values()) <= {"updated", "unchanged"}
        assert RunFiles(run).record["status"] == "finished"
        assert {state for shard in states(simulated).values() for state in shard.values()} == {"Disabled"}
        assert max(simulated.accepted().values()) == 1


def test_ctrl_c_ends_a_fleet_run_that_can_be_continued(tmp_path: Path) -> None:
    with Simulated(mappings=EACH) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        with cli.start("pause", *FLEET, "--all", "--yes", "--rate", "120") as first:
            simulated.wait_until(lambda report: report.count(kind=Kind.UPDATE) > 20)
            first.send_signal(signal.SIGINT)
            ended = finish(first)
        assert ended.code == 130
        assert "bulk-esm continue" in ended.stderr
        run = cli.run_folders()[-1]
        assert sum(len(files.outcomes) for files in of_shards(run).values()) == 6 * EACH
        assert cli("continue", str(run), "--yes", "--rate", "240").code == 0
        assert {state for shard in states(simulated).values() for state in shard.values()} == {"Disabled"}


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (("--regions", "us-esat-1"), 2, "did you mean us-east-1?"),
        (("--accounts", "1234", "--role-name", "x"), 2, "12 digits"),
        (("--accounts", "111111111111,111111111111", "--role-name", "x"), 2, "twice"),
        (("--regions", "eu-west-1,eu-west-1"), 2, "twice"),
        (("--accounts", "111111111111,222222222222"), 2, "--role-name"),
        (
            ("--accounts", "111111111111,222222222222", "--role-arn", "arn:aws:iam::111111111111:role/x"),
            2,
            "{account_id}",
        ),
        (("--regions", "us-east-1", "--executor", "dask"), 2, "--scheduler"),
        (("--regions", "us-east-1", "--executor", "dask", "--scheduler", "tcp://127.0.0.1:9"), 2, "tcp://127.0.0.1:9"),
        (("--shards-at-once", "3"), 2, "--shards-at-once"),
        (("--regions", "us-east-1", "--region", "us-east-1"), 2, "--region"),
        (("--fleet", "missing.toml"), 2, "missing.toml"),
        (("--fleet", "fleet.toml"), 2, "region"),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent(
    inside: Inside, tmp_path: Path, flags: tuple[str, ...], code: int, said: str
) -> None:
    (tmp_path / "fleet.toml").write_text('[[shards]]\naccount = "111111111111"\nregoin = "us-east-1"\n')
    with listening() as listener:
        done = inside(listener.environment, "pause", "--all", *flags, "--yes")
        assert done.code == code
        assert said in done.stderr
        assert not listener.was_called
    assert not (tmp_path / "bulk-esm-runs").exists()


def test_a_fleet_file_with_tags(inside: Inside, simulated: Simulated, tmp_path: Path) -> None:
    document: dict[str, Any] = {
        "role_name": "bulk-esm",
        "shards": [
            {"account": ACCOUNTS[0], "region": "us-east-1", "tags": {"stage": "canary"}},
            {"account": ACCOUNTS[1], "regions": ["us-east-1", "eu-west-1"], "rate": 300.0},
        ],
    }
    (tmp_path / "fleet.yaml").write_bytes(msgspec.json.encode(document))
    assert "90 of 90 mappings in 3 shards" in inside(simulated.environment, "list", "--fleet", "fleet.yaml").stderr
    canary = inside(simulated.environment, "list", "--fleet", "fleet.yaml", "--shard-tag", "stage=canary")
    assert "30 of 30 mappings in 1 shard" in canary.stderr
