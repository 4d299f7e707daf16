"""The shards that a worker has open, and what it remembers of each as long as a run lasts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from typing import Final

import anyio

from bulk_esm.aws.pacing import Pacer
from bulk_esm.aws.session import Connection, ConnectionSettings
from bulk_esm.aws.sessions import Sessions
from bulk_esm.clock import Clock
from bulk_esm.engine.estimates import SettleTimes
from bulk_esm.errors import AccessError
from bulk_esm.executors.tasks import Reach
from bulk_esm.model.census import Census
from bulk_esm.model.mapping import EventSourceMapping
from bulk_esm.model.shard import Shard
from bulk_esm.model.unplanned import Unplanned

MOST_OPEN: Final = 200  # connections, with up to `concurrency` sockets each while they are at work


# Of whoever is at work: shards of several accounts are one way in, where no role tells them apart.
expected_account: Final[ContextVar[str | None]] = ContextVar("expected_account", default=None)


def require_account(here: str | None) -> None:
    """Refuse credentials of another account: the first page tells, where STS is out of reach.

    Args:
        here: the account of a mapping, or None.

    Raises:
        AccessError: it is another than that of the shard that is being worked in.
    """
    expected = expected_account.get()
    if None not in (here, expected) and here != expected:
        raise AccessError(f"these credentials are of account {here}, not of {expected}; name a role or a profile")


def settings_of(shard: Shard, reach: Reach) -> ConnectionSettings:
    """How a shard is reached.

    Args:
        shard: the shard.
        reach: how all of them are.
    """
    return ConnectionSettings(
        region=shard.region,
        profile=shard.profile,
        role_arn=shard.role_arn,
        external_id=shard.external_id,
        endpoint_url=reach.endpoint_url,
        max_per_second=shard.max_per_second or reach.max_per_second,
        concurrency=reach.concurrency,
    )


class ShardState:
    """What a shard has taught, whether a connection to it is open or not: its quota knows nothing of connections.

    Attributes:
        pacer: how fast it may be asked.
        times: how long its mappings take to settle.
        census: how many there are.
        unplanned: what its plan lacks, as far as List has shown since; None before there is a plan.
    """

    def __init__(self, pacer: Pacer, times: SettleTimes, census: Census) -> None:
        self.pacer = pacer
        self.times = times
        self.census = census
        self.unplanned: Unplanned | None = None

    def heed(self, page: list[EventSourceMapping]) -> None:
        """Take note of a page of List.

        Raises:
            AccessError: it is of another account.
        """
        for mapping in page:
            if mapping.function_arn:
                require_account(mapping.function.account_id)
                break
        if self.unplanned is not None:
            self.unplanned.heed(page)


class OpenShard:
    """A shard with an open connection.

    Attributes:
        connection: the way in.
        state: what it has taught.
    """

    def __init__(self, connection: Connection, state: ShardState, stack: AsyncExitStack) -> None:
        self.connection = connection
        self.state = state
        self.users = 0
        self._stack = stack

    async def close(self) -> None:
        """Close what was opened for it; what was adopted stays open."""
        self.state.census = self.connection.control_plane.census
        with anyio.CancelScope(shield=True):
            await self._stack.aclose()


class OpenShards:
    """Keeps connections from one task to the next, the least recently used going first where there are too many."""

    def __init__(self, sessions: Sessions, *, clock: Clock, most_open: int = MOST_OPEN) -> None:
        """Begin with none.

        Args:
            sessions: opens them.
            clock: the time.
            most_open: how many stay open at once, beside those that are at work.
        """
        self._sessions = sessions
        self._clock = clock
        self._most_open = most_open
        self._open: dict[tuple[str | None, ...], OpenShard] = {}  # the least recently used first
        self._states: dict[tuple[str | None, ...], ShardState] = {}

    def adopt(self, shard: Shard, connection: Connection) -> None:
        """Use a connection that somebody else has opened and will close.

        Args:
            shard: the shard that it leads to.
            connection: the way in.
        """
        state = _new_state(connection)
        self._states[shard.way] = state
        self._open[shard.way] = OpenShard(connection, state, AsyncExitStack())

    @asynccontextmanager
    async def use(self, shard: Shard, reach: Reach) -> AsyncIterator[OpenShard]:
        """Have a shard open, for one task.

        Args:
            shard: the shard.
            reach: how all shards are reached.

        Raises:
            UsageError: settings that make no sense.
            AccessError: no credentials, or a role that cannot be assumed.
            ServiceError: STS did not answer.
        """
        opened = self._open.pop(shard.way, None) or await self._opened(shard, reach)
        self._open[shard.way] = opened  # as the last used
        opened.users += 1
        try:
            yield opened
        except AccessError:
            self._open.pop(shard.way, None)  # whoever tries again looks for credentials anew
            await opened.close()
            raise
        finally:
            opened.users -= 1
            await self._close_some()

    async def close(self) -> None:
        """Close all connections that were opened here."""
        while self._open:
            _, opened = self._open.popitem()
            await opened.close()

    async def _opened(self, shard: Shard, reach: Reach) -> OpenShard:
        state = self._states.get(shard.way)
        stack = AsyncExitStack()
        connection = await stack.enter_async_context(
            self._sessions.connect(settings_of(shard, reach), clock=self._clock, pacer=state.pacer if state else None)
        )
        if state is None:
            state = self._states[shard.way] = _new_state(connection)
        connection.control_plane.census = state.census
        connection.control_plane.watch = state.heed
        return OpenShard(connection, state, stack)

    async def _close_some(self) -> None:
        idle = [(way, opened) for way, opened in self._open.items() if not opened.users]
        for way, opened in idle[: max(0, len(self._open) - self._most_open)]:
            del self._open[way]
            await opened.close()


def _new_state(connection: Connection) -> ShardState:
    pacer = connection.control_plane.pacer
    state = ShardState(pacer, SettleTimes(max_per_second=pacer.max_per_second), connection.control_plane.census)
    connection.control_plane.watch = state.heed
    return state
