"""What is read of a run in S3 is what was written, whatever else lies there."""

import asyncio
from functools import partial
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import given
from hypothesis import strategies as st
from s3_toy import ToyBucket, ToyThread

from bulk_esm.errors import RunFolderError
from bulk_esm.store.begun import BegunWriter, read_begun, write_begun
from bulk_esm.store.s3.fetching import fetch_run
from bulk_esm.store.s3.names import GENERATION, file_of, is_file, is_segment, rank, segment_name, segments_of
from bulk_esm.store.s3.replica import S3Replica

RUN = "20260102T030405Z-pause-abc123"


def fetched(bucket: ToyBucket, folder: Path) -> dict[str, bytes]:
    """What is on disk after a run was fetched, by name."""
    with start_blocking_portal() as portal:
        portal.call(partial(fetch_run, bucket, run_id=RUN, folder=folder / RUN))
    return {
        path.relative_to(folder / RUN).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def put(bucket: ToyBucket, name: str, body: bytes, **metadata: str) -> None:
    with start_blocking_portal() as portal:
        portal.call(partial(bucket.put, f"{RUN}/{name}", body, metadata=metadata))


@pytest.mark.parametrize(
    "name",
    [
        "../elsewhere/run.json",
        "shards/../run.json",
        "shards/a/b/run.json",
        "/etc/passwd",
        "run.json/../../x",
        "plan.jsonl.tmp",
        "results.jsonl.first.1",
        "results.jsonl.FIRST.00000001",
        "shards/x y/plan.jsonl",
        "",
    ],
)
def test_what_is_no_file_of_a_run_is_left_where_it_is(name: str, tmp_path: Path) -> None:
    assert not is_file(name)
    assert not is_segment(name)
    bucket = ToyBucket()
    put(bucket, "run.json", b"{}\n")
    put(bucket, name, b"no")
    assert fetched(bucket, tmp_path) == {"run.json": b"{}\n"}


@given(
    file=st.sampled_from(["begun.jsonl", "results.jsonl", "log.jsonl", "shards/123456789012-eu-west-1/results.jsonl"]),
    generation=st.from_regex(r"[0-9a-f]{8}", fullmatch=True),
    numbers=st.sets(st.integers(1, 30)),
)
def test_segments_are_read_in_their_order_and_none_may_be_missing(
    file: str, generation: str, numbers: set[int]
) -> None:
    names = [segment_name(file, generation, number) for number in numbers]
    others = [segment_name(file, "other", 1), segment_name("log.jsonl", "x", 2), "run.json"]
    assert all(is_segment(name) and file_of(name) == file for name in names)
    if numbers == set(range(1, len(numbers) + 1)):
        assert segments_of(file, generation, [*others, *names]) == sorted(names)
    else:
        with pytest.raises(RunFolderError, match=r"is damaged: segment \d+ of \d+ is missing"):
            segments_of(file, generation, names)


def test_the_record_of_the_run_is_written_after_all_else() -> None:
    shard = "shards/123456789012-eu-west-1/"
    files = ["begun.jsonl", "results.jsonl", "plan.jsonl", "run.json"]
    names = [*(f"{shard}{file}" for file in files), "fleet.json", "run.json"]
    assert sorted(dict.fromkeys(names[::-1]), key=rank) == names


def test_a_file_is_its_whole_and_what_was_appended_since(tmp_path: Path) -> None:
    bucket = ToyBucket()
    put(bucket, "results.jsonl", b"1\n2\n", **{GENERATION: "bb"})
    put(bucket, segment_name("results.jsonl", "aa", 1), b"of the generation before\n")
    for number in (2, 1, 3):
        put(bucket, segment_name("results.jsonl", "bb", number), f"{number + 2}\n".encode())
    put(bucket, segment_name("log.jsonl", "first", 1), b"no whole file yet\n")
    found = fetched(bucket, tmp_path)
    assert found == {"results.jsonl": b"1\n2\n3\n4\n5\n", "log.jsonl": b"no whole file yet\n"}


def test_a_run_that_lacks_a_segment_is_not_read(tmp_path: Path) -> None:
    bucket = ToyBucket()
    for number in (1, 3):
        put(bucket, segment_name("results.jsonl", "first", number), b"1\n")
    with pytest.raises(ExceptionGroup) as raised:
        fetched(bucket, tmp_path)
    assert "segment 2 of 3 is missing" in str(raised.value.exceptions[0])


@given(slices=st.lists(st.lists(st.integers(0, 99), min_size=1, max_size=4), max_size=8), anew=st.integers(0, 8))
def test_what_has_begun_is_read_as_it_was_written(
    slices: list[list[int]], anew: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Its first line tells of the others and is written over in place: a copy in parts has one of its own in each."""
    folder = tmp_path_factory.mktemp("begun")
    path = folder / RUN / "begun.jsonl"
    path.parent.mkdir()
    write_begun(path, RUN)
    (path.parent / "run.json").write_bytes(b'{"status":"running"}\n')
    bucket, begun = ToyBucket(), set[str]()
    with start_blocking_portal() as portal, BegunWriter(path) as writer:
        replica = S3Replica(ToyThread(bucket, portal), path.parent, is_new=True, every_s=3600)
        asyncio.run(replica.open())
        for number, uuids in enumerate(slices):
            begun |= {str(uuid) for uuid in uuids}
            for uuid in uuids:
                writer.begin([str(uuid)], wave=1)
            asyncio.run(replica.close() if number == anew else replica.flush())
            (folder / f"{number}").mkdir()
            fetched(bucket, folder / f"{number}")
            there = folder / f"{number}" / RUN / "begun.jsonl"
            assert read_begun(there, run_id=RUN) == frozenset(begun)
            assert there.read_bytes() == path.read_bytes()
        asyncio.run(replica.close())
