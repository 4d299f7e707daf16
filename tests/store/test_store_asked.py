"""What is asked of a run, in its folder and in S3: whatever else lies there is passed over."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Awaitable, Callable, Iterator
from datetime import MAXYEAR, UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from s3_toy import ToyBucket, ToyThread

from bulk_esm.aws.bucket import Found
from bulk_esm.errors import BulkEsmError, NotAsExpectedError, RunFolderError, ServiceError
from bulk_esm.model.control import ControlRequest, ControlStatus, name_after
from bulk_esm.model.records import Caller
from bulk_esm.store.asked import ASKED, MOST_BYTES, STATUS, AskedFolder, AskedPlace, is_request
from bulk_esm.store.ownership import refuse_foreign
from bulk_esm.store.s3.asked import AskedInS3

RUN = "20260102T030405Z-pause-abc123"
NAMES = [f"20260102T030405.00000{number}Z-0a1b2c3d.json" for number in range(5)]
HOLD = ControlRequest(action="hold", invocation=1, by=Caller(user="alice", host="build-7"), at="2026-01-02T03:04:05Z")
BODY = msgspec.json.encode(HOLD)
GARBAGE = {
    NAMES[1]: b"{",
    NAMES[2]: b'{"action":"explode","invocation":1,"by":{},"at":""}',
    NAMES[3]: b"[" * 50_000,
    NAMES[4]: b"x" * (MOST_BYTES + 1),
    "20261399T030405.000000Z-0a1b2c3d.json": BODY,  # no such month
    "99991231T235959.999999Z-0a1b2c3d.json": BODY,  # nothing comes after it
    "notes.txt": BODY,
}


@pytest.fixture
def portal() -> Iterator[BlockingPortal]:
    with start_blocking_portal() as opened:
        yield opened
        opened.call(opened.stop, True)


class Folder:
    """A run's folder, and what anybody may put there."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.folder = run / ASKED
        run.mkdir(mode=0o700)

    def look(self) -> AskedPlace:
        return AskedFolder(self.run)

    def put(self, name: str, body: bytes) -> None:
        self.folder.mkdir(mode=0o700, exist_ok=True)
        (self.folder / name).write_bytes(body)
        (self.folder / name).chmod(0o600)


class Bucket:
    """Likewise in a bucket."""

    def __init__(self, portal: BlockingPortal) -> None:
        self.bucket = ToyBucket()
        self._portal = portal

    def look(self) -> AskedPlace:
        return AskedInS3(ToyThread(self.bucket, self._portal), RUN)

    def put(self, name: str, body: bytes) -> None:
        self.bucket.objects[f"{RUN}/{ASKED}/{name}"] = Found(body=body, etag=name, age_s=0.0, metadata={})


@pytest.fixture(params=["folder", "bucket"])
def there(request: pytest.FixtureRequest, tmp_path: Path, portal: BlockingPortal) -> Folder | Bucket:
    return Folder(tmp_path / RUN) if request.param == "folder" else Bucket(portal)


async def test_what_one_asks_another_reads_and_answers(there: Folder | Bucket) -> None:
    run, other = there.look(), there.look()
    assert (await run.read(), await other.status()) == ({}, None)
    await other.ask(NAMES[0], HOLD)
    assert await run.read() == {NAMES[0]: HOLD}
    status = ControlStatus(invocation=1, heard=frozenset({NAMES[0]}), held=HOLD, done=3)
    await run.tell(msgspec.structs.replace(status, done=1))
    await run.tell(status)
    assert await other.status() == status
    assert await run.read() == {NAMES[0]: HOLD}


async def test_garbage_is_warned_of_once_and_passed_over(
    there: Folder | Bucket, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    warned: list[dict[str, Any]] = []
    monkeypatch.setattr("bulk_esm.store.asked.log.warning", lambda _, **more: warned.append(more))
    for name, body in GARBAGE.items():
        there.put(name, body)
    there.put(NAMES[0], BODY)
    there.put(STATUS, b"{")
    run = there.look()
    for _ in range(3):
        assert await run.read() == {NAMES[0]: HOLD}
        assert await run.status() is None
    assert len(warned) == 5, "and of the sixth, as a thousand would flood the log, nothing"
    assert {each["file"] for each in warned} < {f"{ASKED}/{name}" for name in GARBAGE}


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=60)
    | st.dictionaries(st.sampled_from(["action", "by", "at", "wave"]), st.text()).map(msgspec.json.encode)
)
def test_any_body_is_read_or_passed_over(tmp_path: Path, body: bytes) -> None:
    folder = tmp_path / RUN / ASKED
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / NAMES[0]).write_bytes(body)
    (folder / NAMES[0]).chmod(0o600)
    assert asyncio.run(AskedFolder(tmp_path / RUN).read()).keys() <= {NAMES[0]}


def a_link(path: Path) -> None:
    (path.parent.parent / "elsewhere").write_bytes(BODY)
    path.symlink_to(path.parent.parent / "elsewhere")


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_folder(path: Path) -> None:
    path.mkdir()


def others_can_write(path: Path) -> None:
    path.write_bytes(BODY)
    path.chmod(0o666)


@pytest.mark.parametrize("make", [a_link, a_pipe, a_folder, others_can_write])
async def test_what_is_no_file_of_this_user_alone_is_passed_over(make: Callable[[Path], None], tmp_path: Path) -> None:
    there = Folder(tmp_path / RUN)
    there.put(NAMES[0], BODY)
    make(there.folder / NAMES[1])
    assert await there.look().read() == {NAMES[0]: HOLD}
    refuse_foreign(there.run)  # and the run is still this user's own


async def test_a_file_of_another_user_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = Folder(tmp_path / RUN)
    there.put(NAMES[0], BODY)
    real = os.fstat

    def of_another(descriptor: int) -> os.stat_result:
        found = real(descriptor)
        return os.stat_result((*found[:4], found.st_uid + stat.S_ISREG(found.st_mode), *found[5:]))

    monkeypatch.setattr("bulk_esm.store.asked.os.fstat", of_another)
    monkeypatch.setattr("bulk_esm.store.asked._ROOT", os.geteuid())
    assert await there.look().read() == {}


async def refused(work: Awaitable[object]) -> str:
    with pytest.raises(RunFolderError) as error:
        await work
    return str(error.value)


async def test_a_folder_that_is_a_link_or_that_others_can_write_is_neither_read_nor_written(tmp_path: Path) -> None:
    elsewhere = Folder(tmp_path / "elsewhere")
    elsewhere.put(NAMES[0], BODY)
    there = Folder(tmp_path / RUN)
    there.folder.symlink_to(elsewhere.folder)
    await refused(there.look().read())
    await refused(there.look().ask(NAMES[1], HOLD))
    there.folder.unlink()
    there.folder.mkdir()
    there.folder.chmod(0o777)
    assert "others can write it" in await refused(there.look().read())
    await refused(there.look().tell(ControlStatus(invocation=1)))
    assert [path.name for path in elsewhere.folder.iterdir()] == [NAMES[0]]


async def test_files_are_this_users_alone(tmp_path: Path) -> None:
    there = Folder(tmp_path / RUN)
    before = os.umask(0)
    try:
        await there.look().ask(NAMES[0], HOLD)
        await there.look().tell(ControlStatus(invocation=1))
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (there.folder, *there.folder.iterdir())}
    assert modes == {ASKED: 0o700, NAMES[0]: 0o600, STATUS: 0o600}


async def test_in_s3_no_request_replaces_another_and_what_fails_is_told(portal: BlockingPortal) -> None:
    there = Bucket(portal)
    await there.look().ask(NAMES[0], HOLD)
    with pytest.raises(NotAsExpectedError):
        await there.look().ask(NAMES[0], HOLD)
    there.bucket.most_writes = 0
    with pytest.raises(ServiceError):
        await there.look().tell(ControlStatus(invocation=1))
    assert issubclass(ServiceError, BulkEsmError)


@given(st.text())
def test_names(name: str) -> None:
    assert not is_request(name)
    assert is_request(NAMES[0])


@given(st.datetimes(timezones=st.just(UTC)), st.integers(0, 10**10))
def test_whatever_has_a_name_there_another_may_come_after_it(there: datetime, now_s: int) -> None:
    now = datetime.fromtimestamp(now_s, UTC)
    name = f"{there.year:04}{there:%m%dT%H%M%S.%f}Z-0a1b2c3d.json"
    if is_request(name):
        assert name_after({name: HOLD}, now, "0a1b2c3d") > name
    else:
        assert there.year == MAXYEAR
