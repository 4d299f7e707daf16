import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bulk_esm.errors import ForeignRunError, RunFolderError
from bulk_esm.store.ownership import refuse_foreign

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    (folder / "shards" / "one").mkdir(parents=True, mode=0o755)
    for name in ("run.json", "plan.jsonl", "shards/one/plan.jsonl"):
        (folder / name).write_text("")
        (folder / name).chmod(0o644)
    return folder


def test_a_folder_of_ones_own(run: Path) -> None:
    for mode in (0o700, 0o755):
        run.chmod(mode)
        refuse_foreign(run)


@pytest.mark.parametrize("name", [".", "run.json", "plan.jsonl", "shards", "shards/one", "shards/one/plan.jsonl"])
@pytest.mark.parametrize("mode", [0o777, 0o775, 0o757])
def test_what_others_can_write(run: Path, name: str, mode: int) -> None:
    (run / name).chmod(mode)
    with pytest.raises(ForeignRunError, match=rf"others can write .*chmod -R go-w {run}$"):
        refuse_foreign(run)


def test_what_others_could_write_if_they_could_get_there(run: Path) -> None:
    """As a umask of 002 leaves it: the folder is its owner's alone, whatever the umask."""
    for name in ("run.json", "plan.jsonl", "shards/one/plan.jsonl"):
        (run / name).chmod(0o664)
    run.chmod(0o700)
    refuse_foreign(run)
    run.chmod(0o755)
    (run / "shards").chmod(0o700)
    with pytest.raises(ForeignRunError, match="others can write"):
        refuse_foreign(run)


@as_root
@pytest.mark.parametrize("name", [".", "run.json", "shards", "shards/one/plan.jsonl"])
def test_what_is_of_another_user(run: Path, name: str) -> None:
    os.chown(run / name, NOBODY, -1)
    with pytest.raises(ForeignRunError, match=r"of another user \(uid 65534\).* work as that user"):
        refuse_foreign(run)


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("/etc/hostname"), os.mkfifo])
def test_what_is_no_file(run: Path, make: Callable[[Path], None]) -> None:
    make(run / "results.jsonl")
    with pytest.raises(ForeignRunError, match=r"results.jsonl is neither a file nor a folder"):
        refuse_foreign(run)


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="cannot be read: No such file"):
        refuse_foreign(tmp_path / "gone")
