"""A disk that fails while a run is under way: exit code 3, with what is on disk said, and `continue` does the rest."""

import errno
import os
import pathlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import msgspec
import pytest
from cli_harness import FAST, Cli, Inside, Simulated, records

YES = ("--yes", *FAST)
FLEET = ("--regions", "us-east-1,eu-west-1")


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


def is_of_a_run(path: str) -> bool:
    return "-pause-" in path and ".planning" not in path


def fail(path: str) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO), path)


def fail_fsync(name: str, patch: pytest.MonkeyPatch) -> None:
    """No file of that name of a run that is under way comes to disk."""
    really = os.fsync

    def fsync(descriptor: int) -> None:
        path = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        if is_of_a_run(path) and path.endswith(name):
            fail(path)
        really(descriptor)

    patch.setattr(os, "fsync", fsync)


class Torn:
    """A file of results of which the third line is not written."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._left = 2

    def write(self, line: bytes) -> int:
        if self._left == 0:
            fail(str(self._file.name))
        self._left -= 1
        return int(self._file.write(line))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def fail_results(patch: pytest.MonkeyPatch) -> None:
    really = pathlib.Path.open

    def opened(self: Path, mode: str = "r", *arguments: Any, **named: Any) -> Any:
        file = really(self, mode, *arguments, **named)
        return Torn(file) if mode == "ab" and self.name == "results.jsonl" else file

    patch.setattr(pathlib.Path, "open", opened)


def move(folder: Path) -> None:
    folder.rename(folder.parent.parent / "elsewhere")


def replace_files(folder: Path) -> None:
    """Each is a file of the same name and content, and another one all the same: as a restored backup is."""
    for path in folder.rglob("*.jsonl"):
        copy = path.with_name("copy")
        shutil.copy(path, copy)
        copy.replace(path)


def lose_at_third(patch: pytest.MonkeyPatch, lose: Callable[[Path], None] = shutil.rmtree) -> None:
    """Somebody takes the run folder away while results are written."""
    really = pathlib.Path.open

    class Removing(Torn):
        def write(self, line: bytes) -> int:
            self._left -= 1
            if self._left == 0:
                folder = Path(self._file.name)
                while folder.parent.name != "bulk-esm-runs":
                    folder = folder.parent
                lose(folder)
            return int(self._file.write(line))

    def opened(self: Path, mode: str = "r", *arguments: Any, **named: Any) -> Any:
        file = really(self, mode, *arguments, **named)
        return Removing(file) if mode == "ab" and self.name == "results.jsonl" else file

    patch.setattr(pathlib.Path, "open", opened)


def results_in(folder: Path) -> dict[str, str]:
    """Outcomes by UUID, each mapping once."""
    found = [line for path in folder.rglob("results.jsonl") for line in records(path.read_text())]
    assert len({line["uuid"] for line in found}) == len(found)
    return {line["uuid"]: line["outcome"] for line in found}


@pytest.mark.parametrize("more", [(), FLEET], ids=["one shard", "fleet"])
@pytest.mark.parametrize(
    "break_it",
    [
        lambda patch: fail_fsync("begun.jsonl", patch),
        lambda patch: fail_fsync("results.jsonl", patch),
        lambda patch: fail_fsync("run.json.tmp", patch),
        fail_results,
    ],
    ids=["fsync of begun", "fsync of results", "fsync of run.json", "write of results"],
)
def test_a_disk_that_fails(
    tmp_path: Path,
    inside: Inside,
    monkeypatch: pytest.MonkeyPatch,
    break_it: Callable[[pytest.MonkeyPatch], None],
    more: tuple[str, ...],
) -> None:
    with Simulated(mappings=12) as simulated:
        with monkeypatch.context() as patch:
            break_it(patch)
            done = inside(simulated.environment, "pause", "--all", *YES, *more)
        assert done.code == 3, done.stderr
        assert "cannot be written: Input/output error" in done.stderr
        [run] = Cli(tmp_path).run_folders()
        there = len(results_in(run))
        is_complete = there == 12 * (2 if more else 1)
        assert is_complete or f" results {there:,} are on disk" in done.stderr
        assert f"bulk-esm continue bulk-esm-runs/{run.name}" in done.stderr

        assert inside(simulated.environment, "continue", "last", *YES).code == 0
        assert set(results_in(run).values()) <= {"updated", "unchanged"}
        assert len(results_in(run)) == 12 * (2 if more else 1)
        assert msgspec.json.decode((run / "run.json").read_bytes())["status"] == "finished"
        assert set(simulated.accepted().values()) <= {0, 1}
        assert set(simulated.states().values()) == {"Disabled"}


@pytest.mark.parametrize("more", [(), FLEET], ids=["one shard", "fleet"])
def test_a_run_folder_that_is_removed(
    tmp_path: Path, inside: Inside, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    with Simulated(mappings=40) as simulated:
        with monkeypatch.context() as patch:
            lose_at_third(patch)
            done = inside(simulated.environment, "pause", "--all", *YES, *more, "--concurrency", "2")
        assert done.code == 3, done.stderr
        assert "the run folder is gone, and what became of each mapping with it" in done.stderr
        assert sum(simulated.accepted().values()) < 20  # nothing more is sent
        assert Cli(tmp_path).run_folders() == []


@pytest.mark.parametrize("lose", [shutil.rmtree, move, replace_files])
@pytest.mark.parametrize("more", [(), ("--executor", "process")], ids=["local", "process"])
def test_what_can_no_longer_be_recorded_halts_whatever_the_reason(
    inside: Inside, monkeypatch: pytest.MonkeyPatch, lose: Callable[[Path], None], more: tuple[str, ...]
) -> None:
    with Simulated(mappings=40) as simulated:
        with monkeypatch.context() as patch:
            lose_at_third(patch, lose)
            done = inside(simulated.environment, "pause", "--all", *YES, *more, "--regions", "us-east-1")
        assert done.code == 3, done.stderr
        assert "results.jsonl was removed, moved or replaced, so nothing more is sent" in done.stderr
