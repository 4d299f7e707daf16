"""What others ask of a run while it is at work, and what all of it comes to: pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

import msgspec

from bulk_esm.model.checked import AtLeastOne
from bulk_esm.model.records import Caller

ControlAction = Literal["hold", "go", "stop", "approve"]
_STAMP: Final = "%Y%m%dT%H%M%S.%fZ"
_LONGEST_NAME: Final = 64  # of a user or a host that is shown; whoever may write there may write anything


class ControlRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody asks of a run: a file of its own.

    Attributes:
        action: what.
        invocation: of which of the commands that carried the run out, from 1; it was at work then.
        by: who asks.
        at: when, by the clock of whoever asks, ISO 8601 in UTC.
        rollback: of a stop, whether what the run changed is to be put back.
        wave: of an approval, the wave that may begin.
    """

    action: ControlAction
    invocation: int
    by: Caller
    at: str
    rollback: bool = False
    wave: AtLeastOne | None = None

    @property
    def who(self) -> str:
        """Who asks, such as `alice@build-7`."""
        user, host = (str(name or "unknown")[:_LONGEST_NAME] for name in (self.by.user, self.by.host))
        return f"{user}@{host}"


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """What all that was asked of a run comes to.

    Attributes:
        held: what holds it; None if nothing does.
        stopped: what stops it, or None.
        puts_back: whether what it changed is to be put back, as a stop asked for.
        approved: the waves that may begin.
    """

    held: ControlRequest | None = None
    stopped: ControlRequest | None = None
    puts_back: bool = False
    approved: frozenset[int] = frozenset()


NOTHING_ASKED: Final = Control()


class ControlStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a run stands that is asked things, as it tells whoever asks.

    Attributes:
        invocation: of which command this is, from 1.
        heard: the names of the requests that it has heeded.
        held: what holds it, or None.
        stopped: what stops it, or None.
        awaits: the wave that is awaiting approval, or None.
        done: how many updates had ended when it heeded the last of them.
        under_way: how many others were sent, and had not settled.
        total: how many there are.
    """

    invocation: int
    heard: frozenset[str] = frozenset()
    held: ControlRequest | None = None
    stopped: ControlRequest | None = None
    awaits: int | None = None
    done: int = 0
    under_way: int = 0
    total: int = 0


def control_of(requests: Mapping[str, ControlRequest], *, invocation: int) -> Control:
    """What requests come to.

    A hold and an approval hold until they are taken back, whoever continues the run. A stop is of one invocation: it
    names it, as the clocks of two machines need not agree on what was first.

    Args:
        requests: by their names, whose order is theirs; see `name_after`.
        invocation: the number of the command that carries the run out now, from 1.
    """
    held: ControlRequest | None = None
    stopped: ControlRequest | None = None
    puts_back = False
    approved: set[int] = set()
    for _, request in sorted(requests.items()):
        if request.action == "hold":
            held = held or request
        elif request.action == "go":
            held = None
        elif request.action == "approve" and request.wave is not None:
            approved.add(request.wave)
        elif request.action == "stop" and request.invocation == invocation:
            stopped = stopped or request
            puts_back = puts_back or request.rollback
    return Control(held=held, stopped=stopped, puts_back=puts_back, approved=frozenset(approved))


def counting(
    requests: Mapping[str, ControlRequest], *, heard: Collection[str], invocation: int
) -> dict[str, ControlRequest]:
    """The requests that count for a run.

    What came too late for the command that was at work is no word to the next one: whoever asked was told that it was
    refused. But a hold is heeded however it came.

    Args:
        requests: all, by name.
        heard: the names of those that were heeded so far, as the run's status has them.
        invocation: the number of the command that carries the run out now, from 1.
    """
    return {
        name: request
        for name, request in requests.items()
        if request.invocation == invocation or request.action == "hold" or name in heard
    }


def stopped_reason(stop: ControlRequest) -> str:
    """Why a run has halted that somebody stopped."""
    return f"stopped by {stop.who}"


def name_after(earlier: Mapping[str, ControlRequest], now: datetime, nonce: str) -> str:
    """Name a request so that it sorts after all that whoever asks it has seen, however wrong its clock is.

    Args:
        earlier: the requests that are there, by name.
        now: the time of day.
        nonce: what no other request of this moment has, in hexadecimal.
    """
    last = max((_moment(name) for name in earlier), default=None)
    at = now.astimezone(UTC)
    if last is not None and at <= last:
        at = last + timedelta(microseconds=1)
    return f"{at:{_STAMP}}-{nonce}.json"


def _moment(name: str) -> datetime:
    return datetime.strptime(name.partition("-")[0], _STAMP).replace(tzinfo=UTC)
