"""Locks in a bucket, over the wire: two threads are two machines, and a proxy loses what they send and hear."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import anyio
import msgspec
import pytest
from cli_harness import wait_until
from s3_proxy import Kind, S3Proxy, at_random, either, every, nth
from s3_server import BUCKET, S3Server

from bulk_esm.aws.bucket import Bucket
from bulk_esm.aws.bucket_settings import BucketSettings
from bulk_esm.clock import Clock
from bulk_esm.errors import RefusedError, UsageError
from bulk_esm.model.shard import Shard
from bulk_esm.store.s3.lease import Lease
from bulk_esm.store.s3.lease_rules import LeaseSettings, LockRecord, LockState
from bulk_esm.store.s3.locks import S3Locks, holder_here, lock_key
from bulk_esm.store.s3.thread import BucketThread

pytest_plugins = ["s3_fixtures"]

ACCOUNT = "123456789012"
HERE = Shard(account_id=ACCOUNT, region="eu-west-1")
THERE = Shard(account_id=ACCOUNT, region="us-east-1")
KEY = f"runs/.locks/{ACCOUNT}-eu-west-1.json"
HOLDER = holder_here(command="pause", started_at="2026-01-02T03:04:05Z")
# Of the real clock, so what a test waits for must come, and may not be too late.
BRISK = LeaseSettings(lease_s=3_600.0, renew_every_s=0.4)


class HandClock:
    """A machine's clock that goes on by hand, and whose owner sleeps on the real one."""

    def __init__(self) -> None:
        self.now_s = 1_000_000.0
        self.clock = Clock(monotonic=lambda: self.now_s, sleep=anyio.sleep)


class Hearer:
    """Hears that a lock is lost."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.something = threading.Event()

    def __call__(self, reason: str) -> None:
        self.reasons.append(reason)
        self.something.set()


@contextmanager
def machine(settings: LeaseSettings | None = None, clock: Clock | None = None) -> Iterator[S3Locks]:
    """A process on a machine of its own, as far as locks in S3 tell."""
    thread = BucketThread(BucketSettings(bucket=BUCKET, prefix="runs/"))
    try:
        yield S3Locks(thread, settings=settings, clock=clock)
    finally:
        thread.close()


def record(s3: S3Server, key: str = KEY) -> LockRecord:
    return msgspec.json.decode(s3.bodies(key)[key], type=LockRecord)


def wait_for_change(s3: S3Server) -> None:
    """Wait until the lock is renewed."""
    before = record(s3).nonce
    wait_until(lambda: record(s3).nonce != before)


def wait_for_lock(s3: S3Server) -> None:
    wait_until(lambda: KEY in s3.bodies())


def test_one_has_it_the_other_is_refused_and_then_gets_it(s3: S3Server) -> None:
    with machine() as one, machine() as other:
        (lease,) = one.take([HERE], holder=HOLDER)
        assert lease.may_send()
        assert 50 < lease.left_s() <= 60
        lease.tell("20260102T030405Z-pause-abc").result()
        with pytest.raises(RefusedError) as refused:
            other.take([HERE], holder=HOLDER)
        assert f"another run holds account {ACCOUNT}, eu-west-1: pause since 2026-01-02T03:04:05Z" in str(refused.value)
        assert "run 20260102T030405Z-pause-abc; it renewed its lock" in str(refused.value)
        one.release([lease])
        assert not lease.may_send()
        assert record(s3).state is LockState.RELEASED
        (lease,) = other.take([HERE], holder=HOLDER)
        assert record(s3).runs == ("20260102T030405Z-pause-abc",)
        assert record(s3).holder.run is None
        lease.release()


def test_locks_are_of_an_account_a_region_and_an_endpoint(s3: S3Server) -> None:
    thread = BucketThread(BucketSettings(bucket=BUCKET, prefix="runs/"))
    for shard, endpoint_url in ((HERE, None), (THERE, None), (HERE, "http://127.0.0.1:1")):
        S3Locks(thread, endpoint_url=endpoint_url).take([shard], holder=HOLDER)
    thread.close()
    keys = [key for key in s3.bodies() if "/.locks/" in key]
    assert keys == sorted(
        f"runs/{lock_key(shard.account_id, shard.region, url)}"
        for shard, url in ((HERE, None), (THERE, None), (HERE, "http://127.0.0.1:1"))
    )
    assert KEY in keys


def test_without_its_account_nothing_is_locked(s3: S3Server) -> None:
    with machine() as one, pytest.raises(RefusedError, match="the account is not known"):
        one.take([Shard(account_id=None, region="eu-west-1")], holder=HOLDER)


def test_who_cannot_have_all_has_none(s3: S3Server) -> None:
    with machine() as one, machine() as other:
        held = one.take([THERE], holder=HOLDER)
        with pytest.raises(RefusedError, match="us-east-1"):
            other.take([THERE, HERE, HERE], holder=HOLDER)
        assert record(s3).state is LockState.RELEASED
        one.release(held)
        both = other.take([THERE, HERE, HERE], holder=HOLDER)
        assert [lease.what for lease in both] == [f"account {ACCOUNT}, eu-west-1", f"account {ACCOUNT}, us-east-1"]


def test_a_store_without_conditions_is_refused_at_the_start(s3: S3Server, proxy: S3Proxy) -> None:
    proxy.choose = every(Kind.UNCONDITIONAL)
    with machine() as one, pytest.raises(UsageError, match="whatever their If-None-Match says, so no lock"):
        one.take([HERE], holder=HOLDER)
    assert [key for key in s3.bodies() if "/.locks/" in key] == []


def test_a_store_that_heeds_one_condition_only_is_refused_too(s3: S3Server, proxy: S3Proxy) -> None:
    proxy.choose = nth(3, Kind.UNCONDITIONAL)
    with machine() as one, pytest.raises(UsageError, match="whatever their If-Match says"):
        one.take([HERE], holder=HOLDER)


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("kind", [Kind.CUT_AFTER, Kind.ERROR_AFTER, Kind.CUT_BEFORE, Kind.SLOW_DOWN])
def test_an_accident_orphans_no_lock(s3: S3Server, proxy: S3Proxy, kind: Kind, number: int) -> None:
    with machine(BRISK) as one:
        proxy.choose = nth(number, kind, holding=".locks/")  # the taking, then two renewals
        (lease,) = one.take([HERE], holder=HOLDER)
        wait_until(lambda: bool(proxy.done[kind]))
        wait_for_change(s3)
        assert lease.may_send()
        one.release([lease])
        assert record(s3).state is LockState.RELEASED


@pytest.mark.parametrize("kind", [Kind.CUT_AFTER, Kind.ERROR_AFTER, Kind.CUT_BEFORE])
def test_a_release_whose_answer_is_lost_is_one(s3: S3Server, proxy: S3Proxy, kind: Kind) -> None:
    with machine() as one:
        leases = one.take([HERE], holder=HOLDER)
        proxy.choose = nth(1, kind, holding=".locks/")
        one.release(leases)
        assert proxy.done[kind] == 1
        assert record(s3).state is LockState.RELEASED


def test_a_run_that_no_renewal_told_is_in_the_release(s3: S3Server, proxy: S3Proxy) -> None:
    with machine() as one:
        leases = one.take([HERE], holder=HOLDER)
        proxy.choose = nth(1, Kind.HANG_BEFORE, holding=".locks/")
        leases[0].tell("run-1")
        wait_until(lambda: bool(proxy.done[Kind.HANG_BEFORE]))
        one.release(leases)
    assert record(s3).state is LockState.RELEASED
    assert record(s3).runs == ("run-1",)


def test_renewals_do_not_stand_in_line_behind_uploads(s3: S3Server, proxy: S3Proxy) -> None:
    thread = BucketThread(BucketSettings(bucket=BUCKET, prefix="runs/"))
    locks = S3Locks(thread, settings=BRISK)
    leases = locks.take([HERE], holder=HOLDER)
    proxy.choose = every(Kind.HANG_BEFORE, holding="results")
    uploads = [thread.start(partial(Bucket.put, key=f"results-{n}", body=b"1")) for n in range(50)]
    wait_until(lambda: proxy.done[Kind.HANG_BEFORE] >= 16)
    wait_for_change(s3)
    locks.release(leases)
    assert record(s3).state is LockState.RELEASED
    for upload in uploads:
        upload.cancel()
    thread.close()


def test_of_many_accidents_none_orphans_a_lock_or_lets_two_have_it(s3: S3Server, proxy: S3Proxy) -> None:
    proxy.choose = either(
        at_random(0.3, Kind.CUT_AFTER, seed=1, method="PUT", holding=".locks/"),
        at_random(0.2, Kind.CUT_AFTER, seed=2, method="GET", holding=".locks/"),
        at_random(0.2, Kind.CUT_AFTER, seed=3, method="HEAD", holding=".locks/"),
    )
    with machine() as one, machine() as other:
        for _ in range(5):
            leases = one.take([HERE], holder=HOLDER)
            with pytest.raises(RefusedError):
                other.take([HERE], holder=HOLDER)
            one.release(leases)
            one, other = other, one  # noqa: PLW2901 - they take turns
    assert proxy.done[Kind.CUT_AFTER] > 5


def test_what_is_taken_away_is_lost_at_once_and_left_alone(s3: S3Server) -> None:
    heard = Hearer()
    with machine(BRISK) as one:
        (lease,) = one.take([HERE], holder=HOLDER)
        lease.call_when_lost(heard)
        another = msgspec.structs.replace(HOLDER, id="another", user="ann", host="box")
        s3.put(KEY, msgspec.json.encode(LockRecord.held(another, 60.0, ())))
        heard.something.wait()
        assert not lease.may_send()
        one.release([lease])
        assert record(s3).holder == another
        assert record(s3).state is LockState.HELD
    assert len(heard.reasons) == 1
    assert heard.reasons[0].startswith(
        f"the lock of account {ACCOUNT}, eu-west-1 (s3://{BUCKET}/{KEY}) has been taken by"
    )
    assert "of ann on box; nothing more is sent" in heard.reasons[0]
    lease.call_when_lost(heard)  # late, and told all the same
    assert heard.reasons[1] == heard.reasons[0]


def test_when_time_runs_out_nothing_is_sent_and_somebody_is_told_once(s3: S3Server) -> None:
    hand, heard = HandClock(), Hearer()
    with machine(clock=hand.clock) as one:
        (lease,) = one.take([HERE], holder=HOLDER)
        lease.call_when_lost(heard)
        hand.now_s += 34.9
        assert lease.may_send()
        hand.now_s += 0.2
        assert not lease.may_send()
        heard.something.wait()
        hand.now_s -= 30.0
        assert not lease.may_send()  # for good
    assert [reason.partition(" s3://")[0] for reason in heard.reasons] == [
        f"the lock of account {ACCOUNT}, eu-west-1 was not renewed, as this process stood still, in"
    ]


def test_a_lock_that_cannot_be_read_is_not_taken(s3: S3Server) -> None:
    s3.put(KEY, b'{"state":"of a later version"}')
    with machine() as one, pytest.raises(RefusedError) as refused:
        one.take([HERE], holder=HOLDER)
    assert f"take it away with: bulk-esm unlock {ACCOUNT}-eu-west-1" in str(refused.value)
    assert s3.bodies(KEY)[KEY] == b'{"state":"of a later version"}'


async def test_to_be_cancelled_while_waiting_leaves_nothing_held(s3: S3Server) -> None:
    with machine() as one, machine() as other:
        await one.acquire([THERE], holder=HOLDER)
        told = threading.Event()
        task = asyncio.create_task(other.acquire([HERE, THERE], holder=HOLDER, wait=True, told=lambda _: told.set()))
        await anyio.to_thread.run_sync(told.wait)
        assert record(s3).state is LockState.HELD
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert record(s3).state is LockState.RELEASED


async def test_to_be_cancelled_while_the_answer_is_on_its_way_leaves_nothing_held(s3: S3Server, proxy: S3Proxy) -> None:
    proxy.choose = nth(1, Kind.HANG_AFTER, holding=".locks/")
    with machine() as one:
        task = asyncio.create_task(one.acquire([HERE], holder=HOLDER))
        await anyio.to_thread.run_sync(partial(wait_for_lock, s3))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert record(s3).state is LockState.RELEASED


def test_eight_that_start_at_once(s3: S3Server) -> None:
    begin, found = threading.Barrier(8), list[Lease | str]()

    def try_it() -> None:
        with machine() as one:
            begin.wait()
            try:
                found.extend(one.take([HERE], holder=HOLDER))
            except RefusedError as error:
                found.append(str(error))
            begin.wait()

    threads = [threading.Thread(target=partial(try_it)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(one, Lease) for one in found) == 1
    assert len(found) == 8
