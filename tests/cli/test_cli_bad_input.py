"""Bad input: one clear message with the remedy, the exit code, and not one connection."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_harness import NO_SUCH_UUID, Cli, Done, Inside, Listener, listening

OTHER_UUID = "11111111-0000-4000-8000-000000000000"
ALL = ("--all", "--yes")
TO_FIVE = ("--set", "BatchSize=5")

FILES = {
    "empty.json": "{}",
    "list.json": "[1, 2]",
    "number.yaml": "42",
    "numbered.yaml": "1: 2",
    "broken.json": '{"BatchSize": 5',
    "broken.yaml": "BatchSize: [5\nEnabled: : no",
    "broken.toml": "BatchSize = = 5",
    "misspelt.yaml": "BatchSzie: 5",
    "none.jsonl": "\n# nothing here\n",
    "not-json.jsonl": f'{{"UUID": "{NO_SUCH_UUID}", "BatchSize": 5}}\nBatchSize: 5\n',
    "not-object.jsonl": f'{{"UUID": "{NO_SUCH_UUID}", "BatchSize": 5}}\n\n[5]\n',
    "twice.jsonl": f'{{"UUID": "{NO_SUCH_UUID}", "BatchSize": 5}}\n{{"UUID": "{NO_SUCH_UUID}", "BatchSize": 6}}\n',
    "malformed.jsonl": '{"UUID": "1234", "BatchSize": 5}\n',
    "nameless.jsonl": '{"BatchSize": 5}\n',
    "changeless.jsonl": f'{{"UUID": "{NO_SUCH_UUID}"}}\n',
    "misspelt.jsonl": f'{{"UUID": "{NO_SUCH_UUID}", "BatchSzie": 5}}\n',
    "good.jsonl": f'{{"UUID": "{NO_SUCH_UUID}", "BatchSize": 5}}\n',
    "uuids": f"{NO_SUCH_UUID}\n1234\n",
    "no-uuid.jsonl": '{"name": "x"}\n',
    "broken-plan.jsonl": '{"uuid": "x"}\n',
    "empty-plan.jsonl": "",
    "a-file": "",
    "cycle.yaml": "BatchSize: &a [*a]",
    "deep.jsonl": '{"a":' * 5000,
}

# the command line, and what the message must say
CASES: list[tuple[tuple[str, ...], tuple[str, ...]]] = [
    # what no program can read
    (("pause", "--function", "\udcff", "--yes"), ("\\udcff", "not text in UTF-8")),
    (("apply", *ALL, "--change", "cycle.yaml"), ("cycle.yaml", "contains itself")),
    (("apply", "--yes", "--requests", "deep.jsonl"), ("deep.jsonl, line 1", "not JSON")),
    (("apply", "--yes", "--plan", "deep.jsonl"), ("deep.jsonl, line 1",)),
    # no selection
    (("pause", "--yes"), ("nothing is selected", "--all")),
    (("resume", "--yes"), ("nothing is selected", "--all")),
    (("plan", *TO_FIVE), ("nothing is selected", "--all")),
    (("apply", "--yes", *TO_FIVE), ("nothing is selected", "--all")),
    (("pause", "--yes", "--exclude", "orders-*"), ("nothing is selected", "--all")),
    (("pause", "--yes", "--from-file", "none.jsonl"), ("none.jsonl", "names no mapping")),
    # a selection that cannot be meant
    (("pause", "--yes", "--where", "BatchSize >"), ("--where", "BatchSize >", "JMESPath")),
    (("list", "--where", "[?"), ("--where", "JMESPath")),
    (("list", "--state", "Enabeld"), ("Enabeld", "did you mean Enabled?")),
    (("list", "--tag", "=prod"), ("KEY=VALUE",)),
    (("list", "--function-tag", ""), ("KEY=VALUE",)),
    (("list", "--source-type", "sns"), ("--source-type", "sqs-fifo", "bulk-esm list --help")),
    (("list", "--uuid", "123"), ("--uuid", "123", "the first 4 characters")),
    (("list", "--from-file", "missing"), ("--from-file missing", "No such file")),
    (("list", "--from-file", "uuids"), ("uuids, line 2", "1234")),
    (("list", "--from-file", "no-uuid.jsonl"), ("no-uuid.jsonl, line 1", "UUID is missing")),
    (("list", "--from-file", "."), ("--from-file .", "directory")),
    (("list", "--from-file", "-", "--from-file", "-"), ("only once",)),
    (("resume", "--yes", "--run", "last", "--all"), ("--run", "without the flags that select")),
    # an impossible change
    (("apply", *ALL, "--set", "BatchSzie=5"), ("BatchSzie", "did you mean BatchSize?")),
    (("apply", *ALL, "--unset", "BatchSzie"), ("BatchSzie", "did you mean BatchSize?")),
    (("apply", *ALL, "--set", "BatchSize=many"), ("BatchSize", "whole number", "many")),
    (("apply", *ALL, "--set", "BatchSize=10001"), ("BatchSize", "10000", "10001")),
    (("apply", *ALL, "--set", "MaximumRetryAttempts=-2"), ("MaximumRetryAttempts", "-2")),
    (("apply", *ALL, "--set", "Enabled=yes"), ("Enabled", "true or false")),
    (("apply", *ALL, "--set", "BatchSize"), ("BatchSize=VALUE",)),
    (("apply", *ALL, "--set", "EventSourceArn=x"), ("EventSourceArn", "new mapping")),
    (("apply", *ALL, *TO_FIVE, "--set", "BatchSize=6"), ("BatchSize", "twice")),
    (("apply", *ALL, *TO_FIVE, "--unset", "BatchSize"), ("BatchSize", "both set and unset")),
    (("apply", *ALL), ("empty change", "--set", "--change")),
    (("plan", "--all"), ("empty change", "--set", "--change")),
    (("apply", *ALL, "--change", "empty.json"), ("empty change",)),
    (("apply", *ALL, "--change", "missing.json"), ("--change missing.json", "No such file")),
    (("apply", *ALL, "--change", "list.json"), ("list.json", "object")),
    (("apply", *ALL, "--change", "number.yaml"), ("number.yaml", "object")),
    (("apply", *ALL, "--change", "numbered.yaml"), ("numbered.yaml", "object")),
    (("apply", *ALL, "--change", "broken.json"), ("broken.json", "not JSON, YAML or TOML")),
    (("apply", *ALL, "--change", "broken.yaml"), ("broken.yaml", "not JSON, YAML or TOML")),
    (("apply", *ALL, "--change", "broken.toml"), ("broken.toml", "not JSON, YAML or TOML")),
    (("apply", *ALL, "--change", "misspelt.yaml"), ("BatchSzie", "did you mean BatchSize?")),
    (("apply", "--yes", "--requests", "missing.jsonl"), ("--requests missing.jsonl", "No such file")),
    (("apply", "--yes", "--requests", "none.jsonl"), ("none.jsonl", "empty change")),
    (("apply", "--yes", "--requests", "not-json.jsonl"), ("not-json.jsonl, line 2", "not JSON")),
    (("apply", "--yes", "--requests", "not-object.jsonl"), ("not-object.jsonl, line 3", "not a JSON object")),
    (("apply", "--yes", "--requests", "twice.jsonl"), ("twice.jsonl, line 2", NO_SUCH_UUID, "second time")),
    (("apply", "--yes", "--requests", "malformed.jsonl"), ("malformed.jsonl, line 1", "1234")),
    (("apply", "--yes", "--requests", "nameless.jsonl"), ("nameless.jsonl, line 1", "UUID is missing")),
    (("apply", "--yes", "--requests", "changeless.jsonl"), ("changeless.jsonl, line 1", "empty change")),
    (("apply", "--yes", "--requests", "misspelt.jsonl"), ("misspelt.jsonl, line 1", "did you mean BatchSize?")),
    (("apply", "--yes", "--requests", "good.jsonl", *TO_FIVE), ("--requests", "without --set")),
    (("apply", "--yes", "--requests", "good.jsonl", "--uuid", OTHER_UUID), ("--requests", "no mapping in common")),
    (("apply", "--requests", "-", "--from-file", "-"), ("only once",)),
    # a plan that is none
    (("apply", "--yes", "--plan", "missing.jsonl"), ("missing.jsonl", "No such file")),
    (("apply", "--yes", "--plan", "broken-plan.jsonl"), ("broken-plan.jsonl, line 1",)),
    (("apply", "--yes", "--plan", "empty-plan.jsonl"), ("plan is empty",)),
    (("apply", "--plan", "broken-plan.jsonl", *ALL), ("--plan", "without those flags")),
    (("plan", "--all", *TO_FIVE, "--save", "nowhere/plan.jsonl"), ("--save nowhere/plan.jsonl", "no folder nowhere")),
    # waves
    (("pause", *ALL, "--waves", "5%,1%"), ("--waves 5%,1%", "cumulative")),
    (("pause", *ALL, "--waves", "5%,5%,100%"), ("--waves", "cumulative")),
    (("resume", *ALL, "--waves", "1,10"), ("--waves 1,10", "end it with 100%")),
    (("pause", *ALL, "--waves", "abc"), ("--waves", "'abc'", "10", "2%")),
    (("pause", *ALL, "--waves", ""), ("--waves", "10", "2%")),
    (("pause", *ALL, "--waves", "1,200%"), ("--waves", "200%", "at most 100%")),
    (("pause", *ALL, "--waves", "0,100%"), ("--waves 0,100%", "leave it out")),
    (("pause", *ALL, "--soak", "5m"), ("--soak", "--waves 1,10%,100%")),
    (("pause", *ALL, "--soak", "5m", "--waves", "100%"), ("--soak", "--waves 1,10%,100%")),
    (("pause", *ALL, "--soak", "5", "--waves", "1,100%"), ("--soak", "15m")),
    (("pause", *ALL, "--gate", "./missing.sh --fast"), ("--gate", "there is no ./missing.sh", "nothing was sent")),
    (("pause", *ALL, "--gate", "if true"), ("--gate", "the shell cannot read it")),
    (("pause", *ALL, "--gate", " ", "--waves", "1,100%"), ("--gate is empty", "./healthy.sh")),
    (("pause", *ALL, "--gate-interval", "often"), ("--gate-interval", "often", "15m")),
    (("pause", *ALL, "--on-inconclusive", "wait"), ("--on-inconclusive", "halt", "go")),
    (("pause", *ALL, "--confirm-waves"), ("--confirm-waves", "--waves 1,10%,100%")),
    (("pause", *ALL, "--confirm-waves", "--waves", "1,100%"), ("--confirm-waves", "terminal", "--gate", "--alarm")),
    (("pause", *ALL, "--max-failures", "-1"), ("--max-failures", "'-1'", "10", "2%")),
    (("pause", *ALL, "--max-failures", "200%"), ("--max-failures", "200%", "at most 100%")),
    (("pause", *ALL, "--max-failures", "few"), ("--max-failures", "'few'", "10", "2%")),
    (("pause", *ALL, "--on-halt", "explode"), ("--on-halt", "rollback", "bulk-esm pause --help")),
    (("apply", "--yes", "--requests", "good.jsonl", "--order", "given"), ("--order given", "--waves")),
    (("apply", *ALL, *TO_FIVE, "--order", "given", "--waves", "1,100%"), ("--order given", "--requests", "--plan")),
    (("resume", *ALL, "--ramp", "fast"), ("--ramp", "fast", "15m")),
    # guards
    (("pause", *ALL, "--max-targets", "some"), ("--max-targets", "'some'", "10", "2%")),
    (("pause", *ALL, "--max-targets", "101%"), ("--max-targets", "101%", "at most 100%")),
    (("pause", *ALL, "--deadline", "2020-01-01T00:00Z"), ("--deadline 2020-01-01T00:00Z is over",)),
    (("pause", *ALL, "--deadline", "2099-01-01T00:00"), ("--deadline", "say the zone", "03:30Z")),
    (("pause", *ALL, "--deadline", "03:30"), ("--deadline", "say the zone", "03:30Z")),
    (("pause", *ALL, "--deadline", "yesterday"), ("--deadline 'yesterday'", "30m", "03:30Z")),
    (("pause", *ALL, "--expect-account", "12"), ("--expect-account 12", "12 digits")),
    (("pause", *ALL, "--expect-account", "my-account!!"), ("--expect-account my-account!!", "12 digits")),
    (("pause", *ALL, "--accept-data-loss"), ("--accept-data-loss", "--for 4h")),
    (("pause", *ALL, "--for", "long"), ("--for", "long", "15m")),
    # durations and numbers
    (("pause", *ALL, "--timeout", "soon"), ("--timeout", "soon", "15m")),
    (("pause", *ALL, "--timeout", "90"), ("--timeout", "90", "15m")),
    (("pause", *ALL, "--timeout", "0s"), ("--timeout", "0s", "15m")),
    (("simulate", "--list-lag", "10"), ("--list-lag", "10", "15m")),
    (("pause", *ALL, "--rate", "0"), ("rate", "above 0")),
    (("pause", *ALL, "--rate", "-1"), ("rate", "above 0")),
    (("pause", *ALL, "--rate", "nan"), ("rate", "above 0")),
    (("pause", *ALL, "--rate", "inf"), ("rate", "at most")),
    (("pause", *ALL, "--rate", "fast"), ("--rate", "fast")),
    (("pause", *ALL, "--concurrency", "0"), ("concurrency", "at least 1")),
    (("simulate", "--speed", "0"), ("--speed", "above 0")),
    (("simulate", "--mappings", "-1"), ("--mappings",)),
    (("simulate", "--port", "70000"), ("--port",)),
    (("simulate", "--error-share", "5"), ("share", "0 to 1")),
    (("demo", "--mappings", "0"), ("--mappings", "at least 1")),
    # runs
    (("show", "last"), ("there are no runs", "--runs-dir")),
    (("resume", "--yes", "--run", "last"), ("there are no runs", "--runs-dir")),
    (("show", "2020", "--runs-dir", "runs"), ("no run '2020'", "bulk-esm runs")),
    (("resume", "--yes", "--run", "2020", "--runs-dir", "runs"), ("no run '2020'", "bulk-esm runs")),
    (("show", "2025", "--runs-dir", "runs"), ("fits 2 runs", "20250101T000000Z-pause-aaaaaa", "more of the id")),
    (("resume", "--yes", "--run", "2025", "--runs-dir", "runs"), ("fits 2 runs", "more of the id")),
    (("show", "", "--runs-dir", "runs"), ("no run",)),
    (("report", "last"), ("there are no runs", "--runs-dir")),
    (("report", "2025", "--runs-dir", "runs"), ("fits 2 runs", "more of the id")),
    (("report", "last", "--html", "nowhere/a.html"), ("nowhere", "make it first")),
    (("pause", *ALL, "--report", "a.pdf"), ("a.pdf", ".html, .md or .json")),
    *(
        ((command, name, *where), says)
        for command in ("rollback", "continue", "verify")
        for name, where, says in (
            ("last", (), ("there are no runs", "--runs-dir")),
            ("2020", ("--runs-dir", "runs"), ("no run '2020'", "bulk-esm runs")),
            ("2025", ("--runs-dir", "runs"), ("fits 2 runs", "more of the id")),
            ("last", ("--runs-dir", "runs"), ("run.json", "run_id")),
        )
    ),
    (("pause", *ALL, "--runs-dir", "a-file"), ("a-file", "not a folder", "--runs-dir", "BULK_ESM_RUNS_DIR")),
    (("pause", *ALL, "--runs-dir", "a-file/runs"), ("a-file", "not a folder", "--runs-dir")),
    (("apply", *ALL, *TO_FIVE, "--runs-dir", "a-file"), ("a-file", "not a folder", "--runs-dir")),
    # nobody to ask
    (("pause", "--all"), ("no terminal", "--yes", "--dry-run")),
    (("resume", "--all"), ("no terminal", "--yes", "--dry-run")),
    (("apply", "--all", *TO_FIVE), ("no terminal", "--yes", "--dry-run")),
    (("apply", "--requests", "good.jsonl"), ("no terminal", "--yes", "--dry-run")),
    # where to
    (("list", "--endpoint-url", "garbage"), ("garbage", "--endpoint-url")),
    (("list", "--profile", "nobody"), ("nobody", "--profile")),
    (("list", "--region", "not a region"), ("not a region", "--region")),
    (("list", "--region", "eu-wst-1"), ("--region 'eu-wst-1'", "did you mean eu-west-1?")),
    (("pause", "--all", "--yes", "--region", "eu-wst-1"), ("--region 'eu-wst-1'", "did you mean eu-west-1?")),
    # what the command line itself does not know
    (("puase", "--all"), ("puase", "bulk-esm --help")),
    (("pause", "orders-*", "--yes"), ("orders-*", "bulk-esm pause --help")),
    (("pause", "--al"), ("--al", "bulk-esm pause --help")),
    (("list", "--output", "xml"), ("--output", "jsonl", "bulk-esm list --help")),
    (("list", "--region"), ("--region", "bulk-esm list --help")),
    (("show",), ("RUN", "bulk-esm show --help")),
    (("report",), ("RUN", "bulk-esm report --help")),
    *(((command,), ("RUN", f"bulk-esm {command} --help")) for command in ("rollback", "continue", "verify")),
    (("continue", "last", "--waves", "1,100%"), ("--waves", "bulk-esm continue --help")),
]


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as found:
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    for name in ("20250101T000000Z-pause-aaaaaa", "20250102T000000Z-pause-bbbbbb"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "run.json").write_text("{}", encoding="utf-8")
    return tmp_path


def check(done: Done, says: tuple[str, ...], code: int = 2) -> None:
    assert done.code == code, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("bulk-esm: ")
    lines = done.stderr.splitlines()
    assert len(lines) == 1 or lines[-1].strip() == "^"  # JMESPath shows where it stumbled
    assert len(done.stderr) < 500
    for text in says:
        assert text in done.stderr


@pytest.mark.parametrize(("arguments", "says"), CASES, ids=lambda value: " ".join(value)[:60])
def test_is_refused_before_anything_is_sent(
    arguments: tuple[str, ...], says: tuple[str, ...], folder: Path, inside: Inside, listener: Listener
) -> None:
    check(inside(listener.environment, *arguments), says)
    assert not listener.was_called
    assert not (folder / "bulk-esm-runs").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("pause", "--yes"), ("nothing is selected", "--all")),
        (("apply", *ALL, "--set", "BatchSzie=5"), ("did you mean BatchSize?",)),
        (("apply", "--yes", "--requests", "not-object.jsonl"), ("line 3", "not a JSON object")),
        (("resume", "--yes", "--run", "2025", "--runs-dir", "runs"), ("fits 2 runs",)),
        (("pause", *ALL, "--runs-dir", "a-file/runs"), ("not a folder",)),
        (("pause", "--all"), ("no terminal", "--yes")),
        (("puase",), ("puase", "--help")),
    ],
    ids=lambda value: " ".join(value)[:40],
)
def test_is_refused_as_a_subprocess(
    arguments: tuple[str, ...], says: tuple[str, ...], folder: Path, listener: Listener
) -> None:
    check(Cli(folder, listener.environment)(*arguments), says)
    assert not listener.was_called


def without(environment: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name not in names}


def test_no_region(inside: Inside, listener: Listener) -> None:
    environment = without(listener.environment, "AWS_REGION")
    for arguments in (("list",), ("pause", *ALL)):
        check(inside(environment, *arguments), ("no Region", "--region", "AWS_REGION"))
    assert not listener.was_called


def test_no_credentials(tmp_path: Path, inside: Inside, listener: Listener) -> None:
    environment = without(listener.environment, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    for done in (inside(environment, "list"), Cli(tmp_path, environment)("pause", *ALL)):
        check(done, ("no credentials", "aws configure"), code=5)
    assert not listener.was_called


def test_half_of_the_credentials(inside: Inside, listener: Listener) -> None:
    check(inside(without(listener.environment, "AWS_SECRET_ACCESS_KEY"), "list"), ("credentials",), code=5)
    assert not listener.was_called


def test_nobody_can_be_asked_where_stdin_is_data(inside: Inside, listener: Listener) -> None:
    done = inside(listener.environment, "pause", "--from-file", "-", stdin=f"{NO_SUCH_UUID}\n")
    check(done, ("no terminal", "--yes"))
    assert not listener.was_called


def test_a_closed_stdin_is_no_terminal(tmp_path: Path, listener: Listener) -> None:
    command = Cli(tmp_path, listener.environment)
    check(command.shell("bulk-esm pause --all <&-"), ("no terminal", "--yes"))
    assert not listener.was_called
