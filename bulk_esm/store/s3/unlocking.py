"""Takes a lock in S3 away from its holder, for whoever knows that it is gone."""

from __future__ import annotations

import secrets

import msgspec

from bulk_esm.errors import NotAsExpectedError, RefusedError
from bulk_esm.store.s3.lease_rules import LockHolder, LockRecord, LockState, Look
from bulk_esm.store.s3.taking import Objects


def is_held(look: Look) -> bool:
    """Whether there is something to take away: a lock that cannot be read is one too."""
    return bool(look.etag) and (look.record is None or look.record.state is LockState.HELD)


def described(look: Look, what: str) -> list[str]:
    """What is known of a lock, in lines to be shown.

    Args:
        look: a look at it.
        what: what it is the lock of.
    """
    if not look.etag:
        return [f"nobody holds {what}"]
    record = look.record
    if record is None:
        return [f"the lock of {what} cannot be read: it is of a later version, or damaged", _written(look)]
    if record.state is LockState.RELEASED:
        return [f"nobody holds {what}; the last was {record.holder}"]
    lives = (
        f"its lease of {record.lease_s:g} s is not over, so as far as is known it lives"
        if look.age_s < record.lease_s
        else f"its lease of {record.lease_s:g} s is over: the next run that waits takes the lock by itself"
    )
    return [f"{what} is held by {record.holder}", f"{_written(look)}; {lives}"]


async def unlock(bucket: Objects, key: str, look: Look, *, by: LockHolder) -> None:
    """Set a lock free, unless it has changed since it was looked at.

    Args:
        bucket: where it is.
        key: its object's.
        look: how it was found.
        by: who does so, for the holder that may yet live, and loses it at its next renewal.

    Raises:
        RefusedError: it has changed.
        AccessError: it may not be written.
        ServiceError: S3 did not answer.
    """
    record = look.record or LockRecord(state=LockState.HELD, nonce=secrets.token_hex(8), holder=by, lease_s=1.0)
    released = record.released(unlocked_by=f"{by.user} on {by.host}")
    try:
        await bucket.put(key, msgspec.json.encode(released), expected=look.etag)
    except NotAsExpectedError as error:
        raise RefusedError(
            f"{bucket.name(key)} was written meanwhile, so whoever holds the lock lives; nothing was changed"
        ) from error


def _written(look: Look) -> str:
    return f"it was written {look.age_s:.0f} s ago, by the clock of S3"
