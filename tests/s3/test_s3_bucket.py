"""Writes that are conditional and never repeated blindly, against moto's S3 and through a proxy on which they fail."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from s3_proxy import Kind, S3Proxy, at_random, either, every, nth
from s3_server import BUCKET, S3Server

from bulk_esm.aws.bucket import Bucket, open_bucket
from bulk_esm.aws.bucket_settings import BucketSettings
from bulk_esm.errors import NotAsExpectedError, RunFolderError, ServiceError, UsageError
from bulk_esm.store.s3.at_work import runs_at_work
from bulk_esm.store.s3.fetching import fetch_run
from bulk_esm.store.s3.place import S3Place

pytest_plugins = ("s3_fixtures",)

SETTINGS = BucketSettings(bucket=BUCKET, prefix="team/")
LARGE = 40 * 2**20  # bytes: three parts


async def soon(_: float) -> None:
    """No test waits."""


@pytest_asyncio.fixture
async def bucket(proxy: S3Proxy) -> AsyncIterator[Bucket]:
    async with open_bucket(SETTINGS, sleep=soon) as opened:
        yield opened


async def test_an_object_is_written_where_none_is_and_over_the_one_that_was_read(bucket: Bucket) -> None:
    first = await bucket.put("a", b"1", expected="")
    with pytest.raises(NotAsExpectedError, match="team/a was written by somebody else"):
        await bucket.put("a", b"2", expected="")
    second = await bucket.put("a", b"2", expected=first)
    with pytest.raises(NotAsExpectedError):
        await bucket.put("a", b"3", expected=first)
    with pytest.raises(NotAsExpectedError):
        await bucket.put("b", b"3", expected=first)
    found = await bucket.get("a")
    assert found is not None
    assert (found.body, found.etag) == (b"2", second)
    assert await bucket.get("b") is None
    assert await bucket.head("b") is None


@pytest.mark.parametrize("kind", [Kind.CUT_AFTER, Kind.ERROR_AFTER, Kind.CUT_BEFORE, Kind.SLOW_DOWN])
@pytest.mark.parametrize("expected", ["", None])
async def test_a_write_whose_answer_is_lost_is_done_once(
    bucket: Bucket, proxy: S3Proxy, kind: Kind, expected: str | None
) -> None:
    """Sent again blindly, it would meet itself, and be taken for somebody else's."""
    proxy.choose = nth(1, kind)
    etag = await bucket.put("a", b"1", expected=expected)
    assert proxy.done[kind] == 1
    assert proxy.count("PUT") == (1 if kind in {Kind.CUT_AFTER, Kind.ERROR_AFTER} else 2)
    assert await bucket.put("a", b"2", expected=etag) != etag


async def test_what_somebody_else_has_written_meanwhile_is_told_from_a_lost_answer(
    bucket: Bucket, proxy: S3Proxy, s3: S3Server
) -> None:
    etag = await bucket.put("a", b"1", expected="")
    s3.put("team/a", b"another's")
    proxy.choose = nth(1, Kind.CUT_BEFORE)
    with pytest.raises(NotAsExpectedError):
        await bucket.put("a", b"2", expected=etag)
    assert s3.bodies("team/a") == {"team/a": b"another's"}


async def test_a_large_file_goes_in_parts_and_comes_back_whole(bucket: Bucket, proxy: S3Proxy, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(range(256)) * (LARGE // 256))
    # A part, its end, and the answer to that are lost.
    proxy.choose = either(nth(2, Kind.CUT_AFTER), nth(2, Kind.CUT_AFTER, "POST"))
    etag = await bucket.upload("large", tmp_path / "large", expected="", metadata={"generation": "g"})
    with pytest.raises(NotAsExpectedError):
        await bucket.upload("large", tmp_path / "large", expected="")
    proxy.choose = nth(1, Kind.CUT_WITHIN, "GET")
    found = await bucket.download("large", tmp_path / "read")
    assert found is not None
    assert (found.etag, found.metadata["generation"]) == (etag, "g")
    assert (tmp_path / "read").read_bytes() == (tmp_path / "large").read_bytes()
    assert proxy.done == {Kind.CUT_AFTER: 2, Kind.CUT_WITHIN: 1}


async def test_a_disk_that_cannot_be_written_is_told_and_s3_not_asked_again(
    bucket: Bucket, proxy: S3Proxy, s3: S3Server, tmp_path: Path
) -> None:
    """It was taken for an answer that broke off, and tried again for a minute."""
    s3.put("team/run/plan.jsonl", b"{}\n")
    if (full := Path("/dev/full")).exists():
        with pytest.raises(OSError, match="No space left"):
            await bucket.download("run/plan.jsonl", full)
        assert proxy.count("GET", "plan.jsonl") == 1
    (tmp_path / "run").write_bytes(b"no folder")
    with pytest.RaisesGroup(
        pytest.RaisesExc(RunFolderError, match="and runs in S3 are brought there first: set TMPDIR")
    ):
        await fetch_run(bucket, run_id="run", folder=tmp_path / "run")


def test_what_fails_beside_others_is_raised_alone(proxy: S3Proxy, s3: S3Server) -> None:
    """Who works at a run cannot be told then, which is no reason for a summary to be lost."""
    s3.put("team/.locks/a.json", b"{}")
    proxy.choose = every(Kind.SLOW_DOWN, "GET", holding="a.json")
    place = S3Place(SETTINGS, patience_s=0.1)
    try:
        with pytest.raises(ServiceError, match="SlowDown"):
            place.thread.call(runs_at_work)
        run = place.begin("20260101T000000Z-pause-abcdef")
        assert run.replica is not None
        assert run.replica.at_work() is None
    finally:
        place.close()


async def test_only_so_much_of_a_file_that_grows(bucket: Bucket, tmp_path: Path) -> None:
    (tmp_path / "grows").write_bytes(b"whole\ntorn")
    await bucket.upload("grows", tmp_path / "grows", size=6)
    found = await bucket.get("grows")
    assert found is not None
    assert found.body == b"whole\n"


async def test_objects_are_listed_in_their_order_and_page_by_page(bucket: Bucket, s3: S3Server) -> None:
    s3.put("elsewhere/x", b"")
    names = [f"run-{number:04}/run.json" for number in range(1_005)]
    for name in names:
        s3.put(f"team/{name}", b"")
    assert [entry.key async for entry in bucket.list()] == names
    assert [entry.key async for entry in bucket.list("run-0001/")] == names[1:2]
    assert [entry.key async for entry in bucket.list(after=names[-2])] == names[-1:]
    folders = [entry.key async for entry in bucket.list(folders=True, after="run-1003")]
    assert folders == ["run-1003/", "run-1004/"]
    await bucket.delete(names)
    assert [entry.key async for entry in bucket.list()] == []


async def test_a_store_that_ignores_conditions_is_refused(bucket: Bucket, proxy: S3Proxy) -> None:
    await bucket.refuse_unconditional()
    proxy.choose = every(Kind.UNCONDITIONAL)
    with pytest.raises(UsageError, match="takes writes whatever their If-None-Match says, so no lock there would hold"):
        await bucket.refuse_unconditional()


async def test_a_bucket_that_is_not_there_is_none(proxy: S3Proxy) -> None:
    async with open_bucket(BucketSettings(bucket="no-such-bucket", prefix=""), sleep=soon) as bucket:
        with pytest.raises(UsageError, match="there is no bucket 'no-such-bucket'"):
            await bucket.put("a", b"")
        with pytest.raises(UsageError, match="there is no bucket 'no-such-bucket'"):
            await bucket.get("a")


async def test_writes_on_a_bad_line_are_each_done_once(bucket: Bucket, proxy: S3Proxy, s3: S3Server) -> None:
    """One object is written over and over, each time on the condition that it is the one before."""
    proxy.choose = at_random(0.4, Kind.CUT_AFTER, Kind.ERROR_AFTER, Kind.CUT_BEFORE, Kind.SLOW_DOWN, seed=1)
    etag = ""
    for number in range(60):
        etag = await bucket.put("a", f"{number}".encode(), expected=etag)
    assert s3.bodies("team/") == {"team/a": b"59"}
    assert min(proxy.done[kind] for kind in (Kind.CUT_AFTER, Kind.ERROR_AFTER, Kind.CUT_BEFORE)) > 0
