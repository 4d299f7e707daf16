"""The ten questions of an audit, each answered by the command that docs/report.md names for it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from cli_harness import FAST, Cli, Done, Inside, RunFiles, Simulated

from bulk_esm.simulator import Faults

DOCUMENT = Path(__file__).parents[2] / "docs/report.md"
ASKED = re.compile(r"^\| ([^|]+\?) \| `bulk-esm ([^`]+)` \|", re.MULTILINE)
QUESTIONS = dict(ASKED.findall(DOCUMENT.read_text(encoding="utf-8")))
YES = ("--yes", *FAST)


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


def test_ten_questions_are_answered(tmp_path: Path, inside: Inside) -> None:
    assert len(QUESTIONS) == 10
    with Simulated(mappings=60, faults=Faults(refused_share=0.3)) as simulated:
        environment = simulated.environment
        assert inside(environment, "pause", "--source-type", "mq", *YES, "--max-failures", "100%").code in {0, 1}
        gate = "echo errors: 312; test $BULK_ESM_GATE_WAVE != 2"
        flags = ("--waves", "1,50%,100%", "--gate", gate, "--on-halt", "rollback", "--max-failures", "100%")
        assert inside(environment, "apply", "--all", "--set", "BatchSize=7", *flags, *YES).code == 3
        paused, halted, back = map(RunFiles, Cli(tmp_path).run_folders())

        def asked(question: str) -> Done:
            words = [halted.path.name if word == "RUN" else word for word in shlex.split(QUESTIONS[question])]
            return inside(environment, *words)

        [who] = [run for run in asked("Who did it?").records if run["run_id"] == halted.path.name]
        assert who["user"] == halted.record["user"]
        assert "set BatchSize to 7" in asked("What was changed?").stdout
        assert halted.record["started_at"][:19].replace("T", " ") in asked("When?").stdout
        waves = {line["uuid"]: line["wave"] for line in asked("In which wave was a mapping?").records}
        assert waves == {result["uuid"]: result["wave"] for result in halted.results}
        gates = asked("Which gate said what?").stdout
        assert "## Gates" in gates
        assert "errors: 312" in gates
        failed = sum(outcome == "failed" for outcome in halted.outcomes.values())
        assert failed > 0
        assert f"{failed} failed: InvalidParameterValueException" in asked("What failed, and why?").stderr
        differs = {line["uuid"] for line in asked("Which mappings differ now?").records}
        assert differs == {uuid for uuid, outcome in halted.outcomes.items() if outcome == "updated"}
        took = {line["uuid"]: line["duration_s"] for line in asked("How long did each take?").records}
        assert took == {result["uuid"]: result["duration_s"] for result in halted.results}
        undone = asked("What was undone?").stdout
        assert f"`{back.path.name}` (rollback, {back.record['status']})" in undone
        left = {line["uuid"] for line in asked("What is left paused?").records if line["action"] == "update"}
        assert left == {uuid for uuid, outcome in paused.outcomes.items() if outcome == "updated"}
