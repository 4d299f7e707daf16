"""`report`, and `--report` on whatever carries out a run: from the run's files alone, whatever became of it."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_harness import FAST, Cli, Inside, Simulated, finish

from bulk_esm.simulator import Faults

YES = ("--yes", *FAST)
BATCH = ("apply", "--all", "--skip-blocked", "--set", "MaximumRetryAttempts=3", *YES)
HALTS = ("--waves", "1,50%,100%", "--gate", "test $BULK_ESM_GATE_WAVE != 1")


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


@pytest.fixture
def simulated() -> Iterator[Simulated]:
    with Simulated(mappings=40) as found:
        yield found


def read(path: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_a_report_needs_no_credentials_and_is_markdown_by_default(
    tmp_path: Path, inside: Inside, simulated: Simulated
) -> None:
    assert inside(simulated.environment, "pause", "--all", *YES).code == 0
    run = Cli(tmp_path).last_run()
    asked = simulated.requests()
    done = inside({}, "report", "last")
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout.startswith("# pause finished\n")
    assert run.path.name in done.stdout
    assert f"bulk-esm resume --run bulk-esm-runs/{run.path.name}" in done.stdout
    assert simulated.requests() == asked


def test_each_form_has_a_file_of_its_own(tmp_path: Path, inside: Inside, simulated: Simulated) -> None:
    assert inside(simulated.environment, *BATCH).code == 0
    run = Cli(tmp_path).last_run()
    done = inside({}, "report", run.path.name[:-2], "--html", "a.html", "--markdown", "a.txt", "--json", "a.json")
    assert (done.code, done.stdout) == (0, "")
    assert "written: a.html" in done.stderr
    assert (tmp_path / "a.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert (tmp_path / "a.txt").read_text(encoding="utf-8").startswith("# apply finished")
    told = inside({}, "report", "last", "--json", "-")
    assert json.loads(told.stdout)["mappings"] == read(tmp_path / "a.json")["mappings"]
    assert {row["uuid"] for row in json.loads(told.stdout)["mappings"]} == {item["uuid"] for item in run.plan}


def test_a_saved_plan_has_a_report(tmp_path: Path, inside: Inside, simulated: Simulated) -> None:
    planned = inside(simulated.environment, "plan", "--all", "--set", "BatchSize=7", "--save", "plan.jsonl")
    assert planned.code == 0
    done = inside({}, "report", "plan.jsonl")
    assert done.code == 0
    assert done.stdout.startswith("# A plan\n")
    assert "set BatchSize to 7" in done.stdout
    cut = (tmp_path / "plan.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "plan.jsonl").write_text("".join(cut[:-1]), encoding="utf-8")
    assert inside({}, "report", "plan.jsonl").code != 0


def test_a_page_is_opened_in_the_users_browser(tmp_path: Path, inside: Inside, simulated: Simulated) -> None:
    assert inside(simulated.environment, "pause", "--source-type", "mq", *YES).code == 0
    run = Cli(tmp_path).last_run()
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" >{tmp_path}/opened\n', encoding="utf-8")
    browser.chmod(0o755)
    done = Cli(tmp_path)("report", "last", "--open", BROWSER=str(browser))
    assert done.code == 0
    page = tmp_path / f"{run.path.name}.html"
    assert page.exists()
    assert (tmp_path / "opened").read_text(encoding="utf-8") == page.as_uri()
    assert inside({}, "report", "last", "--html", "-", "--open").code == 2


@pytest.mark.parametrize("name", ["none/a.html", "."])
def test_what_could_not_be_written_is_refused_before_anything_is_read(inside: Inside, name: str) -> None:
    done = inside({}, "report", "last", "--html", name)
    assert (done.code, done.stdout) == (2, "")
    assert "there are no runs" not in done.stderr


@pytest.mark.parametrize("wanted", ["--html --open", "--markdown --quiet", "--json --wide", "--html - --json -"])
def test_a_flag_is_no_file_to_write(tmp_path: Path, inside: Inside, wanted: str) -> None:
    done = inside({}, "report", "last", *wanted.split())
    assert (done.code, done.stdout) == (2, "")
    assert "give" in done.stderr
    assert "there are no runs" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["report.pdf", "none/report.html", "report"])
def test_a_run_whose_report_could_not_be_written_is_refused_before_anything_is_sent(
    inside: Inside, simulated: Simulated, name: str
) -> None:
    done = inside(simulated.environment, "pause", "--all", *YES, "--report", name)
    assert done.code == 2
    assert name in done.stderr
    assert simulated.requests() == 0


def test_every_command_that_carries_out_a_run_writes_one(tmp_path: Path, inside: Inside, simulated: Simulated) -> None:
    commands = (
        ("pause", "--all"),
        ("resume", "--run", "last"),
        ("apply", "--all", "--skip-blocked", "--set", "MaximumRetryAttempts=3"),
        ("rollback", "last"),
    )
    for number, command in enumerate(commands):
        done = inside(simulated.environment, *command, *YES, "--report", f"{number}.json")
        assert done.code == 0, done.stderr
        assert f"report: {number}.json" in done.stderr
        run = Cli(tmp_path).last_run()
        found = read(tmp_path / f"{number}.json")
        assert found["title"] == run.path.name
        assert {row["uuid"] for row in found["mappings"]} == set(run.outcomes)  # type: ignore[attr-defined]


def test_a_halt_has_its_report_with_the_rollback_and_its_exit_code(
    tmp_path: Path, inside: Inside, simulated: Simulated
) -> None:
    done = inside(simulated.environment, *BATCH, *HALTS, "--on-halt", "rollback", "--report", "r.json")
    assert done.code == 3
    halted, back = Cli(tmp_path).run_folders()
    found = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert (found["title"], found["run"]["status"]) == (halted.name, "halted")
    [followed] = found["followed_by"]
    assert (followed["run_id"], followed["status"]) == (back.name, "finished")
    assert [one["line"] for one in found["commands"]] == [f"bulk-esm verify bulk-esm-runs/{back.name}"]
    assert inside(simulated.environment, "verify", back.name, *FAST).code == 0


def test_continue_writes_one_of_all_invocations(tmp_path: Path, inside: Inside, simulated: Simulated) -> None:
    assert inside(simulated.environment, *BATCH, *HALTS, "--report", "1.json").code == 3
    record = Cli(tmp_path).last_run()
    record.edit_record(rollout={**record.record["rollout"], "gates": []})
    done = inside(simulated.environment, "continue", "last", *YES, "--report", "2.json")
    assert done.code == 0, done.stderr
    found = json.loads((tmp_path / "2.json").read_text(encoding="utf-8"))
    assert [one["status"] for one in found["run"]["invocations"]] == ["halted", "finished"]
    assert found["run"]["counts"]["updated"] > 1


def test_an_interrupted_run_has_its_report(tmp_path: Path, simulated: Simulated) -> None:
    cli = Cli(tmp_path, simulated.environment)
    with cli.start(*BATCH, "--waves", "1,100%", "--soak", "10m", "--report", "r.md") as process:
        simulated.wait_until(lambda report: sum(mapping.accepted_count for mapping in report.mappings) > 0)
        process.send_signal(signal.SIGINT)
        assert finish(process).code == 130
    assert (tmp_path / "r.md").read_text(encoding="utf-8").startswith("# apply was interrupted\n")


def test_a_report_that_cannot_be_written_is_a_warning(tmp_path: Path, simulated: Simulated, inside: Inside) -> None:
    gate = ("--gate", "rm -rf there; test $BULK_ESM_GATE_WAVE = 0")  # while the run is under way
    (tmp_path / "there").mkdir()
    done = inside(
        simulated.environment, "pause", "--all", *YES, "--waves", "1,100%", *gate, "--report", "there/report.html"
    )
    assert done.code == 3
    assert "warning: the report could not be written: there/report.html" in done.stderr


def test_failures_are_in_it_and_hide_nothing(tmp_path: Path, inside: Inside) -> None:
    with Simulated(mappings=40, faults=Faults(refused_share=0.5)) as simulated:
        done = inside(simulated.environment, *BATCH, "--max-failures", "100%", "--report", "r.json")
    assert done.code == 1
    found = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    failed = [uuid for uuid, outcome in Cli(tmp_path).last_run().outcomes.items() if outcome == "failed"]
    causes = [cause for cause in found["causes"] if cause["outcome"] == "failed"]
    assert sum(cause["count"] for cause in causes) == len(failed) > 0
    assert {row["uuid"] for row in found["mappings"] if row["outcome"] == "failed"} == set(failed)
    for cause in causes:  # the command that it names finds just these
        [listed] = [one["line"] for one in cause["commands"] if one["why"] == "List them"]
        shown = Cli(tmp_path).shell(listed)
        assert (shown.code, len(shown.records)) == (0, cause["count"])
