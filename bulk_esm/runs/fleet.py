"""A fleet: its shards, and who works in them."""

from __future__ import annotations

import msgspec

from bulk_esm.clock import Clock
from bulk_esm.executors.protocols import Executor
from bulk_esm.executors.tasks import Reach
from bulk_esm.model.shard import Problem, Shard


class Fleet(msgspec.Struct, frozen=True, kw_only=True):
    """Shards that can be worked in.

    Attributes:
        shards: the shards, in their order.
        executor: who does the work.
        reach: how the shards are reached.
        failed: shards that are known to be out of reach, and why.
        clock: the time.
    """

    shards: tuple[Shard, ...]
    executor: Executor
    reach: Reach
    failed: tuple[tuple[Shard, Problem], ...] = ()
    clock: Clock = Clock()
