"""The shards of a command, and who works in them."""

from __future__ import annotations

from collections.abc import Sequence

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
        is_named: whether fleet flags named them, and not just the credentials: then each has a folder of its own.
        shards_at_once: how many of them are worked in at once; None for what the executor takes by itself.
        clock: the time.
    """

    shards: tuple[Shard, ...]
    executor: Executor
    reach: Reach
    failed: tuple[tuple[Shard, Problem], ...] = ()
    is_named: bool = True
    shards_at_once: int | None = None
    clock: Clock = Clock()

    def among(self, shards: Sequence[Shard]) -> Fleet:
        """The same with other shards.

        Args:
            shards: of these or of an earlier run.
        """
        return msgspec.structs.replace(self, shards=tuple(shards), failed=())

    def rate(self, shard: Shard) -> float:
        """How fast a shard may be asked, in requests/s."""
        return shard.max_per_second or self.reach.max_per_second
