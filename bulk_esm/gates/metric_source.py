"""Where a gate reads metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from bulk_esm.model.measures import MetricQuery, Place


class MetricSource(Protocol):
    """Where metrics are read: in each account and Region with its own credentials."""

    async def read(
        self, queries: Sequence[MetricQuery], *, since: int, until: int
    ) -> Mapping[MetricQuery, Mapping[int, float]]:
        """Values by minute for each query.

        Args:
            queries: which.
            since: the first minute, from the epoch.
            until: the minute after the last.

        Raises:
            BulkEsmError: they cannot be read.
        """

    async def expression(self, queries: Sequence[Mapping[str, Any]], *, since: int, until: int) -> Sequence[float]:
        """What an expression says, in the account and Region that all starts from; see `read`."""

    async def limit(self, place: Place) -> float:
        """How many invocations an account may have at once in a Region."""
