"""Turns what the shards of a run tell, each at its own times, into looks at the whole fleet."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from bulk_esm.cli.fleet_look import FleetLook, ShardLook, ShardState, time_left
from bulk_esm.fleet.standing import ShardStanding

_WINDOW_S: Final = 10.0  # of the rate that is shown
_NO_REQUESTS: Final = frozenset({"throttled", "errors"})  # counted among the others too


class Watch:
    """Looks at the shards of a run again and again, and remembers what it takes to tell their pace.

    What a shard tells of its requests begins anew whenever it is opened, and is gone while it rests.
    """

    def __init__(self, standings: Callable[[], Sequence[ShardStanding]], *, clock: Callable[[], float]) -> None:
        """Begin to watch.

        Args:
            standings: how each shard stands.
            clock: monotonic time in seconds.
        """
        self._standings = standings
        self._clock = clock
        self._began_at = clock()
        self._requests: dict[str, int] = {}
        self._sent = 0
        self._sent_at: deque[tuple[float, int]] = deque()
        self._full_rate: dict[str, float] = {}
        self.look()

    def look(self) -> FleetLook:
        """How the fleet stands now."""
        standings, now = self._standings(), self._clock()
        self._count(standings)
        self._sent_at.append((now, self._sent))
        while len(self._sent_at) > 2 and self._sent_at[1][0] <= now - _WINDOW_S:  # noqa: PLR2004 - a rate needs two
            self._sent_at.popleft()
        (then, before) = self._sent_at[0]
        rate = (self._sent - before) / (now - then) if now > then else 0.0
        accepted = sum(standing.done + standing.settling for standing in standings)
        spent = max(1.0, self._sent / accepted) if accepted else 1.0
        shards = [self._look_at(standing, spent) for standing in standings]
        return FleetLook(
            shards=shards,
            rate=rate,
            throttles=sum(_throttles(standing) for standing in standings),
            elapsed_s=now - self._began_at,
            eta_s=time_left(shards, rate=rate, spent=spent),
        )

    def _count(self, standings: Sequence[ShardStanding]) -> None:
        for standing in standings:
            requests = _requests(standing)
            # Less than before: a worker was lost, and with it the count of what it sent since it last told.
            self._sent += max(0, requests - self._requests.get(standing.name, 0))
            self._requests[standing.name] = requests

    def _look_at(self, standing: ShardStanding, spent: float) -> ShardLook:
        rate = standing.stands.rate if standing.stands else 0.0
        full = self._full_rate[standing.name] = max(rate, self._full_rate.get(standing.name, 0.0))
        to_send = max(0, standing.updates - standing.done - standing.settling)
        return ShardLook(
            account_id=standing.shard.account_id,
            region=standing.shard.region,
            state=_state_of(standing),
            total=standing.updates,
            done=standing.done,
            sending=standing.sending,
            settling=standing.settling,
            outcomes=dict(standing.outcomes),
            rate=rate,
            is_slowed=rate < full,
            left_s=to_send * spent / rate if rate else 0.0,
            reason=standing.problem.reason if standing.problem else None,
        )


def _requests(standing: ShardStanding) -> int:
    ended = sum(count for kind, count in standing.requests.items() if kind not in _NO_REQUESTS)
    return ended + (standing.stands.granted if standing.stands else 0)


def _throttles(standing: ShardStanding) -> int:
    return standing.requests["throttled"] + (standing.stands.throttles if standing.stands else 0)


def _state_of(standing: ShardStanding) -> ShardState:
    if standing.problem is not None:
        return ShardState.FAILED
    if standing.at_work:
        return ShardState.AT_WORK
    return ShardState.DONE if standing.done >= standing.updates else ShardState.WAITING
