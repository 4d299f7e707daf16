"""Runs that are kept in S3, from the command line: each command is a machine of its own, that shares nothing else."""

import signal
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from cli_harness import FAST, Inside
from cli_s3 import World, accepted
from s3_proxy import Chooser, Fault, Kind, Request, every, s3_proxy

from bulk_esm.store.s3.place import S3Place

pytest_plugins = ("cli_s3_fixtures",)

ALL = ("--all", "--yes", *FAST)


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


def test_what_one_machine_paused_another_one_resumes_and_a_third_puts_back(world: World) -> None:
    before = world.simulated.states()
    paused = world.machine("first")("pause", *ALL)
    assert paused.code == 0, paused.stderr
    run_id = paused.records[0]["run_id"]
    assert f"folder: {world.url}/{run_id}" in paused.stderr
    assert f"to resume: bulk-esm resume --run {run_id}\n" in paused.stderr
    assert set(world.simulated.states().values()) == {"Disabled"}
    shown = world.machine("second")("show", "last")
    assert shown.records == paused.records
    told = world.machine("reporting")("report", "last")
    assert told.code == 0, told.stderr
    assert told.stdout.startswith("# pause finished\n")
    assert f"`{world.url}/{run_id}`" in told.stdout
    assert f"bulk-esm resume --run {run_id}`" in told.stdout
    assert world.machine("third")("resume", "--run", "last", "--yes", *FAST).code == 0
    assert world.simulated.states() == before
    assert world.machine("fourth")("rollback", run_id[:-3], "--yes", "--dry-run", *FAST).code == 0
    assert world.machine("fifth")("rollback", "last", "--yes", *FAST).code == 0
    assert set(world.simulated.states().values()) == {"Disabled"}
    assert world.machine("sixth")("verify", "last", *FAST).code == 0
    listed = world.machine("seventh")("runs").records
    assert [(run["command"], run["status"]) for run in listed] == [
        (command, "finished") for command in ("pause", "resume", "rollback")
    ]
    assert list(world.folder.glob("*/tmp/*")) == []
    assert list(world.folder.glob("*/bulk-esm-runs")) == []


def test_a_run_whose_machine_died_is_continued_on_another(world: World) -> None:
    before = world.simulated.states()
    with world.machine("first").start("pause", *ALL, "--no-lock", "--concurrency", "2") as process:
        world.simulated.wait_until(lambda report: sum(m.accepted_count for m in report.mappings) > 10)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    [left] = world.machine("second")("runs").records
    assert left["status"] == "killed"
    done = world.machine("third")("continue", "last", "--yes", "--no-lock", *FAST)
    assert done.code == 0, done.stderr
    run = world.copied("fourth")
    assert Counter(run.outcomes.values())["updated"] == sum(state == "Enabled" for state in before.values())
    assert accepted(world) == Counter(uuid for uuid, state in before.items() if state == "Enabled")
    assert run.record["status"] == "finished"


def test_a_command_to_paste_names_the_place_unless_the_environment_does(world: World) -> None:
    machine = world.machine("first", BULK_ESM_RUNS_DIR="")
    done = machine("pause", *ALL, "--runs-dir", world.url)
    [command] = [line.partition(": bulk-esm ")[2] for line in done.stderr.splitlines() if "to resume:" in line]
    assert command.endswith(f" --runs-dir {world.url}")
    resumed = world.machine("second", BULK_ESM_RUNS_DIR="")(*command.split(), "--yes", *FAST)
    assert resumed.code == 0, resumed.stderr


def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what is tried for a minute be tried for half a second."""
    monkeypatch.setattr("bulk_esm.store.s3.place.S3Place", partial(S3Place, patience_s=0.5, segment_every_s=0.1))


def test_s3_that_refuses_ends_a_run_before_what_could_not_be_recorded(
    world: World, inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was accepted by then settles, and is on the disk of the machine; another one finds it by looking."""
    impatient(monkeypatch)
    before = world.simulated.states()
    assert list(before.values()).count("Enabled") > 200
    with s3_proxy(world.s3.endpoint_url) as proxy:
        proxy.choose = refuses_after(2, "begun.jsonl")
        machine = world.machine("first", s3=proxy.url)
        halted = inside(
            machine.environment | {"TMPDIR": str(world.folder / "first" / "tmp")}, "pause", *ALL, "--no-lock"
        )
    assert halted.code == 3, halted.stderr
    assert "cannot be written: SlowDown" in halted.stderr
    sent = accepted(world)
    assert 0 < sent.total() < sum(state == "Enabled" for state in before.values())
    assert "what it lacks is kept in " in halted.stderr
    done = world.machine("second")("continue", "last", "--yes", "--no-lock", *FAST)
    assert done.code == 0, done.stderr
    assert accepted(world) == Counter(uuid for uuid, state in before.items() if state == "Enabled")
    assert "updated" in world.copied("third").outcomes.values()


def refuses_after(most: int, holding: str) -> Chooser:
    """S3 is well until so many writes of a file were taken, and then takes none of anything."""
    taken = 0

    def choose(request: Request) -> Fault | None:
        nonlocal taken
        if request.method != "PUT":
            return None
        taken += holding in request.path
        return Fault(Kind.SLOW_DOWN) if taken > most else None

    return choose


@pytest.mark.parametrize("kind", [Kind.UNCONDITIONAL, Kind.SLOW_DOWN])
def test_a_store_that_is_not_fit_is_refused_before_anything_is_sent(
    world: World, inside: Inside, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    impatient(monkeypatch)
    with s3_proxy(world.s3.endpoint_url) as proxy:
        proxy.choose = every(kind, "PUT")
        for flags in ((), ("--no-lock",)):
            machine = world.machine(f"{kind}{len(flags)}", s3=proxy.url)
            refused = inside(machine.environment, "pause", *ALL, *flags)
            assert refused.code == 2, refused.stderr
            assert "still running" not in refused.stderr
            assert "SlowDown" in refused.stderr or "so no lock there would hold" in refused.stderr
    assert not accepted(world)


def test_a_bucket_that_is_not_there_is_named(world: World) -> None:
    for command in (("pause", *ALL), ("runs",), ("continue", "last", "--yes")):
        machine = world.machine(command[0], BULK_ESM_RUNS_DIR="s3://no-such-bucket/x")
        refused = machine(*command)
        assert refused.code == 2, refused.stderr
        assert "bulk-esm: there is no bucket 'no-such-bucket': see --runs-dir" in refused.stderr
    assert not accepted(world)


def test_the_newest_runs_are_shown_and_what_is_written_is_encrypted_as_asked(world: World) -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-4333-8444-555555555555"
    first = world.machine("first")
    for _ in range(2):
        assert first("pause", *ALL, "--runs-kms-key", key).code == 0
        assert first("resume", "--run", "last", "--yes", *FAST).code == 0
    shown = world.machine("second")("runs", "--limit", "3")
    assert [run["command"] for run in shown.records] == ["resume", "pause", "resume"]
    assert "these are the newest 3; --limit 0 shows all" in shown.stderr
    everything = world.machine("third")("runs", "--limit", "0", "--since", "1d")
    assert len(everything.records) == 4
    run_id = everything.records[0]["run_id"]
    head = world.s3.head(f"{world.prefix}/{run_id}/plan.jsonl")
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key)
    assert "ServerSideEncryption" not in world.s3.head(f"{world.prefix}/{everything.records[1]['run_id']}/plan.jsonl")


def test_what_is_damaged_is_named_as_it_is_kept(world: World) -> None:
    paused = world.machine("first")("pause", *ALL)
    run_id = paused.records[0]["run_id"]
    world.s3.delete(f"{world.prefix}/{run_id}/plan.jsonl")
    refused = world.machine("second")("show", "last")
    assert refused.code == 2
    assert f"{world.url}/{run_id}/plan.jsonl cannot be read" in refused.stderr
    assert "bulk-esm-runs-" not in refused.stderr


def test_flags_of_a_bucket_make_no_sense_with_a_folder(world: World) -> None:
    refused = world.machine("first", BULK_ESM_RUNS_DIR="")("pause", *ALL, "--runs-kms-key", "alias/x")
    assert refused.code == 2
    assert "--runs-kms-key and --runs-profile are for --runs-dir s3://BUCKET/PREFIX" in refused.stderr


def test_of_many_runs_only_those_that_may_be_meant_are_read(world: World, inside: Inside) -> None:
    """To read all records of a bucket takes a minute for 10,000."""
    assert inside(world.machine("first").environment, "pause", *ALL).code == 0
    [key] = [key for key in world.s3.keys(f"{world.prefix}/2") if key.endswith("/run.json")]
    run_id = key.split("/")[-2]
    for number in range(5):
        world.s3.put(key.replace(run_id, f"20250101T00000{number}Z-pause-abcdef"), b"{}")
    with s3_proxy(world.s3.endpoint_url) as proxy:
        machine = world.machine("second", s3=proxy.url)
        for name in (run_id, run_id[:-2], f"{world.url}/{run_id}"):
            assert inside(machine.environment, "show", name).code == 0
        assert proxy.count("GET", "/run.json") > 0
        assert proxy.count("GET", "abcdef/run.json") == 0
