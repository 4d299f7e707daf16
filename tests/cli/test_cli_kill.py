"""A real process, killed with SIGKILL at fifty random moments of its life; each time `continue` finishes its run."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from cli_harness import FAST, Cli, RunFiles, Simulated, wait_until

from bulk_esm.simulator import Faults

MAPPINGS = 60
CONCURRENCY = 4
LATENCY_S = 0.04  # of each answer, when the update has been applied: at any moment of 0.5 s of sending, 4 are under way
FLAGS = ("--yes", "--quiet", *FAST, "--concurrency", str(CONCURRENCY))
KILLS = 10  # of each test; together 50
BEFORE_THE_PLAN = 2  # of these: while it is imported, reads and plans
STARTING_S = 0.9  # what that takes, about
RUNNING_S = 0.9  # what a run takes after that, about


@dataclass(frozen=True)
class Moment:
    """When to kill: so long after the start, or after the run is on disk."""

    after_s: float
    run_is_there: bool


def moments(seed: int) -> list[Moment]:
    dice = random.Random(seed)  # noqa: S311 - moments are no secret
    chosen = [Moment(dice.uniform(0, STARTING_S), run_is_there=False) for _ in range(BEFORE_THE_PLAN)]
    chosen += [Moment(dice.uniform(0, RUNNING_S), run_is_there=True) for _ in range(KILLS - BEFORE_THE_PLAN)]
    dice.shuffle(chosen)
    return chosen


def has_a_run(cli: Cli) -> bool:
    return any((folder / "run.json").exists() for folder in cli.run_folders())


def pause_until_killed(cli: Cli, moment: Moment) -> None:
    """Start to pause everything, in a process group of its own, and kill that at a moment."""
    with subprocess.Popen(
        [sys.executable, "-m", "bulk_esm", "pause", "--all", *FLAGS],
        cwd=cli.home,
        env=cli.whole_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=0,
    ) as process:
        if moment.run_is_there:
            wait_until(lambda: has_a_run(cli) or process.poll() is not None)
        time.sleep(moment.after_s)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def steady(mappings: dict[str, dict[str, object]]) -> dict[str, dict[str, object]]:
    """What a pause leaves as it is."""
    return {
        uuid: {name: value for name, value in mapping.items() if name not in {"State", "LastModified"}}
        for uuid, mapping in mappings.items()
    }


def check_one_kill(simulated: Simulated, cli: Cli, moment: Moment) -> tuple[str, int]:
    """Kill and continue once.

    Returns:
        How far the run had come, and how many updates were accepted a second time.
    """
    before = simulated.mappings()
    accepted = simulated.accepted()
    enabled = {uuid for uuid, mapping in before.items() if mapping["State"] == "Enabled"}
    pause_until_killed(cli, moment)
    looked_after = simulated.report().now

    if not has_a_run(cli):
        done = cli("continue", "last", *FLAGS)
        assert (done.code, "there are no runs" in done.stderr) == (2, True), done
        assert simulated.accepted() == accepted  # the plan is on disk before the first update
        return "no run", 0
    (folder,) = cli.run_folders()
    written = (folder / "results.jsonl").read_bytes() if (folder / "results.jsonl").exists() else b""
    status = RunFiles(folder).record["status"]
    lines = written.count(b"\n")
    stage = status if status != "running" else f"{lines} lines"

    done = cli("continue", "last", *FLAGS)
    assert done.code == 0, done
    run = cli.last_run()
    assert run.outcomes == {uuid: "updated" if uuid in enabled else "unchanged" for uuid in before}
    assert run.record["status"] == "finished"
    assert run.record["counts"] == {"updated": len(enabled), "unchanged": len(before) - len(enabled)}
    after = simulated.mappings()
    assert {mapping["State"] for mapping in after.values()} == {"Disabled"}
    assert steady(after) == steady(before)

    twice = 0
    for mapping in simulated.report().mappings:
        ours = mapping.accepted[accepted[mapping.uuid] :]
        assert len(ours) in ((1, 2) if mapping.uuid in enabled else (0,))
        if len(ours) > 1:
            # No line tells of an update that was in flight at the kill, so `continue` looks whether it arrived. Only
            # one that was still on its way to Lambda at that look can be accepted twice, which does no harm; one that
            # had been accepted by then is seen by the look, and is not sent again.
            twice += 1
            assert ours[0].accepted_at > looked_after
    return stage, twice


@pytest.mark.parametrize("seed", range(1, 6))
def test_killed_at_any_moment(seed: int, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    stages: list[str] = []
    twice = 0
    faults = Faults(latency_s=LATENCY_S)
    with Simulated(mappings=MAPPINGS, seed=seed, faults=faults, settle_scale=0.3) as simulated:
        first = simulated.states()
        for number, moment in enumerate(moments(seed)):
            home = tmp_path / str(number)
            home.mkdir()
            stage, again = check_one_kill(simulated, Cli(home, simulated.environment), moment)
            stages.append(stage)
            twice += again
            for uuid, state in first.items():
                if state == "Enabled":
                    simulated.change_behind(uuid, State=state)
            assert simulated.states() == first
    record_property("stages", " ".join(stages))
    record_property("accepted_twice", twice)
    sys.stdout.write(f"killed at: {', '.join(stages)}; accepted twice: {twice}\n")
    assert len(set(stages)) > 1
