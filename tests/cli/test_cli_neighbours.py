"""Runs beside the one that is meant: damaged, of a later version, of another user, or open to others."""

import shutil
from pathlib import Path

import pytest
from cli_harness import FAST, Cli, Inside, RunFiles, Simulated

YES = ("--yes", *FAST)
GATE = "echo \x1b[2J; touch gate-was-run"


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


def change_record(run: Path, **values: object) -> None:
    RunFiles(run).edit_record(**values)


@pytest.mark.parametrize("content", [b"{", b'{"run_id":"x","status":"of-the-future"}', b"\xff"])
def test_a_damaged_run_hides_only_itself(tmp_path: Path, inside: Inside, content: bytes) -> None:
    with Simulated(mappings=10) as simulated:

        def run(*arguments: str) -> tuple[int, str]:
            done = inside(simulated.environment, *arguments)
            return done.code, done.stderr

        assert run("pause", "--all", *YES)[0] == 0
        first, runs_dir = Cli(tmp_path).run_folders()[0], Cli(tmp_path).runs_dir
        damaged = runs_dir / "20200101T000000Z-pause-aaa111"
        shutil.copytree(first, damaged)
        (damaged / "run.json").write_bytes(content)
        lost = runs_dir / "20200101T000000Z-pause-bbb222"
        shutil.copytree(first, lost)
        (lost / "plan.jsonl").write_bytes(content)

        for form in ("jsonl", "csv", "table"):
            listed = inside(simulated.environment, "runs", "--output", form)
            assert (listed.code, first.name in listed.stdout, "unreadable" in listed.stdout) == (0, True, True)
        done = inside(simulated.environment, "runs", "--output", "jsonl")
        assert [(line["run_id"], line["status"]) for line in done.records][::2] == [
            (damaged.name, "unreadable"),
            (first.name, "finished"),
        ]
        assert "run.json" in done.records[0]["reason"]

        assert run("continue", "last", *YES)[0] == 0
        assert run("show", "last")[0] == 0
        assert run("verify", "last", *FAST)[0] == 0
        assert run("resume", "--run", "last", *YES)[0] == 0
        assert run("rollback", "last", *YES)[0] == 0
        for name in (damaged.name, lost.name):
            code, told = run("continue", name, *YES)
            assert (code, name in told) == (2, True)


@pytest.mark.parametrize(
    "command",
    [
        ("continue", "--yes"),
        ("rollback", "--yes"),
        ("rollback", "--dry-run"),
        ("verify",),
        ("show",),
        ("resume", "--yes", "--run"),
    ],
)
def test_a_run_that_others_can_write_is_not_believed(tmp_path: Path, inside: Inside, command: tuple[str, ...]) -> None:
    with Simulated(mappings=10) as simulated:
        assert inside(simulated.environment, "pause", "--all", *YES).code == 0
        [run] = Cli(tmp_path).run_folders()
        change_record(run, status="running", rollout={"gates": [GATE]})
        run.chmod(0o770)
        before = simulated.requests()
        for name in (run.name, str(run)):
            done = inside(simulated.environment, *command, name)
            assert (done.code, done.stdout) == (2, "")
            assert f"others can write {'bulk-esm-runs/' if name == run.name else str(run.parent) + '/'}" in done.stderr
            assert "chmod -R go-w" in done.stderr
        listed = inside(simulated.environment, "runs").records
        assert [(line["run_id"], line["status"]) for line in listed] == [(run.name, "unreadable")]
        assert "others can write" in listed[0]["reason"]
        assert simulated.requests() == before
        assert not (tmp_path / "gate-was-run").exists()


def test_continue_shows_the_gates_before_it_asks(tmp_path: Path, inside: Inside) -> None:
    with Simulated(mappings=10) as simulated:
        assert inside(simulated.environment, "pause", "--all", *YES).code == 0
        [run] = Cli(tmp_path).run_folders()
        change_record(run, status="running", rollout={"gates": [GATE]})
        (run / "results.jsonl").write_text("")
        done = inside(simulated.environment, "continue", "last", "--dry-run", *FAST)
        assert "gate: 'echo \\x1b[2J; touch gate-was-run' will be run here" in done.stderr
        assert not (tmp_path / "gate-was-run").exists()
