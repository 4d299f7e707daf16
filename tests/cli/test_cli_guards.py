"""What must hold before anything is sent: the size, the account, the data, the moment, and no other run."""

import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import pytest
from cli_harness import ACCOUNT, FAST, Cli, Done, Inside, Simulated, finish, wait_until

from bulk_esm.cli.job import Job
from bulk_esm.cli.options import GuardOptions, RunOptions
from bulk_esm.simulator import Kind

YES = ("--yes", *FAST)
OTHER_ACCOUNT = "999999999999"


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


@pytest.fixture
def simulated() -> Iterator[Simulated]:
    with Simulated(mappings=60) as found:
        yield found


def check_nothing_was_sent(done: Done, simulated: Simulated, tmp_path: Path) -> None:
    assert (done.code, done.stdout) == (2, "")
    assert simulated.report().count(Kind.UPDATE) == 0
    assert not (tmp_path / "bulk-esm-runs").exists()


# Size and account


def test_more_targets_than_may_be(tmp_path: Path, simulated: Simulated, inside: Inside) -> None:
    enabled = sum(state == "Enabled" for state in simulated.states().values())
    done = inside(simulated.environment, "pause", "--all", *YES, "--max-targets", "1%")
    check_nothing_was_sent(done, simulated, tmp_path)
    assert f"{enabled} mappings would be updated, of 60 seen, and at most 1 may (--max-targets 1%)" in done.stderr
    assert "narrow the selection" in done.stderr

    # The share is of all that were seen, whatever is selected; and the guard holds in a dry run too.
    mq = len(simulated.mappings("mq"))
    assert 60 * 0.1 > mq > 0
    some = ("pause", "--source-type", "mq", *FAST)
    assert inside(simulated.environment, *some, "--dry-run", "--max-targets", "10%").code == 0
    assert inside(simulated.environment, *some, "--dry-run", "--max-targets", "0").code == 2
    assert simulated.report().count(Kind.UPDATE) == 0
    assert inside(simulated.environment, *some, "--yes", "--max-targets", str(mq)).code == 0


def test_another_account_than_was_expected(tmp_path: Path, simulated: Simulated, inside: Inside) -> None:
    done = Cli(tmp_path, simulated.environment)("pause", "--all", *YES, "--expect-account", OTHER_ACCOUNT)
    check_nothing_was_sent(done, simulated, tmp_path)
    assert f"these credentials are of account {ACCOUNT}, not of {OTHER_ACCOUNT} (--expect-account)" in done.stderr
    assert simulated.report().count(Kind.LIST) == 0
    assert simulated.report().count(Kind.IDENTITY) == 1

    one = ("pause", "--source-type", "mq", *YES, "--expect-account", ACCOUNT)
    assert inside(simulated.environment, *one).code == 0
    for command in ("rollback", "continue"):
        wrong = inside(simulated.environment, command, "last", *YES, "--expect-account", OTHER_ACCOUNT)
        assert (wrong.code, wrong.stdout, "--expect-account" in wrong.stderr) == (2, "", True)


def test_an_account_is_checked_for_its_form_when_a_run_is_continued_too(simulated: Simulated, inside: Inside) -> None:
    assert inside(simulated.environment, "pause", "--source-type", "mq", *YES).code == 0
    before = simulated.requests()
    for flags, said in (
        (("--expect-account", "12"), "an account id has 12 digits"),
        (("--deadline", "yesterday"), "neither a duration nor a moment"),
        (("--max-targets", "5"), "has its targets"),
    ):
        done = inside(simulated.environment, "continue", "last", *YES, *flags)
        assert (done.code, done.stdout, said in done.stderr) == (2, "", True)
    assert simulated.requests() == before


# Data


def test_a_pause_that_loses_data(tmp_path: Path, simulated: Simulated, inside: Inside) -> None:
    documentdb = simulated.mappings("documentdb").keys()
    enabled = {uuid: one for uuid, one in simulated.mappings().items() if one["State"] == "Enabled"}
    lose = {uuid for uuid in enabled if uuid in documentdb}
    lose |= {uuid for uuid, one in enabled.items() if 0 <= one.get("MaximumRecordAgeInSeconds", -1) <= 4 * 3600}
    assert lose - documentdb
    assert lose & documentdb

    done = Cli(tmp_path, simulated.environment)("pause", "--all", "--for", "4h", *YES)
    check_nothing_was_sent(done, simulated, tmp_path)
    assert sum(uuid in done.stderr for uuid in lose) == 1  # grouped, with an example
    counts = [
        int(line.split()[0]) for line in done.stderr.partition(", such as ")[2].splitlines() if " x after " in line
    ]
    assert sum(counts) == len(lose)
    assert "a DocumentDB change stream keeps 3 h" in done.stderr
    assert "MaximumRecordAgeInSeconds is 3600" in done.stderr
    assert f"{len(lose)} mappings lose data within 4:00:00" in done.stderr
    assert "--accept-data-loss" in done.stderr

    assert inside(simulated.environment, "pause", "--all", "--for", "30m", "--dry-run", *FAST).code == 0
    both = inside(
        simulated.environment, "pause", "--all", "--for", "4h", "--accept-data-loss", "--skip-data-loss", *YES
    )
    assert both.code == 2
    skipped = inside(simulated.environment, "pause", "--all", "--for", "4h", "--skip-data-loss", *YES)
    assert skipped.code == 0
    assert f"{len(lose)} blocked" in skipped.stderr
    assert {uuid for uuid, state in simulated.states().items() if state == "Enabled"} == lose
    run = Cli(tmp_path, simulated.environment).last_run()
    assert {one["uuid"] for one in run.results if one["outcome"] == "blocked"} == lose
    accepted = inside(simulated.environment, "pause", "--all", "--for", "4h", "--accept-data-loss", *YES)
    assert accepted.code == 0
    assert "data that is lost if the pause takes too long" in accepted.stderr
    assert set(simulated.states().values()) == {"Disabled"}


# The moment


def test_a_deadline_is_read_once() -> None:
    """What was shown holds, however long one takes to say yes."""
    job = Job(command="pause", run=RunOptions(yes=True), guards=GuardOptions(deadline="30m"))
    shown = job.hours.deadline
    with patch("bulk_esm.cli.hours.datetime") as moved:
        moved.now.return_value = datetime(2100, 1, 1, tzinfo=UTC)
        assert job.hours.deadline == shown


def hours(begin: float, end: float) -> str:
    """A window around or after now."""
    now = datetime.now(UTC)
    return f"{now + timedelta(hours=begin):%H:%M}-{now + timedelta(hours=end):%H:%M}[UTC]"


def test_a_job_waits_for_its_window_and_can_be_interrupted(tmp_path: Path, simulated: Simulated) -> None:
    cli = Cli(tmp_path, simulated.environment)
    window = hours(6, 8)
    with cli.start("pause", "--all", *YES, "--window", window) as process:
        assert process.stderr is not None
        assert f"for --window {window} to open" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert finish(process).code == 130
    assert simulated.report().count(Kind.UPDATE) == 0
    assert not cli.run_folders()


def test_a_job_in_its_window(tmp_path: Path, simulated: Simulated, inside: Inside) -> None:
    window = hours(-6, 6)
    dry = inside(simulated.environment, "pause", "--all", "--dry-run", "--window", hours(6, 8), *FAST)
    assert dry.code == 0
    assert "window: " in dry.stderr
    done = inside(simulated.environment, "pause", "--all", *YES, "--window", window)
    assert done.code == 0
    assert f"window: {window}, which closes at 20" in done.stderr
    assert Cli(tmp_path, simulated.environment).last_run().record["rollout"]["window"] == window
    refused = inside(simulated.environment, "resume", "--all", *YES, "--window", "02:00-04:30")
    assert (refused.code, refused.stderr.count("say the zone")) == (2, 1)


# No other run


def test_two_runs_at_once(tmp_path: Path, simulated: Simulated, inside: Inside) -> None:
    cli = Cli(tmp_path, simulated.environment)
    before = simulated.mappings()
    gate = "test $BULK_ESM_GATE_WAVE = 0 || while ! test -e go; do sleep 0.05; done"
    try:
        with cli.start("pause", "--all", *YES, "--waves", "1,100%", "--gate", gate) as first:
            wait_until(lambda: bool(cli.run_folders()) and (cli.last_run().path / "results.jsonl").exists())
            simulated.wait_until(lambda report: sum(mapping.accepted_count for mapping in report.mappings) == 1)
            (folder,) = cli.run_folders()
            for command in (("resume", "--all"), ("continue", "last"), ("apply", "--all", "--set", "Enabled=true")):
                other = tmp_path / f"tmp-{command[0]}"  # of another shell
                other.mkdir()
                done = cli(*command, *YES, TMPDIR=str(other))
                assert (done.code, done.stdout) == (2, "")
                assert f"another run holds account {ACCOUNT}, us-east-1" in done.stderr
                assert f"process {first.pid}, in {folder}" in done.stderr
                assert "--no-lock" in done.stderr
            assert (simulated.report().count(Kind.UPDATE), cli.run_folders()) == (1, [folder])

            # What only looks needs no lock; and one may insist.
            assert inside(simulated.environment, "plan", "--all", "--set", "Enabled=false").code == 0
            assert inside(simulated.environment, "pause", "--all", "--dry-run").code == 0
            assert inside(simulated.environment, "verify", "last").code in {0, 1}
            fifo = ("apply", "--source-type", "sqs-fifo", "--set", "BatchSize=3", "--no-lock", *YES)
            assert inside(simulated.environment, *fifo).code == 0

            first.send_signal(signal.SIGKILL)
            first.wait()
            # The lock went with the process, though its gate still waits; which the run that goes on asks again.
            looked = inside(simulated.environment, "continue", str(folder), "--dry-run")
            assert looked.code == 0
            (tmp_path / "go").touch()
            finished = cli("continue", str(folder), *YES)
            finish(first)
    finally:
        (tmp_path / "go").touch()  # the gate is a process of its own
    assert "another run" not in finished.stderr
    assert finished.code == 1
    fifos = {
        uuid for uuid, item in before.items() if item["State"] == "Enabled" and uuid in simulated.mappings("sqs-fifo")
    }
    outcomes = {result["uuid"]: result["outcome"] for result in finished.records}
    conflicts = {uuid for uuid, outcome in outcomes.items() if outcome == "conflict"}
    assert conflicts  # what the one beside it changed
    assert conflicts <= fifos
    assert {uuid for uuid, state in simulated.states().items() if state == "Enabled"} == conflicts
