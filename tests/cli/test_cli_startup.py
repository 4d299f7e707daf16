"""What a command has to import before it can say anything: the modules are counted, and not the time."""

import subprocess
import sys

import pytest

from bulk_esm.cli.app import _COMMANDS

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


@pytest.mark.parametrize("arguments", [[], ["--help"], *([command, "--help"] for command in _COMMANDS)], ids=" ".join)
def test_help_waits_for_no_aws_client(arguments: list[str]) -> None:
    modules = imported(*arguments)
    assert "cyclopts" in modules
    assert not modules & HEAVY
    assert rooms(modules) <= {"_version", "cli", "errors", "escaping", "model"}


def test_the_version_waits_for_nothing() -> None:
    modules = imported("--version")
    assert not modules & (HEAVY | {"cyclopts", "rich", "msgspec"})
    assert rooms(modules) <= {"_version", "cli", "errors"}
