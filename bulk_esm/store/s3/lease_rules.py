"""What a lock in S3 says, and what that lets a taker do: decided from looks at it, without any I/O.

A holder renews its lock before its lease is over. No stamp of another machine is compared with a clock of this one:
that a lease is over is told by S3's own clock, which stamps both the object and the answer, or by having watched the
object stay as it is for a whole lease.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Final

import msgspec

from bulk_esm.errors import UsageError

# Of an age in whole seconds, as both stamps are cut, either may be nearly a second off.
_ROUNDING_S: Final = 2.0
_MOST_RUNS: Final = 20
_LONGEST_LEASE_S: Final = 86_400.0


class LeaseSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How long a lock is held without a sign of life, and what is done in that time.

    Attributes:
        lease_s: after so many seconds without a renewal others may take it.
        renew_every_s: how often it is renewed, in seconds.
        request_timeout_s: how long a request may take that is sent under it: with less than that left, and a reserve,
            nothing is sent.
        reserve_s: for what a request takes beyond that, and for clocks that run differently, in seconds.
        look_every_s: how often a taker that waits looks at it, in seconds.
    """

    lease_s: float = 60.0
    renew_every_s: float = 15.0
    request_timeout_s: float = 20.0
    reserve_s: float = 5.0
    look_every_s: float = 2.0

    def __post_init__(self) -> None:
        if not 0 < self.renew_every_s < self.lease_s - self.margin_s <= _LONGEST_LEASE_S or self.margin_s < 0:
            raise UsageError(
                f"a lease of {self.lease_s:g} s that is renewed every {self.renew_every_s:g} s leaves no time for "
                f"requests of {self.request_timeout_s:g} s"
            )

    @property
    def margin_s(self) -> float:
        """How much of a lease must be left for anything to be sent, in seconds."""
        return self.request_timeout_s + self.reserve_s


class LockHolder(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds a lock, for the holder itself and for whoever finds it held.

    Attributes:
        id: of this holding alone, so that a holder knows its own lock whatever became of an answer.
        user: the user.
        host: the machine.
        pid: the process.
        command: such as `pause`.
        started_at: ISO 8601 in UTC, by the holder's clock: to be shown, never to be reckoned with.
        run: the run's id, once there is one.
    """

    id: str
    user: str
    host: str
    pid: int
    command: str
    started_at: str
    run: str | None = None

    def __str__(self) -> str:
        run = f", run {self.run}" if self.run else ""
        said = f"{self.command} since {self.started_at}, process {self.pid} of {self.user} on {self.host}{run}"
        return "".join(letter for letter in said if letter.isprintable())  # as whoever can write there may say


class LockState(StrEnum):
    """Whether somebody has a lock."""

    HELD = "held"
    RELEASED = "released"


class LockRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a lock's object holds.

    Attributes:
        state: whether it is held.
        nonce: new in each write, as equal bodies have equal ETags, and a renewal must be seen.
        holder: who has it, or who had it last.
        lease_s: for how long it is held from this write on, in seconds.
        runs: ids of the last runs that worked under it, the newest last.
        unlocked_by: who took it away from its holder; None if nobody did.
    """

    state: LockState
    nonce: str
    holder: LockHolder
    lease_s: Annotated[float, msgspec.Meta(gt=0, le=_LONGEST_LEASE_S)]
    runs: tuple[str, ...] = ()
    unlocked_by: str | None = None

    @classmethod
    def held(cls, holder: LockHolder, lease_s: float, runs: Sequence[str]) -> LockRecord:
        """A lock that is held from now on.

        Args:
            holder: who takes or renews it.
            lease_s: its lease, in seconds.
            runs: the last runs under it; the holder's own becomes the newest.
        """
        own = (holder.run,) if holder.run else ()
        last = (*(run for run in runs if run not in own), *own)[-_MOST_RUNS:]
        return cls(state=LockState.HELD, nonce=secrets.token_hex(8), holder=holder, lease_s=lease_s, runs=last)

    def released(self, *, unlocked_by: str | None = None) -> LockRecord:
        """The same lock, free.

        Args:
            unlocked_by: who takes it away from its holder.
        """
        return msgspec.structs.replace(
            self, state=LockState.RELEASED, nonce=secrets.token_hex(8), unlocked_by=unlocked_by
        )

    def is_of(self, holder: LockHolder) -> bool:
        """Whether it is held, and that in this very holding."""
        return self.state is LockState.HELD and self.holder.id == holder.id


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """A lock as it was found.

    Attributes:
        record: what it says; None if there is no such object, or it cannot be read.
        etag: changes with each write; empty if there is no such object.
        age_s: how long ago it was written by S3's own clock, in seconds.
        seen_at_s: when the answer was here, by the taker's clock, in seconds.
    """

    record: LockRecord | None
    etag: str
    age_s: float
    seen_at_s: float


class Take(msgspec.Struct, frozen=True):
    """It may be taken, by a write in place of what was seen.

    Attributes:
        expected: that object's ETag; empty if there must be none.
    """

    expected: str


class Watch(msgspec.Struct, frozen=True):
    """It may be that its holder is gone: to be looked at again.

    Attributes:
        free_in_s: after how many seconds it may be taken if it stays as it is.
    """

    free_in_s: float


class Refuse(msgspec.Struct, frozen=True):
    """It is not to be had.

    Attributes:
        free_in_s: after how many seconds it may be taken if it stays as it is; None if its holder has shown that it
            lives, or nobody can tell.
    """

    free_in_s: float | None


def decide(look: Look, *, first: Look, wait: bool) -> Take | Watch | Refuse:
    """What to do after a look at a lock.

    Args:
        look: the look.
        first: the first look of this taker; the same if it was this one.
        wait: whether to watch a lock whose lease may be over soon.
    """
    if look.etag != first.etag:
        return Refuse(None)  # whoever wrote it lives, and does, or has just done, what this taker is about to
    if not look.etag:
        return Take("")
    if look.record is None:
        return Refuse(None)
    if look.record.state is LockState.RELEASED:
        return Take(look.etag)
    lease_s = look.record.lease_s
    by_s3_s = lease_s + _ROUNDING_S - look.age_s
    by_watching_s = lease_s - (look.seen_at_s - first.seen_at_s)
    free_in_s = min(by_s3_s, by_watching_s)
    if free_in_s <= 0:
        return Take(look.etag)
    return Watch(free_in_s) if wait else Refuse(free_in_s)
