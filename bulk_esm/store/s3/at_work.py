"""Which runs are being carried out at this moment, on whatever machine: those whose locks are held and renewed."""

from __future__ import annotations

from functools import partial
from typing import Final

import anyio
import msgspec

from bulk_esm.aws.bucket import Bucket
from bulk_esm.store.s3.lease_rules import LockRecord, LockState
from bulk_esm.store.s3.locks import LOCKS

# A lease that is longer than this is nobody's: `LeaseSettings` has 60 s.
_OLDEST_S: Final = 600.0


async def runs_at_work(bucket: Bucket) -> frozenset[str]:
    """The ids of the runs at which somebody works, with a lock.

    Args:
        bucket: where runs and locks are kept.

    Raises:
        BulkEsmError: they cannot be read.
    """
    found: set[str] = set()
    async with anyio.create_task_group() as tasks:
        async for entry in bucket.list(LOCKS):
            if entry.age_s < _OLDEST_S:
                tasks.start_soon(partial(_add_run, bucket, entry.key, found))
    return frozenset(found)


async def _add_run(bucket: Bucket, key: str, found: set[str]) -> None:
    lock = await bucket.get(key)
    if lock is None:
        return
    try:
        record = msgspec.json.decode(lock.body, type=LockRecord)
    except (ValueError, RecursionError):
        return
    if record.state is LockState.HELD and record.holder.run and lock.age_s < record.lease_s:
        found.add(record.holder.run)
