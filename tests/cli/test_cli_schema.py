"""`bulk-esm schema`: what it says of files and outputs is what they hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_harness import FAST, Cli, Done, Inside, RunFiles, Simulated, finish, records, wait_until
from jsonschema import Draft202012Validator

from bulk_esm.cli.schemas import DESCRIBED

OLD_RUNS = Path(__file__).parents[1] / "fixtures" / "runs"
FLEET = ("--regions", "us-east-1,eu-west-1")


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


@pytest.fixture(scope="module")
def simulated() -> Iterator[Simulated]:
    with Simulated(mappings=60) as found:
        yield found


class Schemas:
    """The schemas, as the command prints them."""

    def __init__(self, inside: Inside) -> None:
        self._inside = inside
        self.used: set[str] = set()

    def hold(self, name: str, found: list[dict[str, Any]]) -> None:
        """Hold records against a schema; there must be some."""
        assert found, name
        self.used.add(name)
        validator = Draft202012Validator(self.of(name))
        assert [error.message for record in found for error in validator.iter_errors(record)] == [], name

    def of(self, name: str) -> dict[str, Any]:
        printed: dict[str, Any] = json.loads(self._inside({}, "schema", name).stdout)
        return printed


def lines(path: Path) -> list[dict[str, Any]]:
    return records(path.read_text(encoding="utf-8"))


def done(found: Done, *codes: int) -> list[dict[str, Any]]:
    assert found.code in (codes or (0,)), found.stderr
    return found.records


def test_what_commands_write_and_leave_is_as_the_schemas_say(
    inside: Inside, simulated: Simulated, tmp_path: Path
) -> None:
    schemas, environment = Schemas(inside), simulated.environment
    pause = ("pause", "--function", "billing-*", "--waves", "1,100%", "--yes", *FAST)
    told = inside(environment, *pause, "--gate", "echo well", "--log-format", "json")
    schemas.hold("results", done(told))
    schemas.hold("log", records(told.stderr))
    run = tmp_path / "bulk-esm-runs" / done(inside(environment, "runs"))[0]["run_id"]
    schemas.hold("run", [RunFiles(run).record])
    for name in ("plan", "begun", "results", "log"):
        schemas.hold(name, lines(run / f"{name}.jsonl"))
    schemas.hold("plan", done(inside(environment, "plan", "--all", "--set", "BatchSize=7", "--save", "p.jsonl", *FAST)))
    schemas.hold("plan", lines(tmp_path / "p.jsonl"))
    schemas.hold("list", done(inside(environment, "list", *FAST)))
    results = done(inside(environment, "show", "last"))
    schemas.hold("results", results)
    schemas.hold("mapping", done(inside(environment, "show", "last", "--uuid", results[0]["uuid"])))
    schemas.hold("report", [json.loads(inside(environment, "report", "last", "--json", "-").stdout)])
    simulated.change_behind(next(one["uuid"] for one in results if one["outcome"] == "updated"), State="Enabled")
    schemas.hold("verify", done(inside(environment, "verify", "last", *FAST), 1))
    schemas.hold("doctor", done(inside(environment, "doctor")))
    schemas.hold("config", done(inside(environment, "config", "pause")))
    assert inside(environment, "resume", "--source-type", "sqs", "--yes", *FLEET, *FAST).code == 0
    fleet = max((tmp_path / "bulk-esm-runs").iterdir(), key=lambda path: path.name)
    schemas.hold("fleet", [json.loads((fleet / "fleet.json").read_bytes())])
    schemas.hold("run", [json.loads(path.read_bytes()) for path in fleet.rglob("run.json")])
    (run / "run.json").write_text("damaged")
    schemas.hold("runs", done(inside(environment, "runs")))
    steer(Cli(tmp_path / "steered", dict(environment)), schemas)
    assert schemas.used == set(DESCRIBED)


def steer(cli: Cli, schemas: Schemas) -> None:
    """Ask things of a run that is at work."""
    cli.home.mkdir()
    with cli.start("resume", "--all", "--yes", "--quiet", "--waves", "1,100%", "--approve-waves", *FAST) as process:
        wait_until(
            lambda: any(b'"awaits":2' in path.read_bytes() for path in cli.runs_dir.glob("2*/asked/status.json"))
        )
        schemas.hold("control", done(cli("hold", "last")))
        schemas.hold("control", done(cli("stop", "last")))
        assert finish(process).code == 3
    schemas.hold("asked", [json.loads(path.read_bytes()) for path in cli.last_run().path.glob("asked/*.json")])


def test_runs_of_older_versions_are_as_the_schemas_say(inside: Inside) -> None:
    schemas = Schemas(inside)
    for name in ("plan", "results"):
        schemas.hold(name, [line for path in sorted(OLD_RUNS.rglob(f"{name}.jsonl")) for line in lines(path)])
    schemas.hold("run", [json.loads(path.read_bytes()) for path in sorted(OLD_RUNS.rglob("run.json"))])


@pytest.mark.parametrize("name", DESCRIBED)
def test_a_schema_is_one_and_says_what_each_member_is(name: str, inside: Inside) -> None:
    schema = Schemas(inside).of(name)
    Draft202012Validator.check_schema(schema)
    assert not Draft202012Validator(schema).is_valid({})
    for kind in schema["$defs"].values():
        assert kind["description"]
        for member, what in kind.get("properties", {}).items():
            assert what.get("description", "").strip(), (kind["title"], member)


def test_names_are_listed_and_a_wrong_one_is_told(inside: Inside) -> None:
    assert [one["name"] for one in inside({}, "schema").records] == list(DESCRIBED)
    wrong = inside({}, "schema", "resluts")
    assert (wrong.code, wrong.stdout) == (2, "")
    assert wrong.stderr == "bulk-esm: there is no schema resluts; bulk-esm schema lists them; did you mean results?\n"
