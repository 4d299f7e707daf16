"""What a command has to import before it can say anything: the modules are counted, and not the time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cyclopts.help import format_usage

from bulk_esm.cli.app import COMMANDS, _usage, make_app

SHOW_MODULES = """
import sys
from bulk_esm.cli import main
sys.argv[0] = "bulk-esm"
try:
    main()
except SystemExit as left:
    assert not left.code
print("", *sys.modules, sep="\\n", file=sys.stderr)
"""
# What a client of AWS, a run, or its log needs, and help does not.
AWS = {"aiobotocore", "aiohttp", "botocore", "jmespath", "urllib3"}
HEAVY = AWS | {"anyio", "asyncio", "structlog", "tenacity", "yaml"}


def imported(*arguments: str) -> set[str]:
    command = [sys.executable, "-c", SHOW_MODULES, *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    assert ended.stdout
    return set(ended.stderr.split())


def rooms(modules: set[str]) -> set[str]:
    """The folders of the package from which something was imported."""
    return {name.split(".")[1] for name in modules if name.startswith("bulk_esm.")}


@pytest.mark.parametrize("arguments", [[], ["--help"], *([command, "--help"] for command in COMMANDS)], ids=" ".join)
def test_help_waits_for_no_aws_client(arguments: list[str]) -> None:
    modules = imported(*arguments)
    assert "cyclopts" in modules
    assert not modules & HEAVY
    assert rooms(modules) <= {"_version", "cli", "errors", "escaping", "model"}


@pytest.mark.parametrize("arguments", [["runs"], ["config"], ["config", "pause"]], ids=" ".join)
def test_what_asks_aws_nothing_waits_for_no_client(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert not imported(*arguments, "--output", "json") & {"aiobotocore", "aiohttp", "anyio"}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_usage_is_what_the_flags_say(command: str) -> None:
    app = make_app()  # where no command is used, cyclopts writes the usage of each
    usage = format_usage(app, [command], execution_path=[app, app[command]])
    assert _usage(command) == f"Usage: {usage}".strip()


def test_the_version_waits_for_nothing() -> None:
    modules = imported("--version")
    assert not modules & (HEAVY | {"cyclopts", "rich", "msgspec"})
    assert rooms(modules) <= {"_version", "cli", "errors"}


SHOW_MODULES_AT_FIRST_REQUEST = """
import gc, sys
from bulk_esm.cli import main
from bulk_esm.aws.http import HttpSession
async def send(self, request):
    print("", *sys.modules, f"gc.isenabled={gc.isenabled()}", sep="\\n", file=sys.stderr)
    raise ConnectionError("seen enough")
HttpSession.send = send
sys.argv[:] = ["bulk-esm", "list", "--all"]
main()
"""


def test_the_first_request_waits_for_neither_log_nor_documents() -> None:
    nothing = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    key = {"AWS_ACCESS_KEY_ID": "123456789012", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "us-east-1"}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    ended = subprocess.run(
        [sys.executable, "-c", SHOW_MODULES_AT_FIRST_REQUEST],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**clean, **nothing, **key, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"},
    )
    told, collects_garbage, _ = ended.stderr.partition("gc.isenabled=True")
    assert collects_garbage
    modules = set(told.split())
    assert modules >= AWS
    assert not modules & {"structlog", "pygments", "yaml"}


LOG_TO_A_FILE = """
import sys
from pathlib import Path
from bulk_esm.logs import get_logger, log_to_stderr, logging_to_file
log_to_stderr("warning", as_json=False)
log = get_logger("tests")
with logging_to_file(Path(sys.argv[1])):
    log.info("only_to_the_file")
    print(*sys.modules)
    log.warning("to_stderr_too")
    print(*sys.modules)
"""


def test_a_run_whose_log_nobody_is_shown_waits_for_no_renderer(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    ended = subprocess.run([sys.executable, "-c", LOG_TO_A_FILE, str(log)], capture_output=True, text=True, check=True)
    assert log.read_text().count("\n") == 2
    before, after = (set(line.split()) for line in ended.stdout.splitlines())
    assert not before & {"structlog", "rich", "pygments"}
    assert "structlog" in after
    assert "to_stderr_too" in ended.stderr
