"""A lock in S3 that is held: renewed as long as its process lives, and nothing is sent without it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import suppress
from threading import Lock
from typing import Final, Protocol

import anyio
import msgspec

from bulk_esm.clock import Clock
from bulk_esm.errors import BulkEsmError, NotAsExpectedError, ServiceError
from bulk_esm.store.s3.lease_rules import LeaseSettings, LockRecord, LockState, Look
from bulk_esm.store.s3.taking import LONGEST_TIDYING_S, Held, Objects, look_at

_AGAIN_S: Final = 1.0
_RELEASE_S: Final = 2.0  # after the grace of 25 s: ECS and Kubernetes kill at 30
_LONGEST_REST_S: Final = 5.0  # as a machine that slept wakes in the midst of a rest


class Starter(Protocol):
    """Starts what is done with the bucket, in its thread; see `BucketThread.start`."""

    def __call__(self, work: Callable[[Objects], Awaitable[None]], /) -> Future[None]:
        """Start it."""


class Lease:
    """A lock that is held. It is renewed in the bucket's thread, and its methods are called from any other.

    Attributes:
        what: what it is the lock of, for messages.
        where: its object, for messages.
    """

    def __init__(
        self, held: Held, key: str, *, what: str, where: str, settings: LeaseSettings, clock: Clock, start: Starter
    ) -> None:
        """Hold what was taken; see `begin`.

        Args:
            held: the lock.
            key: its object's.
            what: what it is the lock of.
            where: its object, for messages.
            settings: how often it is renewed, and until when something may be sent.
            clock: this machine's, which goes on while it sleeps.
            start: begins what is done in the bucket's thread.
        """
        self.what = what
        self.where = where
        self._record = held.record
        self._etag = held.etag
        self._renewed_at_s = held.since_s
        self._holder = held.record.holder
        self._key = key
        self._settings = settings
        self._clock = clock
        self._start = start
        self._unsure: dict[str, float] = {}  # by nonce, when writes were sent of which nobody heard what became of them
        self._failure: BulkEsmError | None = None
        self._is_late = self._is_released = False
        self._lost: str | None = None
        self._hearers: list[Callable[[str], None]] = []
        self._hearers_lock = Lock()
        self._writing = anyio.Lock()
        self._keeping: asyncio.Task[None] | None = None
        self._renewals: set[anyio.CancelScope] = set()

    @property
    def runs(self) -> tuple[str, ...]:
        """The ids of the last runs that worked under it, the newest last."""
        return self._record.runs

    def left_s(self) -> float:
        """How much of the lease is left, in seconds: below 0 once it is over."""
        return self._renewed_at_s + self._settings.lease_s - self._clock.monotonic()

    def may_send(self) -> bool:
        """Whether a request may be sent now: it will have ended before another can have the lock."""
        if self._lost is not None or self._is_late or self._is_released:
            return False
        if self.left_s() >= self._settings.margin_s:
            return True
        self._is_late = True  # for good, though a renewal may succeed yet: the run is told that it is over
        with suppress(RuntimeError):  # the thread has ended, and then there is nobody to tell
            self._start(self._tell_of_lateness)
        return False

    def call_when_lost(self, on_lost: Callable[[str], None]) -> None:
        """Have somebody told, once, why nothing more may be sent.

        Args:
            on_lost: hears the reason, in the bucket's thread, from which it must call nothing of the lease but
                `may_send`; or at once and in this thread, if the lock is lost already.
        """
        with self._hearers_lock:
            if self._lost is None:
                self._hearers.append(on_lost)
                return
        on_lost(self._lost)

    def tell(self, run_id: str) -> Future[None]:
        """Say which run it is, at once or, if S3 does not take that now, with a later renewal.

        Args:
            run_id: the run's.

        Returns:
            Done when that was tried; to wait for it is not necessary.
        """
        self._holder = msgspec.structs.replace(self._holder, run=run_id)
        return self._start(self._renew_now)

    def release(self) -> None:
        """Let it go, if that can be done within seconds; otherwise its end of lease does."""
        self._is_released = True
        with suppress(RuntimeError):  # the thread has ended
            self._start(self.let_go).result()

    def begin(self, bucket: Objects) -> None:
        """Begin to renew it; called in the bucket's thread.

        Args:
            bucket: where it is.
        """
        self._keeping = asyncio.get_running_loop().create_task(self._keep(bucket))

    async def let_go(self, bucket: Objects) -> None:
        """See `release`; called in the bucket's thread.

        Args:
            bucket: where it is.
        """
        self._is_released = True
        if self._keeping is not None:
            self._keeping.cancel()
        for renewal in self._renewals:
            renewal.cancel()
        with anyio.move_on_after(_RELEASE_S, shield=True), suppress(BulkEsmError):
            async with self._writing:
                if self._lost is None:
                    await self._write_released(bucket)

    async def _write_released(self, bucket: Objects) -> None:
        """Release it where it is still ours, with the run in it that no renewal may have told."""
        record = LockRecord.held(self._holder, self._settings.lease_s, self._record.runs)
        body = msgspec.json.encode(record.released())
        try:
            await bucket.put(self._key, body, expected=self._etag)
        except NotAsExpectedError:
            look = await look_at(bucket, self._key, self._clock)
            if look.record is not None and look.record.is_of(self._holder):  # a renewal that nobody heard of
                await bucket.put(self._key, body, expected=look.etag)

    async def _keep(self, bucket: Objects) -> None:
        """Renew it until it is lost or let go."""
        while self._lost is None and not self._is_released:
            now_s = self._clock.monotonic()
            stops_at_s = self._renewed_at_s + self._settings.lease_s - self._settings.margin_s
            if now_s > stops_at_s or self._is_late:
                await self._tell_of_lateness(bucket)
                return
            is_told = self._record.holder == self._holder
            due_at_s = self._renewed_at_s + self._settings.renew_every_s if is_told else now_s
            if now_s < due_at_s:
                await self._clock.sleep(min(due_at_s - now_s, _LONGEST_REST_S))
                continue
            await self._renew_within(stops_at_s - now_s, bucket)
            if self._failure is not None:
                await self._clock.sleep(min(_AGAIN_S, self._settings.renew_every_s / 4))

    async def _renew_now(self, bucket: Objects) -> None:
        await self._renew_within(self.left_s() - self._settings.margin_s, bucket)

    async def _renew_within(self, seconds: float, bucket: Objects) -> None:
        """Renew it once, or give up early enough to try once more: a connection that has died says nothing."""
        with anyio.move_on_after(min(self._settings.renew_every_s / 2, seconds)) as scope:
            self._renewals.add(scope)
            try:
                await self._renew(bucket)
            finally:
                self._renewals.discard(scope)
        if scope.cancelled_caught:
            self._failure = ServiceError(code="TimeoutError", message="S3 did not take it in time")

    async def _renew(self, bucket: Objects) -> None:
        """Renew it once; what fails otherwise than for good is kept in mind, and tried again by `_keep`."""
        async with self._writing:
            if self._lost is not None or self._is_released or self._is_late:
                return
            record = LockRecord.held(self._holder, self._settings.lease_s, self._record.runs)
            was_sure = not self._unsure
            # It counts from before it is sent: S3 stamps it later, and whoever watches sees it later still.
            sent_at_s = self._unsure[record.nonce] = self._clock.monotonic()
            self._failure = None
            try:
                etag = await bucket.put(self._key, msgspec.json.encode(record), expected=self._etag)
                self._renewed(record, etag, sent_at_s)
            except NotAsExpectedError:
                await self._look_whose(bucket, is_lost=was_sure)
            except BulkEsmError as error:
                self._failure = error

    def _renewed(self, record: LockRecord, etag: str, sent_at_s: float) -> None:
        self._record, self._etag, self._renewed_at_s = record, etag, max(sent_at_s, self._renewed_at_s)
        self._unsure.clear()

    async def _look_whose(self, bucket: Objects, *, is_lost: bool) -> None:
        """Look whose lock it is after a refused write: it may be an earlier one of ours, whose answer was lost.

        Args:
            bucket: where it is.
            is_lost: whether there was none.
        """
        if is_lost:
            self._is_late = True  # whatever comes of the look, which is for the message alone
        try:
            with anyio.fail_after(LONGEST_TIDYING_S, shield=is_lost):
                look = await look_at(bucket, self._key, self._clock)
        except (BulkEsmError, TimeoutError) as error:
            self._failure = error if isinstance(error, BulkEsmError) else self._failure
            if is_lost:
                self._lose(f"somebody else wrote the lock of {self.what} ({self.where}); nothing more is sent")
            return
        sent_at_s = self._unsure.get(look.record.nonce) if look.record is not None else None
        if look.record is not None and look.record.is_of(self._holder) and sent_at_s is not None:
            self._renewed(look.record, look.etag, sent_at_s)
        else:
            self._lose(self._taken(look))

    async def _tell_of_lateness(self, _: Objects) -> None:
        gone_s = self._clock.monotonic() - self._renewed_at_s
        why = "was not renewed, as this process stood still," if self._failure is None else "could not be renewed"
        because = f" ({self._failure})" if self._failure is not None else ""
        self._lose(f"the lock of {self.what} {why} in {self.where} for {gone_s:.0f} s{because}; nothing more is sent")

    def _taken(self, look: Look) -> str:
        lock = f"the lock of {self.what} ({self.where})"
        if look.record is None:
            return f"{lock} {'was damaged' if look.etag else 'was removed'} meanwhile; nothing more is sent"
        if look.record.state is LockState.RELEASED:
            return f"{lock} was taken away by {look.record.unlocked_by or 'somebody'}; nothing more is sent"
        return f"{lock} has been taken by another run: {look.record.holder}; nothing more is sent"

    def _lose(self, reason: str) -> None:
        with self._hearers_lock:
            if self._lost is not None or self._is_released:
                return
            self._lost = reason
            hearers, self._hearers = self._hearers, []
        for on_lost in hearers:
            on_lost(reason)
