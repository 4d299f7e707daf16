"""The failure budget of a run, which the engines of several shards may share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bulk_esm.model.budget import is_exceeded, places_left


class Budget:
    """Counts failures, and tells how many updates may be on their way meanwhile.

    Attributes:
        most: how many mappings may fail; None for any number.
        failures: how many have failed so far.
    """

    def __init__(self, most: int | None) -> None:
        """Start with no failure.

        Args:
            most: how many mappings may fail; None for any number.
        """
        self.most = most
        self.failures = 0
        self._watching: list[Callable[[], None]] = []

    @property
    def is_exceeded(self) -> bool:
        """Whether the run has to halt."""
        return is_exceeded(self.most, self.failures)

    @property
    def reason(self) -> str:
        """Why it halts, in words."""
        return f"{self.failures:,} mappings failed, and at most {self.most:,} may"

    def places(self, concurrency: int) -> int:
        """How many updates one engine may have on their way.

        What is left of the budget is shared out, so that the last failures exceed it by one at the most in each engine.

        Args:
            concurrency: how many there may be at the most.
        """
        return places_left(self.most, self.failures, concurrency, sharing=max(1, len(self._watching)))

    def fail(self) -> None:
        """Count a failure."""
        self.failures += 1
        self._tell()

    @contextmanager
    def watched(self, tell: Callable[[], None]) -> Iterator[None]:
        """Share the budget meanwhile.

        Args:
            tell: called when `places` or `is_exceeded` may have changed.
        """
        self._watching.append(tell)
        self._tell()
        try:
            yield
        finally:
            self._watching.remove(tell)
            self._tell()

    def _tell(self) -> None:
        if self.most is not None:
            for tell in list(self._watching):
                tell()
