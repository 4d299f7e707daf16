"""A machine of benchmarks/locks.py: wants one lock when it is told to, and says what came of it.

Its clocks are off by `off_s`: the one that the lease goes by, the time of day of our own code, and `time.time`. What
botocore signs with is not: AWS refuses requests that are signed with a clock off by more than 15 minutes (moto does
not look), so on such a machine nothing works, whatever becomes of locks.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime, timedelta

import msgspec

from bulk_esm.aws.bucket_settings import BucketSettings
from bulk_esm.clock import Clock, time_with_sleep
from bulk_esm.errors import BulkEsmError
from bulk_esm.model.shard import Shard
from bulk_esm.store.s3.lease_rules import LeaseSettings
from bulk_esm.store.s3.locks import S3Locks, holder_here
from bulk_esm.store.s3.thread import BucketThread


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a machine is to do."""

    bucket: str
    account_id: str
    lease_s: float
    renew_every_s: float
    request_timeout_s: float
    reserve_s: float
    wait: bool = False
    off_s: float = 0.0


def main() -> None:
    wanted = msgspec.json.decode(sys.argv[1], type=Wanted)
    true_time = time.time
    time.time = lambda: true_time() + wanted.off_s
    clock = Clock(
        monotonic=lambda: time_with_sleep() + wanted.off_s,
        now=lambda: datetime.now(UTC) + timedelta(seconds=wanted.off_s),
    )
    thread = BucketThread(BucketSettings(bucket=wanted.bucket, prefix="runs/"))
    settings = LeaseSettings(
        lease_s=wanted.lease_s,
        renew_every_s=wanted.renew_every_s,
        request_timeout_s=wanted.request_timeout_s,
        reserve_s=wanted.reserve_s,
        look_every_s=0.5,
    )
    locks = S3Locks(thread, settings=settings, clock=clock)
    thread.start(lambda bucket: bucket.get("nothing")).result()  # opens the client and a connection
    _say("ready")
    sys.stdin.readline()
    holder = holder_here(command="pause", started_at=clock.now().isoformat())
    try:
        leases = locks.take([Shard(account_id=wanted.account_id, region="eu-west-1")], holder=holder, wait=wanted.wait)
    except BulkEsmError as error:
        _say(f"refused {error}")
    else:
        _say(f"held {leases[0].may_send()}")
        sys.stdin.readline()
        _say(f"still {leases[0].may_send()}")
        locks.release(leases)
    thread.close()


def _say(what: str) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
