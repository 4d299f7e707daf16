"""What a driver and a worker elsewhere say to each other: JSON, one message at a time. No credential is part of it."""

from __future__ import annotations

import msgspec

from bulk_esm.executors.tasks import Assignment, Event, ShardEnd
from bulk_esm.model.stopping import Stop


class Do(msgspec.Struct, frozen=True, tag="do"):
    """Do this, beside whatever else is being done."""

    assignment: Assignment


class Halt(msgspec.Struct, frozen=True, tag="halt"):
    """Send nothing more.

    Attributes:
        stop: why.
        hurry: whether to look at once at all that was accepted.
        shard: in which shard; None for all.
    """

    stop: Stop
    hurry: bool = False
    shard: str | None = None


class Hold(msgspec.Struct, frozen=True, tag="hold"):
    """Send nothing for now, or go on.

    Attributes:
        is_held: whether to send nothing.
    """

    is_held: bool


class Share(msgspec.Struct, frozen=True, tag="share"):
    """What a worker has of the failure budget from now on.

    Attributes:
        number: grows from order to order.
        granted: how many of its updates may be refused or on their way, in all.
    """

    number: int
    granted: int


class Ping(msgspec.Struct, frozen=True, tag="ping"):
    """The driver is still there."""


class Leave(msgspec.Struct, frozen=True, tag="leave"):
    """There is nothing more to do."""


Order = Do | Halt | Hold | Share | Ping | Leave


class Here(msgspec.Struct, frozen=True, tag="here"):
    """A worker is ready.

    Attributes:
        place: which of the places that the driver gave out it took.
        worker_id: a name that no other worker ever has, the one that took the place before it included.
    """

    place: str
    worker_id: str


class Held(msgspec.Struct, frozen=True):
    """What a worker does with its share of the failure budget.

    Attributes:
        number: the last `Share` that it heard.
        granted: how many of its updates are refused or may be on their way: more than that, until some have answers.
        failures: how many have failed.
        is_wanted: whether it has something to send.
    """

    number: int
    granted: int
    failures: int
    is_wanted: bool


class Told(msgspec.Struct, frozen=True, tag="told"):
    """What happened of late, in order; and the share of the budget as it stands after that, if it changed."""

    events: tuple[Event, ...]
    held: Held | None = None


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """A shard has ended; all its events were told before."""

    end: ShardEnd


Report = Here | Told | Ended

_ORDERS: msgspec.json.Decoder[Order] = msgspec.json.Decoder(Order)
_REPORTS: msgspec.json.Decoder[Report] = msgspec.json.Decoder(Report)


def write(message: Order | Report) -> bytes:
    """A message as it travels."""
    return msgspec.json.encode(message)


def read_order(message: bytes) -> Order:
    """What the driver said.

    Raises:
        msgspec.DecodeError: it is none of the orders.
    """
    return _ORDERS.decode(message)


def read_report(message: bytes) -> Report:
    """What a worker said.

    Raises:
        msgspec.DecodeError: it is none of the reports.
    """
    return _REPORTS.decode(message)
