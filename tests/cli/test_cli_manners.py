"""Manners: exit codes that scripts lean on, colors, one array of JSON, JSON on stderr, questions in proportion."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_harness import FAST, Cli, Done, Inside, RunFiles, Simulated, records
from test_cli_terminal import at_terminal

from bulk_esm.simulator import Faults, Kind

YES = ("--yes", *FAST)
AN_ESCAPE = re.compile("\x1b")


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


@pytest.fixture(scope="module")
def shared() -> Iterator[Simulated]:
    """For what changes nothing."""
    with Simulated(mappings=40) as simulated:
        yield simulated


@pytest.fixture
def simulated() -> Iterator[Simulated]:
    with Simulated(mappings=40) as found:
        yield found


# plan --detailed-exitcode


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--all", "--set", "MaximumRetryAttempts=3"), 2),
        (("--state", "Disabled", "--set", "Enabled=false"), 0),
        (("--source-type", "mq", "--set", "MaximumRetryAttempts=3"), 1),  # blocked, all of it
        (("--uuid", "00000000-0000-4000-8000-000000000000", "--set", "BatchSize=3"), 1),
        (("--set", "BatchSize=3"), 1),
        (("--all", "--set", "BatchSise=3"), 1),
        (("--all", "--unkown"), 1),
        (("--all", "--set", "BatchSize=3", "--save", "no-folder/plan.jsonl"), 1),
        (("--all", "--set", "BatchSize=3", "--regions", "us-east-1,eu-west-1", "--rate", "1200"), 2),
    ],
)
def test_detailed_exit_code(arguments: tuple[str, ...], code: int, shared: Simulated, inside: Inside) -> None:
    """As Terraform: 0 no change, 2 changes, 1 any error."""
    plan = ("plan", *arguments)
    assert inside(shared.environment, *plan, "--detailed-exitcode").code == code
    assert inside({**shared.environment, "BULK_ESM_DETAILED_EXITCODE": "true"}, *plan).code == code


def test_no_credentials_are_no_changes(inside: Inside) -> None:
    nobody = {"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    plan = ("plan", "--all", "--set", "BatchSize=3")
    assert inside(nobody, *plan).code == 5
    assert inside(nobody, *plan, "--detailed-exitcode").code == 1


# --output json


@pytest.mark.parametrize(
    "command", [("list",), ("plan", "--all", "--set", "BatchSize=7"), ("runs",), ("config", "list")]
)
def test_one_array(command: tuple[str, ...], shared: Simulated, inside: Inside) -> None:
    for selection in ((), ("--function", "no-such-function")) if command[0] in {"list", "plan"} else ((),):
        words = [*command, *selection] if command[0] == "list" else [command[0], *selection, *command[1:]]
        lines = inside(shared.environment, *words, "--output", "jsonl")
        array = inside(shared.environment, *words, "--output", "json")
        assert array.code == lines.code
        assert json.loads(array.stdout) == lines.records


def test_one_array_of_a_run(simulated: Simulated, tmp_path: Path, inside: Inside) -> None:
    listed = inside(simulated.environment, "list", "--source-type", "sqs", "--output", "json")
    (tmp_path / "which.json").write_text(listed.stdout, encoding="utf-8")  # which can be selected from
    paused = inside(simulated.environment, "pause", "--from-file", "which.json", *YES, "--output", "json")
    results = json.loads(paused.stdout)
    assert {one["uuid"] for one in results} == {one["uuid"] for one in json.loads(listed.stdout)}
    for command in ("show", "verify"):
        done = inside(simulated.environment, command, "last", "--output", "json")
        assert len(json.loads(done.stdout)) == (len(results) if command == "show" else 0)


# Colors


@pytest.mark.parametrize(
    ("flags", "environment", "colored"),
    [
        ((), {}, False),
        (("--color", "always"), {}, True),
        (("--color", "always"), {"NO_COLOR": "1"}, True),
        (("--color", "never"), {}, False),
        ((), {"BULK_ESM_COLOR": "always"}, True),
    ],
)
def test_colors_without_a_terminal(
    flags: tuple[str, ...], environment: dict[str, str], *, colored: bool, shared: Simulated, inside: Inside
) -> None:
    listed = ("list", "--output", "table", "--log-level", "debug", *flags)
    done = inside({**shared.environment, **environment}, *listed)
    for stream in (done.stdout, done.stderr):
        assert bool(AN_ESCAPE.search(stream)) is colored


@pytest.mark.parametrize(
    ("flags", "environment", "colored"),
    [
        ((), {}, True),
        ((), {"NO_COLOR": "1"}, False),
        ((), {"NO_COLOR": ""}, True),
        (("--color", "auto"), {"NO_COLOR": "1"}, False),
        (("--color", "never"), {}, False),
        (("--color", "always"), {"NO_COLOR": "1"}, True),
    ],
)
def test_colors_at_a_terminal(
    flags: tuple[str, ...], environment: dict[str, str], *, colored: bool, tmp_path: Path, shared: Simulated
) -> None:
    cli = Cli(tmp_path, {**shared.environment, **environment})
    _, shown = at_terminal(cli, "list", "--log-level", "debug", *flags)
    assert bool(re.search(r"\x1b\[[0-9;]*m", shown)) is colored  # of tables and the log, not of a display that moves


# --log-format json


def events(done: Done) -> list[dict[str, object]]:
    """All of stderr, each line of it an event."""
    found = records(done.stderr)
    assert all({"event", "level", "logger", "at"} <= event.keys() for event in found)
    return found


JSON = ("--log-format", "json")


@pytest.mark.parametrize("level", ["debug", "warning", "error"])
def test_all_of_stderr_is_json(level: str, tmp_path: Path, inside: Inside) -> None:
    """Of a run with waves, a gate that writes and halts, failures, and a rollback."""
    with Simulated(mappings=40, faults=Faults(refused_share=0.2)) as simulated:
        gate = "echo it is; echo 'not well' >&2; test $BULK_ESM_GATE_WAVE != 2"
        waves = ("--waves", "1,50%,100%", "--gate", gate, "--on-halt", "rollback", "--max-failures", "100%")
        done = inside(simulated.environment, "pause", "--all", *YES, *JSON, "--log-level", level, *waves)
        assert done.code == 3
        found = events(done)
        assert [event["event"] for event in found].count("it is") == 3
        assert [event["event"] for event in found].count("not well") == 3
        summaries = [event for event in found if event["event"] == "summary"]
        assert [(one["command"], one["status"]) for one in summaries] == [("pause", "halted"), ("rollback", "finished")]
        record = next(run.record for run in runs(tmp_path) if run.record["command"] == "pause")
        told = {name: summaries[0][name] for name in ("run_id", "counts", "requests", "reason", "started_at")}
        assert told == {name: record[name] for name in told}
        assert any("exited with 1" in str(line) for line in summaries[0]["lines"])  # type: ignore[attr-defined]
        for command in (("show", "last"), ("runs",), ("verify", "last"), ("list",), ("continue", "last", "--dry-run")):
            assert events(inside(simulated.environment, *command, *JSON)) or command == ("runs",)


def runs(folder: Path) -> list[RunFiles]:
    return [RunFiles(path) for path in Cli(folder).run_folders()]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("list", "--unkown", *JSON), 2),
        (("list", "--log-format=json", "--rate", "fast"), 2),
        (("lsit", *JSON), 2),
        (("plan", *JSON), 2),
        (("show", "nothing", *JSON), 2),
        (("show", *JSON), 2),
        (("plan", "--all", "--set", "X=1", "--detailed-exitcode", *JSON), 1),
    ],
)
def test_what_cannot_be_parsed_is_told_as_json(arguments: tuple[str, ...], code: int, inside: Inside) -> None:
    done = inside({}, *arguments)
    (event,) = events(done)
    assert done.code == event["exit_code"] == code
    assert event["level"] == "error"


@pytest.mark.parametrize("where", ["variable", "file"])
def test_json_that_was_not_typed(where: str, tmp_path: Path, inside: Inside) -> None:
    if where == "file":
        (tmp_path / "bulk-esm.toml").write_text('log-format = "json"\nrate = "fast"\n', encoding="utf-8")
    environment = {"BULK_ESM_LOG_FORMAT": "json", "BULK_ESM_RATE": "fast"} if where == "variable" else {}
    (event,) = events(inside(environment, "list"))
    assert "fast" in str(event["event"])


def test_a_question_is_json_too(tmp_path: Path, simulated: Simulated) -> None:
    cli = Cli(tmp_path, simulated.environment)
    code, shown = at_terminal(
        cli, "pause", "--all", *FAST, *JSON, "--quiet", "--output", "json", answers=[b"n\n"], asks="[y/N]"
    )
    assert code == 2
    lines = [line for line in shown.splitlines() if line != "n"]  # what the terminal echoes
    assert any("[y/N]" in event["event"] for event in records("\n".join(lines)))


# A question in proportion


def test_many_are_not_said_yes_to_with_y(tmp_path: Path) -> None:
    with Simulated(mappings=760) as simulated:
        enabled = sum(state == "Enabled" for state in simulated.states().values())
        assert enabled > 500
        cli = Cli(tmp_path, simulated.environment)
        for answer in (b"y\n", b"yes\n", b"\n", b"500\n"):
            code, shown = at_terminal(cli, "pause", "--all", *FAST, answers=[answer], asks="of mappings: ")
            assert (code, "nothing was changed" in shown) == (2, True)
        assert simulated.report().count(Kind.UPDATE) == 0
        answer = f"{enabled}\n".encode()
        code, shown = at_terminal(cli, "pause", "--all", *FAST, answers=[answer], asks="of mappings: ")
        assert code == 0
        assert f"Update {enabled} mappings in account" in shown


def test_two_accounts_are_not_said_yes_to_with_y(tmp_path: Path, simulated: Simulated) -> None:
    cli = Cli(tmp_path, simulated.environment)
    fleet = ("--accounts", "123456789012,222222222222", "--regions", "us-east-1", "--role-name", "bulk-esm")
    few = ("--function", "no-such-*", "--source-type", "mq", "--where", "State == 'Enabled'")
    assert at_terminal(cli, "pause", *fleet, *few, *FAST)[0] == 0  # there is nothing to ask about
    pause = ("pause", *fleet, "--source-type", "sqs", *FAST)
    code, shown = at_terminal(cli, *pause, answers=[b"y\n"], asks="of mappings: ")
    assert code == 2
    [count] = re.findall(r"Update ([\d,]+) mappings in 2 shards", shown)
    code, _ = at_terminal(cli, *pause, answers=[f"{count}\n".encode()], asks="of mappings: ")
    assert code == 0


def test_no_to_going_on_is_a_refusal_too(tmp_path: Path, simulated: Simulated) -> None:
    cli = Cli(tmp_path, simulated.environment)
    assert (
        cli("pause", "--all", *YES, "--waves", "1,100%", "--gate", "test $BULK_ESM_GATE_WAVE = 0 || test -e go").code
        == 3
    )
    (tmp_path / "go").touch()
    updates = simulated.report().count(Kind.UPDATE)
    code, shown = at_terminal(cli, "continue", "last", *FAST, answers=[b"n\n"])
    assert (code, "nothing was changed" in shown) == (2, True)
    assert simulated.report().count(Kind.UPDATE) == updates
    assert at_terminal(cli, "continue", "last", *FAST, answers=[b"y\n"])[0] == 0
