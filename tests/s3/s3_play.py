"""Scenes of several machines that want one lock, played in virtual time, and what must never happen in one."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec
from s3_virtual import Fault, Machine, VirtualS3

from bulk_esm.errors import RefusedError, ServiceError
from bulk_esm.store.s3.lease import Lease
from bulk_esm.store.s3.lease_rules import LeaseSettings, LockHolder
from bulk_esm.store.s3.taking import Taker

KEY = ".locks/123456789012-eu-west-1.json"
WHAT = "account 123456789012, eu-west-1"
SETTINGS = LeaseSettings()
_LOOKS_S = 0.5


@dataclass(frozen=True)
class Actor:
    """What one machine does: it tries a number of times to get the lock, works for a while, and ends in some way."""

    starts_at: float = 0.0
    works_s: float = 100.0
    crashes: bool = False
    waits: bool = False
    tries: int = 1
    tries_every_s: float = 30.0
    began_s: float = 0.0
    rate: float = 1.0
    frozen: tuple[tuple[float, float], ...] = ()
    faults: Mapping[int, Fault] = field(default_factory=dict)


@dataclass
class Holding:
    """That a machine had the lock: between which times a request that it sent may have been on its way."""

    actor: int
    begins_at: float
    ends_at: float
    lost: list[str] = field(default_factory=list)


@dataclass
class Played:
    holdings: list[Holding] = field(default_factory=list)
    refusals: list[tuple[int, float, str]] = field(default_factory=list)
    failures: list[tuple[int, float, str]] = field(default_factory=list)

    def overlaps(self) -> list[tuple[Holding, Holding]]:
        """What must not be: requests of two holdings on their way at the same time."""
        ordered = sorted(self.holdings, key=lambda holding: holding.begins_at)
        return [
            (one, other)
            for index, one in enumerate(ordered)
            for other in ordered[index + 1 :]
            if other.begins_at <= one.ends_at
        ]


def holder_of(actor: int) -> LockHolder:
    return LockHolder(
        id=secrets.token_hex(8), user=f"user{actor}", host=f"host{actor}", pid=actor, command="pause", started_at="-"
    )


async def play(actors: list[Actor], s3: VirtualS3 | None = None) -> Played:
    """Play a scene; its times are seconds from its begin."""
    played, store = Played(), s3 or VirtualS3()
    began_at = store.now
    await asyncio.gather(*(_act(number, actor, store, began_at, played) for number, actor in enumerate(actors)))
    for holding in played.holdings:
        holding.begins_at -= began_at
        holding.ends_at -= began_at
    return played


async def _act(number: int, actor: Actor, s3: VirtualS3, began_at: float, played: Played) -> None:
    frozen = tuple((began_at + at, seconds) for at, seconds in actor.frozen)
    machine = Machine(s3, began_s=actor.began_s, rate=actor.rate, frozen=frozen, faults=actor.faults)
    await asyncio.sleep(actor.starts_at)
    for _ in range(actor.tries):
        lease = await _taken(number, actor, machine, played, began_at)
        if lease is not None:
            await _work(number, actor, machine, lease, played)
            return
        await machine.sleep(actor.tries_every_s)


async def _taken(number: int, actor: Actor, machine: Machine, played: Played, began_at: float) -> Lease | None:
    own = holder_of(number)
    taker = Taker(machine.bucket, KEY, WHAT, holder=own, settings=SETTINGS, clock=machine.clock)
    try:
        held = await taker.take(wait=actor.waits, told=lambda _: None)
    except RefusedError as error:
        played.refusals.append((number, machine.s3.now - began_at, str(error)))
        return None
    except ServiceError as error:
        played.failures.append((number, machine.s3.now - began_at, str(error)))
        return None
    lease = Lease(held, KEY, what=WHAT, where=KEY, settings=SETTINGS, clock=machine.clock, start=machine.start)
    lease.begin(machine.bucket)
    return lease


async def _work(number: int, actor: Actor, machine: Machine, lease: Lease, played: Played) -> None:
    holding: Holding | None = None
    lost: list[str] = []
    lease.call_when_lost(lost.append)
    until = machine.s3.now + actor.works_s
    while machine.s3.now < until:
        await machine.awake()
        if not lease.may_send():
            break
        sent_at = machine.s3.now
        arrives_by = sent_at + SETTINGS.request_timeout_s / actor.rate
        if holding is None:
            holding = Holding(number, sent_at, arrives_by, lost)
            played.holdings.append(holding)
        holding.ends_at = arrives_by
        await machine.sleep(_LOOKS_S)
    if actor.crashes:
        assert lease._keeping is not None
        lease._keeping.cancel()
        with suppress(asyncio.CancelledError):
            await lease._keeping
        return
    # What was sent is waited for, as a run does.
    await machine.sleep(SETTINGS.request_timeout_s)
    await machine.awake()
    await lease.let_go(machine.bucket)
    assert not lease.may_send()


def state_of(s3: VirtualS3) -> str:
    return str(msgspec.json.decode(s3.objects[KEY].body)["state"])
