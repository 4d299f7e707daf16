"""Turns what the shards of a run tell, each at its own times, into looks at the whole run."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Final

from bulk_esm.cli.look import RunLook, ShardLook, ShardState, time_left
from bulk_esm.runs.shard_progress import ShardProgress

_WINDOW_S: Final = 10.0  # of the rate that is shown
_NO_REQUESTS: Final = frozenset({"throttled", "errors"})  # counted among the others too


class Watch:
    """Looks at the shards of a run again and again, and remembers what it takes to tell their pace.

    What a shard tells of its requests begins anew with each task, and is counted to it at the task's end.
    """

    def __init__(self, progress: Callable[[], Sequence[ShardProgress]], *, clock: Callable[[], float]) -> None:
        """Begin to watch."""
        self._progress = progress
        self._clock = clock
        self._began_at = clock()
        self._requests: dict[str, int] = {}
        self._sent = 0
        self._sent_at: deque[tuple[float, int]] = deque()
        self._full_rate: dict[str, float] = {}
        self.look()

    def look(self) -> RunLook:
        """How the fleet stands now."""
        progress, now = self._progress(), self._clock()
        self._count(progress)
        self._sent_at.append((now, self._sent))
        while len(self._sent_at) > 2 and self._sent_at[1][0] <= now - _WINDOW_S:  # noqa: PLR2004 - a rate needs two
            self._sent_at.popleft()
        (then, before) = self._sent_at[0]
        rate = (self._sent - before) / (now - then) if now > then else 0.0
        accepted = sum(one.done + one.settling for one in progress)
        spent = max(1.0, self._sent / accepted) if accepted else 1.0
        shards = [self._look_at(one, spent) for one in progress]
        return RunLook(
            shards=shards,
            rate=rate,
            throttles=sum(_throttles(one) for one in progress),
            elapsed_s=now - self._began_at,
            eta_s=time_left(shards, rate=rate, spent=spent),
        )

    def _count(self, progress: Sequence[ShardProgress]) -> None:
        for one in progress:
            requests = _requests(one)
            # Less than before: a worker was lost, and with it the count of what it sent since it last told.
            self._sent += max(0, requests - self._requests.get(one.name, 0))
            self._requests[one.name] = requests

    def _look_at(self, progress: ShardProgress, spent: float) -> ShardLook:
        rate = progress.status.rate if progress.status else 0.0
        full = self._full_rate[progress.name] = max(rate, self._full_rate.get(progress.name, 0.0))
        to_send = max(0, progress.updates - progress.done - progress.settling)
        return ShardLook(
            account_id=progress.shard.account_id,
            region=progress.shard.region,
            state=_state_of(progress),
            total=progress.updates,
            done=progress.done,
            sending=progress.sending,
            settling=progress.settling,
            outcomes=dict(progress.outcomes),
            rate=rate,
            is_slowed=rate < full,
            left_s=to_send * spent / rate if rate else 0.0,
            reason=progress.problem.reason if progress.problem else None,
        )


def _requests(progress: ShardProgress) -> int:
    counts = progress.requests + Counter(progress.status.requests if progress.status else {})
    return sum(count for kind, count in counts.items() if kind not in _NO_REQUESTS)


def _throttles(progress: ShardProgress) -> int:
    return progress.requests["throttled"] + (progress.status.requests.get("throttled", 0) if progress.status else 0)


def _state_of(progress: ShardProgress) -> ShardState:
    if progress.problem is not None:
        return ShardState.FAILED
    if progress.at_work:
        return ShardState.AT_WORK
    return ShardState.DONE if progress.done >= progress.updates else ShardState.WAITING
