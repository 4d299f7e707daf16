"""The failure budget of a run, which the engines of several shards may share, and those of other processes in parts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import anyio

from bulk_esm.model.budget import is_exceeded, places_left, spares_denials
from bulk_esm.model.denials import was_accepted, was_denied
from bulk_esm.model.result import TROUBLE, Result


class Budget:
    """Counts failures, and lets no more updates be on their way than it can bear if all of them fail.

    Attributes:
        most: how many mappings may fail; None for any number.
        failures: how many have failed so far.
    """

    def __init__(self, most: int | None, *, failures: int = 0) -> None:
        """Start.

        Args:
            most: how many mappings may fail; None for any number.
            failures: how many have failed before.
        """
        self.most = most
        self.failures = failures
        self._denied: Counter[str] = Counter()
        self._accepting: set[str] = set()
        self._places = anyio.CapacityLimiter(places_left(most, failures))
        self._watching: list[Callable[[], None]] = []

    @property
    def is_exceeded(self) -> bool:
        """Whether the run has to halt."""
        return is_exceeded(self.most, self.counted)

    @property
    def reason(self) -> str:
        """Why it halts, in words."""
        return f"{self.counted:,} mappings failed, and at most {self.most:,} may"

    @property
    def counted(self) -> int:
        """The failures that count: not those for want of permission, in a shard where nothing was ever accepted."""
        return self.failures - (self._denied.total() if spares_denials(self.most) else 0)

    async def enter(self, who: object) -> None:
        """Wait until one more update may be on its way.

        Args:
            who: the update; hashable.
        """
        if self.most is None:
            return
        await self._places.acquire_on_behalf_of(who)
        while self._places.borrowed_tokens > self._places.total_tokens:
            # What freed the place was a failure, after which there is one place less.
            self._places.release_on_behalf_of(who)
            await self._places.acquire_on_behalf_of(who)

    def leave(self, who: object) -> None:
        """An update is no longer on its way; it may have left before.

        Args:
            who: as it entered.
        """
        with suppress(RuntimeError):
            self._places.release_on_behalf_of(who)

    def fail(self) -> None:
        """Count a failure."""
        self.failures += 1
        self._weigh()

    def take(self, shard: str, result: Result) -> None:
        """Count a result, if it is a failure.

        Args:
            shard: the shard's name.
            result: the result.
        """
        if was_accepted(result):
            self.accept(shard)
        if result.outcome in TROUBLE:
            if was_denied(result) and shard not in self._accepting:
                self._denied[shard] += 1
            self.fail()

    def accept(self, shard: str) -> None:
        """An update was accepted, so those that were denied there were denied one by one, and count.

        Args:
            shard: the shard's name.
        """
        self._accepting.add(shard)
        if self._denied.pop(shard, 0):
            self._weigh()

    def _weigh(self) -> None:
        places = places_left(self.most, self.counted)
        if places != math.inf:
            self._places.total_tokens = places
        if self.is_exceeded:
            for tell in list(self._watching):
                tell()

    @contextmanager
    def watched(self, tell: Callable[[], None]) -> Iterator[None]:
        """Watch the budget meanwhile.

        Args:
            tell: called when it is exceeded.
        """
        self._watching.append(tell)
        try:
            yield
        finally:
            self._watching.remove(tell)


class BudgetShare(Budget):
    """A part of a budget, for engines elsewhere; whoever granted it counts all failures, and halts.

    Attributes:
        granted: how many updates of those engines may be refused or on their way, in all.
        number: of the last grant.
    """

    def __init__(self, on_change: Callable[[], None] = lambda: None) -> None:
        """Begin with nothing.

        Args:
            on_change: called when what is needed of it has changed.
        """
        super().__init__(0)
        self._places.total_tokens = 0
        self.number = 0
        self._meant = 0
        self._waiting = 0
        self._is_fresh = True
        self._on_change = on_change

    @property
    def is_exceeded(self) -> bool:
        """Never: that is for whoever granted it to say."""
        return False

    @property
    def granted(self) -> int:
        """What was granted; of less than before so much more as is on its way by now."""
        return max(self._meant, self.failures + int(self._places.borrowed_tokens))

    @property
    def is_wanted(self) -> bool:
        """Whether an update waits for a place, or has one; or the first is still to come."""
        return self._is_fresh or self._waiting > 0 or self._places.borrowed_tokens > 0

    def grant(self, granted: int, *, number: int) -> None:
        """Take note of a grant, which replaces the one before.

        Args:
            granted: see `granted`.
            number: see `number`.
        """
        self._meant, self.number = granted, number
        self._weigh()

    async def enter(self, who: object) -> None:
        """Wait until one more update may be on its way; see `Budget`."""
        self._waiting += 1
        self._is_fresh = False
        self._on_change()
        try:
            await super().enter(who)
        finally:
            self._waiting -= 1

    def leave(self, who: object) -> None:
        """An update is no longer on its way; see `Budget`."""
        super().leave(who)
        self._on_change()

    def _weigh(self) -> None:
        self._places.total_tokens = max(0, self._meant - self.failures)
        self._on_change()
