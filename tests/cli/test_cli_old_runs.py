"""Run folders that an earlier version left are read as well as our own; see `tests/fixtures/runs/README.md`."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cli_harness import ACCOUNT, Inside, RunFiles, Simulated, records

from bulk_esm.simulator import Fleet

FIXTURES = Path(__file__).parent.parent / "fixtures" / "runs"
SINGLE = ("pause-finished", "pause-killed", "apply-halted", "waves-stopped", "rollback")
FLEETS = ("fleet-finished", "fleet-killed", "fleet-halted", "planning-rest")
ALL = (*SINGLE, *FLEETS)
PAUSED = ("pause-finished", "pause-killed", "waves-stopped", "fleet-finished", "fleet-killed", "planning-rest")
KILLED = ("pause-killed", "fleet-killed")
FINISHED = ("pause-finished", "rollback", "fleet-finished", "planning-rest")
SPEED = 1000.0  # waits are as long as the server asks for, which is settle times divided by it
FAST = ("--rate", f"{12 * SPEED:g}")
YES = ("--yes", *FAST)
HOME = f"{ACCOUNT}-us-east-1"

Mappings = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Old:
    """A copy of an old folder, the simulator that it ran against, and the command line beside them."""

    runs_dir: Path
    frozen: dict[str, list[dict[str, Any]]]
    simulated: Simulated
    inside: Inside

    def __call__(self, *arguments: str) -> Any:
        return self.inside(self.simulated.environment, *arguments)

    @property
    def runs(self) -> list[Path]:
        return sorted(path for path in self.runs_dir.iterdir() if not path.name.startswith("."))

    @property
    def before(self) -> Mappings:
        """The mappings as they were frozen."""
        return {mapping["UUID"]: mapping for shard in self.frozen.values() for mapping in shard}

    def now(self) -> Mappings:
        places = [place_of(shard) for shard in self.frozen]
        shards = [self.simulated.ask(partial(self.simulated.simulator.snapshot, *place)) for place in places]
        return {mapping["UUID"]: mapping for shard in shards for mapping in shard}

    def accepted(self) -> dict[str, int]:
        return {uuid: count for uuid, count in self.simulated.accepted().items() if count}


def place_of(shard: str) -> tuple[str, str]:
    account_id, _, region = shard.partition("-")
    return account_id, region


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


def possible(text: str) -> str:
    """The fleets of that version held tumbling windows beside filters or factors, which Lambda refuses (F§0.2)."""
    return re.sub(r'"TumblingWindowInSeconds": ?\d+', '"TumblingWindowInSeconds":0', text)


@contextmanager
def opened(name: str, inside: Inside, home: Path) -> Iterator[Old]:
    frozen = msgspec.json.decode(possible((FIXTURES / name / "mappings.json").read_text()))
    runs_dir = home / "bulk-esm-runs"
    shutil.copytree(FIXTURES / name / "runs", runs_dir)
    for plan in runs_dir.rglob("plan.jsonl"):
        plan.write_text(possible(plan.read_text()))
    others = {place_of(shard): Fleet(mappings=found) for shard, found in frozen.items() if shard != HOME}
    with Simulated(fleet=frozen[HOME], fleets=others, mappings=0, speed=SPEED) as simulated:
        yield Old(runs_dir, frozen, simulated, inside)


@pytest.fixture
def old(request: pytest.FixtureRequest, inside: Inside, tmp_path: Path) -> Iterator[Old]:
    with opened(request.param, inside, tmp_path) as found:
        yield found


def of(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("old", names, indirect=True)


def plan_of(run: Path) -> Mappings:
    """The lines of its plan, over all shards."""
    return {line["uuid"]: line for path in run.rglob("plan.jsonl") for line in records(path.read_text())}


def results_of(run: Path) -> list[dict[str, Any]]:
    """Its results, over all shards."""
    return [line for path in sorted(run.rglob("results.jsonl")) for line in records(path.read_text())]


def outcomes(lines: list[dict[str, Any]]) -> dict[str, str]:
    found = {line["uuid"]: line["outcome"] for line in lines}
    assert len(found) == len(lines)
    return found


def touched_by(run: Path) -> Mappings:
    """The plan's lines of what it changed, or may have: what has no result may have been sent."""
    ended = outcomes(results_of(run))
    return {
        uuid: line
        for uuid, line in plan_of(run).items()
        if line["action"] == "update" and ended.get(uuid, "updated") == "updated"
    }


def is_as_before(line: dict[str, Any], mapping: dict[str, Any]) -> bool:
    stamp: dict[str, Any] = {"LastModified": None}
    if mapping.get("KMSKeyArn"):  # List, from which the plan is, does not show encrypted filters (F§2)
        stamp["FilterCriteria"] = None
    return said_by({**line["before"], **stamp}) == said_by({**mapping, **stamp})


def said_by(mapping: dict[str, Any]) -> dict[str, Any]:
    """What a mapping says: that version's simulator left out defaults that Lambda shows (F§0.2)."""
    defaults = {
        "MaximumRetryAttempts": -1,
        "MaximumRecordAgeInSeconds": -1,
        "BisectBatchOnFunctionError": False,
        "FunctionResponseTypes": [],
        "DestinationConfig": {"OnFailure": {}},
        "MaximumBatchingWindowInSeconds": 0,
    }
    mapping = mapping | {"LastModified": None}  # streams show it cut now
    return {name: value for name, value in mapping.items() if value is not None and value != defaults.get(name)}


def has_what_was_asked(line: dict[str, Any], mapping: dict[str, Any]) -> bool:
    asked = dict(line["request"])
    if "Enabled" in asked:
        asked["State"] = "Enabled" if asked.pop("Enabled") else "Disabled"
    return all(mapping[name] == value for name, value in asked.items())


@of(*ALL)
def test_runs(old: Old) -> None:
    done = old("runs")
    assert done.code == 0
    shown = [
        (line["run_id"], "running" if line["status"] == "killed" else line["status"], line["command"])
        for line in done.records
    ]
    assert all(line["status"] != "running" for line in done.records)  # as nobody is at work
    there = [RunFiles(run).record for run in old.runs]
    assert shown == [(record["run_id"], record["status"], record["command"]) for record in there]
    table = old("runs", "--output", "csv").stdout.splitlines()
    assert len(table) == 1 + len(old.runs)


@of(*ALL)
def test_show(old: Old) -> None:
    for run in old.runs:
        done = old("show", run.name)
        assert done.code == 0
        assert outcomes(done.records) == outcomes(results_of(run))
        assert len(old("show", str(run), "--output", "csv").stdout.splitlines()) == 1 + len(done.records)
    assert old.simulated.requests() == 0


@of(*ALL)
def test_verify(old: Old) -> None:
    killed = RunFiles(old.runs[-1]).record["status"] == "running"
    done = old("verify", "last", *FAST)
    assert (done.code, done.records) == (1 if killed else 0, [])
    changed = next(uuid for uuid, outcome in outcomes(results_of(old.runs[-1])).items() if outcome != "unchanged")
    if changed not in touched_by(old.runs[-1]):
        return  # it failed there, so that run set nothing that could be lost
    line = plan_of(old.runs[-1])[changed]
    lost = {"BatchSize": 77} if "BatchSize" in line["request"] else {"State": "Enabled"}
    old.simulated.change_behind(changed, **lost)
    done = old("verify", "last", *FAST)
    assert (done.code, [drift["uuid"] for drift in done.records]) == (1, [changed])
    assert old.accepted() == {}


@of(*PAUSED)
def test_resume_by_run(old: Old) -> None:
    run, before = old.runs[-1], old.before
    paused = touched_by(run)
    done = old("resume", "--run", run.name, *YES)
    assert done.code == 0
    assert outcomes(done.records) == {
        uuid: "updated" if before[uuid]["State"] == "Disabled" else "unchanged" for uuid in paused
    }
    now = old.now()
    for uuid, line in plan_of(run).items():
        assert now[uuid]["State"] == line["state"]
    assert old.accepted() == {uuid: 1 for uuid in paused if before[uuid]["State"] == "Disabled"}


@of("apply-halted", "rollback")
def test_a_run_that_paused_nothing_is_not_resumed(old: Old) -> None:
    done = old("resume", "--run", old.runs[-1].name, *YES)
    assert (done.code, done.stdout) == (2, "")
    assert old.accepted() == {}


@of(*ALL)
def test_rollback(old: Old) -> None:
    run, before = old.runs[-1], old.before
    changed = touched_by(run)
    there = {uuid for uuid, line in changed.items() if not is_as_before(line, before[uuid])}
    done = old("rollback", "last", *YES)
    assert done.code == 0
    assert outcomes(done.records) == {uuid: "updated" if uuid in there else "unchanged" for uuid in changed}
    now = old.now()
    for uuid, line in plan_of(run).items():
        assert is_as_before(line, now[uuid])
    assert old.accepted() == dict.fromkeys(there, 1)
    if changed:
        back = RunFiles(old.runs[-1]).record
        assert (back["command"], back["undoes"], back["status"]) == ("rollback", run.name, "finished")
        assert old("verify", "last", *FAST).code == 0


@of(*ALL)
def test_continue(old: Old, tmp_path: Path) -> None:
    (tmp_path / "go").touch()  # the gate that halted one of them lets it go on now
    run, before = old.runs[-1], old.before
    plan = plan_of(run)
    ended = {uuid: outcome for uuid, outcome in outcomes(results_of(run)).items() if outcome != "not_started"}
    left = {uuid: line for uuid, line in plan.items() if uuid not in ended}
    sent = {uuid for uuid, line in left.items() if line["request"] and not has_what_was_asked(line, before[uuid])}
    dry = old("continue", "last", "--dry-run", *FAST)
    assert (dry.code, old.accepted()) == (0, {})
    assert outcomes(results_of(run)).items() >= ended.items()
    # What failed before counts: one that its budget halted needs a larger one.
    done = old("continue", "last", *YES, "--max-failures", "100%")
    assert done.code == (1 if "failed" in ended.values() else 0)
    expected = {uuid: "updated" if line["action"] == "update" else line["action"] for uuid, line in left.items()}
    assert outcomes(done.records) == expected
    assert outcomes(results_of(run)) == {**ended, **expected}
    assert old.accepted() == dict.fromkeys(sent, 1)
    record = RunFiles(run).record
    assert record["status"] == "finished"
    assert sum(record["counts"].values()) == len(plan)
    now = old.now()
    for uuid in left:
        assert has_what_was_asked(plan[uuid], now[uuid])


@of(*KILLED)
def test_a_killed_run_in_doubt(old: Old) -> None:
    """What the fixture is for: some updates were accepted of which the run knows nothing, and some never sent."""
    run = old.runs[-1]
    doubtful = {uuid: line for uuid, line in plan_of(run).items() if uuid not in outcomes(results_of(run))}
    accepted = {uuid for uuid, line in doubtful.items() if has_what_was_asked(line, old.before[uuid])}
    assert accepted
    assert len(accepted) < len(doubtful)
    assert "is not known" in old("verify", "last", *FAST).stderr
    assert "did not end" in old("show", "last").stderr


@of("rollback")
def test_a_run_that_was_put_back_is_not_continued(old: Old) -> None:
    done = old("continue", old.runs[0].name, *YES)
    assert (done.code, old.accepted()) == (2, {})
    assert "was put back" in done.stderr


@of("planning-rest")
def test_the_rest_of_planning_is_no_run(old: Old) -> None:
    [rest] = [path for path in old.runs_dir.iterdir() if path.name.startswith(".")]
    files = sorted(rest.rglob("*"))
    run_id = rest.name.removeprefix(".").removesuffix(".planning")
    for command in (("show",), ("verify",), ("rollback", "--yes"), ("continue", "--yes"), ("resume", "--yes", "--run")):
        assert old(*command, run_id).code == 2
    assert old.accepted() == {}
    assert sorted(rest.rglob("*")) == files


@of("fleet-finished", "fleet-killed", "fleet-halted")
def test_one_shard_of_an_old_fleet(old: Old) -> None:
    shard = next(path for path in sorted((old.runs[0] / "shards").iterdir()) if touched_by(path))
    before = old.before
    shown = old("show", str(shard))
    assert (shown.code, outcomes(shown.records)) == (0, outcomes(results_of(shard)))
    done = old("rollback", str(shard), *YES)
    assert done.code == 0
    assert outcomes(done.records).keys() == touched_by(shard).keys()
    now = old.now()
    plan = plan_of(shard)
    assert all(is_as_before(line, now[uuid]) for uuid, line in plan.items())
    assert all(said_by(now[uuid]) == said_by(mapping) for uuid, mapping in before.items() if uuid not in plan)
