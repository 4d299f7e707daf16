"""Alarms of single shards as their user sees them: in this process and in others."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_harness import FAST, Cli, Inside, RunFiles, Simulated, finish

from bulk_esm.simulator import Kind

ACCOUNTS = ("111111111111", "222222222222", "333333333333")
REGION = "us-east-1"
FLEET = ("--accounts", ",".join(ACCOUNTS), "--regions", REGION, "--role-name", "bulk-esm")
YES = ("--yes", *FAST)
WATCHED = ("--shard-alarm", "lag", "--gate-interval", "0.1s")
RINGS = ACCOUNTS[1]
HOLDS_THE_BAKE = """
test $BULK_ESM_GATE_STAGE = before && exit 0
test -e rings || exit 75
test -e asked_since && exit 0
touch asked_since
exit 75
"""


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


@pytest.fixture
def simulated() -> Iterator[Simulated]:
    with Simulated(mappings=10) as found:
        for account in ACCOUNTS:
            calm(found, account)
        yield found


def calm(simulated: Simulated, account: str) -> None:
    simulated.ask(lambda: simulated.simulator.set_alarm("lag", "OK", account_id=account, region=REGION))


def ring(simulated: Simulated, account: str = RINGS) -> None:
    simulated.ask(
        lambda: simulated.simulator.set_alarm("lag", "ALARM", reason="too old", account_id=account, region=REGION)
    )


def states(simulated: Simulated, account: str) -> dict[str, str]:
    mappings = simulated.ask(lambda: simulated.simulator.snapshot(account, REGION))
    return {each["UUID"]: each["State"] for each in mappings}


def test_before_the_prompt(tmp_path: Path, inside: Inside, simulated: Simulated) -> None:
    ring(simulated)
    done = inside(simulated.environment, "pause", *FLEET, "--all", *YES, *WATCHED)
    assert done.code == 2
    what = f"in 1 of 3 shards: {RINGS}-{REGION}: in ALARM: lag (too old); nothing was sent"
    assert what in done.stderr
    missing = inside(simulated.environment, "pause", *FLEET, "--all", *YES, "--shard-alarm", "lagg")
    assert missing.code == 2
    for account in ACCOUNTS:
        assert f"{account}-{REGION}: --shard-alarm lagg: no CloudWatch alarm of this name" in missing.stderr
    assert simulated.report().count(Kind.UPDATE) == 0
    assert Cli(tmp_path).run_folders() == []


@pytest.mark.parametrize(("halts", "executor"), [("shard", "local"), ("fleet", "local"), ("shard", "process")])
def test_meanwhile(halts: str, executor: str, tmp_path: Path, simulated: Simulated) -> None:
    """In the bake, or on a slow machine in the middle of the wave: then what is not sent by then is not."""
    before = {account: states(simulated, account) for account in ACCOUNTS}
    cli = Cli(tmp_path, simulated.environment)
    # Its bake does not end before the alarm has been asked since it rings, however slow the machine.
    (tmp_path / "gate.sh").write_text(HOLDS_THE_BAKE, encoding="utf-8")
    bake = ("--bake", "0.1s", "--gate", "sh gate.sh")
    rollout = (*bake, "--shard-alarm-halts", halts, "--on-halt", "rollback", "--executor", executor)
    with cli.start("pause", *FLEET, "--all", *YES, *WATCHED, *rollout) as process:
        simulated.wait_until(lambda report: any(mapping.accepted_count for mapping in report.mappings))
        ring(simulated)
        (tmp_path / "rings").touch()
        done = finish(process)
    assert done.code == 3, done.stderr
    halted, back = cli.run_folders()
    own = {path.name: RunFiles(path).record["status"] for path in (halted / "shards").iterdir()}
    assert RunFiles(back).record["status"] == "finished"
    assert states(simulated, RINGS) == before[RINGS]
    if halts == "shard":
        assert own == {f"{account}-{REGION}": "halted" if account == RINGS else "finished" for account in ACCOUNTS}
        assert "putting back what it changed in 1 shard (--on-halt rollback)" in done.stderr
        assert f"halted in 1 of 3 shards: {RINGS}-{REGION}: " in RunFiles(halted).record["reason"]
        for account in (ACCOUNTS[0], ACCOUNTS[2]):
            assert set(states(simulated, account).values()) == {"Disabled"}
    else:
        assert f"in 1 of 3 shards: {RINGS}-{REGION}: in ALARM: lag (too old)" in RunFiles(halted).record["reason"]
        assert {account: states(simulated, account) for account in ACCOUNTS} == before


def test_without_a_fleet_it_is_as_any_alarm(tmp_path: Path, inside: Inside) -> None:
    with Simulated(mappings=10) as simulated:
        simulated.ask(lambda: simulated.simulator.set_alarm("lag", "ALARM", reason="too old"))
        done = inside(simulated.environment, "pause", "--all", *YES, "--shard-alarm", "lag")
        assert done.code == 2
        assert "in ALARM: lag (too old); nothing was sent" in done.stderr
        simulated.ask(lambda: simulated.simulator.set_alarm("lag", "OK"))
        cli = Cli(tmp_path, simulated.environment)
        with cli.start("pause", "--all", *YES, *WATCHED, "--bake", "1h") as process:
            simulated.wait_until(lambda report: any(mapping.accepted_count for mapping in report.mappings))
            simulated.ask(lambda: simulated.simulator.set_alarm("lag", "ALARM", reason="too old"))
            assert finish(process).code == 3
        assert cli.last_run().record["reason"].endswith(", in ALARM: lag (too old)")


def test_doctor_looks_in_each_shard(inside: Inside, simulated: Simulated) -> None:
    assert inside(simulated.environment, "doctor", *FLEET, "--shard-alarm", "lag").code == 0
    ring(simulated)
    done = inside(simulated.environment, "doctor", *FLEET, "--shard-alarm", "lag")
    assert done.code == 1
    assert [one["shard"] for one in done.records if one["what"] == "alarms"] == [f"{RINGS}-{REGION}"]
