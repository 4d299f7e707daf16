"""After a kill List shows old pictures for a while: `continue`, `rollback` and `resume --run` believe Get."""

from __future__ import annotations

import functools
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cli_harness import ACCOUNT, Cli, Done, Inside, Simulated, finish, wait_until

from bulk_esm.model.records import RunStatus
from bulk_esm.simulator import Faults, Kind
from bulk_esm.store.begun import write_begun
from bulk_esm.store.shard_files import ShardFiles

SPEED = 200.0
LAG_S = 60.0  # of real time, which is longer than a test
YES = ("--yes", "--rate", "3000")  # what was sent last is waited for as long as a control plane so fast may need
ONE, THREE = (), ("--regions", "us-east-1,eu-west-1,eu-west-2")
MAPPINGS = 12  # of each shard
COMMANDS = [("continue", "last"), ("rollback", "last"), ("resume", "--run", "last")]


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


@contextmanager
def world(**faults: Any) -> Iterator[Simulated]:
    lagging = Faults(list_lag_real_s=LAG_S, **faults)
    with Simulated(mappings=MAPPINGS, speed=SPEED, settle_scale=0.2, faults=lagging) as simulated:
        yield simulated


def lag(simulated: Simulated, *, is_on: bool) -> None:
    """Let List lag or not, in all shards that were asked for."""

    def switch() -> None:
        for shard in simulated.simulator._world:
            shard.faults = msgspec.structs.replace(shard.faults, list_lag_s=LAG_S * SPEED if is_on else 0.0)

    simulated.ask(switch)


@contextmanager
def lagging_until_it_sends(simulated: Simulated) -> Iterator[None]:
    """What is planned meanwhile is planned under lag; whoever waits for what it sent then need not wait for List."""
    before, over = simulated.accepted(), threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            if simulated.accepted() != before:
                lag(simulated, is_on=False)
                return

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()


def states(simulated: Simulated) -> dict[str, str]:
    """Of all shards that were asked for."""
    return {each.uuid: each.state or "" for each in simulated.report().mappings}


def results_of(run: Path) -> dict[str, str]:
    """Outcomes by UUID, each mapping once."""
    lines = [line for path in run.rglob("results.jsonl") for line in path.read_bytes().splitlines()]
    found = {line["uuid"]: line["outcome"] for line in map(msgspec.json.decode, lines)}
    assert len(found) == len(lines)
    return found


class Paused:
    """A run that was killed in the midst of its updates, as the server's own record says."""

    def __init__(self, cli: Cli, simulated: Simulated, flags: tuple[str, ...], *, ends: tuple[int, ...]) -> None:
        for region in flags[-1].split(",") if flags else ():
            simulated.ask(functools.partial(simulated.simulator._world.shard, ACCOUNT, region))
        self.before = states(simulated)
        self.enabled = {uuid for uuid, state in self.before.items() if state == "Enabled"}
        command = ("pause", "--all", *YES, "--quiet", "--concurrency", "2", *flags)
        with cli.start(*command) as process:
            wait_until(lambda: self.count(simulated) >= len(self.enabled) / 3 or process.poll() is not None)
            for sent in ends:
                process.send_signal(sent)
                time.sleep(0.1)  # so that two are heard as two
            self.done = finish(process)
        self.run = cli.run_folders()[-1]
        # What the process had sent may still be on its way to the server, which is here.
        seen = 0
        while seen != (seen := self.count(simulated)):
            time.sleep(0.1)

    @staticmethod
    def count(simulated: Simulated) -> int:
        return sum(simulated.accepted().values())


def check(command: tuple[str, ...], done: Done, simulated: Simulated, paused: Paused) -> None:
    assert done.code == 0, done.stderr
    if command[0] == "continue":
        assert set(states(simulated).values()) == {"Disabled"}
        once = dict.fromkeys(paused.before, 0) | dict.fromkeys(paused.enabled, 1)
        assert simulated.accepted() == once
        outcomes = results_of(paused.run)
        assert {uuid for uuid, outcome in outcomes.items() if outcome == "updated"} == paused.enabled
    else:
        assert states(simulated) == paused.before
        assert set(simulated.accepted().values()) <= {0, 2}  # what was paused, and is enabled again


@pytest.mark.parametrize("flags", [ONE, THREE], ids=["one shard", "three"])
@pytest.mark.parametrize("command", COMMANDS, ids=[command[0] for command in COMMANDS])
def test_a_run_that_was_killed(
    command: tuple[str, ...], flags: tuple[str, ...], tmp_path: Path, inside: Inside
) -> None:
    with world(latency_s=0.05) as simulated:
        paused = Paused(Cli(tmp_path, simulated.environment), simulated, flags, ends=(signal.SIGKILL,))
        assert paused.done.code == -9
        with lagging_until_it_sends(simulated):
            done = inside(simulated.environment, *command, *YES)
        check(command, done, simulated, paused)


@pytest.mark.parametrize("command", COMMANDS[1:], ids=["rollback", "resume"])
def test_a_run_that_was_left_at_once(command: tuple[str, ...], tmp_path: Path, inside: Inside) -> None:
    """By a second Ctrl-C, with updates on their way."""
    with world(latency_s=0.3) as simulated:
        paused = Paused(Cli(tmp_path, simulated.environment), simulated, ONE, ends=(signal.SIGINT, signal.SIGINT))
        assert paused.done.code == 130
        with lagging_until_it_sends(simulated):
            done = inside(simulated.environment, *command, *YES)
        check(command, done, simulated, paused)


@pytest.mark.parametrize("command", COMMANDS[1:], ids=["rollback", "resume"])
def test_what_continue_found_done_is_not_forgotten(command: tuple[str, ...], tmp_path: Path, inside: Inside) -> None:
    with world(latency_s=0.05) as simulated:
        paused = Paused(Cli(tmp_path, simulated.environment), simulated, ONE, ends=(signal.SIGKILL,))
        with lagging_until_it_sends(simulated):
            assert inside(simulated.environment, "continue", "last", *YES).code == 0
        lag(simulated, is_on=True)
        with lagging_until_it_sends(simulated):
            done = inside(simulated.environment, *command, *YES)
        check(command, done, simulated, paused)


class Cut:
    """A run that looks killed: everything was sent, and some of its results are on disk."""

    def __init__(self, tmp_path: Path, inside: Inside, simulated: Simulated) -> None:
        self.before = states(simulated)
        with lagging_until_it_sends(simulated):
            assert inside(simulated.environment, "pause", "--all", *YES).code == 0
        lag(simulated, is_on=True)
        self.run = Cli(tmp_path).run_folders()[-1]
        self.ours = {uuid for uuid, count in simulated.accepted().items() if count}
        results = self.run / "results.jsonl"
        lines = results.read_bytes().splitlines(keepends=True)
        kept = [line for line in lines if b'"unchanged"' in line] + [line for line in lines if b'"updated"' in line][:3]
        results.write_bytes(b"".join(kept) + b'{"run_id":"torn')
        files = ShardFiles(self.run)
        at_work = {"status": RunStatus.RUNNING, "ended_at": None, "results": None}
        files.write_record(msgspec.structs.replace(files.record(), **at_work))
        self.doubtful = self.ours - {msgspec.json.decode(line)["uuid"] for line in kept}
        self.simulated = simulated
        self.gets = self._gets()

    @property
    def new_gets(self) -> int:
        return self._gets() - self.gets

    def _gets(self) -> int:
        return self.simulated.report().count(Kind.GET)


@pytest.fixture
def cut(tmp_path: Path, inside: Inside) -> Iterator[Cut]:
    with world() as simulated:
        found = Cut(tmp_path, inside, simulated)
        assert len(found.doubtful) >= 4
        yield found


def test_what_was_never_sent_costs_no_get(cut: Cut, inside: Inside) -> None:
    """Killed near its start: only what is in begun.jsonl may have been sent."""
    some = sorted(cut.doubtful)[:2]
    for uuid in cut.doubtful - set(some):
        cut.simulated.change_behind(uuid, State="Enabled")
    sent = sorted((cut.ours - cut.doubtful) | set(some))
    write_begun(cut.run / "begun.jsonl", cut.run.name, sent)
    done = inside(cut.simulated.environment, "continue", "last", "--dry-run", *YES[1:])
    assert (
        "to 2 mappings something may have been sent, by this run or another of late: each is looked at with Get"
        in done.stderr
    )
    assert f"2 were applied before the end came, {len(cut.doubtful) - 2} are to be sent" in done.stderr
    assert cut.new_gets == 2


@pytest.mark.parametrize("command", COMMANDS, ids=[command[0] for command in COMMANDS])
def test_a_dry_run_sees_what_would_be_done_and_changes_nothing(
    command: tuple[str, ...], cut: Cut, inside: Inside
) -> None:
    before = {path: path.read_bytes() for path in cut.run.iterdir()}
    done = inside(cut.simulated.environment, *command, "--dry-run", *YES[1:])
    assert done.code == 0
    if command[0] == "continue":
        assert f"{len(cut.doubtful)} were applied before the end came, 0 are to be sent" in done.stderr
    else:
        assert {line["uuid"] for line in done.records if line["action"] == "update"} == cut.ours
    assert {path: path.read_bytes() for path in cut.run.iterdir()} == before
    assert cut.simulated.accepted() == dict.fromkeys(cut.before, 0) | dict.fromkeys(cut.ours, 1)


def test_a_run_kept_elsewhere_is_resumed_as_well(cut: Cut, inside: Inside) -> None:
    """Its runs folder is not the one that this command keeps its runs in."""
    elsewhere = cut.run.parent.with_name("elsewhere")
    cut.run.parent.rename(elsewhere)
    with lagging_until_it_sends(cut.simulated):
        done = inside(cut.simulated.environment, "resume", "--run", str(elsewhere / cut.run.name), *YES)
    assert done.code == 0
    assert states(cut.simulated) == cut.before


@pytest.mark.parametrize("command", COMMANDS, ids=[command[0] for command in COMMANDS])
def test_without_permission_for_get_an_unfinished_run_is_refused(
    command: tuple[str, ...], cut: Cut, inside: Inside
) -> None:
    before = (cut.run / "run.json").read_bytes()
    fleet = list(cut.simulated.mappings().values())
    denied = Faults(denied_actions=frozenset({"lambda:GetEventSourceMapping"}))
    with Simulated(fleet=fleet, mappings=0, speed=SPEED, faults=denied) as simulated:
        done = inside(simulated.environment, *command, *YES)
        assert (done.code, done.stdout) == (2, "")
        assert "these credentials lack lambda:GetEventSourceMapping" in done.stderr
        assert simulated.report().count(Kind.UPDATE) == 0
    assert (cut.run / "run.json").read_bytes() == before


def test_a_plan_right_after_a_run_believes_the_run(tmp_path: Path, inside: Inside) -> None:
    with world() as simulated:
        enabled = {uuid for uuid, state in states(simulated).items() if state == "Enabled"}
        with lagging_until_it_sends(simulated):
            assert inside(simulated.environment, "pause", "--all", *YES).code == 0
        lag(simulated, is_on=True)
        gets = simulated.report().count(Kind.GET)
        done = inside(simulated.environment, "plan", "--all", "--set", "Enabled=true", *YES[1:])
        assert {line["uuid"] for line in done.records if line["action"] == "update"} == states(simulated).keys()
        assert simulated.report().count(Kind.GET) - gets == len(enabled)
        before = set(Cli(tmp_path).run_folders())
        assert inside(simulated.environment, "pause", "--all", *YES).code == 0
        [again] = set(Cli(tmp_path).run_folders()) - before
        record = msgspec.json.decode((again / "run.json").read_bytes())
        assert record["counts"] == {"unchanged": MAPPINGS}
        # What the selection meant by an old picture is not taken for what the plan lacks.
        with lagging_until_it_sends(simulated):
            done = inside(simulated.environment, "apply", "--state", "Enabled", "--set", "BatchSize=7", *YES)
        assert "not in the plan" not in done.stderr
