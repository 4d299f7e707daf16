import fcntl
import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bulk_esm.errors import RefusedError, RunFolderError
from bulk_esm.store import lock_places
from bulk_esm.store.lock import Holder, RunLock

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
ACCOUNT = "123456789012"
REGION = "eu-west-1"
ME = Holder(pid=4711, command="pause", started_at="2026-01-02T03:04:05Z")
HOLD = """
import sys
from pathlib import Path
from bulk_esm.store.lock import Holder, RunLock

holder = Holder(pid=4711, command="pause", started_at="2026-01-02T03:04:05Z")
lock = RunLock.take("123456789012", "eu-west-1", endpoint_url=None, holder=holder, runs_dirs=[Path(sys.argv[1])])
lock.tell("/runs/one")
print("held", flush=True)
sys.stdin.read()
"""


def take(
    folder: Path, account_id: str | None = ACCOUNT, region: str = REGION, endpoint_url: str | None = None
) -> RunLock:
    return RunLock.take(account_id, region, endpoint_url=endpoint_url, holder=ME, runs_dirs=[folder])


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


@pytest.fixture(autouse=True)
def no_runtime_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is locked is below the runs folder, unless a test says otherwise."""
    monkeypatch.setattr(lock_places, "_runtime_folder", lambda: None)


def locks_below(folder: Path) -> list[Path]:
    return sorted(folder.glob(".bulk-esm-locks-*/*"))


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
        names = [path.name for path in locks_below(tmp_path)]
        with pytest.raises(RefusedError, match="another run holds eu-west-1: pause"):
            take(tmp_path, account_id=None)
    assert len(names) == 6
    assert all(re.fullmatch(r"(\d{12}|unknown)-(eu-west|us-east)-1(-[0-9a-f]{12})?\.lock", name) for name in names)


def test_a_region_is_no_path(tmp_path: Path) -> None:
    with take(tmp_path / "runs", region="../../x"):
        assert [path.name for path in locks_below(tmp_path / "runs")] == [f"{ACCOUNT}-______x.lock"]


@pytest.mark.parametrize("content", [b"", b'{"pid":47', b"\xff\xfe", b"[]", b'{"pid":1,"command":"\xff"}'])
def test_a_holder_that_cannot_be_read(tmp_path: Path, content: bytes) -> None:
    with take(tmp_path):
        locks_below(tmp_path)[0].write_bytes(content)
        assert "eu-west-1: it does not say who it is; wait" in refusal(tmp_path)


def test_what_a_stranger_wrote_does_not_reach_the_terminal(tmp_path: Path) -> None:
    with take(tmp_path) as lock:
        lock.tell("/runs/\x1b[2Jgone\n")
        assert "in /runs/[2Jgone; wait" in refusal(tmp_path)


@pytest.mark.parametrize("umask", [0o077, 0o000])
def test_locks_are_their_users_alone_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with take(tmp_path / "runs"):
            (path,) = locks_below(tmp_path / "runs")
            assert (mode(path.parent), mode(path)) == (0o700, 0o600)
    finally:
        os.umask(before)


def test_nothing_is_left_behind_but_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with take(tmp_path / "new" / "runs"), take(tmp_path / "new" / "runs", region="us-east-1"), take(tmp_path / "empty"):
        assert len(locks_below(tmp_path / "new" / "runs")) == 2
    assert list(tmp_path.rglob("*")) == [tmp_path / "empty"]


@as_root
def test_users_do_not_exclude_each_other(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as name:  # `tmp_path` is its owner's alone
        Path(name).chmod(0o1777)
        with take(Path(name)):
            child = os.fork()
            if child == 0:
                try:
                    os.setuid(65534)
                    take(Path(name)).release()
                    os._exit(0)
                finally:
                    os._exit(1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def trap(tmp_path: Path, make: Callable[[Path], None]) -> Path:
    """Something in place of the lock's file, beside a file that it could be about."""
    folder = tmp_path / f".bulk-esm-locks-{os.geteuid()}"
    folder.mkdir(mode=0o700)
    (tmp_path / "victim").write_text("precious")
    make(folder / f"{ACCOUNT}-{REGION}.lock")
    return tmp_path / "victim"


def of_nobody(path: Path) -> None:
    path.touch()
    os.chown(path, 65534, -1)


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.symlink_to(path.parent.parent / "victim"),
        lambda path: path.hardlink_to(path.parent.parent / "victim"),
        os.mkfifo,
        lambda path: path.mkdir(),
        pytest.param(of_nobody, marks=as_root),
    ],
)
def test_a_file_that_is_no_lock_of_this_user(tmp_path: Path, make: Callable[[Path], None]) -> None:
    victim = trap(tmp_path, make)
    with pytest.raises(RunFolderError, match=r"cannot be made: .* --no-lock"):
        take(tmp_path)
    assert victim.read_text() == "precious"


def link_folder(folder: Path) -> None:
    (folder.parent / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to(folder.parent / "elsewhere")


def open_folder_to_all(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o770)


def folder_of_nobody(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    os.chown(folder, 65534, -1)


@pytest.mark.parametrize(
    "make", [link_folder, open_folder_to_all, Path.touch, pytest.param(folder_of_nobody, marks=as_root)]
)
def test_a_folder_that_is_not_this_users_alone(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / f".bulk-esm-locks-{os.geteuid()}")
    with pytest.raises(RunFolderError, match=r"cannot be made: .* --no-lock"):
        take(tmp_path)
    assert locks_below(tmp_path) == []


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runtime folder such as a login has."""
    monkeypatch.undo()
    folder = tmp_path / "runtime"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    return folder


def test_runs_that_share_a_runtime_folder_meet(tmp_path: Path, runtime: Path) -> None:
    with take(tmp_path / "one"):
        assert [path.name for path in (runtime / "bulk-esm-locks").iterdir()] == [f"{ACCOUNT}-{REGION}.lock"]
        assert refusal(tmp_path / "other")
        assert not (tmp_path / "other").exists()
    assert list(runtime.iterdir()) == []


def test_runs_that_share_a_runs_folder_meet(tmp_path: Path, runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment of each: a login's, that of cron, that of another login."""
    (tmp_path / "runs").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "runs")
    with take(tmp_path / "runs"):
        monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
        for other in ("", "relative", str(tmp_path / "gone"), str(tmp_path)):
            monkeypatch.setenv("XDG_RUNTIME_DIR", other)
            assert refusal(tmp_path / "runs")
            assert refusal(tmp_path / "link")
    assert list(runtime.iterdir()) == []


@pytest.mark.parametrize("mode_", [0o755, 0o770, 0o1777])
def test_a_runtime_folder_that_is_open_to_others_is_passed_over(tmp_path: Path, runtime: Path, mode_: int) -> None:
    runtime.chmod(mode_)
    with take(tmp_path / "runs"):
        assert list(runtime.iterdir()) == []
        assert len(locks_below(tmp_path / "runs")) == 1


def test_one_run_of_several_folders(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "other", tmp_path / "one" / "." / ""]
    with RunLock.take(ACCOUNT, REGION, endpoint_url=None, holder=ME, runs_dirs=folders):
        assert refusal(tmp_path / "one")
        assert refusal(tmp_path / "other")
    take(tmp_path / "one").release()


def test_many_come_at_once_and_one_wins(tmp_path: Path) -> None:
    for turn in range(20):
        folder = tmp_path / str(turn) / "runs"
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
        assert [path.name for path in locks_below(folder)] == [f"{ACCOUNT}-{REGION}.lock"]
        won[0].release()


def test_a_file_that_was_removed_is_not_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between opening and locking, a cleaner of temporary files comes by."""
    really_lock = fcntl.flock
    removed: list[Path] = []

    def flock(descriptor: int, how: int) -> None:
        if not removed:
            removed.append(locks_below(tmp_path)[0])
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
