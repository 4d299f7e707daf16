"""Every command's help has an example, and the example works."""

import re
import shlex
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_harness import FAST, Cli, Inside, Simulated, finish

from bulk_esm.cli.app import make_app
from bulk_esm.simulator import Kind

STEER = ("hold", "go", "stop", "approve")
COMMANDS = (
    *("list", "plan", "apply", "pause", "resume", *STEER),
    *("doctor", "runs", "show", "report", "config", "schema", "simulate", "demo", "completion"),
)


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    monkeypatch.setenv("COLUMNS", "200")
    return Inside(tmp_path, monkeypatch, capsys)


@pytest.fixture(scope="module")
def simulated() -> Iterator[Simulated]:
    with Simulated(mappings=40) as found:
        yield found


def example_of(inside: Inside, command: str) -> list[str]:
    shown = inside({}, command, "--help")
    assert (shown.code, shown.stderr) == (0, "")
    (example,) = (line for line in shown.stdout.splitlines() if line.startswith("Example: "))
    name, *words = shlex.split(example.removeprefix("Example: "))
    assert (name, words[0]) == ("bulk-esm", command)
    return words


@pytest.mark.parametrize("command", COMMANDS)
def test_the_example_is_understood(command: str, inside: Inside) -> None:
    _, bound, ignored = make_app(command).parse_args(
        example_of(inside, command), exit_on_error=False, print_error=False
    )
    assert bound.arguments or command in {"runs", "demo"}
    assert not ignored


def test_the_examples_work(tmp_path: Path, simulated: Simulated, inside: Inside) -> None:
    environment = simulated.environment
    assert inside(environment, *example_of(inside, "list")).code == 0
    planned = inside(environment, *example_of(inside, "plan"))
    assert (planned.code, bool(planned.records)) == (0, True)
    assert (tmp_path / "plan.jsonl").exists()
    assert inside(environment, *example_of(inside, "apply"), "--dry-run").code == 0
    assert inside(environment, *example_of(inside, "pause"), "--dry-run").code == 0
    assert simulated.report().count(Kind.UPDATE) == 0
    assert inside(environment, *example_of(inside, "doctor")).code == 0
    assert simulated.report().count(Kind.UPDATE, 202) == 0

    assert inside(environment, "pause", "--source-type", "mq", "--yes", *FAST).code == 0
    assert inside(environment, *example_of(inside, "resume"), "--yes", *FAST).code == 0
    assert len(inside(environment, *example_of(inside, "runs")).records) == 2
    shown = inside(environment, *example_of(inside, "show"))
    assert (shown.code, "no mapping of this run is failed" in shown.stderr) == (0, True)
    assert inside(environment, *example_of(inside, "report")).code == 0
    assert (tmp_path / "report.html").exists()


def test_the_start_of_help(inside: Inside) -> None:
    for arguments in ((), ("--help",)):
        shown = inside({}, *arguments)
        assert shown.code == 0
        assert "bulk-esm demo" in shown.stdout
        for command in COMMANDS:
            assert f" {command} " in shown.stdout


def test_what_help_says(inside: Inside) -> None:
    shown = inside({}, "pause", "--help").stdout
    assert "'BatchSize > `100`'" in shown  # a JMESPath literal keeps its backticks
    assert "[default: 15m]" in shown
    assert "BULK_ESM_RUNS_DIR" in shown
    assert "[default: ]" not in shown
    assert "[default: None]" not in shown


def test_the_simulator_prints_exports_and_ends_with_a_summary(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    with cli.start("simulate", "--mappings", "30", "--speed", "100", "--port", "0") as process:
        assert process.stdout is not None
        environment: dict[str, str] = {}
        while len(environment) < 7:
            line = process.stdout.readline()
            word, _, export = line.strip().partition(" ")
            name, _, value = export.partition("=")
            assert word == "export"
            environment[name] = value
        assert environment["AWS_ENDPOINT_URL_LAMBDA"].startswith("http://127.0.0.1:")
        done = Cli(tmp_path, environment)("pause", "--all", "--yes", *FAST)
        assert (done.code, len(done.records)) == (0, 30)
        process.send_signal(signal.SIGINT)
        ended = finish(process)
    assert (ended.code, ended.stdout) == (0, "")
    assert "30 mappings at http://127.0.0.1" in ended.stderr
    assert "mappings: 30 Disabled; 0 with more than one accepted update" in ended.stderr
    assert re.search(r"requests: .*\d list, 21 update; 0 throttled", ended.stderr)


def test_a_port_that_is_taken(simulated: Simulated, inside: Inside) -> None:
    port = simulated.environment["AWS_ENDPOINT_URL"].rpartition(":")[2]
    done = inside({}, "simulate", "--port", port, "--mappings", "1")
    assert (done.code, done.stdout) == (2, "")
    assert f"port {port} of 127.0.0.1 cannot be had" in done.stderr


def test_the_demo(tmp_path: Path) -> None:
    """It is at home in any environment: neither a proxy nor a profile leads elsewhere."""
    elsewhere = {
        "HTTP_PROXY": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "AWS_PROFILE": "nobody",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    }
    done = Cli(tmp_path)("demo", "--mappings", "40", **elsewhere)
    assert (done.code, done.stdout) == (0, ""), done.stderr
    assert "Paused: 40 Disabled" in done.stderr
    assert "are enabled again" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_words_for_help_and_version(inside: Inside) -> None:
    assert inside({}, "help", "pause") == inside({}, "pause", "--help")
    assert inside({}, "help") == inside({}, "--help")
    assert inside({}, "version").stdout == inside({}, "--version").stdout
    assert inside({}, "help", "puase").code == 2
    for words in (("help", "--help"), ("help", "-h"), ("help", "help")):
        assert inside({}, *words) == inside({}, "--help")
    assert inside({}, "help", "version") == inside({}, "--version")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("help puase", 'Unknown command "puase". Did you mean "pause"?'),
        ("help pause resume", "help takes one COMMAND: pause resume"),
        ("version extra", "version takes no argument: extra"),
    ],
)
def test_what_is_wrong_with_words_for_help_is_said_of_the_right_word(inside: Inside, words: str, said: str) -> None:
    done = inside({}, *words.split())
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"bulk-esm: {said}")


def test_durations_are_shown_as_durations(inside: Inside) -> None:
    shown = inside({}, "pause", "--help").stdout
    for flag in (
        "for",
        "soak",
        "ramp",
        "bake",
        "gate-interval",
        "gate-timeout",
        "inconclusive-for",
        "grace",
        "timeout",
    ):
        assert f"--{flag} DURATION" in shown
    for default in ("15m", "25s", "30s", "5m", "10m"):
        assert f"[default: {default}]" in shown
    assert "[default: 25.0]" not in shown


def test_flags_that_a_command_cannot_use_are_not_in_its_help(inside: Inside) -> None:
    for command in ("verify", "rollback", "continue"):
        shown = inside({}, command, "--help").stdout
        assert "--regions" not in shown
        assert "--executor" in shown
    shown = inside({}, "doctor", "--help").stdout
    assert "--set " not in shown
    assert "--dry-run" not in shown


@pytest.mark.parametrize(
    ("short", "whole"),
    [("-f", "--function"), ("-r", "--region"), ("-n", "--dry-run"), ("-y", "--yes"), ("-o", "--output")],
)
def test_short_flags(short: str, whole: str) -> None:
    value = {"-f": "orders-*", "-r": "eu-west-1", "-o": "csv"}.get(short)
    typed = [[word for word in ("pause", flag, value) if word] for flag in (short, whole)]
    bound = [make_app().parse_args(words, exit_on_error=False, print_error=False)[1] for words in typed]
    assert bound[0].arguments == bound[1].arguments
