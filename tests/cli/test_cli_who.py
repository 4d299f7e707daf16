"""Who carried a run out, and how each command that did ended; without secrets."""

import json
import os
import pwd
import re
import shlex
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_harness import ACCOUNT, FAST, Cli, Inside, Simulated

from bulk_esm.model.redacting import redacted
from bulk_esm.simulator import Faults

YES = ("--yes", *FAST)
USER = pwd.getpwuid(os.geteuid()).pw_name
ARN = f"arn:aws:iam::{ACCOUNT}:user/simulated"


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    monkeypatch.setenv("COLUMNS", "300")
    return Inside(tmp_path, monkeypatch, capsys)


@pytest.fixture
def simulated() -> Iterator[Simulated]:
    with Simulated(mappings=40) as found:
        yield found


def test_a_run_says_who(tmp_path: Path, simulated: Simulated) -> None:
    cli = Cli(tmp_path, simulated.environment)
    before = simulated.report().count("identity")
    pause = ("pause", "--all", *YES)
    assert cli(*pause).code == 0
    record = cli.last_run().record
    assert (record["user"], record["host"]) == (USER, socket.gethostname())
    assert simulated.report().count("identity") - before == 1  # as before: it was asked for the lock
    arn = record["principal_arn"]
    assert re.fullmatch(rf"arn:aws:[a-z]+::{ACCOUNT}:.+", arn)
    [invocation] = record["invocations"]
    assert invocation["argv"] == list(pause) == record["argv"]
    same = ("command", "version", "user", "host", "principal_arn", "started_at", "ended_at", "status", "reason")
    assert [invocation[name] for name in same] == [record[name] for name in same]
    assert invocation["max_per_second"] == 1200
    assert f"  by: {USER} on {socket.gethostname()}, as {arn}" in cli("show", "last").stderr
    assert f"{USER} on {socket.gethostname()}" in cli("runs", "--output", "table").stdout


def test_each_command_that_carried_it_out(tmp_path: Path) -> None:
    with Simulated(mappings=20, faults=Faults(stuck_share=1)) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        with cli.start("pause", "--all", *YES) as process:
            simulated.wait_until(lambda report: any(mapping.accepted_count for mapping in report.mappings))
            process.kill()
        run = cli.last_run()
        assert [one["status"] for one in run.record["invocations"]] == ["running"]
        done = cli("continue", "last", "--yes", "--rate", "600", "--timeout", "1s", "--max-failures", "100%")
        assert done.code == 1
        first, second = run.record["invocations"]
        assert (first["command"], first["status"], first["ended_at"]) == ("pause", "killed", None)
        assert (second["command"], second["status"], second["max_per_second"]) == ("continue", "finished", 600)
        assert second["argv"][:2] == ["continue", "last"]
        assert first["started_at"] == run.record["started_at"]
        assert second["started_at"] == run.record["continued_at"]
        assert second["ended_at"] == run.record["ended_at"]
        shown = cli("show", "last")
        assert f"continued once, last by: {USER} on " in shown.stderr
        assert cli("verify", "last").code in {0, 1}


def test_a_run_of_an_earlier_version_says_nothing_of_it(tmp_path: Path, simulated: Simulated, inside: Inside) -> None:
    assert inside(simulated.environment, "pause", "--all", *YES).code == 0
    run = Cli(tmp_path).last_run()
    text = (run.path / "run.json").read_bytes()
    record = run.record
    for name in ("user", "host", "principal_arn", "invocations", "sha256"):
        del record[name]
    (run.path / "run.json").write_text(json.dumps(record), encoding="utf-8")
    shown = inside({}, "show", "last")
    assert (shown.code, "by: " in shown.stderr) == (0, False)
    run.edit_record(**{**record, "status": "interrupted"})
    assert inside(simulated.environment, "continue", "last", *YES).code == 0
    assert [one["command"] for one in run.record["invocations"]] == ["continue"]
    assert text != (run.path / "run.json").read_bytes()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("pause --all --yes", "pause --all --yes"),
        ("pause --external-id hush --all", "pause --external-id *** --all"),
        ("pause --external-id=hush", "pause --external-id=***"),
        ("list --endpoint-url http://me:hush@127.0.0.1:1/p", "list --endpoint-url http://***@127.0.0.1:1/p"),
        ("list --endpoint-url=https://hush@host", "list --endpoint-url=https://***@host"),
        ("pause --notify slack://a/hush/c --all", "pause --notify slack://*** --all"),
        ("pause --notify=https://hooks.example/hush?x=hush", "pause --notify=https://***"),
        ("apply --gate 'curl https://x/?token=hush&a=1'", "apply --gate 'curl https://x/?token=***&a=1'"),
        ("apply --scheduler tcp://host:8786", "apply --scheduler tcp://host:8786"),
        ("apply --set 'Description=mail me@example.com'", "apply --set 'Description=mail me@example.com'"),
    ],
)
def test_a_command_line_without_secrets(line: str, expected: str) -> None:
    assert shlex.join(redacted(shlex.split(line))) == shlex.join(shlex.split(expected))


def test_no_secret_is_in_a_run_folder(tmp_path: Path, simulated: Simulated) -> None:
    fleet = ("--accounts", "222222222222", "--regions", "us-east-1", "--role-name", "r")
    cli = Cli(tmp_path, simulated.environment)
    assert cli("pause", "--all", *YES, *fleet, BULK_ESM_EXTERNAL_ID="hush").code == 0
    invocation = cli.last_run().record["invocations"][0]
    assert invocation["configured"] == {"--external-id": "*** (BULK_ESM_EXTERNAL_ID)"}
    typed = (*fleet, "--external-id", "hush")
    assert cli("pause", "--all", *YES, *typed, "--log-level", "debug").code == 0
    records = [path for path in cli.runs_dir.rglob("*") if path.name in {"run.json", "log.jsonl"}]
    assert len(records) == 6
    for path in records:
        assert "hush" not in path.read_text(encoding="utf-8"), path
