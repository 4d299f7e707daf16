"""Metrics of a run's accounts and Regions, read in each with its own credentials, by the process that drives it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import anyio

from bulk_esm.aws.session import Connection, ConnectionSettings
from bulk_esm.engine.task_groups import task_group
from bulk_esm.errors import AccessError, BulkEsmError, ServiceError
from bulk_esm.executors.tasks import Reach
from bulk_esm.model.measures import MetricQuery, Place
from bulk_esm.model.shard import Shard

_AT_ONCE: Final = 8  # shards


class ShardMetrics:
    """Reads metrics wherever a run works.

    Workers elsewhere may have ways in of their own: what this process cannot reach cannot be watched, and is told.
    """

    def __init__(self, home: Connection, shards: Sequence[Shard], reach: Reach, *, is_named: bool) -> None:
        """Prepare; nothing is opened yet.

        Args:
            home: the connection that all starts from.
            shards: the run's.
            reach: how they are reached.
            is_named: whether flags named them; else the home connection leads to the only one.
        """
        self._home = home
        by_place: dict[Place, Shard] = {(shard.account_id, shard.region): shard for shard in shards}
        self._shards = by_place if is_named else None
        self._reach = reach

    async def read(
        self, queries: Sequence[MetricQuery], *, since: int, until: int
    ) -> Mapping[MetricQuery, Mapping[int, float]]:
        """Read metrics; see `MetricSource`."""
        by_place: dict[Place, list[MetricQuery]] = defaultdict(list)
        for query in queries:
            by_place[query.place].append(query)
        found: dict[MetricQuery, Mapping[int, float]] = {}
        errors: list[BulkEsmError] = []
        limiter = anyio.CapacityLimiter(_AT_ONCE)

        async def read_there(place: Place, some: Sequence[MetricQuery]) -> None:
            async with limiter:
                try:
                    async with self._connection(place) as connection:
                        found.update(await connection.metrics(some, since=since, until=until))
                except BulkEsmError as error:
                    errors.append(error)

        async with task_group() as tasks:
            for place, some in by_place.items():
                tasks.start_soon(read_there, place, some)
        if errors:
            more = f" (and so in {len(errors) - 1:,} more)" if len(errors) > 1 else ""
            raise ServiceError(code="NoMetrics", message=f"{errors[0]}{more}")
        return found

    async def expression(self, queries: Sequence[Mapping[str, Any]], *, since: int, until: int) -> Sequence[float]:
        """What an expression says at home; see `MetricSource`."""
        return await self._home.expression(queries, since=since, until=until)

    async def limit(self, place: Place) -> float:
        """How many invocations an account may have at once; see `MetricSource`."""
        async with self._connection(place) as connection:
            return await connection.concurrency_limit()

    @asynccontextmanager
    async def _connection(self, place: Place) -> AsyncIterator[Connection]:
        if self._shards is None:
            yield self._home
            return
        shard = self._shards.get(place) or self._shards.get((None, place[1]))
        if shard is None:
            raise AccessError(f"{place[0]}-{place[1]} is none of the run's accounts and Regions")
        settings = ConnectionSettings(
            region=shard.region,
            profile=shard.profile,
            role_arn=shard.role_arn,
            external_id=shard.external_id,
            endpoint_url=self._reach.endpoint_url,
            concurrency=1,
        )
        async with self._home.beside(settings) as connection:
            yield connection
