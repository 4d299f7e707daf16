import fcntl
import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bulk_esm.errors import RefusedError, RunFolderError
from bulk_esm.store.lock import Holder, RunLock

ACCOUNT = "123456789012"
REGION = "eu-west-1"
ME = Holder(pid=4711, command="pause", started_at="2026-01-02T03:04:05Z")
HOLD = """
import sys
from pathlib import Path
from bulk_esm.store.lock import Holder, RunLock

holder = Holder(pid=4711, command="pause", started_at="2026-01-02T03:04:05Z")
lock = RunLock.take("123456789012", "eu-west-1", endpoint_url=None, holder=holder, folder=Path(sys.argv[1]))
lock.tell("/runs/one")
print("held", flush=True)
sys.stdin.read()
"""


def take(
    folder: Path | None, account_id: str | None = ACCOUNT, region: str = REGION, endpoint_url: str | None = None
) -> RunLock:
    return RunLock.take(account_id, region, endpoint_url=endpoint_url, holder=ME, folder=folder)


def refusal(folder: Path) -> str:
    with pytest.raises(RefusedError) as caught:
        take(folder)
    return str(caught.value)


@contextmanager
def other_process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another run that holds the lock."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_lock_of_a_process_that_is_killed_is_free(tmp_path: Path) -> None:
    with other_process(tmp_path) as process:
        assert refusal(tmp_path) == (
            "another run holds account 123456789012, eu-west-1: pause since 2026-01-02T03:04:05Z, process 4711, "
            "in /runs/one; wait for it, or go on all the same with --no-lock"
        )
        process.send_signal(signal.SIGKILL)
        process.wait()
        with take(tmp_path):
            assert "pause since 2026-01-02T03:04:05Z, process 4711; wait" in refusal(tmp_path)


def test_another_lock_in_the_same_process_is_refused_too(tmp_path: Path) -> None:
    with take(tmp_path) as lock:
        lock.tell("/runs/a/rather/long/path")
        assert "in /runs/a/rather/long/path; wait" in refusal(tmp_path)
        lock.tell("/runs/short")
        assert "in /runs/short; wait" in refusal(tmp_path)
        lock.release()
        lock.release()
        lock.tell("/runs/too-late")
        with take(tmp_path):
            assert "too-late" not in refusal(tmp_path)
    take(tmp_path).release()


def test_other_accounts_regions_and_endpoints_are_free(tmp_path: Path) -> None:
    with (
        take(tmp_path),
        take(tmp_path, account_id="210987654321"),
        take(tmp_path, account_id=None),
        take(tmp_path, region="us-east-1"),
        take(tmp_path, endpoint_url="http://127.0.0.1:1"),
        take(tmp_path, endpoint_url="http://127.0.0.1:2"),
    ):
        names = sorted(path.name for path in tmp_path.iterdir())
        with pytest.raises(RefusedError, match="another run holds eu-west-1: pause"):
            take(tmp_path, account_id=None)
    assert len(names) == 6
    assert all(re.fullmatch(r"(\d{12}|unknown)-(eu-west|us-east)-1(-[0-9a-f]{12})?\.lock", name) for name in names)


def test_a_region_is_no_path(tmp_path: Path) -> None:
    take(tmp_path / "locks", region="../../x").release()
    assert [path.name for path in tmp_path.iterdir()] == ["locks"]


@pytest.mark.parametrize("content", [b"", b'{"pid":47', b"\xff\xfe", b"[]", b'{"pid":1,"command":"\xff"}'])
def test_a_holder_that_cannot_be_read(tmp_path: Path, content: bytes) -> None:
    with take(tmp_path):
        next(tmp_path.iterdir()).write_bytes(content)
        assert "eu-west-1: it does not say who it is; wait" in refusal(tmp_path)


def test_what_a_stranger_wrote_does_not_reach_the_terminal(tmp_path: Path) -> None:
    with take(tmp_path) as lock:
        lock.tell("/runs/\x1b[2Jgone\n")
        assert "in /runs/[2Jgone; wait" in refusal(tmp_path)


def test_all_users_may_lock_whatever_the_umask_of_the_first(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with take(tmp_path / "locks"):
            (path,) = (tmp_path / "locks").iterdir()
            assert (mode(path.parent), mode(path)) == (0o1777, 0o666)
    finally:
        os.umask(before)
    assert [path.name for path in tmp_path.iterdir()] == ["locks"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_the_file_of_another_user_can_be_locked() -> None:
    """Not in `tmp_path`, which is its owner's alone."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        folder = Path(name) / "locks"
        take(folder).release()
        child = os.fork()
        if child == 0:
            try:
                os.setuid(65534)
                take(folder).release()
                take(folder, region="us-east-1").release()
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        take(folder, region="us-east-1").release()


def test_many_come_at_once_and_one_wins(tmp_path: Path) -> None:
    for turn in range(20):
        folder = tmp_path / str(turn) / "locks"
        start = threading.Barrier(8)
        won: list[RunLock] = []
        lost: list[Exception] = []

        def come(folder: Path = folder, start: threading.Barrier = start) -> None:
            start.wait()
            try:
                won.append(take(folder))  # noqa: B023 - the threads end within the turn
            except (RefusedError, RunFolderError) as error:
                lost.append(error)  # noqa: B023

        threads = [threading.Thread(target=come) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(won), [type(error) for error in lost]) == (1, [RefusedError] * 7)
        won[0].release()
        assert [path.name for path in folder.parent.iterdir()] == ["locks"]
        assert [path.name for path in folder.iterdir()] == [f"{ACCOUNT}-{REGION}.lock"]


def test_a_file_that_was_removed_is_not_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between opening and locking, a cleaner of temporary files comes by."""
    really_lock = fcntl.flock
    removed: list[Path] = []

    def flock(descriptor: int, how: int) -> None:
        if not removed:
            removed.append(next(tmp_path.iterdir()))
            removed[0].unlink()
        really_lock(descriptor, how)

    monkeypatch.setattr("fcntl.flock", flock)
    with take(tmp_path):
        assert removed
        assert refusal(tmp_path)


def test_a_command_that_is_started_meanwhile_does_not_inherit_it(tmp_path: Path) -> None:
    lock = take(tmp_path)
    with subprocess.Popen(["sleep", "60"], close_fds=False) as process:
        lock.release()
        take(tmp_path).release()
        process.kill()


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(RunFolderError, match=r"cannot be made: Not a directory; .* --no-lock"):
            take(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(descriptor: int, how: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(RunFolderError, match=r"No locks available; .* --no-lock"):
        take(tmp_path)


def test_the_usual_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with take(None):
        assert (tmp_path / "bulk-esm-locks" / f"{ACCOUNT}-{REGION}.lock").exists()
