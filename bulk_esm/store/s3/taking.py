"""Takes a lock in S3: looks, waits if that is wanted, and writes on the condition that nobody else has meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

import anyio
import msgspec

from bulk_esm.aws.bucket import Found
from bulk_esm.clock import Clock
from bulk_esm.errors import BulkEsmError, NotAsExpectedError, RefusedError
from bulk_esm.store.s3.lease_rules import (
    LeaseSettings,
    LockHolder,
    LockRecord,
    LockState,
    Look,
    Refuse,
    Take,
    decide,
)

LONGEST_TIDYING_S: Final = 5.0


class Objects(Protocol):
    """What a lock needs of a bucket."""

    async def get(self, key: str) -> Found | None:
        """Read an object; see `Bucket.get`."""

    async def put(self, key: str, body: bytes, *, expected: str | None = None) -> str:
        """Write an object; see `Bucket.put`."""

    def name(self, key: str) -> str:
        """An object as messages name it."""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A lock that was taken.

    Attributes:
        record: what it says.
        etag: of its object.
        since_s: from when on its lease counts: before the write was sent, by this machine's clock.
    """

    record: LockRecord
    etag: str
    since_s: float


async def look_at(bucket: Objects, key: str, clock: Clock) -> Look:
    """Look at a lock.

    Args:
        bucket: where it is.
        key: its object's.
        clock: this machine's, which goes on while it sleeps.

    Raises:
        AccessError: it may not be read.
        ServiceError: S3 did not answer.
    """
    found = await bucket.get(key)
    seen_at_s = clock.monotonic()
    if found is None:
        return Look(record=None, etag="", age_s=0.0, seen_at_s=seen_at_s)
    record = None
    with suppress(ValueError, RecursionError):  # msgspec's errors are ValueErrors
        record = msgspec.json.decode(found.body, type=LockRecord)
    return Look(record=record, etag=found.etag, age_s=found.age_s, seen_at_s=seen_at_s)


class Taker:
    """Takes one lock for one holder."""

    def __init__(
        self, bucket: Objects, key: str, what: str, *, holder: LockHolder, settings: LeaseSettings, clock: Clock
    ) -> None:
        """Take nothing yet.

        Args:
            bucket: where the lock is.
            key: its object's.
            what: what it is the lock of, for messages.
            holder: who is to have it; its id is of this attempt alone.
            settings: how long it is held without a renewal.
            clock: this machine's, which goes on while it sleeps.
        """
        self._bucket = bucket
        self._key = key
        self._what = what
        self._holder = holder
        self._settings = settings
        self._clock = clock

    async def take(self, *, wait: bool, told: Callable[[str], None]) -> Held:
        """Take it, or refuse.

        Args:
            wait: whether to watch a lock whose holder may be gone, for a lease at most.
            told: hears what is waited for.

        Raises:
            RefusedError: somebody else has it.
            AccessError: it may not be read or written.
            ServiceError: S3 did not answer.
        """
        first = look = await look_at(self._bucket, self._key, self._clock)
        while not isinstance(decision := decide(look, first=first, wait=wait), Take):
            if isinstance(decision, Refuse):
                raise RefusedError(self._refusal(look, first, decision.free_in_s))
            if look is first:
                told(
                    f"waiting up to {decision.free_in_s:.0f} s to see whether whoever holds {self._what} still lives: "
                    f"{look.record.holder if look.record else ''}"
                )
            await self._clock.sleep(min(self._settings.look_every_s, decision.free_in_s))
            look = await look_at(self._bucket, self._key, self._clock)
        return await self._write(decision.expected, look.record)

    async def _write(self, expected: str, before: LockRecord | None) -> Held:
        runs = before.runs if before else ()
        record = LockRecord.held(self._holder, self._settings.lease_s, runs)
        since_s = self._clock.monotonic()
        try:
            etag = await self._bucket.put(self._key, msgspec.json.encode(record), expected=expected)
        except NotAsExpectedError as error:
            look = await look_at(self._bucket, self._key, self._clock)
            if look.record is None or not look.record.is_of(self._holder):
                raise RefusedError(self._overtaken(look)) from error
            etag = look.etag  # it is ours all the same
        except BaseException:
            await self._give_back()
            raise
        return Held(record=record, etag=etag, since_s=since_s)

    async def _give_back(self) -> None:
        """Leave no lock behind where nobody heard whether it was taken; if that fails, its lease ends it."""
        with anyio.move_on_after(LONGEST_TIDYING_S, shield=True), suppress(BulkEsmError):
            look = await look_at(self._bucket, self._key, self._clock)
            if look.record is not None and look.record.is_of(self._holder):
                await self._bucket.put(self._key, msgspec.json.encode(look.record.released()), expected=look.etag)

    def _refusal(self, look: Look, first: Look, free_in_s: float | None) -> str:
        where = self._bucket.name(self._key)
        if look.etag and look.record is None:
            return (
                f"the lock of {self._what} cannot be read: {where} is of a later version, or damaged; "
                f"take it away with: bulk-esm unlock {_shard_of(self._key)}"
            )
        if look.record is None:
            return f"the lock of {self._what} was removed meanwhile ({where}); try again"
        if look.record.state is LockState.RELEASED:
            return f"another run held {self._what} and has just ended: {look.record.holder}; see what it did first"
        held = f"another run holds {self._what}: {look.record.holder}"
        if free_in_s is None:
            lives = "and lives, for it renewed its lock" if _same_holder(look, first) else "which took it meanwhile"
            return f"{held}, {lives}; wait for it, or go on all the same with --no-lock"
        return (
            f"{held}; it renewed its lock {look.age_s:.0f} s ago, and if it is gone the lock is free in "
            f"{free_in_s:.0f} s at most: wait for that, or go on all the same with --no-lock"
        )

    def _overtaken(self, look: Look) -> str:
        if look.record is None:
            return f"another run was faster to take {self._what}, and it cannot be told which one; try again"
        return f"another run was faster to take {self._what}: {look.record.holder}; wait for it"


def _same_holder(look: Look, first: Look) -> bool:
    return bool(look.record and first.record and look.record.holder.id == first.record.holder.id)


def _shard_of(key: str) -> str:
    return key.rpartition("/")[2].removesuffix(".json")
