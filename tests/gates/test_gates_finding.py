"""A gate that could never be run is told before anything is sent."""

from pathlib import Path

import pytest

from bulk_esm.gates.finding import problem_of


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, mode in (("healthy.sh", 0o755), ("read me.sh", 0o644)):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(mode)
    (tmp_path / "folder").mkdir()


@pytest.mark.parametrize(
    "command",
    [
        "./healthy.sh --since 5m",
        "STAGE=prod A=b ./healthy.sh | grep -q ok",
        "healthy() { true; }; healthy",
        "test -e there && true",
        "true;false",
        "exit 0",
        "if true; then false; fi",
        "! false",
        "{ true; }",
        "(cd folder; ../healthy.sh)",
        '"$HOME"/it-may-be-there',
        "~/it-may-be-there",
        "A=b",
        "echo 'one\ntwo'",
        "# nothing but this",
    ],
)
def test_what_can_be_run_or_only_running_it_would_tell(command: str) -> None:
    assert problem_of(command) is None


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("./missing.sh", "there is no ./missing.sh"),
        ("/no/such/gate --fast", "there is no /no/such/gate"),
        ("A=b no-such-command -x", "there is no command no-such-command"),
        ("'./read me.sh' now", "./read me.sh is not executable; chmod +x './read me.sh'"),
        ("./folder", "./folder is a folder"),
        ("./healthy.sh\0", "it has a NUL"),
    ],
)
def test_what_can_not(command: str, problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, _: "read me" not in path)  # whoever may do anything may run none such
    assert problem_of(command) == problem


@pytest.mark.parametrize("command", ["if true", "echo 'open", "true && ", "(true"])
def test_what_no_shell_can_read(command: str) -> None:
    assert str(problem_of(command)).startswith("the shell cannot read it: ")


def test_nothing_is_run(tmp_path: Path) -> None:
    assert problem_of("touch made; touch $(touch made)") is None
    assert not (tmp_path / "made").exists()
