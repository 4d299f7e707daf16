"""A run in waves, with a failure budget and gates, as its user sees it: exit codes, summaries, files."""

import signal
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cli_harness import FAST, SPEED, Cli, Done, Inside, RunFiles, Simulated, finish

from bulk_esm.simulator import Faults, Kind, make_fleet

YES = ("--yes", *FAST)


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


def uuids(run: RunFiles, outcome: str) -> set[str]:
    return {uuid for uuid, found in run.outcomes.items() if found == outcome}


def accepted(simulated: Simulated) -> set[str]:
    """What was updated, each once."""
    counts = simulated.accepted()
    assert max(counts.values()) <= 1
    return {uuid for uuid, count in counts.items() if count}


def without_dates(mappings: dict[str, dict[str, object]]) -> dict[str, bytes]:
    """Configurations byte for byte, but for the date of their last change."""
    return {
        uuid: msgspec.json.encode({**mapping, "LastModified": None}, order="sorted")
        for uuid, mapping in mappings.items()
    }


# The failure budget


def test_the_failure_budget_halts_a_run(tmp_path: Path, inside: Inside) -> None:
    with Simulated(mappings=1000, faults=Faults(refused_share=0.05)) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        done = cli("pause", "--all", *YES, "--max-failures", "10")
        run = cli.last_run()
        assert done.code == 3
        assert done.records == run.results
        assert len(uuids(run, "failed")) == 11
        assert uuids(run, "updated") == accepted(simulated)
        assert len(uuids(run, "not_started")) > 100
        assert run.record["status"] == "halted"

        (halt,) = (
            msgspec.json.decode(line)
            for line in (run.path / "log.jsonl").read_text(encoding="utf-8").splitlines()
            if '"stopped"' in line
        )
        ago = simulated.ask(lambda: simulated.simulator.now), time.time()
        sent = [update.accepted_at for mapping in simulated.report().mappings for update in mapping.accepted]
        assert ago[1] - (ago[0] - max(sent)) / SPEED <= datetime.fromisoformat(halt["at"]).timestamp()

        shown = inside(simulated.environment, "show", "last")
        folder = f"bulk-esm-runs/{run.path.name}"
        for said in (
            "halts when more than 10 fail: Lambda can refuse 11 at the most",
            "because: 11 mappings failed, and at most 10 may",
            "11 failed: InvalidParameterValueException: Queue visibility timeout",
            f"to finish it: bulk-esm continue {folder}",
            f"to put back what it changed: bulk-esm rollback {folder}",
        ):
            assert said in done.stderr
            assert said in shown.stderr or said.startswith("halts")


@pytest.mark.parametrize("most", [0, 3])
def test_the_budget_holds_however_many_updates_wait_for_their_answer(most: int, tmp_path: Path) -> None:
    with Simulated(mappings=60, faults=Faults(refused_share=1, latency_s=0.1)) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        done = cli("pause", "--all", *YES, "--max-failures", str(most), "--concurrency", "20")
        assert done.code == 3
        assert len(uuids(cli.last_run(), "failed")) == most + 1
        assert simulated.report().count(Kind.UPDATE) == most + 1
        assert ("halts at the first failure" in done.stderr) == (most == 0)


def test_what_is_halted_can_be_finished_within_its_budget(tmp_path: Path, inside: Inside) -> None:
    with Simulated(mappings=60, faults=Faults(refused_share=0.1)) as simulated:
        assert inside(simulated.environment, "pause", "--all", *YES, "--max-failures", "1").code == 3
        before = simulated.report().count(Kind.UPDATE)
        refused = inside(simulated.environment, "continue", "last", *YES)
        assert refused.code == 2
        assert "2 mappings of this run have failed, and at most 1 may" in refused.stderr
        assert simulated.report().count(Kind.UPDATE) == before
        run = Cli(tmp_path).last_run()
        assert run.record["status"] == "halted"

        again = inside(simulated.environment, "continue", "last", *YES, "--max-failures", "100%")
        run = Cli(tmp_path).last_run()
        assert again.code == 1
        assert run.record["status"] == "finished"
        assert set(run.outcomes.values()) == {"updated", "unchanged", "failed"}
        assert uuids(run, "updated") == accepted(simulated)
        assert "to finish it" not in again.stderr


# Waves and gates


def test_a_gate_halts_after_the_first_wave(tmp_path: Path) -> None:
    with Simulated(mappings=60) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        before = simulated.mappings()
        gate = (
            "test $BULK_ESM_GATE_STAGE = before || { env | grep ^BULK_ESM_ | sort > seen; echo not healthy; exit 7; }"
        )
        done = cli(
            "apply", "--all", "--set", "BatchSize=9", *YES, "--waves", "1,10%,100%", "--gate", gate, "--soak", "2s"
        )
        run = cli.last_run()
        (changed,) = accepted(simulated)
        assert done.code == 3
        assert uuids(run, "updated") == {changed}
        assert Counter(run.outcomes.values())["not_started"] == 60 - 1 - len(uuids(run, "unchanged"))
        assert simulated.mappings()[changed]["BatchSize"] == 9
        assert {uuid for uuid, one in simulated.mappings().items() if one != before[uuid]} == {changed}
        assert {result["wave"] for result in run.results} == {1, 2, 3}
        assert "in 3 waves: 1 + " in done.stderr
        assert "with a soak of 0:02 between them" in done.stderr
        assert "not healthy" in done.stderr
        assert f"because: after wave 1, gate '{gate}' exited with 7: not healthy" in done.stderr
        assert f"to put back what it changed: bulk-esm rollback bulk-esm-runs/{run.path.name}" in done.stderr
        assert done.records == run.results
        seen = dict(line.split("=", 1) for line in (tmp_path / "seen").read_text(encoding="utf-8").splitlines())
        assert seen["BULK_ESM_GATE_RUN_ID"] == run.path.name
        assert (tmp_path / seen["BULK_ESM_GATE_RUN_FOLDER"]).samefile(run.path)
        assert (seen["BULK_ESM_GATE_WAVE"], seen["BULK_ESM_GATE_WAVES"], seen["BULK_ESM_GATE_UPDATED"]) == (
            "1",
            "3",
            "1",
        )


def test_a_halt_is_put_back_as_a_run_of_its_own(tmp_path: Path, inside: Inside) -> None:
    with Simulated(mappings=60) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        before = without_dates(simulated.mappings())
        done = cli(
            *("pause", "--all", *YES, "--waves", "1,10%,100%", "--gate", 'test "$BULK_ESM_GATE_WAVE" != 1'),
            *("--on-halt", "rollback"),
        )
        halted, back = (RunFiles(folder) for folder in cli.run_folders())
        assert done.code == 3
        assert done.records == halted.results
        assert without_dates(simulated.mappings()) == before
        (changed,) = uuids(halted, "updated")
        assert back.outcomes == {changed: "updated"}
        assert {uuid: count for uuid, count in simulated.accepted().items() if count} == {changed: 2}
        assert (back.record["command"], back.record["undoes"]) == ("rollback", halted.path.name)
        assert (halted.record["status"], back.record["status"]) == ("halted", "finished")
        before_that, putting_back, _ = done.stderr.partition("putting back what it changed (--on-halt rollback)")
        assert putting_back
        assert "to put back" not in before_that  # which it does by itself
        assert "to put back what it changed: " in inside({}, "show", halted.path.name).stderr
        assert f"puts back: {halted.path.name}" in done.stderr
        assert inside(simulated.environment, "verify", back.path.name).code == 0

        # To finish it would leave out what was put back, and call it updated all the same.
        assert "to finish it" not in done.stderr
        requests = simulated.requests()
        again = inside(simulated.environment, "continue", halted.path.name, *YES)
        assert (again.code, again.stdout, simulated.requests()) == (2, "", requests)
        assert f"was put back by {back.path.name}" in again.stderr
        assert "plan the change anew" in again.stderr


def test_a_wave_begins_when_the_one_before_has_settled_and_soaked(tmp_path: Path, inside: Inside) -> None:
    with Simulated(mappings=40) as simulated:
        done = inside(
            simulated.environment, "pause", "--all", *YES, "--waves", "1,25%,100%", "--soak", "0.3s", "--gate", "true"
        )
        run = Cli(tmp_path).last_run()
        assert (done.code, run.record["status"]) == (0, "finished")
        waves = {result["uuid"]: result["wave"] for result in run.results if result["outcome"] == "updated"}
        assert set(waves.values()) == {1, 2, 3}
        updates = {mapping.uuid: mapping.accepted[0] for mapping in simulated.report().mappings if mapping.accepted}
        for wave in (2, 3):
            settled = max(updates[uuid].settles_at or 0 for uuid, number in waves.items() if number == wave - 1)
            began = min(updates[uuid].accepted_at for uuid, number in waves.items() if number == wave)
            assert began - settled >= 0.3 * SPEED
        types = {mapping.uuid: mapping.source_type for mapping in simulated.report().mappings}
        assert len({types[uuid] for uuid, number in waves.items() if number == 2}) > 1


def test_waves_in_the_order_given(tmp_path: Path, inside: Inside) -> None:
    with Simulated(mappings=20) as simulated:
        given = sorted(simulated.states(), key=lambda uuid: uuid[::-1])
        lines = "".join(f'{{"UUID": "{uuid}", "BatchSize": 3}}\n' for uuid in given)
        (tmp_path / "requests.jsonl").write_text(lines, encoding="utf-8")
        done = inside(
            simulated.environment,
            *("apply", "--requests", "requests.jsonl", *YES, "--order", "given", "--waves", "2,5,100%"),
        )
        waves = {result["uuid"]: result["wave"] for result in Cli(tmp_path).last_run().results}
        assert done.code == 0
        assert [waves[uuid] for uuid in given] == [1, 1, 2, 2, 2, *(3 for _ in given[5:])]


def test_the_next_wave_is_that_of_the_run_when_it_is_continued(tmp_path: Path, inside: Inside) -> None:
    """A gate that fails once is asked again before the run goes on, and then after each wave that is left."""
    with Simulated(mappings=40) as simulated:
        gate = "test $BULK_ESM_GATE_STAGE = before || { test -e healthy && echo $BULK_ESM_GATE_WAVE >> healthy; }"
        assert inside(simulated.environment, "pause", "--all", *YES, "--waves", "1,10,100%", "--gate", gate).code == 3
        (tmp_path / "healthy").touch()
        again = inside(simulated.environment, "continue", "last", *YES)
        assert again.code == 0
        assert set(simulated.states().values()) == {"Disabled"}
        accepted(simulated)
        waves = Counter(result["wave"] for result in Cli(tmp_path).last_run().results if result["update_calls"])
        assert (waves[1], waves[2]) == (1, 9)
        assert (tmp_path / "healthy").read_text(encoding="utf-8") == "1\n2\n"


def test_continuing_a_run_that_asks_wants_a_terminal(tmp_path: Path) -> None:
    """As at its start; else each wave would be a halt."""
    with Simulated(mappings=10) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        assert cli("pause", "--all", *YES, "--waves", "1,3,100%", "--gate", "test $BULK_ESM_GATE_WAVE = 0").code == 3
        cli.last_run().edit_record(rollout={"waves": ["1", "3", "100%"], "confirm_waves": True})
        before = simulated.requests()
        done = cli("continue", "last", *YES)
        assert (done.code, done.stdout, simulated.requests()) == (2, "", before)
        assert "terminal" in done.stderr


# Deadline, disk, signals


def test_a_deadline_that_is_shorter_than_the_work(tmp_path: Path, inside: Inside) -> None:
    with Simulated(mappings=60, faults=Faults(latency_s=0.1)) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        done = cli("pause", "--all", *YES, "--concurrency", "1", "--deadline", "3s")
        run = cli.last_run()
        assert done.code == 4
        assert run.record["status"] == "deadline"
        assert "deadline: 20" in done.stderr  # the moment, in UTC
        assert "before the deadline" in done.stderr
        assert f"to finish it: bulk-esm continue bulk-esm-runs/{run.path.name}" in done.stderr
        assert uuids(run, "not_started")
        assert set(run.outcomes.values()) <= {"updated", "unchanged", "not_started", "timed_out"}
        assert uuids(run, "updated") | uuids(run, "timed_out") == accepted(simulated)

        again = inside(simulated.environment, "continue", "last", *YES)
        assert again.code == 0
        assert set(cli.last_run().outcomes.values()) == {"updated", "unchanged"}
        assert set(simulated.states().values()) == {"Disabled"}
        accepted(simulated)
        assert len(cli.run_folders()) == 1


def queues() -> list[dict[str, Any]]:
    """Mappings of queues, which settle soon."""
    return [mapping for mapping in make_fleet(100).mappings if ":sqs:" in mapping.get("EventSourceArn", "")]


def check_it_halted_for_want_of_room(cli: Cli, simulated: Simulated, done: Done) -> None:
    run = cli.last_run()
    assert done.code == 3, done.stderr
    assert run.record["status"] == "halted"
    assert "results.jsonl" in run.record["reason"]
    assert "make room, and then finish the run with `bulk-esm continue`" in done.stderr
    written = {result["uuid"]: result["outcome"] for result in run.results}  # whole lines
    assert len(written) == len(run.results)
    assert {uuid for uuid, outcome in written.items() if outcome == "updated"} == accepted(simulated)
    assert 0 < len(accepted(simulated)) < sum(item["action"] == "update" for item in run.plan)


def check_it_was_finished(cli: Cli, simulated: Simulated, code: int) -> None:
    assert code == 0
    assert set(cli.last_run().outcomes.values()) == {"updated", "unchanged"}
    assert cli.last_run().record["status"] == "finished"
    assert set(simulated.states().values()) == {"Disabled"}
    accepted(simulated)


def test_results_that_do_not_fit_halt_a_run_before_an_update_too_many(tmp_path: Path, inside: Inside) -> None:
    with Simulated(fleet=queues(), settle_scale=10) as simulated:  # many on their way, each of which needs a line
        cli = Cli(tmp_path, simulated.environment)
        done = cli.shell(f"ulimit -f 110; bulk-esm pause --all {' '.join(YES)}")
        check_it_halted_for_want_of_room(cli, simulated, done)
        assert "the limit of a file's size is reached (ulimit -f)" in done.stderr
        check_it_was_finished(cli, simulated, inside(simulated.environment, "continue", "last", *YES).code)


def test_a_disk_that_is_full(tmp_path: Path, inside: Inside) -> None:
    disk = tmp_path / "bulk-esm-runs"
    disk.mkdir()
    if Cli(tmp_path).shell(f"mount -t tmpfs -o size=220k tmpfs {disk}").code:
        pytest.skip("nothing can be mounted here")
    try:
        with Simulated(fleet=queues(), settle_scale=10) as simulated:
            cli = Cli(tmp_path, simulated.environment)
            done = cli("pause", "--all", *YES)
            check_it_halted_for_want_of_room(cli, simulated, done)
            assert "the disk is full, so nothing more was sent" in done.stderr
            assert cli.shell(f"mount -o remount,size=20m {disk}").code == 0
            check_it_was_finished(cli, simulated, inside(simulated.environment, "continue", "last", *YES).code)
    finally:
        assert Cli(tmp_path).shell(f"umount {disk}").code == 0


def test_interrupted_and_finished(tmp_path: Path, inside: Inside) -> None:
    with Simulated(mappings=60, faults=Faults(latency_s=0.1)) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        with cli.start("pause", "--all", *YES, "--concurrency", "2") as process:
            simulated.wait_until(lambda report: sum(mapping.accepted_count for mapping in report.mappings) >= 3)
            process.send_signal(signal.SIGINT)
            assert process.stderr is not None
            while "stopping: nothing more is sent" not in process.stderr.readline():
                pass
            until_then = simulated.report().count(Kind.UPDATE)
            done = finish(process)
        run = cli.last_run()
        assert done.code == 130
        assert simulated.report().count(Kind.UPDATE) <= until_then + 2  # as many as had left by then
        assert f"to finish it: bulk-esm continue bulk-esm-runs/{run.path.name}" in done.stderr
        assert done.records == run.results
        assert len(run.outcomes) == 60
        assert uuids(run, "updated") == accepted(simulated)
        left = len(uuids(run, "not_started"))
        assert left

        again = inside(simulated.environment, "continue", f"bulk-esm-runs/{run.path.name}", *YES)
        assert again.code == 0
        assert f"{left} are left" in again.stderr
        assert set(cli.last_run().outcomes.values()) == {"updated", "unchanged"}
        assert set(simulated.states().values()) == {"Disabled"}
        accepted(simulated)


def test_interrupted_while_it_soaks(tmp_path: Path, inside: Inside) -> None:
    with Simulated(mappings=20) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        with cli.start("pause", "--all", *YES, "--waves", "1,100%", "--soak", "1h") as process:
            simulated.wait_until(lambda report: sum(mapping.accepted_count for mapping in report.mappings) == 1)
            process.send_signal(signal.SIGINT)
            done = finish(process)
        assert done.code == 130
        assert len(accepted(simulated)) == 1
        assert uuids(cli.last_run(), "updated") == accepted(simulated)
        assert inside(simulated.environment, "continue", "last", "--dry-run").code == 0
        assert cli.last_run().record["status"] == "interrupted"


def test_resumed_over_time(tmp_path: Path, inside: Inside) -> None:
    with Simulated(mappings=40) as simulated:
        enabled = [uuid for uuid, state in simulated.states().items() if state == "Enabled"]
        assert inside(simulated.environment, "pause", "--all", *YES).code == 0
        done = inside(simulated.environment, "resume", "--run", "last", *YES, "--ramp", "2s")
        assert done.code == 0
        assert "concurrent invocations that resuming adds" in done.stderr
        resumes = {m.uuid: m.accepted[1].accepted_at for m in simulated.report().mappings if len(m.accepted) == 2}
        times = sorted(resumes.values())
        assert resumes.keys() == set(enabled)
        assert times[-1] - times[0] > 0.7 * 2 * SPEED  # at once they take a hundredth of that
        assert Cli(tmp_path).last_run().record["rollout"]["ramp_s"] == 2


def test_a_pause_over_time_in_waves_that_grow(tmp_path: Path, inside: Inside) -> None:
    with Simulated(mappings=40) as simulated:
        done = inside(
            simulated.environment,
            "pause",
            "--all",
            *YES,
            "--waves",
            "exponential: 25%",
            "--ramp",
            "2s",
            "--quiet=false",
        )
        assert done.code == 0
        assert "in 3 waves: " in done.stderr
        assert "spread over 0:02" in done.stderr
        run = Cli(tmp_path).last_run()
        assert run.record["rollout"]["waves"] == ["exponential: 25%"]
        assert run.record["rollout"]["ramp_s"] == 2
        of_waves = Counter(result["wave"] for result in run.results if result["update_calls"])
        updates = of_waves.total()
        assert [of_waves[1], of_waves[1] + of_waves[2], updates] == [-(-updates // 4), -(-updates // 2), updates]
        times = sorted(m.accepted[0].accepted_at for m in simulated.report().mappings if m.accepted)
        assert times[-1] - times[0] > 0.7 * 2 * SPEED
