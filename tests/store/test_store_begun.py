"""What may have been sent is on disk before it is sent, whatever a crash leaves of its last line."""

import errno
import os
from pathlib import Path

import pytest

from bulk_esm.errors import RecordingError, RunFolderError
from bulk_esm.store.begun import BEGUN, BegunWriter, read_begun
from bulk_esm.store.shard_files import ShardFiles


def begin(path: Path, *slices: tuple[str, ...], wave: int = 1) -> None:
    with BegunWriter(path) as begun:
        for uuids in slices:
            begun.begin(uuids, wave=wave)


def test_what_has_begun_is_read_back_and_a_run_of_an_older_version_has_no_such_file(tmp_path: Path) -> None:
    path = tmp_path / BEGUN
    assert read_begun(path) is None
    begin(path)
    assert read_begun(path) == frozenset()
    begin(path, ("a", "b"), ("c",))
    begin(path, ("d",), wave=2)
    assert read_begun(path) == frozenset("abcd")


def test_it_is_durable_before_the_first_is_sent_and_once_for_those_that_follow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / BEGUN
    fsync, on_disk = os.fsync, list[frozenset[str] | None]()

    def watched(descriptor: int) -> None:
        fsync(descriptor)
        on_disk.append(read_begun(path))

    monkeypatch.setattr(os, "fsync", watched)
    begin(path, ("a", "b", "c"), ("b", "c", "d"), ("c", "d"), ("d",))
    assert on_disk == [frozenset("abc"), {"a", "b", "c", "d"}]
    assert len(path.read_bytes().splitlines()) == 2


def test_a_torn_last_line_is_left_out_and_cut_off(tmp_path: Path) -> None:
    """It was not durable, so nothing of it was sent."""
    path = tmp_path / BEGUN
    begin(path, ("a",))
    path.write_bytes(path.read_bytes() + b'{"wave":1,"uuids":["b"')
    assert read_begun(path) == frozenset("a")
    begin(path, ("c",))
    assert read_begun(path) == frozenset("ac")


def test_its_date_is_that_of_the_last_that_was_about_to_be_sent(tmp_path: Path) -> None:
    files = ShardFiles(tmp_path)
    assert files.last_sent_at() == 0
    with files.open_begun() as begun:
        begun.begin(("a", "b"), wave=1)
        os.utime(tmp_path / BEGUN, (1.0, 1.0))
        assert files.last_sent_at() == 1.0
        begun.begin(("b",), wave=1)
        assert files.last_sent_at() > 1.0


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOSPC, "No space left on device; make room, and then finish"),
        (errno.EDQUOT, "Disk quota exceeded; make room, and then finish"),
        (errno.EIO, "Input/output error; look after the disk, and then finish"),
        (errno.EROFS, "Read-only file system; look after the disk, and then finish"),
    ],
)
def test_what_cannot_be_recorded_must_not_be_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, says: str
) -> None:
    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with BegunWriter(tmp_path / BEGUN) as begun, pytest.raises(RecordingError, match=says):
        begun.begin(("a",), wave=1)


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    (tmp_path / BEGUN).write_bytes(b'{"wave":1,"uuids":["a"]}\nwhat\n')
    with pytest.raises(RunFolderError, match=r"begun\.jsonl, line 2: "):
        read_begun(tmp_path / BEGUN)
