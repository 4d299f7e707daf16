"""`completion SHELL` prints a script that works in that shell, offers what is on this machine, and asks nobody."""

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from cli_harness import Cli, Inside, listening
from test_cli_startup import AWS, imported

from bulk_esm.model.api_shape import members_at
from bulk_esm.model.parameters import PARAMETERS

RUNS = ("20260131T033000Z-pause-1a2b3c", "20260201T033000Z-resume-4d5e6f")
CONFIG = "[default]\nregion = x\n[profile prod]\n[profile prefix-$(touch pwned)]\n[sso-session s]\n"
TRY = """
set -u
eval "$(bulk-esm completion bash)"
try() {
  COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
  _bulk_esm_goes_on
  for each in "${COMPREPLY[@]}"; do printf '%s\\n' "$each"; done
  echo .
}
"""


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


def offered(cli: Cli, *lines: str, **environment: str) -> list[list[str]]:
    """What bash offers for the last word of each line, all in one shell."""
    if shutil.which("bash") is None:
        pytest.skip("there is no bash")
    tries = "\n".join(f"try {' '.join(map(shlex.quote, line.split(' ')))}" for line in lines)
    done = cli.shell(f"{TRY}{tries}", **environment)
    assert done.code == 0, done.stderr
    return [part.splitlines() for part in done.stdout.split(".\n")[:-1]]


def test_what_bash_offers(tmp_path: Path) -> None:
    for run in RUNS:
        (tmp_path / "bulk-esm-runs" / run).mkdir(parents=True)
    (tmp_path / "elsewhere" / "20250101T000000Z-apply-000000").mkdir(parents=True)
    (tmp_path / "aws-config").write_text(CONFIG, encoding="utf-8")
    with listening() as listener:
        found = offered(
            Cli(tmp_path, listener.environment),
            "bulk-esm pa",
            "bulk-esm show ",
            "bulk-esm show --runs-dir elsewhere 2025",
            "bulk-esm show --runs-dir s3://bucket/runs ",
            "bulk-esm resume --run 20260201",
            "bulk-esm list --profile pr",
            "bulk-esm list --region eu-wes",
            "bulk-esm list --regions eu-west-1,eu-central-1",
            "bulk-esm report 2026",
            "bulk-esm apply --set BisectB",
            "bulk-esm apply --set ScalingConfig.",
            "bulk-esm show --outcome fai",
            "bulk-esm list --dr",
        )
        assert not listener.was_called
    assert found == [
        ["pause"],
        ["last", RUNS[1], RUNS[0]],
        ["20250101T000000Z-apply-000000"],
        ["last"],
        [RUNS[1]],
        [r"prefix-\$\(touch\ pwned\)", "prod"],
        ["eu-west-1", "eu-west-2", "eu-west-3"],
        ["eu-west-1,eu-central-1"],
        [RUNS[1], RUNS[0]],
        ["BisectBatchOnFunctionError="],
        ["ScalingConfig.MaximumConcurrency="],
        ["failed"],
        [],
    ]
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("words", [("show", ""), ("list", "--region", "eu"), ("apply", "--set", "Max")], ids=" ".join)
def test_nothing_is_imported_that_takes_a_while(words: tuple[str, ...]) -> None:
    assert not imported("__complete", *words) & AWS


def test_all_parameters_are_offered() -> None:
    assert {name for name in PARAMETERS if "." not in name} >= set(members_at(""))


@pytest.mark.parametrize("shell", ["zsh", "fish"])  # bash has run its own
def test_each_shell_can_read_its_script(shell: str, inside: Inside, tmp_path: Path) -> None:
    done = inside({}, "completion", shell)
    assert (done.code, done.stderr) == (0, "")
    # zsh reads a file of $fpath as the function that the file is called after.
    assert shell != "zsh" or ("_cyclopts" not in done.stdout and "compdef _bulk-esm bulk-esm" in done.stdout)
    assert "__complete" in done.stdout
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    (tmp_path / "script").write_text(done.stdout, encoding="utf-8")
    subprocess.run([shell, "-n", str(tmp_path / "script")], check=True, stdin=subprocess.DEVNULL)


def test_another_shell_is_refused(inside: Inside) -> None:
    done = inside({}, "completion", "tcsh")
    assert done.code == 2
    assert "bash" in done.stderr
