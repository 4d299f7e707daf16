"""Where there is no home, no temporary folder, or the folder that it was started in is gone: told in words, with 2."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_harness import FAST, Cli, Inside, Simulated

from bulk_esm.simulator import Kind

FLEET = ("--regions", "us-east-1,eu-west-1")
SET = ("--set", "BatchSize=5")


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


@pytest.fixture(scope="module")
def simulated() -> Iterator[Simulated]:
    with Simulated(mappings=8) as found:
        yield found


@pytest.fixture
def without_temporary_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a root that is read-only."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", list)


@pytest.mark.parametrize("command", [("plan", *SET), ("pause", "--dry-run")])
def test_no_temporary_folder(
    inside: Inside, simulated: Simulated, without_temporary_folders: None, command: tuple[str, ...]
) -> None:
    assert inside(simulated.environment, *command, "--all", *FAST).code == 0  # of one shard it needs none
    before = simulated.report().count(Kind.LIST)
    done = inside(simulated.environment, *command, "--all", *FLEET, *FAST)
    assert (done.code, simulated.report().count(Kind.LIST)) == (2, before)
    assert "no temporary folder can be made (No usable temporary directory found" in done.stderr
    assert "set TMPDIR to a folder that can be written" in done.stderr


def test_no_temporary_folder_for_the_demo(inside: Inside, without_temporary_folders: None) -> None:
    done = inside({}, "demo", "--mappings", "3")
    assert done.code == 2
    assert "set TMPDIR" in done.stderr


def test_the_folder_that_it_was_started_in_is_gone(tmp_path: Path, simulated: Simulated) -> None:
    cli = Cli(tmp_path, simulated.environment)
    before = simulated.report().count(Kind.UPDATE)
    done = cli.shell("mkdir gone; cd gone; rmdir ../gone; bulk-esm pause --all --yes")
    assert done.code == 2
    assert done.stderr.endswith("the folder that this was started in is gone: change to another one\n")
    assert simulated.report().count(Kind.UPDATE) == before


def test_no_home(monkeypatch: pytest.MonkeyPatch, inside: Inside, simulated: Simulated) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    assert inside(simulated.environment, "list", *FAST).code == 0
